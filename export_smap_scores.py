"""Scores of a test run -> scores.csv and heat maps of the channels that score highest.

python export_smap_scores.py                             the run that default.py describes
python export_smap_scores.py --config configs/sample.py  that of a recipe
python export_smap_scores.py --scores-dir DIR            the scores in DIR, with the settings they were made with
"""

import sys

from evaluation.ranking import export
from runs.command import scores_command
from runs.scores import owning
from runtime.errors import exit_code
from runtime.stopping import AGAIN, told_when_stopped


def run(argv: list[str] | None) -> None:
    """Find the scores, then export them."""
    command = scores_command(__doc__, ["vis_top_k"], argv)
    with owning(command.runs), told_when_stopped(lambda: AGAIN):
        for scored in command.runs:
            export(scored.folder, scored.task, scored.config)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
