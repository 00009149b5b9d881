"""Metrics: numpy only, exact, unknown cells left out, classes without positives NaN and counted."""

from manylabel.metrics.at_k import Top, global_average_precision, inverse_propensities, top
from manylabel.metrics.bootstrap import resamples, weighted_average_precision
from manylabel.metrics.calibration import brier_score, calibration_error, reliability
from manylabel.metrics.counting import Counts, count, precision_recall_f1
from manylabel.metrics.definitions import average_precision_by
from manylabel.metrics.evaluation import Settings, evaluate
from manylabel.metrics.groups import frequency_groups
from manylabel.metrics.hierarchical import count_hierarchical, hierarchical_precision_recall_f, implied
from manylabel.metrics.lists import evaluate_lists
from manylabel.metrics.ordering import auroc, ranking_loss
from manylabel.metrics.per_image import coverage_error, label_ranking_average_precision, one_error
from manylabel.metrics.ranking import average_precision
from manylabel.metrics.sets import count_images, f_beta, hamming_loss, jaccard, subset_accuracy
from manylabel.metrics.sparse import average_precision_sparse, count_sparse, top_sparse
from manylabel.metrics.streaming import Streamed, stream

__all__ = [
    "Counts",
    "Settings",
    "Streamed",
    "Top",
    "auroc",
    "average_precision",
    "average_precision_by",
    "average_precision_sparse",
    "brier_score",
    "calibration_error",
    "count",
    "count_hierarchical",
    "count_images",
    "count_sparse",
    "coverage_error",
    "evaluate",
    "evaluate_lists",
    "f_beta",
    "frequency_groups",
    "global_average_precision",
    "hamming_loss",
    "hierarchical_precision_recall_f",
    "implied",
    "inverse_propensities",
    "jaccard",
    "label_ranking_average_precision",
    "one_error",
    "precision_recall_f1",
    "ranking_loss",
    "reliability",
    "resamples",
    "stream",
    "subset_accuracy",
    "top",
    "top_sparse",
    "weighted_average_precision",
]
