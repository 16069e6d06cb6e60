"""Files of tensors read without trust: nothing is unpickled but tensors and plain values, which are what they claim.

Of a file of torch every part has a checksum, which torch does not look at.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from runtime.errors import InputError
from runtime.reading import reading


def read_torch(path: Path, what: str, remedy: str, missing: str) -> Any:
    """The content of a file that torch.save wrote.

    Raises InputError, with the `remedy`, where it is missing, damaged or anything else than `what`.
    """
    with reading(path, what, remedy, missing):
        if zipfile.is_zipfile(path):  # else one of old, without checksums
            _check_parts(path, remedy)
        content = torch.load(path, map_location="cpu", weights_only=True)
        for name, tensor in tensors_in(content):
            _check_dense(tensor, name)
    check_numbers(path, content, remedy)
    return content


def tensors_in(content: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors of a content with their names."""
    if isinstance(content, Tensor):
        yield name, content
    elif isinstance(content, dict | list | tuple):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from tensors_in(value, f"{name}.{key}" if name else str(key))


def check_numbers(path: Path, content: Any, remedy: str) -> None:
    """Raises InputError where a tensor of a content holds NaN or infinity."""
    for name, tensor in tensors_in(content):
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(
                f"{path}: {name} holds values that are no numbers: the training went astray, or the file was made so. "
                f"{remedy}"
            )


def _check_parts(path: Path, remedy: str) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise ValueError("it is compressed, as torch never does")
        if sum(part.file_size for part in parts) > path.stat().st_size:
            raise ValueError("its parts claim to be larger than the file")
        if bad := archive.testzip():
            raise InputError(f"{path}: is damaged: the checksum of {bad} is wrong. {remedy}")


def _check_dense(tensor: Tensor, name: str) -> None:
    """Raises ValueError for a tensor that is larger than what the file holds of it, or not plain numbers in memory."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        raise ValueError(f"{name} is no plain tensor")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError(f"{name} claims the shape {tuple(tensor.shape)}, of which less is there")
