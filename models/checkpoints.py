"""Checkpoints: ours, written whole or not at all, and those of the original MSFlow.

A checkpoint is a dictionary {'epoch', 'fusion_flow', 'parallel_flows': [..], 'optimizer'?} of state dicts; ours
adds the parts that need no training, what else a test or an exact continuation needs (see Progress), and what the
detector was trained on. The original differs in two ways: the position of the four modules inside `fusion_flow` changes
from file to file, and the permutation of a coupling block is a C x C matrix.
"""

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.flows import MSFlow
from models.tensor_files import check_numbers, read_torch
from runtime.errors import InputError
from runtime.files import atomic_file

KINDS = {"epoch": int, "step": int, "best": dict, "settings": dict, "channels": list, "columns": dict, "data": dict}
StateDict = dict[str, Tensor]
KEPT = ("bank_", "origin_")  # how the names begin of what holds as much as a training left in it


@dataclass
class Progress:
    """How far a training is.

    `epoch` counts finished meta epochs, `step` optimizer steps; `best` holds the best value of each picture metric
    so far, `settings` what shaped the model. Checkpoints of the original have only an epoch.
    """

    epoch: int = 0
    step: int = 0
    best: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, content: dict[str, Any]) -> "Progress":
        """What a checkpoint tells of it."""
        return cls(**{name: content[name] for name in cls.__dataclass_fields__ if name in content})


def write_checkpoint(path: Path, progress: Progress, *contents: dict[str, Any]) -> None:
    """Write progress and contents, state dicts by name and plain values, to `path`; equal ones are equal bytes.

    Raises InputError where weights are no numbers: what stood there before stays.
    """
    whole = asdict(progress)
    for content in contents:
        whole |= content
    check_numbers(path, whole, "It is not written; an earlier one stays. Lower --lr, or look at the data.")
    whole = _anew(whole)
    with atomic_file(path) as temporary:
        try:
            torch.save(whole, temporary)
        except RuntimeError as error:  # what torch makes of a full disk
            if temporary.stat().st_size and shutil.disk_usage(path.parent).free > temporary.stat().st_size:
                raise
            raise InputError(
                f"{path}: cannot be written, the disk is full. Make room, or choose another folder."
            ) from error


def _anew(content: Any) -> Any:
    """The same content in new objects, equal texts as one: a pickle tells which of its objects are identical."""
    if isinstance(content, dict):
        return {_anew(key): _anew(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(map(_anew, content))
    return sys.intern(content) if type(content) is str else content


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint. Raises InputError where the file is missing, damaged or none."""
    missing = "Train first (--mode train), or set --eval-ckpt."
    content = read_torch(path, "a checkpoint", "Train again, or choose another file.", missing)
    _require(path, content, {"epoch"})
    for name, kind in KINDS.items():
        if not isinstance(content.get(name, kind()), kind):
            raise InputError(f"{path}: is not a checkpoint of MSFlow: its {name} is no {kind.__name__}.")
    return content


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """Say in one line that the content of the checkpoint `path`, which the block takes, is none of a detector's."""
    try:
        yield
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        told = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: holds something else than this detector ({type(error).__name__}: {told}). Train again, or choose "
            "another file."
        ) from error


def _require(path: Path, content: Any, names: set[str]) -> None:
    if not isinstance(content, dict) or not names <= content.keys():
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise InputError(f"{path}: is not a checkpoint of MSFlow: has {found}, needs {', '.join(sorted(names))}.")


def flow_state(flow: MSFlow) -> dict[str, Any]:
    """The flows as a checkpoint holds them."""
    return {
        "fusion_flow": flow.fusion_flow.state_dict(),
        "parallel_flows": [parallel.state_dict() for parallel in flow.parallel_flows],
    }


def load_flow(path: Path, content: dict[str, Any], flow: MSFlow) -> None:
    """Load the flows from the content of the checkpoint `path`, of ours or of the original.

    Raises InputError where it holds none, or they are of another architecture (naming the first tensors that differ).
    """
    _require(path, content, {"epoch", "fusion_flow", "parallel_flows"})
    num_features = [len(module.perm) for module in flow.fusion_flow.module_list[:-1]]
    loaded = {}
    for name, tensor in _fusion_in_our_order(content["fusion_flow"], num_features).items():
        loaded[f"fusion_flow.{name}"] = tensor
    for level, parallel in enumerate(content["parallel_flows"]):
        for name, tensor in _with_index_permutations(parallel, path).items():
            loaded[f"parallel_flows.{level}.{name}"] = tensor
    _check_same_architecture(path, loaded, flow.state_dict())
    flow.load_state_dict(loaded)


def load_parts(path: Path, content: dict[str, Any], parts: dict[str, nn.Module]) -> None:
    """Load parts that need no training from the content of the checkpoint `path`; how much they keep is up to it.

    Raises InputError where it lacks a part or holds it for other features or channels.
    """
    _require(path, content, {"epoch", *parts})
    for name, module in parts.items():
        expected = module.state_dict()
        kept, found = ({key: _kept_shape(key, t) for key, t in of.items()} for of in (expected, content[name]))
        if kept != found:
            raise InputError(
                f"{path}: its {name} is of other channels or another extractor. Set them back, or train anew."
            )
        for key, tensor in content[name].items():
            owner, _, leaf = key.rpartition(".")
            if leaf.startswith(KEPT):
                setattr(module.get_submodule(owner), leaf, tensor.to(expected[key].device))
            else:
                expected[key].copy_(tensor)


def load_optimizers(path: Path, content: dict[str, Any], optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Load the optimizers of a stopped training. Raises InputError where the checkpoint has none, or not as many."""
    states = content.get("optimizer", [])
    states = states if isinstance(states, list) else [states]
    if "step" not in content or len(states) != len(optimizers):
        raise InputError(
            f"{path}: holds no optimizer state to continue from. It can be tested (--mode test --eval-ckpt {path})."
        )
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict(state)


def _kept_shape(name: str, tensor: Tensor) -> tuple[int, ...]:
    """The shape that must agree: how many features a bank keeps may differ."""
    return tuple(tensor.shape[1:] if name.rpartition(".")[2].startswith(KEPT) else tensor.shape)


def _fusion_in_our_order(state: StateDict, num_features: list[int]) -> StateDict:
    """Rename the modules of a fusion flow to our order: permutations by level, then the coupling.

    A permutation belongs to the level with as many planes; where levels have equally many, the order of the file
    decides. Tensors that fit nowhere keep their name and are found by the check of the architecture.
    """
    free = list(range(len(num_features)))
    positions = {}
    for name, tensor in sorted(state.items()):
        _, position, rest = name.split(".", 2)
        if rest == "perm":
            level = next((level for level in free if num_features[level] == len(tensor)), None)
            if level is not None:
                free.remove(level)
                positions[position] = level
        elif rest.startswith("subnet_"):
            positions[position] = len(num_features)
    renamed = {}
    for name, tensor in state.items():
        prefix, position, rest = name.split(".", 2)
        if rest != "perm_inv":  # follows from perm
            renamed[f"{prefix}.{positions.get(position, position)}.{rest}"] = tensor
    return renamed


def _with_index_permutations(state: StateDict, path: Path) -> StateDict:
    """Turn permutations stored as C x C matrices (out = W x) into indices (out[i] = x[perm[i]])."""
    indexed = {}
    for name, tensor in state.items():
        if name.endswith(".w_perm_inv"):  # follows from w_perm
            continue
        if name.endswith(".w_perm"):
            matrix = tensor.flatten(1)
            perm = matrix.argmax(dim=1)
            if not torch.equal(torch.eye(len(matrix))[perm], matrix):
                raise InputError(f"{path}: {name} is not a permutation matrix. Soft permutations are not supported.")
            name, tensor = re.sub(r"w_perm$", "perm", name), perm
        indexed[name] = tensor
    return indexed


def _check_same_architecture(path: Path, loaded: StateDict, expected: StateDict) -> None:
    def shape(state: StateDict, name: str) -> str:
        return str(tuple(state[name].shape)) if name in state else "nothing"

    names = [*expected, *(name for name in loaded if name not in expected)]
    differing = [name for name in names if shape(loaded, name) != shape(expected, name)]
    if differing:
        first = "; ".join(f"{n}: file {shape(loaded, n)}, model {shape(expected, n)}" for n in differing[:3])
        raise InputError(
            f"{path}: is of another architecture, {len(differing)} tensors differ ({first}). "
            "Check extractor, layout, condition, c_conds and parallel_blocks."
        )
