"""Score maps of a test run -> one score per time step -> metrics beside those of trivial scores, alarms and a report.

    python eval_smap_timestep.py --root-dir . --save-npy      the run that default.py describes
    python eval_smap_timestep.py --config configs/sample.py   that of a recipe
    python eval_smap_timestep.py --scores-dir DIR             the scores in DIR, with the settings they were made with
    python eval_smap_timestep.py --check-labels               what is odd about the data set; needs no scores

Time steps of all channels are pooled, without point adjustment: a step counts as found by its own score only.
"""

import sys

from data.label_check import print_check
from evaluation.summary import evaluate_all
from runs.command import scores_command
from runs.scores import owning
from runtime.errors import exit_code
from runtime.stopping import AGAIN, told_when_stopped
from settings.effects import JUDGED_BY

FLAGS = ["save_npy", "report", "vis_top_k", *JUDGED_BY]  # all other settings stand as the scores were made


def run(argv: list[str] | None) -> None:
    """Find the scores, then evaluate them; or check the labels."""
    switches = {"check-labels": "print what is odd about labels and series of the data set, and stop"}
    command = scores_command(__doc__, FLAGS, argv, switches)
    if command.switches:
        print_check(command.runs[0].task.labels)
    else:
        with owning(command.runs), told_when_stopped(lambda: AGAIN):
            evaluate_all(command.runs)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
