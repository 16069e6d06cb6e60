"""From the score files of a run to metrics, alarms and a report."""
