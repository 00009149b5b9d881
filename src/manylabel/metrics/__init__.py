"""Metrics: numpy only, exact, unknown cells left out, classes without positives NaN and counted."""

from manylabel.metrics.bootstrap import resamples, weighted_average_precision
from manylabel.metrics.counting import Counts, count, precision_recall_f1
from manylabel.metrics.evaluation import Settings, evaluate
from manylabel.metrics.groups import frequency_groups
from manylabel.metrics.ranking import average_precision

__all__ = [
    "Counts",
    "Settings",
    "average_precision",
    "count",
    "evaluate",
    "frequency_groups",
    "precision_recall_f1",
    "resamples",
    "weighted_average_precision",
]
