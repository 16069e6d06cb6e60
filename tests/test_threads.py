"""Pieces of work on several threads: their order, their errors, and what becomes of NumPy's and torch's own threads."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from runtime import threads
from runtime.threads import mapped, processors


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_results_stand_in_the_order_of_the_items() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.05 if item == 0 else 0)
        return item * item

    assert mapped(slow_first, range(20), "Square", "number") == [item * item for item in range(20)]
    assert mapped(slow_first, [], "Square", "number") == []


def test_an_error_ends_the_work_and_is_told() -> None:
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        time.sleep(0.01)
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        mapped(work, range(1000), "Fail", "item")
    assert len(begun) < 1000
    assert threading.active_count() < 100


def test_matrices_are_multiplied_on_one_thread_each_and_afterwards_as_before() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))
    before = blas_threads()
    assert mapped(lambda _: blas_threads(), [0, 1], "Multiply", "product") == [{1}, {1}]
    assert blas_threads() == before


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000"}, 8),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "5000 100000"}, 1),
        ({"cpu.max": "6400000 100000"}, 8),
        ({"cpu.max": "nonsense"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
    ],
)
def test_the_quota_of_a_container_is_kept_to(
    files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    monkeypatch.setattr(threads, "CGROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert processors() == expected


def test_torch_works_on_one_thread_each_where_several_work_and_afterwards_as_before() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        asked = [lambda _: torch.get_num_threads(), [0, 1], "Multiply", "product"]
        assert mapped(*asked, at_once=2) == [1, 1]
        assert mapped(*asked, at_once=1) == [2, 2]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_no_more_at_once_than_asked_for() -> None:
    running, most = [], []

    def work(item: int) -> None:
        running.append(item)
        most.append(len(running))
        time.sleep(0.01)
        running.remove(item)

    mapped(work, range(12), "Wait", "item", at_once=3)
    assert max(most) == 3
