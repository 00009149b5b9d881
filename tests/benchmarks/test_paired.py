"""The ablation bench: intervals equal resampling by hand, every arm resolves, finished runs are kept and checked."""

import doctest
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from manylabel.labels import ManylabelError
from manylabel.metrics import average_precision
from toys import ToySource

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import ablation
import ablation_runs
import ablation_table
import arms
import paired

ablation_fit = ablation.fit
NOTHING: dict[str, np.ndarray] = {}


def problem(images, seeds, classes=3, share=0.3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random((images, classes)) < share, 1, -1).astype(np.int8)
    noise = rng.normal(size=(2, seeds, images, classes))
    return labels, noise[0] + labels, noise[1] + 0.4 * labels


def test_difference_by_hand():
    labels = np.array([[1, -1, -1], [-1, 1, -1], [1, 1, -1], [-1, 0, -1]], np.int8)
    a = np.array([[[4, 1, 0], [3, 4, 0], [2, 3, 0], [1, 9, 0]], [[4, 4, 0], [2, 3, 0], [3, 2, 0], [1, 9, 0]]], float)
    b = np.array([[[1, 4, 0], [4, 3, 0], [3, 2, 0], [2, 9, 0]], [[4, 1, 0], [3, 4, 0], [2, 3, 0], [1, 9, 0]]], float)
    # AP of the first class (positives 0 and 2): a (1 + 2/3) / 2 and 1; b (1/2 + 2/4) / 2 and (1 + 2/3) / 2
    # of the second (1 and 2; row 3 unknown): a 1 and (1/2 + 2/3) / 2; b (1/2 + 2/3) / 2 and 1; the third has none
    first, second = 100 * ((5 / 6 + 1) - (1 / 2 + 5 / 6)) / 2, 0.0
    groups = {"second": np.array([False, True, False]), "none": np.array([False, False, True])}
    result = paired.delta(a, b, labels, groups, resamples=20)
    assert result["total"][0] == pytest.approx((first + second) / 2)
    assert result["second"][0] == pytest.approx(second)
    assert np.isnan(result["none"]).all()


def test_interval_equals_a_loop_over_resampled_arrays():
    labels, a, b = problem(40, 3, share=0.08)  # so few positives that resamples lose classes
    mask = np.array([True, False, True])
    result = paired.delta(a, b, labels, {"group": mask}, resamples=230, seed=5)
    photos = np.vstack(list(paired.bootstrap.resamples(40, 230, 5))).astype(int)
    seeds = np.rint(3 * paired.seed_shares(3, 230, 5)).astype(int)
    drawn = {"total": [], "group": []}
    lost = 0
    for weights, often in zip(photos, seeds):
        rows, chosen = np.repeat(np.arange(40), weights), np.repeat(np.arange(3), often)
        alive = (labels[rows] == 1).any(0)
        lost += not alive.all()
        one, other = (
            np.mean([average_precision(arm[k][rows], labels[rows]) for k in chosen], axis=0) for arm in (a, b)
        )
        for name, classes in (("total", alive), ("group", alive & mask)):
            drawn[name].append(100 * (one - other)[classes].mean() if classes.any() else np.nan)
    assert lost > 10
    for name, values in drawn.items():
        values = np.array(values)[~np.isnan(values)]
        low, high = 2 * result[name][0] - np.quantile(values, [0.975, 0.025])
        assert result[name][1:] == pytest.approx((low, high), abs=1e-9)


def test_identical_arms_differ_by_exactly_nothing():
    labels, a, _ = problem(50, 3)
    assert paired.delta(a, a.copy(), labels, {"one": np.eye(3, dtype=bool)[0]}) == {
        "total": (0, 0, 0),
        "one": (0, 0, 0),
    }


def test_intervals_cover_a_planted_difference_and_pairing_narrows_them():
    labels, a, b = planted(40_000, seed=0)
    truth = paired.delta(a, b, labels, NOTHING, resamples=1)["total"][0]
    covered, paired_width, own_width = 0, 0.0, 0.0
    for trial in range(1, 61):
        labels, a, b = planted(300, seed=trial)
        drawn = [paired.resampled(arm, labels, NOTHING, resamples=200, seed=trial) for arm in (a, b)]
        _, low, high = paired.compare(*drawn, seed=trial)["total"]
        covered += low <= truth <= high
        paired_width += high - low
        own_width += 100 * np.diff(np.quantile(drawn[0]["total"][1:].mean(1), [0.025, 0.975]))[0]
    assert truth > 2
    assert covered >= 53  # 57 expected; 52 or fewer has a probability of 1 %
    assert paired_width < 0.7 * own_width


def planted(images, seed):
    """Two arms that share most of their noise, the second with a little less signal."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random((images, 2)) < 0.2, 1, -1).astype(np.int8)
    shared = rng.normal(size=(images, 2))
    own = 0.3 * rng.normal(size=(2, 2, images, 2))
    return labels, shared + own[0] + 0.8 * labels, shared + own[1] + 0.65 * labels


def test_seeds_are_drawn_with_replacement_beside_the_photos():
    shares = paired.seed_shares(3, 3000, seed=4)
    np.testing.assert_allclose(shares.sum(1), 1)
    assert (shares == 0).mean() == pytest.approx((2 / 3) ** 3, abs=0.02)
    assert set(np.unique(np.rint(3 * shares))) == {0, 1, 2, 3}


def test_arms_of_other_shapes_do_not_pair():
    labels, a, b = problem(10, 3)
    with pytest.raises(ValueError, match="pair up"):
        paired.delta(a, b[:2], labels, NOTHING, resamples=5)


def test_examples_of_the_docstrings():
    for module in (paired, ablation_table):
        outcome = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
        assert outcome.attempted
        assert not outcome.failed


def test_every_arm_resolves_is_named_once_and_changes_something():
    resolved = {arm.name: ablation_runs.options_of(arm) for arm in arms.ARMS}
    assert len(resolved) == len(arms.ARMS)
    base = resolved.pop("base")
    assert base["method"]["width"] == 128
    for name, options in resolved.items():
        assert options != base, name
    texts = [str(options) for options in resolved.values()]
    assert len(set(texts)) == len(texts)
    for arm in arms.ARMS:
        assert bool(arm.claim) == bool(arm.expected), arm.name
        assert arm.expected in ("", "helps", "hurts")
        assert arm.measure in ("total", "tail")
    assert {name for a, b, _ in arms.PAIRS for name in (a, b)} <= {"base", *resolved}


def test_an_override_nobody_reads_is_refused():
    for overrides in ({"encoder": {"size": 320}}, {"method": {"widht": 3}}, {"texts": {"source": "clip"}}):
        with pytest.raises(ManylabelError):
            ablation_runs.options_of(arms.Arm("x", "s", overrides))


def test_shuffled_text_gives_every_class_another_ones_vector():
    names = tuple(f"class {i}" for i in range(20))
    own, _ = ablation.label_vectors(names, {"source": "random", "centre": True, "shuffled": False}, seed=3)
    other, about = ablation.label_vectors(names, {"source": "random", "centre": True, "shuffled": True}, seed=3)
    owner = (other @ own.T).argmax(1)
    assert "shuffled" in about
    np.testing.assert_array_equal(np.sort(owner), np.arange(20))
    assert (owner != np.arange(20)).all()
    again, _ = ablation.label_vectors(names, {"source": "random", "centre": True, "shuffled": True}, seed=3)
    np.testing.assert_array_equal(other, again)


def record(rate, seed, val, options):
    return {"lr": rate, "seed": seed, "val_map": val, "options": options}


class TestRuns:
    arm = arms.Arm("some", "section", {"method": {"width": 64}})

    def runs(self, folder):
        return ablation_runs.Runs(folder, self.arm)

    def test_rates_first_then_the_best_on_validation_at_the_other_seeds(self, tmp_path):
        runs = self.runs(tmp_path)
        assert runs.rates == [5e-4, 1e-3, 2e-3]
        assert (runs.missing(), runs.left) == ([(5e-4, 0), (1e-3, 0), (2e-3, 0)], 5)
        for rate, val in zip(runs.rates, (0.2, 0.3, 0.25)):
            runs.save(record(rate, 0, val, runs.options), np.zeros((2, 3), np.float32))
        assert runs.chosen() == 1e-3
        assert (runs.missing(), runs.left) == ([(1e-3, 1), (1e-3, 2)], 2)
        runs.save(record(1e-3, 1, 0.3, runs.options), np.ones((2, 3), np.float32))
        assert (self.runs(tmp_path).missing(), self.runs(tmp_path).left) == ([(1e-3, 2)], 1)
        assert runs.scores(1e-3, 1).tolist() == np.ones((2, 3)).tolist()

    def test_a_diverged_rate_is_kept_and_never_chosen(self, tmp_path):
        runs = self.runs(tmp_path)
        for rate, val in zip(runs.rates, (0.1, None, None)):
            runs.save(record(rate, 0, val, runs.options), None)
        assert (runs.chosen(), runs.left) == (5e-4, 2)
        runs.save(record(5e-4, 0, None, runs.options), None)
        assert (runs.chosen(), runs.left) == (None, 0)

    def test_scores_without_a_record_are_not_a_run(self, tmp_path):
        runs = self.runs(tmp_path)
        runs.save(record(5e-4, 0, 0.1, runs.options), np.zeros((2, 3), np.float32))
        (tmp_path / "some" / "0.0005-0.json").unlink()
        assert runs.left == 5

    def test_runs_with_other_options_are_refused_by_name(self, tmp_path):
        runs = self.runs(tmp_path)
        old = {**runs.options, "method": {**runs.options["method"], "width": 32}}
        runs.save(record(5e-4, 0, 0.1, old), None)
        with pytest.raises(ManylabelError, match=r"some holds runs with method\.width = 32, which is 64 now"):
            self.runs(tmp_path)

    def test_an_option_that_came_later_does_not_spoil_old_runs(self, tmp_path):
        runs = self.runs(tmp_path)
        old = {**runs.options, "method": {k: v for k, v in runs.options["method"].items() if k != "norm"}}
        runs.save(record(5e-4, 0, 0.1, old), None)
        assert self.runs(tmp_path).left == 4


def toy_bed():
    parts = {part: ToySource(12, "full", seed=i) for i, part in enumerate(("train", "val", "test"))}
    names = tuple(f"class {i}" for i in range(5))
    return SimpleNamespace(names=names, counts=np.ones(5, np.int64), rows={"train": np.arange(12)}), parts


def toy_runs(folder, overrides=None):
    small = {"method": {"width": 8, "heads": 1, "head_width": 8, "hidden": 8}, "text": {"source": "random"}}
    return ablation_runs.Runs(folder, arms.Arm("toy", "s", {**small, **(overrides or {})}), 2)


def test_a_run_is_the_seeds_and_the_rates_alone(tmp_path):
    bed, sources = toy_bed()
    width = sources["train"].grid.shape[-1]
    told, scores = ablation.train_run(toy_runs(tmp_path), bed, sources, width, 1e-3, 0)
    again, same = ablation.train_run(toy_runs(tmp_path), bed, sources, width, 1e-3, 0)
    assert (told["epochs"], told["lr"], told["seed"], scores.shape) == (2, 1e-3, 0, (12, 5))
    np.testing.assert_array_equal(scores, same)
    for rate, seed in ((1e-3, 1), (2e-3, 0)):
        assert (ablation.train_run(toy_runs(tmp_path), bed, sources, width, rate, seed)[1] != scores).any()
    assert told["parameters"] == again["parameters"] > 0


def test_a_run_trains_by_the_arms_settings_with_its_own_rate_and_seed(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(ablation, "fit", lambda *rest: seen.append(rest[-1]) or ablation_fit(*rest))
    bed, sources = toy_bed()
    ablation.train_run(toy_runs(tmp_path, {"train": {"ema": 0.5}}), bed, sources, 12, 2e-3, 4)
    assert [(s.lr, s.seed, s.ema, s.epochs, s.patience) for s in seen] == [(2e-3, 4, 0.5, 2, 0)]


def test_a_run_that_diverges_is_recorded_as_such(tmp_path):
    bed, sources = toy_bed()
    sources["train"].grid[3] = np.inf
    told, scores = ablation.train_run(toy_runs(tmp_path), bed, sources, 12, 1e-3, 0)
    assert scores is None
    assert told["val_map"] is None
    assert "loss became" in told["diverged"]


@pytest.mark.parametrize(("better", "said"), [(1.5, "helps"), (0.0, "hurts")])
def test_the_table_sets_arms_against_base(tmp_path, monkeypatch, better, said):
    other = arms.Arm("other", "s", {"method": {"width": 64}}, "a claim", "hurts")
    later = arms.Arm("later", "s", {"method": {"width": 32}})
    monkeypatch.setattr(ablation_table, "ARMS", (arms.Arm("base", "base"), other, later))
    monkeypatch.setattr(ablation_table, "PAIRS", (("base", "other", "s"), ("base", "later", "s")))
    labels, _, _ = problem(120, 1)
    tail = {"tail": np.array([True, False, False])}
    table = ablation_table.Table(labels, tail, tmp_path, resamples=200)
    cost = {"seconds_per_epoch": 1.0, "cpu_seconds_per_epoch": 0.5, "parameters": 7, "peak_mb": 3.0}
    rng = np.random.default_rng(0)
    for name, signal in (("base", 0.6), ("other", better)):
        runs = table.runs[name]
        for rate, seed in ((5e-4, 0), (1e-3, 0), (2e-3, 0), (1e-3, 1), (1e-3, 2)):
            told = record(rate, seed, 0.5 if rate == 1e-3 else 0.4, runs.options) | cost
            right = rng.normal(size=labels.shape) + signal * labels
            runs.save(told, (right if rate == 1e-3 else -right).astype(np.float32))
    base, other, pair = table.rows()
    assert (other["lr"], other["seeds"], other["val_map"], other["parameters"]) == (1e-3, 3, 50.0, 7)
    assert other["delta_total"] == pytest.approx(other["test_total"] - base["test_total"], abs=0.011)
    assert other["delta_tail"] == pytest.approx(other["test_tail"] - base["test_tail"], abs=0.011)
    assert other["test_total_sd"] > 0
    assert (other["verdict"], other["verdict_tail"]) == (said, said)
    assert other["claim_verdict"] == ("contradicted" if said == "helps" else "confirmed")
    assert (pair["arm"], pair["against"], pair["delta_total"]) == ("base", "other", -other["delta_total"])
    assert "delta_total" not in base
