"""Weights of extractors: from a file, from the hub, or a clear word why not."""

from pathlib import Path

import huggingface_hub
import safetensors.torch
import timm
import torch
from torch import nn

from runtime.errors import InputError

HUB_FILE = "model.safetensors"

WAYS_ON = (
    "Ways on: --weights PATH with a .pth or .safetensors file fetched elsewhere (torchvision's or timm's names), "
    "or --weights random to go on with untrained features."
)


def reach_hub(tag: str) -> None:
    """One request, where the weights are not cached: the hub's client would try for a minute before it gives up."""
    repository = timm.get_pretrained_cfg(tag).hf_hub_id
    if not isinstance(huggingface_hub.try_to_load_from_cache(repository, HUB_FILE), str):
        huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(repository, HUB_FILE))


def first_line(error: Exception) -> str:
    """What an error says in one line."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def load_file(backbone: nn.Module, path: Path) -> None:
    """Load a .pth or .safetensors file strictly, but for the stages behind the pyramid."""
    if path.suffix not in (".pth", ".safetensors"):
        raise InputError(f"weights {str(path)!r}: not imagenet, random, auto or a .pth / .safetensors file. {WAYS_ON}")
    try:
        if path.suffix == ".safetensors":
            tensors = safetensors.torch.load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
            tensors = tensors.get("state_dict", tensors)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such weight file. {WAYS_ON}") from error
    except Exception as error:  # torch and safetensors raise a dozen types on a damaged file
        raise InputError(f"{path}: cannot be read as weights ({first_line(error)}). Fetch it again.") from error
    expected = backbone.state_dict()
    missing = [n for n in expected if n not in tensors and not n.endswith("num_batches_tracked")]
    if missing:
        raise InputError(f"{path}: lacks {missing[0]} and {len(missing) - 1} more tensors of this extractor.")
    wrong = [n for n, t in expected.items() if n in tensors and tensors[n].shape != t.shape]
    if wrong:
        found, wanted = tuple(tensors[wrong[0]].shape), tuple(expected[wrong[0]].shape)
        raise InputError(f"{path}: {wrong[0]} has shape {found}, this extractor expects {wanted}.")
    backbone.load_state_dict({n: tensors.get(n, t) for n, t in expected.items()})
