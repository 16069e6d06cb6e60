"""Metrics of time-step scores and alarms over several channels laid one after the other.

Every function takes pooled series: `labels` (T,) 0/1, `scores` (T,) or `alarms` (T,), and `lengths`, the number of
steps of each channel, which add up to T. No interval, buffer or alarm crosses from one channel into the next.
What is undefined - one class only, no interval, no alarm - is None, never nan.
"""

from runtime.registry import Registry

# metrics/metric.py: Metric; their columns stand in this order
METRICS = Registry(
    "metric",
    {
        "roc_auc": "metrics.ranking:ROC_AUC",
        "average_precision": "metrics.ranking:AVERAGE_PRECISION",
        "best_f1": "metrics.ranking:BEST_F1",
        "ranges": "metrics.ranges:RANGES",
        "affiliation": "metrics.affiliation:AFFILIATION",
        "affiliation_gain": "metrics.affiliation_gain:AFFILIATION_GAIN",
        "events": "metrics.events:EVENTS",
        "corrected_events": "metrics.corrected_events:CORRECTED_EVENTS",
        "alarmed_share": "metrics.burden:ALARMED_SHARE",
        "normal_alarmed_share": "metrics.burden:NORMAL_ALARMED_SHARE",
        "repeated_alarms": "metrics.burden:REPEATED_ALARMS",
        "delays": "metrics.delays:DELAYS",
        "quiet_alarms": "metrics.burden:QUIET_ALARMS",
        "point_adjusted_f1": "metrics.ranking:POINT_ADJUSTED_F1",
    },
)
