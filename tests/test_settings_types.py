"""Every type of setting: the Config holds what a flag, a recipe or a config.json says."""

import dataclasses
import json
import typing

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from settings_reading import DEFAULTS, parsed

from datasets import DATASETS
from detectors import DETECTORS
from drawing import COLOURS, LAYOUTS, SCALINGS
from models import DENSITIES
from runtime.errors import InputError
from settings.load import load_config, recorded_config, save_config

finite = st.floats(-1e6, 1e6)
positive = st.floats(1e-12, 1e12)
share = st.floats(0, 1, exclude_min=True)
size = st.floats(1e-12, 1e12)
count = st.integers(1, 10**6)
from_zero = st.integers(0, 10**6)
word = st.text("abcXYZ019_./ äß-%=", min_size=1).filter(lambda text: not text.startswith("-"))


def three(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(values, values, values)


VALID: dict[str, st.SearchStrategy] = {
    "dataset": st.sampled_from(list(DATASETS)),
    "data_path": word,
    "class_names": st.lists(word, min_size=1).map(tuple),
    "run": word,
    **dict.fromkeys(("train_until", "time_column", "time_format", "label_column", "label_file"), word),
    **dict.fromkeys(("series_column", "delimiter", "decimal", "encoding"), word),
    "missing": st.lists(word, min_size=1).map(tuple),
    "columns": st.lists(word, min_size=1).map(tuple),
    "scaling": st.sampled_from(list(SCALINGS)),
    "combine_highest": count,
    "eval_ckpt": word,
    "work_dir": word,
    "seed": from_zero,
    "num_workers": from_zero,
    "input_size": st.tuples(st.integers(32, 4096), st.integers(32, 4096)),
    "smap_used_dims": three(from_zero),
    "picture_depth": st.just("auto") | positive,
    "img_mean": st.just("auto") | three(finite),
    "img_std": st.just("auto") | three(size),
    "extractor": word,
    "weights": word,
    "c_conds": three(st.integers(1, 100).map(lambda n: 4 * n)),
    "parallel_blocks": three(count),
    "clamp_alpha": size,
    "batch_size": count,
    "meta_epochs": count,
    "sub_epochs": count,
    "lr": size,
    "lr_warmup_epochs": from_zero,
    "lr_warmup_from": share,
    "lr_decay_milestones": st.lists(count, min_size=1).map(tuple),
    "lr_decay_gamma": share,
    "grad_clip": size,
    **dict.fromkeys(("stride", "latent", "hidden"), count),
    "planar_flows": from_zero,
    "first_share": st.floats(0, 1),
    "weight_decay": st.floats(0, 1e6),
    "widths": st.lists(count, min_size=1).map(tuple),
    "explained": share,
    "top_k": share,
    "vis_top_k": from_zero,
    "layout": st.sampled_from(list(LAYOUTS)),
    "head": st.sampled_from(list(DENSITIES)),
    "detector": st.sampled_from(list(DETECTORS)),
    "colours": three(st.sampled_from(list(COLOURS))),
    "colour_window": count,
    "colour_gains": three(finite),
    "clip": st.floats(0, 1e6),
    "time_scales": st.lists(count, min_size=1).map(tuple),
    "window": count,
    "fold_width": count,
    "picture_score": st.sampled_from(["auto", "mul", "energy"]),
    "variant": st.sampled_from(["paper", "code"]),
    "mtf_bins": count,
    "max_columns": count,
    "gaussian_floor": size,
    "memory_size": count,
    "fleet_size": from_zero,
    "fleet_offset": st.floats(0, 1e6),
    "train_window": count,
    "feature_noise": st.floats(0, 1e6),
    "levels": st.sampled_from([(1,), (2, 3), (1, 2, 3)]),
    "smooth": count,
    "merge_gap": from_zero,
    "widen": from_zero,
    "drop": st.lists(word, min_size=1).map(tuple),
    "threshold": st.sampled_from(["maxima", "pot", "q0.99", "q1", "0.5", "1e-3", "-2"]),
    "risk": positive,
    **dict.fromkeys(("contrast", "prune", "held_out"), st.floats(0, 1, exclude_max=True)),
    "release": st.floats(0, 1),
    **dict.fromkeys(("join", "cool_down", "moved_after", "drift"), from_zero),
    "least_length": count,
    "vus_window": st.just("auto") | st.integers(0, 10_000),
    "bootstrap": st.integers(0, 100_000),
    **{name: st.booleans() for name, setting in DEFAULTS.items() if setting.type is bool},
    **{
        name: st.sampled_from(typing.get_args(setting.type))
        for name, setting in DEFAULTS.items()
        if typing.get_origin(setting.type) is typing.Literal
    },
}
some_values = st.fixed_dictionaries({}, optional=VALID)


def as_words(name: str, value: typing.Any) -> list[str]:
    """The flag that asks for a value."""
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag if value else flag.replace("--", "--no-", 1)]
    return [flag, *map(str, value if isinstance(value, tuple) else (value,))]


def test_every_setting_has_random_values() -> None:
    assert set(VALID) == set(DEFAULTS)


@settings(deadline=None, max_examples=100)
@given(some_values)
@example({"img_mean": (0.5, -0.25, -3.0)})
@example({"img_mean": (-1e-05, 0.0, 1e-07)})
def test_a_flag_gives_its_value(values: dict[str, typing.Any]) -> None:
    loaded = parsed(*(text for name, value in values.items() for text in as_words(name, value)))
    for name, value in values.items():
        assert getattr(loaded, name) == value, name
        assert type(getattr(loaded, name)) is type(value), name


@settings(deadline=None, max_examples=50)
@given(some_values)
def test_a_recipe_gives_its_value(tmp_path_factory: pytest.TempPathFactory, values: dict[str, typing.Any]) -> None:
    recipe = tmp_path_factory.getbasetemp() / "recipe.py"
    recipe.write_text("".join(f"{name} = {value!r}\n" for name, value in values.items()), encoding="utf-8")
    loaded = load_config(recipe)
    assert {name: getattr(loaded, name) for name in values} == values


@settings(deadline=None, max_examples=50)
@given(some_values)
def test_config_json_is_read_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, typing.Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "saved" / "config.json"
    saved = load_config(base=values)
    save_config(path, saved, {"weights": "random"})
    again = recorded_config(path)
    assert vars(again) == vars(saved)
    assert [type(value) for value in vars(again).values()] == [type(value) for value in vars(saved).values()]
    with pytest.raises(dataclasses.FrozenInstanceError):
        again.seed = 1
    assert json.loads(path.read_text(encoding="utf-8"))["weights"] == "random"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", "1e999"),
        ("vus_window", "1000000000000"),
        ("bootstrap", "100000000000000000000"),
        ("gaussian_floor", "1e300"),
        ("gaussian_floor", "1e-300"),
        ("img_std", "1 1 1e300"),
        ("lr", "1e99"),
        ("time_scales", "1 100000000000000000000"),
        ("window", "10000000"),
        ("colour_window", "10000000"),
        ("smooth", "10000000"),
        ("widths", "16 10000000"),
        ("meta_epochs", "1" + "0" * 400),
        ("join", "-" + "1" * 400),
    ],
)
def test_values_that_no_run_survives_are_refused_before_it_starts(name: str, value: str) -> None:
    with pytest.raises(InputError, match=rf"--{name.replace('_', '-')}: {name} = .*Allowed: "):
        parsed(f"--{name}", *value.split())


def test_the_error_names_the_bound_of_the_setting_itself() -> None:
    with pytest.raises(InputError, match="Allowed: numbers up to 10000"):
        parsed("--vus-window", "1000000000000")
