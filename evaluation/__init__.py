"""From the score files of a run to metrics, alarms and a report."""

from runtime.registry import Registry

# trivial scores: training and test series (T, D) -> scores (T,) of either
BASELINES = Registry(
    "baseline",
    {
        "random": "evaluation.baselines:random_scores",
        "position t/T": "evaluation.baselines:position",
        "|x - train median|": "evaluation.baselines:distance_from_median",
        "out of train range": "evaluation.baselines:out_of_range",
        "nearest train window": "evaluation.baselines:nearest_window",
    },
)
