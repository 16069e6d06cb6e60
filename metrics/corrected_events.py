"""The event-wise F-score of ESA's benchmark, which an alarm over everything does not win."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from metrics.burden import normal_alarmed_share
from metrics.events import event_metrics
from metrics.metric import Column, Metric


def corrected_event_f(labels: ArrayLike, alarms: ArrayLike, lengths: Sequence[int], beta: float = 0.5) -> float | None:
    """Corrected event-wise F-score of the alarms (T,) against the labels (T,), both 0/1; None without intervals.

    Kotowski et al., "European Space Agency Benchmark for Anomaly Detection in Satellite Telemetry", 2024, the section
    on metrics, after Sehili and Zhang, "Multivariate Time Series Anomaly Detection: Fancy Algorithms and Flawed
    Evaluation Methodology", 2023: `event_metrics` with a precision times the true negative rate of the steps, that is
    1 - (false positive steps / normal steps). With this precision P and the event recall R it is
    (1 + beta^2) P R / (beta^2 P + R); beta 1/2 weighs false alarms more than missed intervals. 0 where no interval is
    found, alarms or not; without normal steps none can be false, and the rate is 1.
    """
    events = event_metrics(labels, alarms, lengths)
    if events.recall is None:
        return None
    if not events.num_found:
        return 0.0
    precision = events.precision * (1 - (normal_alarmed_share(labels, alarms) or 0))
    return (1 + beta**2) * precision * events.recall / (beta**2 * precision + events.recall)


CORRECTED_EVENTS = Metric(
    (
        Column(
            "corrected_event_f05",
            "event F0.5, its precision times 1 - normal_alarmed_share (Kotowski et al., ESA-ADB, 2024)",
            headline="corrected event F0.5",
        ),
    ),
    lambda steps: (corrected_event_f(steps.labels, steps.alarmed, steps.lengths),),
    needs_alarms=True,
)
