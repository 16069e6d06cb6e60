"""Metrics of time-step scores and alarms over several channels laid one after the other.

Every function takes pooled series: `labels` (T,) 0/1, `scores` (T,) or `alarms` (T,), and `lengths`, the number of
steps of each channel, which add up to T. No interval, buffer or alarm crosses from one channel into the next.
What is undefined - one class only, no interval, no alarm - is None, never nan.
"""
