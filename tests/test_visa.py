"""VisA as published and as others prepare it, from its table and masks to printed metrics."""

from pathlib import Path

import pytest
from picture_folders import NUM_BAD, NUM_GOOD, SIZE, draw_mvtec_class, draw_visa
from picture_runs import assert_one_line_error, check_metrics, mvtec_mask, run

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_visa_is_read_as_published(tmp_path: Path) -> None:
    data = draw_visa(tmp_path / "visa")
    result = run("visa", data, "--pro-eval")
    assert result.code == 0, result.err

    def visa_mask(path: Path) -> Path | None:
        mask = path.parents[2] / "Masks" / "Anomaly" / f"{path.stem}.png"
        return mask if path.parent.name == "Anomaly" else None

    for name in ("candle", "pcb1"):
        assert result.load(name, "anomaly_score_map_add").shape == (NUM_GOOD + NUM_BAD, SIZE, SIZE)
        check_metrics(result, name, visa_mask)
    assert_one_line_error(run("visa", data, "--class-names", "pcb"), "Did you mean 'pcb1'?", "candle, pcb1")
    (data / "candle" / "Data" / "Masks" / "Anomaly" / "002.png").unlink()
    assert_one_line_error(run("visa", data), str(Path("Masks", "Anomaly", "002.png")))


def test_visa_prepared_in_the_layout_of_mvtec_gives_the_same_kind_of_run(tmp_path: Path) -> None:
    draw_mvtec_class(tmp_path / "visa" / "candle", (60, 90), mask_name="{}.png", mask_value=3)
    result = run("visa", tmp_path / "visa", "--pro-eval", "--meta-epochs", "1")
    assert result.code == 0, result.err

    def prepared_mask(path: Path) -> Path | None:
        mask = mvtec_mask(path)
        return mask and mask.with_name(f"{path.stem}.png")

    check_metrics(result, "candle", prepared_mask)


@pytest.mark.parametrize("value", [1, 2, 7])
def test_every_value_above_zero_in_a_mask_is_anomalous(tmp_path: Path, value: int) -> None:
    """VisA numbers the kinds of defects in its masks."""
    result = run("visa", draw_visa(tmp_path / "plain"), "--meta-epochs", "1", "--class-names", "candle")
    numbered = run("visa", draw_visa(tmp_path / "numbered", value), "--meta-epochs", "1", "--class-names", "candle")
    assert numbered.code == 0, numbered.err
    assert numbered.printed("candle") == result.printed("candle")
    assert "undefined" not in numbered.out


def test_a_visa_table_without_its_columns_is_named(tmp_path: Path) -> None:
    data = draw_visa(tmp_path / "visa")
    table = data / "split_csv" / "1cls.csv"
    table.write_text(table.read_text().replace("object,split,label,image,mask", "class,part,kind,file,truth"))
    assert_one_line_error(run("visa", data), str(table))
