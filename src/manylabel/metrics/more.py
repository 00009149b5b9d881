"""Every further metric by name, with what it means and where it comes from: the page of metrics is made from this."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ManylabelError, did_you_mean
from manylabel.metrics import per_image, sets
from manylabel.metrics.at_k import global_average_precision
from manylabel.metrics.calibration import brier_score, calibration_error
from manylabel.metrics.judged import (
    PLACES,
    Value,
    at,
    calibrated,
    decided,
    micro_auroc,
    of_sets,
    propensity,
    top3,
    weighted_map,
)
from manylabel.metrics.ordering import auroc, ranking_loss

Array = NDArray[np.float64]

DEEP = 20  # the k of GAP, as YouTube-8M has it


@dataclass(frozen=True)
class Metric:
    """One metric.

    Arguments:
        key: as in `metrics.json`.
        name: as people write it.
        higher: whether higher is better.
        meaning: the definition in a sentence; what is left out.
        source: who defined it.
        value: of a `Judged`: a number; an array, whose mean over what is not NaN is the number; or None where
            something is missing (decisions, probabilities, training counts).
        per: what an array holds a value of: "image" (then intervals are made by resampling it) or "class".
    """

    key: str
    name: str
    higher: bool
    meaning: str
    source: str
    value: Value
    per: str = ""


SCHAPIRE = "Schapire and Singer, Machine Learning 2000"
JAIN = "Jain, Prabhu and Varma, KDD 2016"
GONG = "Gong et al., 2013 (arXiv 1312.4894)"

METRICS: tuple[Metric, ...] = (
    Metric(
        "map_micro", "mAP, micro", True,
        "Average precision over all known cells together: needs scores that compare across classes.", "scikit-learn",
        lambda judged: global_average_precision(judged.scores, judged.labels, max(1, judged.labels.shape[1])),
    ),
    Metric(
        "map_weighted", "mAP, weighted", True,
        "Mean of the classes' average precision, each weighing as many times as it has positives.", "scikit-learn",
        weighted_map,
    ),
    Metric(
        f"gap@{DEEP}", f"GAP@{DEEP}", True,
        f"Average precision over the {DEEP} highest classes of every image together; all positives count.",
        "Abu-El-Haija et al., YouTube-8M, 2016",
        lambda judged: global_average_precision(judged.scores, judged.labels, DEEP),
    ),
    Metric(
        "auroc", "AUROC", True,
        "Mean over classes of the chance that a positive scores above a negative, ties counting half. Classes without"
        " a known positive or a known negative are left out.", "Mann and Whitney, 1947",
        lambda judged: auroc(judged.scores, judged.labels), "class",
    ),
    Metric(
        "auroc_micro", "AUROC, micro", True, "The same over all known cells together.", "scikit-learn", micro_auroc
    ),
    Metric(
        "lrap", "LRAP (mAP over samples)", True,
        "Mean over images of the average precision of the image's own ranking. Images without a known positive are left"
        " out, here and in all metrics per image but the Hamming loss and subset accuracy.", SCHAPIRE,
        lambda judged: judged.lrap, "image",
    ),
    Metric(
        "coverage_error", "coverage error", False,
        "How many classes of the ranking must be taken to have all positives: at best their number.", SCHAPIRE,
        lambda judged: per_image.coverage_error(judged.scores, judged.labels), "image",
    ),
    Metric(
        "ranking_loss", "ranking loss", False,
        "Share of an image's pairs of a positive and a negative class in which the negative scores at least as high.",
        SCHAPIRE, lambda judged: ranking_loss(judged.scores, judged.labels), "image",
    ),
    Metric(
        "one_error", "one-error", False, "Share of images whose highest class is wrong.", SCHAPIRE,
        lambda judged: per_image.one_error(judged.scores, judged.labels), "image",
    ),
    *(
        Metric(
            f"p@{k}", f"P@{k}", True, f"Share of positives among the {k} highest known classes.",
            "information retrieval", at("precision", k), "image",
        )
        for k in PLACES
    ),
    *(
        Metric(
            f"r@{k}", f"R@{k}", True, f"Share of the positives that are among the {k} highest known classes.",
            "information retrieval", at("recall", k), "image",
        )
        for k in PLACES
    ),
    *(
        Metric(
            f"rp@{k}", f"RP@{k}", True, f"Positives among the {k} highest, by how many there could be.",
            "Chalkidis et al., EMNLP 2020", at("r_precision", k), "image",
        )
        for k in PLACES
    ),
    *(
        Metric(
            f"ndcg@{k}", f"nDCG@{k}", True,
            f"Positives among the {k} highest, each discounted by the logarithm of its place.",
            "Järvelin and Kekäläinen, TOIS 2002", at("ndcg", k), "image",
        )
        for k in PLACES
    ),
    *(
        Metric(
            f"psp@{k}", f"PSP@{k}", True,
            f"P@{k} with rare classes weighing more (inverse propensities, A = 0.55, B = 1.5), by the best that could"
            " be. Needs training counts.", JAIN, lambda judged, k=k: propensity(judged, "ps_precision", k),  # type: ignore[misc]
        )
        for k in PLACES
    ),
    *(
        Metric(
            f"psndcg@{k}", f"PSnDCG@{k}", True, f"nDCG@{k} with the same weights.", JAIN,
            lambda judged, k=k: propensity(judged, "ps_ndcg", k),  # type: ignore[misc]
        )
        for k in PLACES
    ),
    *(
        Metric(
            f"{key}_top3", f"{key.upper()}, top 3", True,
            f"{key.upper()} when the three highest classes of every image are taken.", GONG, top3(key),
        )
        for key in ("cp", "cr", "cf1", "op", "or", "of1")
    ),
    Metric(
        "f1_macro", "F1, macro", True, "Mean of the classes' F1 over classes with a positive; not the field's CF1.",
        "van Rijsbergen, 1979", of_sets(sets.f_beta, "classes"), "class",
    ),
    Metric(
        "f1_samples", "F1 over samples", True,
        "Mean of the images' F1; an image with nothing there and nothing decided is left out.", "van Rijsbergen, 1979",
        of_sets(sets.f_beta, "images"), "image",
    ),
    Metric(
        "f2_macro", "F2, macro", True, "F-beta with recall weighing twice as much as precision, mean over classes.",
        "van Rijsbergen, 1979", of_sets(lambda counts: sets.f_beta(counts, 2.0), "classes"), "class",
    ),
    Metric(
        "jaccard_macro", "Jaccard, macro", True, "Mean over classes of intersection over union.", "Jaccard, 1912",
        of_sets(sets.jaccard, "classes"), "class",
    ),
    Metric(
        "jaccard_micro", "Jaccard, micro", True, "Intersection over union of all cells together.", "Jaccard, 1912",
        of_sets(sets.jaccard, "cells"),
    ),
    Metric(
        "jaccard_samples", "Jaccard over samples", True,
        "Mean over images of intersection over union; an image with nothing there and nothing decided is left out.",
        "Jaccard, 1912", of_sets(sets.jaccard, "images"), "image",
    ),
    Metric(
        "hamming_loss", "Hamming loss", False, "Mean over images of the share of known cells decided wrongly.",
        SCHAPIRE, decided(sets.hamming_loss), "image",
    ),
    Metric(
        "subset_accuracy", "subset accuracy", True, "Share of images with every known cell decided rightly.",
        "scikit-learn", decided(sets.subset_accuracy), "image",
    ),
    Metric(
        "brier", "Brier score", False, "Mean over classes of the mean squared difference of probability and truth.",
        "Brier, 1950", calibrated(brier_score), "class",
    ),
    Metric(
        "ece", "ECE", False,
        "Mean over classes of the calibration error in 15 bins of equal width; too high for classes of few images.",
        "Naeini, Cooper and Hauskrecht, AAAI 2015", calibrated(calibration_error), "class",
    ),
    Metric(
        "ece_adaptive", "ECE, adaptive", False, "The same in 15 bins of equal numbers of images.",
        "Nixon et al., CVPR workshops 2019",
        calibrated(lambda probabilities, labels: calibration_error(probabilities, labels, adaptive=True)), "class",
    ),
)  # fmt: skip


def find(key: str) -> Metric:
    """The metric of that key; a typo names the nearest.

    >>> find("ndcg@5").name
    'nDCG@5'
    """
    for metric in METRICS:
        if metric.key == key:
            return metric
    raise ManylabelError(f"there is no metric {key!r}.{did_you_mean(key, [metric.key for metric in METRICS])}")


def number(values: Array | float | None) -> float:
    """A metric's value as one number: the mean of what is not NaN, NaN where nothing is."""
    if values is None:
        return np.nan
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else np.nan
