"""Checkpoints: ours, written whole or not at all, and those of the original MSFlow.

A checkpoint is a dictionary {'epoch', 'fusion_flow', 'parallel_flows': [..], 'optimizer'?} of state dicts; ours
adds what else a test or an exact continuation needs (see Progress). The original differs in two ways: the position
of the four modules inside `fusion_flow` changes from file to file, and the permutation of a coupling block is a
C x C matrix.
"""

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.flows import MSFlow
from runtime.errors import InputError
from runtime.files import atomic_file

StateDict = dict[str, Tensor]


@dataclass
class Progress:
    """What a checkpoint holds beside the flows.

    `epoch` counts finished meta epochs, `step` optimizer steps; `best` holds the best value of each picture metric
    so far. `extractor_sha256`, `img_mean` and `img_std` tell which pictures and features the flows were trained on,
    `channels` which series, in the order of their numbers, and `settings` what else shaped them.
    Checkpoints of the original have only an epoch.
    """

    epoch: int
    step: int = 0
    extractor_sha256: str = ""
    img_mean: tuple[float, ...] = ()
    img_std: tuple[float, ...] = ()
    best: dict[str, float] = field(default_factory=dict)
    channels: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(
    path: Path,
    flow: MSFlow | None,
    progress: Progress,
    optimizer: torch.optim.Optimizer | None = None,
    memories: dict[str, nn.Module] | None = None,
) -> None:
    """Write the flows, and for a continuation the optimizer, to `path`; `memories` are parts that need no training."""
    content: dict[str, Any] = asdict(progress)
    if flow is not None:
        content["fusion_flow"] = flow.fusion_flow.state_dict()
        content["parallel_flows"] = [parallel.state_dict() for parallel in flow.parallel_flows]
    for name, module in (memories or {}).items():
        content[name] = module.state_dict()
    if optimizer is not None:
        content["optimizer"] = optimizer.state_dict()
    with atomic_file(path) as temporary:
        torch.save(content, temporary)


def load_checkpoint(path: Path, flow: MSFlow, optimizer: torch.optim.Optimizer | None = None) -> Progress:
    """Load the flows, and the optimizer where one is given, from a checkpoint of ours or of the original.

    Raises InputError where the file is missing, damaged, no checkpoint, of another architecture (naming the first
    tensors that differ) or lacks the optimizer that is asked for.
    """
    content = _read(path, {"epoch", "fusion_flow", "parallel_flows"})
    num_features = [len(module.perm) for module in flow.fusion_flow.module_list[:-1]]
    loaded = {}
    for name, tensor in _fusion_in_our_order(content["fusion_flow"], num_features).items():
        loaded[f"fusion_flow.{name}"] = tensor
    for level, parallel in enumerate(content["parallel_flows"]):
        for name, tensor in _with_index_permutations(parallel, path).items():
            loaded[f"parallel_flows.{level}.{name}"] = tensor
    _check_same_architecture(path, loaded, flow.state_dict())
    if optimizer is not None:
        if "step" not in content or "optimizer" not in content:
            raise InputError(
                f"{path}: holds no optimizer state to continue from. It can be tested (--mode test --eval-ckpt {path})."
            )
        optimizer.load_state_dict(content["optimizer"])
    flow.load_state_dict(loaded)
    return _progress(content)


def load_memories(path: Path, memories: dict[str, nn.Module]) -> Progress:
    """Load parts that need no training from a checkpoint of ours; how much they keep is up to the file.

    Raises InputError where the file is missing, damaged, lacks a part or holds it for other features or channels.
    """
    content = _read(path, {"epoch", *memories})
    for name, module in memories.items():
        expected = module.state_dict()
        kept, found = ({key: _kept_shape(key, t) for key, t in of.items()} for of in (expected, content[name]))
        if kept != found:
            raise InputError(
                f"{path}: its {name} is of other channels or another extractor. Set them back, or train anew."
            )
        for key, tensor in content[name].items():
            setattr(module, key, tensor.to(expected[key].device))
    return _progress(content)


def _kept_shape(name: str, tensor: Tensor) -> tuple[int, ...]:
    """The shape that must agree: how many features a bank keeps may differ."""
    return tuple(tensor.shape[1:] if name.startswith("bank_") else tensor.shape)


def read_progress(path: Path) -> Progress:
    """What a checkpoint tells beside its tensors. Raises InputError where the file is missing or damaged."""
    return _progress(_read(path, {"epoch"}))


def _progress(content: dict[str, Any]) -> Progress:
    return Progress(**{name: content[name] for name in Progress.__dataclass_fields__ if name in content})


def _read(path: Path, required: set[str]) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such checkpoint. Train first (--mode train), or set --eval-ckpt.") from error
    except Exception as error:  # torch.load raises a dozen types on damaged and on unsafe files
        raise InputError(
            f"{path}: is not a readable checkpoint (truncated, or a pickle of something else). "
            "Train again, or choose another file."
        ) from error
    if not isinstance(content, dict) or not required <= content.keys():
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise InputError(f"{path}: is not a checkpoint of MSFlow: has {found}, needs {', '.join(sorted(required))}.")
    return content


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
