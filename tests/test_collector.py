"""What the garbage collector looks through after a large package was loaded."""

import gc
import sys

import pytest

from runtime.collector import loading


def test_what_was_loaded_is_left_alone_once() -> None:
    assert "antigravity_of_ours" not in sys.modules
    gc.unfreeze()
    before = gc.get_threshold()
    try:
        with loading("antigravity_of_ours"):
            assert not gc.isenabled()
        assert gc.isenabled() and gc.get_freeze_count() > 1000
        assert gc.get_threshold()[0] > before[0]
        gc.unfreeze()
        with loading("json"):
            assert gc.isenabled()
        assert gc.get_freeze_count() == 0
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def test_an_error_and_a_collector_that_was_off_leave_it_as_it_was() -> None:
    before = gc.get_threshold()
    gc.disable()
    try:
        with pytest.raises(ImportError), loading("antigravity_of_ours"):
            raise ImportError
        assert not gc.isenabled()
    finally:
        gc.set_threshold(*before)
        gc.enable()
        gc.unfreeze()
