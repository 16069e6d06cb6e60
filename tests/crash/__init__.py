"""Programs killed at random moments, on full disks and in folders that vanish, and what becomes of their results.

    uv run python -m tests.crash --kills 200 --seed 0      counts by scenario and phase; exit code 1 where a rule broke

Every scenario (scenarios.py) is run once to its end. Then copies of it are cut short (trial.py): before or after one of
its writing operations. At any moment every file that has its name is whole (checks.py), what is half-written does not
add up, and the same command, run again, ends with the same bytes as if nothing had happened.
"""
