"""Every key of the catalogue against two oracles that share nothing with the code: loops by definition, and a library.

Data without unknown cells, ties or empty rows and columns, where all definitions agree; what happens elsewhere is
tested beside each metric. A new key of `METRICS` fails here until it has its two.
"""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from manylabel.metrics.judged import Judged
from manylabel.metrics.more import METRICS, find, number

N, C, TRAIN = 150, 24, 5000
KEYS = [metric.key for metric in METRICS]
PLACES = (1, 3, 5)


class Case:
    """The problem in the forms that oracles take."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.truth = rng.random((N, C)) < rng.uniform(0.05, 0.5, C)
        self.truth[np.arange(N), np.arange(N) % C] = True
        self.truth[np.arange(N), (np.arange(N) + 1) % C] = False
        self.labels = np.where(self.truth, 1, -1).astype(np.int8)
        self.scores = rng.normal(size=(N, C)) + 0.7 * self.labels
        self.probabilities = 1 / (1 + np.exp(-self.scores))
        self.decided = self.scores > 0.2
        self.counts = rng.integers(0, 900, C)
        log = np.log(TRAIN) - 1  # Jain et al., eq. 2
        self.weights = 1 + log * 2.5**0.55 * np.exp(-0.55 * np.log(self.counts + 1.5))
        self.order = np.argsort(-self.scores, axis=1)
        self.top3 = np.zeros((N, C), bool)
        for i in range(N):
            self.top3[i, self.order[i, :3]] = True
        self.judged = Judged(self.scores, self.labels, self.decided, self.probabilities, self.counts, TRAIN)

    @property
    def tensors(self):
        return torch.from_numpy(self.scores), torch.from_numpy(self.truth.astype(int))

    @property
    def decided_tensors(self):
        return torch.from_numpy(self.decided.astype(int)), torch.from_numpy(self.truth.astype(int))


@pytest.fixture(scope="module")
def case():
    return Case()


def average_precision(scores, truth):
    """Mean over the positives of the precision among all that score at least as high."""
    return np.mean([truth[scores >= s].mean() for s in scores[truth]])


def auroc(scores, truth):
    return np.mean([s > t for s in scores[truth] for t in scores[~truth]])


def precision_recall_f1(decided, truth):
    """CP CR CF1 OP OR OF1 by counting."""
    pairs = [(sum(d & t), sum(d), sum(t)) for d, t in zip(decided.T, truth.T)]
    cp, cr = np.mean([tp / d if d else 0 for tp, d, _ in pairs]), np.mean([tp / t for tp, _, t in pairs])
    tp, d, t = np.sum(pairs, axis=0)
    return {"cp": cp, "cr": cr, "cf1": 2 * cp * cr / (cp + cr), "op": tp / d, "or": tp / t, "of1": 2 * tp / (d + t)}


def f_beta(decided, truth, beta=1):
    hits, wrong, missed = (decided & truth).sum(), (decided & ~truth).sum(), (~decided & truth).sum()
    return (1 + beta**2) * hits / ((1 + beta**2) * hits + beta**2 * missed + wrong)


def jaccard(decided, truth):
    a, b = set(np.flatnonzero(decided)), set(np.flatnonzero(truth))
    return len(a & b) / len(a | b) if a | b else np.nan


def gap(case, k):
    """All cells of the k highest of each image in one list; every positive counts, listed or not."""
    cells = sorted(((case.scores[i, c], case.truth[i, c]) for i in range(N) for c in case.order[i, :k]), reverse=True)
    hits, total = 0, 0.0
    for place, (_, there) in enumerate(cells, start=1):
        hits += there
        total += there * hits / place
    return total / case.truth.sum()


def bins_of_equal_size(case):
    """15 runs of ten images in the order of their probability."""
    errors = []
    for p, t in zip(case.probabilities.T, case.truth.T):
        runs = np.array_split(np.argsort(p), 15)
        errors.append(sum(len(run) * abs(p[run].mean() - t[run].mean()) for run in runs) / N)
    return np.mean(errors)


def bins_of_equal_width(case):
    errors = []
    for p, t in zip(case.probabilities.T, case.truth.T):
        code = np.floor(p * 15)
        errors.append(sum(abs((p - t)[code == b].sum()) for b in range(16)) / N)
    return np.mean(errors)


def hits(case, k):
    """(N,) positives among the k highest."""
    return np.array([case.truth[i, case.order[i, :k]].sum() for i in range(N)])


def dcg(gains):
    return sum(g / np.log2(place + 1) for place, g in enumerate(gains, start=1))


def propensity(case, k, gained):
    """What all images gained by the most that they could; `gained` is of an image's gains and number of positives."""
    found = best = 0.0
    for i in range(N):
        own = np.where(case.truth[i], case.weights, 0)
        found += gained(own[case.order[i, :k]], case.truth[i].sum())
        best += gained(np.sort(own)[::-1][:k], case.truth[i].sum())
    return found / best


def ps_ndcg(k):
    return lambda case: propensity(case, k, lambda gains, positives: dcg(gains) / dcg([1] * min(k, positives)))


def by_image(value):
    return lambda case: np.mean([value(s, t, d) for s, t, d in zip(case.scores, case.truth, case.decided)])


def by_class(value):
    return lambda case: np.mean([value(s, t, d) for s, t, d in zip(case.scores.T, case.truth.T, case.decided.T)])


LOOPS = {
    "map_micro": lambda case: average_precision(case.scores.ravel(), case.truth.ravel()),
    "map_weighted": lambda case: np.average(
        [average_precision(s, t) for s, t in zip(case.scores.T, case.truth.T)], weights=case.truth.sum(axis=0)
    ),
    "gap@20": lambda case: gap(case, 20),
    "auroc": by_class(lambda s, t, d: auroc(s, t)),
    "auroc_micro": lambda case: (
        np.mean([(case.scores[~case.truth] < s).mean() for s in case.scores[case.truth]])
    ),
    "lrap": by_image(lambda s, t, d: average_precision(s, t)),
    "coverage_error": by_image(lambda s, t, d: (s >= s[t].min()).sum()),
    "ranking_loss": by_image(lambda s, t, d: 1 - auroc(s, t)),
    "one_error": by_image(lambda s, t, d: not t[s.argmax()]),
    **{f"p@{k}": lambda case, k=k: hits(case, k).mean() / k for k in PLACES},
    **{f"r@{k}": lambda case, k=k: (hits(case, k) / case.truth.sum(axis=1)).mean() for k in PLACES},
    **{
        f"rp@{k}": lambda case, k=k: (hits(case, k) / np.minimum(k, case.truth.sum(axis=1))).mean() for k in PLACES
    },
    **{
        f"ndcg@{k}": lambda case, k=k: np.mean([
            dcg(t[o[:k]]) / dcg([1] * min(k, t.sum())) for t, o in zip(case.truth, case.order)
        ])
        for k in PLACES
    },
    **{f"psp@{k}": lambda case, k=k: propensity(case, k, lambda gains, positives: gains.sum()) for k in PLACES},
    **{f"psndcg@{k}": ps_ndcg(k) for k in PLACES},
    **{
        f"{key}_top3": lambda case, key=key: precision_recall_f1(case.top3, case.truth)[key]
        for key in ("cp", "cr", "cf1", "op", "or", "of1")
    },
    "f1_macro": by_class(lambda s, t, d: f_beta(d, t)),
    "f1_samples": by_image(lambda s, t, d: f_beta(d, t)),
    "f2_macro": by_class(lambda s, t, d: f_beta(d, t, 2)),
    "jaccard_macro": by_class(lambda s, t, d: jaccard(d, t)),
    "jaccard_micro": lambda case: jaccard(case.decided.ravel(), case.truth.ravel()),
    "jaccard_samples": by_image(lambda s, t, d: jaccard(d, t)),
    "hamming_loss": by_image(lambda s, t, d: (d ^ t).sum() / C),
    "subset_accuracy": by_image(lambda s, t, d: set(np.flatnonzero(d)) == set(np.flatnonzero(t))),
    "brier": lambda case: np.mean([(p - t) ** 2 for p, t in zip(case.probabilities.ravel(), case.truth.ravel())]),
    "ece": bins_of_equal_width,
    "ece_adaptive": bins_of_equal_size,
}  # fmt: skip


def gap_by_library(case):
    """Average precision of the cells listed, by the share of the positives that are."""
    kept = np.zeros((N, C), bool)
    np.put_along_axis(kept, case.order[:, :20], True, axis=1)
    listed = case.truth[kept]
    return sk.average_precision_score(listed, case.scores[kept]) * listed.sum() / case.truth.sum()


def ps_ndcg_by_library(k):
    def value(case):
        own = case.truth * case.weights
        ideal = [sk.dcg_score([t], [t], k=k) for t in case.truth.astype(float)]
        found, best = ([sk.dcg_score([g], [s], k=k) for g, s in zip(own, order)] for order in (case.scores, own))
        return np.divide(found, ideal).sum() / np.divide(best, ideal).sum()

    return value


def top3_by_library(key):
    def value(case):
        average = "macro" if key.startswith("c") else "micro"
        precision = sk.precision_score(case.truth, case.top3, average=average)
        recall = sk.recall_score(case.truth, case.top3, average=average)
        return {"p": precision, "r": recall}.get(key[1:], 2 * precision * recall / (precision + recall))

    return value


def quantile_calibration(case):
    """scikit-learn's edges lie between the same images, ten to a bin."""
    curves = [
        calibration_curve(t, p, n_bins=15, strategy="quantile") for p, t in zip(case.probabilities.T, case.truth.T)
    ]
    return np.mean([np.abs(share - mean).mean() for share, mean in curves])


SCIKIT_LEARN = {
    "map_micro": lambda case: sk.average_precision_score(case.truth, case.scores, average="micro"),
    "map_weighted": lambda case: sk.average_precision_score(case.truth, case.scores, average="weighted"),
    "gap@20": gap_by_library,
    "auroc": lambda case: sk.roc_auc_score(case.truth, case.scores),
    "auroc_micro": lambda case: sk.roc_auc_score(case.truth, case.scores, average="micro"),
    "lrap": lambda case: sk.label_ranking_average_precision_score(case.truth, case.scores),
    "coverage_error": lambda case: sk.coverage_error(case.truth, case.scores),
    "ranking_loss": lambda case: sk.label_ranking_loss(case.truth, case.scores),
    **{f"ndcg@{k}": lambda case, k=k: sk.ndcg_score(case.truth, case.scores, k=k) for k in PLACES},
    **{f"psndcg@{k}": ps_ndcg_by_library(k) for k in PLACES},
    **{f"{key}_top3": top3_by_library(key) for key in ("cp", "cr", "cf1", "op", "or", "of1")},
    "f1_macro": lambda case: sk.f1_score(case.truth, case.decided, average="macro"),
    "f1_samples": lambda case: sk.f1_score(case.truth, case.decided, average="samples"),
    "f2_macro": lambda case: sk.fbeta_score(case.truth, case.decided, beta=2, average="macro"),
    "jaccard_macro": lambda case: sk.jaccard_score(case.truth, case.decided, average="macro"),
    "jaccard_micro": lambda case: sk.jaccard_score(case.truth, case.decided, average="micro"),
    "jaccard_samples": lambda case: sk.jaccard_score(case.truth, case.decided, average="samples"),
    "hamming_loss": lambda case: sk.hamming_loss(case.truth, case.decided),
    "subset_accuracy": lambda case: sk.accuracy_score(case.truth, case.decided),
    "brier": lambda case: np.mean([
        sk.brier_score_loss(t, p) for t, p in zip(case.truth.T, case.probabilities.T)
    ]),
    "ece_adaptive": quantile_calibration,
}  # fmt: skip

TORCHMETRICS = {
    "map_micro": ("multilabel_average_precision", {"average": "micro"}),
    "map_weighted": ("multilabel_average_precision", {"average": "weighted"}),
    "auroc": ("multilabel_auroc", {}),
    "lrap": ("multilabel_ranking_average_precision", {}),
    "coverage_error": ("multilabel_coverage_error", {}),
    "ranking_loss": ("multilabel_ranking_loss", {}),
    "auroc_micro": ("multilabel_auroc", {"average": "micro"}),
    "f1_macro": ("multilabel_f1_score", {}),
    "f2_macro": ("multilabel_fbeta_score", {"beta": 2.0}),
    "jaccard_macro": ("multilabel_jaccard_index", {}),
    "jaccard_micro": ("multilabel_jaccard_index", {"average": "micro"}),
    "hamming_loss": ("multilabel_hamming_distance", {}),
    "subset_accuracy": ("multilabel_exact_match", {}),
}
DECIDED = ("f1_macro", "f2_macro", "jaccard_macro", "jaccard_micro", "hamming_loss", "subset_accuracy")

RETRIEVAL = {"one_error", *(f"{key}@{k}" for key in ("p", "r", "rp", "ndcg") for k in PLACES)}  # see below
BY_CLASS = {"ece"}  # torchmetrics, class by class
RECORDED = {f"{key}@{k}" for key in ("psp", "psndcg") for k in PLACES}  # napkinXC's numbers, in test_at_k.py


def test_every_key_has_two_oracles():
    libraries = (set(SCIKIT_LEARN), set(TORCHMETRICS), RETRIEVAL, BY_CLASS, RECORDED)
    lacking = [key for key in KEYS if (key in LOOPS) + sum(key in library for library in libraries) < 2]
    assert not lacking, f"without two oracles: {lacking}"


@pytest.mark.parametrize("key", KEYS)
def test_equals_the_definition_in_loops(case, key):
    assert number(find(key).value(case.judged)) == pytest.approx(LOOPS[key](case), abs=1e-12)


@pytest.mark.parametrize("key", SCIKIT_LEARN)
def test_equals_scikit_learn(case, key):
    assert number(find(key).value(case.judged)) == pytest.approx(SCIKIT_LEARN[key](case), abs=1e-12)


@pytest.mark.parametrize("key", TORCHMETRICS)
def test_equals_torchmetrics(case, key, torchmetrics):
    name, options = TORCHMETRICS[key]
    given = case.decided_tensors if key in DECIDED else case.tensors
    theirs = getattr(torchmetrics, name)(*given, num_labels=C, **options)
    assert number(find(key).value(case.judged)) == pytest.approx(float(theirs), abs=1e-5)


@pytest.mark.parametrize("k", PLACES)
def test_metrics_at_k_equal_those_of_retrieval(case, k, torchmetrics):
    from torchmetrics.functional import retrieval

    # probabilities: torchmetrics' retrieval does not count a class that scores below 0
    rows = list(zip(torch.from_numpy(case.probabilities), case.tensors[1]))
    recall = np.array([float(retrieval.retrieval_recall(s, t, top_k=k)) for s, t in rows])
    positives = case.truth.sum(axis=1)
    theirs = {
        "p": np.mean([float(retrieval.retrieval_precision(s, t, top_k=k)) for s, t in rows]),
        "r": recall.mean(),
        "rp": (recall * positives / np.minimum(k, positives)).mean(),
        "ndcg": np.mean([float(retrieval.retrieval_normalized_dcg(s, t, top_k=k)) for s, t in rows]),
    }
    for key, value in theirs.items():
        assert number(find(f"{key}@{k}").value(case.judged)) == pytest.approx(value, abs=1e-5), key
    hit = np.mean([float(retrieval.retrieval_hit_rate(s, t, top_k=1)) for s, t in rows])
    assert number(find("one_error").value(case.judged)) == pytest.approx(1 - hit, abs=1e-6)


def test_calibration_error_equals_torchmetrics_class_by_class(case, torchmetrics):
    theirs = [
        float(torchmetrics.binary_calibration_error(torch.from_numpy(p), torch.from_numpy(t.astype(int)), n_bins=15))
        for p, t in zip(case.probabilities.T.copy(), case.truth.T)
    ]
    np.testing.assert_allclose(find("ece").value(case.judged), theirs, atol=1e-6)
