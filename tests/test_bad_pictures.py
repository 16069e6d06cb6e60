"""Pictures that are missing, damaged or without their masks end in one line that names them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from picture_runs import assert_one_line_error, run

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.mark.parametrize("dataset", ["mvtec", "visa"])
def test_missing_data_says_how_to_get_it(dataset: str) -> None:
    assert_one_line_error(run(dataset, None), f"data/{dataset}", f"python -m data.download {dataset}")
    assert_one_line_error(run(dataset, Path("nowhere")), "nowhere", f"python -m data.download {dataset}")


def test_a_folder_without_classes_is_named(tmp_path: Path) -> None:
    (tmp_path / "data" / "tile").mkdir(parents=True)
    assert_one_line_error(run("mvtec", tmp_path / "data"), str(tmp_path / "data"), "no class")


def test_a_class_without_test_pictures_is_named(tile: Path) -> None:
    (tile / "test").rename(tile / "tset")
    assert_one_line_error(run("mvtec", tile.parent), str(tile), "no test pictures")


def test_missing_masks_are_counted_and_the_pictures_still_detected(tile: Path) -> None:
    (tile / "ground_truth" / "defect" / "001_mask.png").unlink()
    result = run("mvtec", tile.parent, "--meta-epochs", "1")
    assert result.code == 0, result.err
    assert result.err.startswith("warning: tile test: 1 of 3 anomalous pictures have no mask (first ")
    assert str(tile / "test" / "defect" / "001.png") in result.err and result.err.count("\n") == 1
    assert "python -m data.download mvtec" in result.err
    assert result.load("tile", "labels").tolist() == [1, 1, 1, 0, 0, 0]
    assert "undefined" not in result.out


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "text": lambda content: b"<html>404 Not Found</html>",
    "truncated": lambda content: content[: len(content) // 2],
    "bytes_flipped": lambda content: content[:60] + bytes(byte ^ 255 for byte in content[60:90]) + content[90:],
    "chunk_length": lambda content: shorter_chunk(content),
}


def shorter_chunk(content: bytes) -> bytes:
    """A PNG whose first chunk of pixels claims to be half as long: no chunk starts where the next one should."""
    start = content.index(b"IDAT") - 4
    length = int.from_bytes(content[start : start + 4])
    return content[:start] + (length // 2).to_bytes(4) + content[start + 4 :]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "name",
    ["train/good/001.png", "test/defect/001.png", "ground_truth/defect/001_mask.png"],
    ids=["train", "test", "mask"],
)
def test_a_damaged_picture_is_named(tile: Path, name: str, damage: str) -> None:
    path = tile / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert_one_line_error(run("mvtec", tile.parent, "--meta-epochs", "1"), str(path), "not a readable picture")


# in a process with threads Python 3.12 warns of the fork that torch's loader makes
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("name", ["train/good/001.png", "test/defect/001.png"], ids=["train", "test"])
def test_a_picture_that_a_loading_process_finds_damaged_is_named_as_shortly(tile: Path, name: str) -> None:
    path = tile / name
    path.write_bytes(b"")
    result = run("mvtec", tile.parent, "--meta-epochs", "1", "--num-workers", "1")
    assert_one_line_error(result, str(path), "not a readable picture")
    assert "worker" not in result.err
