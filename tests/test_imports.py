"""Who may import whom: data flow one way, and judging scores needs no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FACES = {"datasets", "post_process", "train", "msflow"}  # at the top level, and imported by packages
MAY = {
    "runtime": set(),
    "metrics": {"runtime"},
    "settings": {"runtime"},
    "data": {"runtime"},
    "drawing": {"runtime"},
    "models": {"runtime"},
    "report": {"metrics", "runtime"},
    "post_process": set(),
    "datasets": {"data", "drawing", "runtime"},
    "runs": {"datasets", "drawing", "settings", "runtime"},
    "detectors": {"models", "drawing", "data", "datasets", "runs", "settings", "post_process", "metrics", "runtime"},
    "evaluation": {"runs", "data", "datasets", "drawing", "settings", "metrics", "report", "runtime"},
    "train": {"detectors"},
    "serving": {
        "train",
        "detectors",
        "evaluation",
        "runs",
        "datasets",
        "data",
        "drawing",
        "settings",
        "metrics",
        "report",
        "runtime",
    },  # fmt: skip
    "msflow": {"serving", "runtime"},
}
# run by themselves and imported by nothing, they see what no other file beside them does
PROGRAMS = {"models/pretrain.py": {"data"}, "models/export.py": {"serving"}}
WITHOUT_TORCH = set(MAY) - {"models", "detectors", "post_process", "runtime", "train", "serving", "msflow"}


def imported(path: Path) -> set[str]:
    """The top-level names that a file imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("part", MAY)
def test_a_part_imports_only_what_lies_below_it(part: str) -> None:
    files = [ROOT / f"{part}.py"] if part in FACES else sorted((ROOT / part).rglob("*.py"))
    assert files
    for path in files:
        ours = imported(path) & {*MAY, "main", "default"}
        assert ours - {part} <= MAY[part] | PROGRAMS.get(str(path.relative_to(ROOT)), set()), path
        assert part not in WITHOUT_TORCH or not imported(path) & {"torch", "timm", "torchvision"}, path


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_imports_a_program(program: str) -> None:
    module = program.removesuffix(".py").replace("/", ".")
    package, _, name = module.rpartition(".")
    lines = (f"from {package} import {name}", f"from {module} import", f"import {module}")
    files = [path for part in MAY if part not in FACES for path in (ROOT / part).rglob("*.py")]
    assert not [path for path in files if any(line in path.read_text(encoding="utf-8") for line in lines)]


@pytest.mark.parametrize("script", ["eval_smap_timestep", "export_smap_scores"])
def test_judging_scores_loads_no_torch(script: str) -> None:
    check = f"import {script}, evaluation.evaluate, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True)
