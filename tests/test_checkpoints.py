"""Checkpoints: round trip, the original's two differences, and errors that name what is wrong."""

import pickle
from pathlib import Path

import pytest
import torch

from models.checkpoints import Progress, flow_state, load_flow, load_optimizers, read_checkpoint, write_checkpoint
from models.flows import MSFlow
from runtime.errors import InputError

TINY = Path(__file__).with_name("oracle") / "flow-tiny-a.pt"


def small_flow(blocks: tuple[int, ...] = (1, 2, 1)) -> MSFlow:
    return MSFlow([4, 6, 8], [4, 4, 4], list(blocks), 1.9, "avg")


def save_checkpoint(path: Path, flow: MSFlow, progress: Progress, *more: dict) -> None:
    write_checkpoint(path, progress, flow_state(flow), *more)


def load_checkpoint(path: Path, flow: MSFlow, optimizer: torch.optim.Optimizer | None = None) -> Progress:
    content = read_checkpoint(path)
    load_flow(path, content, flow)
    if optimizer is not None:
        load_optimizers(path, content, [optimizer])
    return Progress.of(content)


def test_round_trip_with_progress_and_optimizer(tmp_path: Path) -> None:
    flow, other = small_flow(), small_flow()
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)
    pyramid = [torch.randn(2, f, s, s) for f, s in ((4, 16), (6, 8), (8, 4))]
    flow(pyramid)[1].sum().backward()
    optimizer.step()
    progress = Progress(3, 24, {"detection": 0.9}, {"lr": 0.1})
    save_checkpoint(tmp_path / "last.pt", flow, progress, {"optimizer": optimizer.state_dict()})
    other_optimizer = torch.optim.Adam(other.parameters(), lr=1.0)
    assert load_checkpoint(tmp_path / "last.pt", other, other_optimizer) == progress
    torch.testing.assert_close(other.state_dict(), flow.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(other_optimizer.state_dict()["state"], optimizer.state_dict()["state"], rtol=0, atol=0)
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, small_flow(), Progress(1))
    before = path.read_bytes()

    def break_off(content, temporary) -> None:
        temporary.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", break_off)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, small_flow(), Progress(2))
    assert path.read_bytes() == before
    assert [place.name for place in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_never_replace_good_ones(value: float, tmp_path: Path) -> None:
    flow = small_flow()
    save_checkpoint(tmp_path / "c.pt", flow, Progress(1))
    before = (tmp_path / "c.pt").read_bytes()
    with torch.no_grad():
        next(flow.fusion_flow.parameters())[0] = value
    with pytest.raises(
        InputError, match=r"c\.pt: fusion_flow\.\S+ holds values that are no numbers.* earlier one stays"
    ):
        save_checkpoint(tmp_path / "c.pt", flow, Progress(2))
    assert (tmp_path / "c.pt").read_bytes() == before


def test_levels_with_equally_many_planes_keep_their_order(tmp_path: Path) -> None:
    flow, other = (MSFlow([8, 8, 8], [4, 4, 4], [1, 1, 1], 1.9, "avg") for _ in range(2))
    save_checkpoint(tmp_path / "c.pt", flow, Progress(1))
    load_checkpoint(tmp_path / "c.pt", other)
    torch.testing.assert_close(other.state_dict(), flow.state_dict(), rtol=0, atol=0)


def test_the_original_can_be_tested_but_not_continued() -> None:
    flow = MSFlow([8, 12, 16], [16, 16, 16], [1, 2, 3], 1.9, "avg")
    assert load_checkpoint(TINY, flow) == Progress(2)
    with pytest.raises(InputError, match="no optimizer state to continue from"):
        load_checkpoint(TINY, flow, torch.optim.Adam(flow.parameters()))


def test_a_soft_permutation_is_refused(tmp_path: Path) -> None:
    content = torch.load(TINY, weights_only=True)
    content["parallel_flows"][0]["module_list.0.w_perm"][0, 0] = 0.5
    torch.save(content, tmp_path / "soft.pt")
    with pytest.raises(InputError, match="w_perm is not a permutation matrix"):
        load_checkpoint(tmp_path / "soft.pt", MSFlow([8, 12, 16], [16, 16, 16], [1, 2, 3], 1.9, "avg"))


def test_another_architecture_names_the_first_tensors(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", small_flow((1, 1, 1)), Progress(1))
    with pytest.raises(InputError, match=r"another architecture, .*parallel_flows\.1\.module_list\.1.*file nothing"):
        load_checkpoint(tmp_path / "c.pt", small_flow((1, 2, 1)))
    with pytest.raises(InputError, match=r"parallel_flows\.0\.module_list\.0\.global_scale: file \(1, 8, 1, 1\)"):
        load_checkpoint(TINY, small_flow())


def test_an_unexpected_or_missing_tensor_is_named(tmp_path: Path) -> None:
    for change, message in (
        ("extra", "fusion_flow.module_list.9.extra"),
        ("drop", r"subnet\.conv1\.bias.*file nothing"),
    ):
        flow = small_flow()
        save_checkpoint(tmp_path / "c.pt", flow, Progress(1))
        content = torch.load(tmp_path / "c.pt", weights_only=True)
        if change == "extra":
            content["fusion_flow"]["module_list.9.extra"] = torch.zeros(3)
        else:
            del content["parallel_flows"][2]["module_list.0.subnet.conv1.bias"]
        torch.save(content, tmp_path / "c.pt")
        with pytest.raises(InputError, match=message):
            load_checkpoint(tmp_path / "c.pt", flow)


class Harmful:
    """A pickle that runs code when it is loaded the careless way."""

    def __reduce__(self):
        return (Path.touch, (Path("harmed"),))


def test_files_that_are_no_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_checkpoint(tmp_path / "whole.pt", small_flow(), Progress(1))
    (tmp_path / "truncated.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:2000])
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps(Harmful()))
    (tmp_path / "empty.pt").touch()
    torch.save({"state_dict": {}}, tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    for name, message in {
        "missing.pt": "missing.pt: missing. Train first",
        "truncated.pt": "cannot be read as a checkpoint: damaged, or of another kind",
        "pickle.pt": "cannot be read as a checkpoint: damaged, or of another kind",
        "empty.pt": "cannot be read as a checkpoint: damaged, or of another kind",
        "other.pt": "has state_dict, needs epoch",
        "list.pt": "has list, needs",
    }.items():
        with pytest.raises(InputError, match=message) as error:
            load_checkpoint(tmp_path / name, small_flow())
        assert name in str(error.value)
    assert not Path("harmed").exists()
