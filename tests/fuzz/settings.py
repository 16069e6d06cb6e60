"""Recipes, flags and config.json."""

import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runs.scores import read_facts
from settings.config import Config
from settings.flags import make_parser
from settings.load import load_config, recorded_config, save_config
from settings.read import read_settings

from .harness import Case
from .mutations import TOKENS, VALUES, as_json, damaged, displaced, garbled, other_json, written

WORDS = [
    *TOKENS,
    "all",
    "auto",
    "none",
    "smap",
    "line",
    "flow",
    "3",
    "-5",
    "1e-300",
    "1e300",
    "--",
    "-",
    "--seed",
    "true",
]
PROGRAMS = [
    "import sys\nsys.exit()",
    "raise SystemExit('gone')",
    "raise BaseException",
    "exit(3)",
    "1 / 0",
    "raise ValueError('x' * 10 ** 6)",
    "def f(): f()\nf()",
    "open('nowhere')",
    "import nowhere",
    "seed = 10 ** 5000",
    "seed = " + "(" * 500,
    "lr = float('nan')",
    "class seed: pass",
    "seed = [seed for seed in range(3)]",
    "del seed",
    "base = 'recipe'",
    "base = '../x'",
    "for seed in (): pass",
    "seed: int",
    "\0",
    "lr = 1e-3\x0c\n",
    "# -*- coding: latin-1 -*-\nseed = 1",
    "class A:\n    def __repr__(self): raise ValueError\nseed = A()",
    "class A:\n    def __eq__(self, other): raise ValueError\nhead = A()",
]


class Recipes:
    """Recipes that are garbled, or programs that do odd things, and flags with odd words."""

    def __init__(self, place: Path) -> None:
        self._settings = read_settings()
        self._published = sorted((Path(__file__).parents[2] / "configs").glob("*.py"))

    def case(self, rng: random.Random, folder: Path) -> Case:
        flags, recipe = [], folder / "recipe.py"
        choice = rng.random()
        if choice < 0.15:
            recipe.write_text(rng.choice(PROGRAMS), encoding="utf-8")
        elif choice < 0.4:
            name = rng.choice(list(self._settings))
            value = rng.choice([*VALUES, {1, 2}, 1j, b"x", (1, 2), self._settings[name].default])
            recipe.write_bytes(f"{name} = {value!r}\n".replace("nan", "1e999").encode("utf-8", "surrogatepass"))
        elif choice < 0.6:
            recipe.write_bytes(written(rng, garbled(rng, rng.choice(self._published).read_text(encoding="utf-8"))))
        if recipe.exists() or rng.random() < 0.05:
            flags = ["--config", str(recipe)]
            displaced(rng, recipe)
        for name in rng.sample(list(self._settings), rng.randrange(4) if flags else rng.randrange(1, 5)):
            default = self._settings[name].default
            words = default if isinstance(default, list | tuple) else [default]
            odd = isinstance(default, bool) or rng.random() < 0.4
            words = rng.sample(WORDS, rng.choice([0, 1, 1, 1, 2, 3])) if odd else map(str, words)
            flags += [f"--{name.replace('_', '-')}", *words]

        def read() -> Config:
            given = vars(make_parser("").parse_args([word for word in flags if "\0" not in word]))
            return load_config(given.pop("config"), given)

        def check(found: Config) -> None:
            assert_round_trip(found, folder / "config.json")

        return Case(str(flags)[:300], read, check, (str(folder), "configs", "--", "default.py"), may_exit=True)


def assert_round_trip(config: Config, path: Path) -> None:
    """A Config that was accepted is what its config.json says."""
    save_config(path, config, {})
    assert asdict(recorded_config(path)) == asdict(config)


class Configs:
    """config.json: with a checksum it is as it was or refused, without one it is a Config or refused."""

    def __init__(self, place: Path) -> None:
        self._path = place / "config.json"
        self._facts: dict[str, Any] = {
            "weights": "random", "channels": ["A"], "rows": ["level 1"], "files": {"a.npy": "0"}, "data": {"A": "0"},
            "training": {"A": {"steps": 3}}, "versions": {"numpy": "2"}, "git_commit": None,
        }  # fmt: skip
        save_config(self._path, load_config(), self._facts)
        self._config = recorded_config(self._path)

    def case(self, rng: random.Random, folder: Path) -> Case:
        import json

        path, data = folder / "config.json", self._path.read_bytes()
        whole = rng.random() < 0.4
        if whole:
            data = damaged(rng, data)
        else:
            content = json.loads(data)
            content.pop("checksum", None)
            if rng.random() < 0.5:
                content["settings"] = other_json(rng, content["settings"])
            data = as_json(rng, other_json(rng, content))
        path.write_bytes(data)
        displaced(rng, path)

        def check(found: tuple[Config, dict[str, Any]]) -> None:
            config, facts = found
            if whole and json.loads(data).get("checksum"):
                assert config == self._config and {**facts, "checksum": 0} == {**self._facts, "checksum": 0}
            assert_round_trip(config, folder / "again.json")
            assert all(isinstance(name, str) for name in facts.get("channels", []))

        return Case(repr(data[:90]), lambda: (recorded_config(path), read_facts(path)), check, ("config.json",))
