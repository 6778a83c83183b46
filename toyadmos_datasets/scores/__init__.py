"""Metrics of a detector's scores: figures of merit, intervals, comparisons."""
