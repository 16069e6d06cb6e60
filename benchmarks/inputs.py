"""Made-up data of the size of the real ones, for timing: telemetry like SMAP's, and pictures like MVTec AD's."""

from pathlib import Path

import numpy as np
from PIL import Image

NUM_STEPS = {"train": 2500, "test": 8000}  # about the median of SMAP
NUM_COLUMNS = 25


def write_telemetry(
    folder: Path, num_channels: int, num_steps: dict[str, int] = NUM_STEPS, num_columns: int = NUM_COLUMNS
) -> Path:
    """A folder in the published format: waves with noise, shifted for a tenth of each test series."""
    rng = np.random.default_rng(0)
    rows = ["chan_id,spacecraft,anomaly_sequences,class,num_values"]
    start, end = num_steps["test"] * 6 // 10, num_steps["test"] * 7 // 10
    for number in range(num_channels):
        channel = f"C-{number + 1}"
        for split, length in num_steps.items():
            series = rng.integers(0, 2, (length, num_columns)).astype(np.float64)
            series[:, 0] = np.sin(np.arange(length) / rng.uniform(5, 50)) + 0.1 * rng.normal(size=length)
            if split == "test":
                series[start : end + 1, 0] += 0.5
            (folder / split).mkdir(parents=True, exist_ok=True)
            np.save(folder / split / f"{channel}.npy", series)
        rows.append(f'{channel},SMAP,"[[{start}, {end}]]",[contextual],{num_steps["test"]}')
    (folder / "labeled_anomalies.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def write_pictures(folder: Path, number: int, size: int) -> Path:
    """One class of pictures, `number` for training and `number` for the test, half of those with a bright square."""
    rng = np.random.default_rng(0)
    for split, defect, count in (
        ("train", "good", number),
        ("test", "good", number - number // 2),
        ("test", "square", number // 2),
    ):
        for index in range(count):
            picture = rng.integers(0, 200, (size, size, 3), dtype=np.uint8)
            mask = np.zeros((size, size), dtype=np.uint8)
            if defect == "square":
                corner = rng.integers(0, size * 3 // 4, 2)
                mask[corner[0] : corner[0] + size // 4, corner[1] : corner[1] + size // 4] = 255
                picture[mask > 0] += 55
                _save(folder / "noise" / "ground_truth" / defect / f"{index:03d}_mask.png", mask)
            _save(folder / "noise" / split / defect / f"{index:03d}.png", picture)
    return folder


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
