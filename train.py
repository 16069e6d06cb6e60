"""Training one class: what its detector learns, with a checkpoint after every meta epoch. Called by main.py."""

from detectors.loop import Course
from detectors.run import Run


def train(run: Run) -> bool:
    """Fit the detector; a checkpoint after every meta epoch, a line in log.jsonl after every sub-epoch.

    Returns whether there were epochs. Raises InputError where the loss stops being finite; the last checkpoint stays.
    """
    course = Course(run.config, run.task.class_name, run.folder, run.state, run.facts)
    course.begin(run.detector.load_state, run.detector.channels, run.data)
    run.way.fit(course)
    if not course.trained:
        course.save()
    return course.trained
