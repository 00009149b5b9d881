"""The bench of regimes: which photos are kept, what validation may see, label vectors at test time, and the tables."""

import dataclasses
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from manylabel.loops.score import score
from manylabel.methods import load
from toys import TEXT, WIDTH, ToySource, vocabulary

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import nearest_text
import regimes
import regimes_data
import regimes_tables

RARE = np.array([False, False, False, True, True])
OPTIONS = {"cprfl": {"width": 8, "heads": 2, "head_width": 4, "hidden": 8}, "mldecoder": {"width": 8, "heads": 2}}


def toy_world(count=90):
    source = ToySource(count, "full")
    state = source.labels.numpy()
    cached = SimpleNamespace(
        width=WIDTH, size=(2, 2), grid=lambda rows: source.grid[rows].numpy(),
        pooled=lambda rows: source.grid[rows].mean(1).numpy(),
    )  # fmt: skip
    part = np.array_split(np.arange(count), 3)
    rows = dict(zip(("train", "val", "test"), part))
    photos = [regimes_data.training_rows(rows["train"], state == 1, RARE, 0)]
    return SimpleNamespace(
        names=np.array(list("abcde")), state=state, present=state == 1, rows=rows, rare=[RARE], photos=photos,
        test=state[rows["test"]], cached=cached,
    )  # fmt: skip


# --- which classes, which photos


def test_draws_are_stratified_disjoint_and_spare_the_frequent():
    counts = np.random.default_rng(0).permutation(np.arange(100, 180))
    names = [*regimes_data.KNOWN_SPLIT, *map(str, range(65))]
    known, second, third = regimes_data.draws(names, counts)
    assert known[:15].all()
    assert known.sum() == second.sum() == third.sum() == 15
    assert not (second & third).any()
    for drawn in (second, third):
        assert counts[drawn].max() < 172  # the eight most frequent have 172 to 179
        assert counts[drawn].min() < 105  # one in every stratum of four or five
        assert np.diff(np.sort(counts[drawn])).max() < 10


def test_keep_few_is_exact_and_nested():
    present = np.random.default_rng(1).random((400, 4)) < [0.05, 0.4, 0.5, 0.6]
    kept = regimes_data.keep_few(present, (0, 1, 2, 5), seed=3)
    assert [present[rows].sum(0).tolist() for rows in kept.values()] == [[k] * 4 for k in (0, 1, 2, 5)]
    assert set(kept[1]) < set(kept[2]) < set(kept[5])
    assert not np.array_equal(kept[5], regimes_data.keep_few(present, (0, 1, 2, 5), seed=4)[5])


def test_keep_few_stays_below_k_where_it_must():
    present = np.array([[1, 1], [1, 1], [0, 1], [0, 1]], bool)  # one photo of the first class fills the second too
    kept = regimes_data.keep_few(present, (1, 3), seed=0)
    assert [present[rows].sum(0).tolist() for rows in kept.values()] == [[1, 1], [2, 3]]


def test_training_rows_leave_every_other_photo():
    world = toy_world()
    train, left = world.rows["train"], world.photos[0]
    without = train[~world.present[train][:, RARE].any(1)]
    np.testing.assert_array_equal(left[0], without)
    assert set(without) < set(left[1])
    assert set(left[10]) <= set(train)


# --- label vectors


def test_centring_knows_the_seen_classes_only():
    table = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    before = regimes_data.centred(table, ~RARE)
    from_mean = table[0] - table[:3].mean(0)
    np.testing.assert_allclose(before[0] * np.linalg.norm(from_mean), from_mean, atol=1e-6)
    table[RARE] += 3
    np.testing.assert_array_equal(before[~RARE], regimes_data.centred(table, ~RARE)[~RARE])


def made(kind, **options):
    """A random method of a toy vocabulary, its text, and a source."""
    source = ToySource(6, "full")
    voc = vocabulary(source)
    torch.manual_seed(0)
    module = load(kind)
    return module.build(module.Config(**OPTIONS[kind], **options), voc, WIDTH).eval(), voc.text, source


CASES = [("cprfl", {}), ("cprfl", {"interact": False}), ("mldecoder", {"queries": "text"})]


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_with_text_keeps_the_trained_weights(kind, options):
    method, text, source = made(kind, **options)
    order = [3, 0, 4, 1, 2]
    other = regimes.with_text(method, text[order], WIDTH, kind)
    np.testing.assert_allclose(score(other, source), score(method, source)[:, order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kind", "options", "moves"), [(*c, m) for c, m in zip(CASES, (True, False, False))])
def test_added_classes_move_only_tokens_that_interact(kind, options, moves):
    method, text, source = made(kind, **options)
    more = np.concatenate([text, np.eye(3, TEXT, dtype=np.float32)])
    scores = score(regimes.with_text(method, more, WIDTH, kind), source)
    assert scores.shape == (6, 8)
    assert np.allclose(scores[:, :5], score(method, source), rtol=1e-4, atol=1e-5) != moves


# --- a fit


def test_rare_classes_stay_out_of_validation_and_of_a_vocabulary_without_photos():
    world = toy_world()
    none, five = (regimes.Regime(world, 0, k) for k in (0, 5))
    assert none.vocabulary(None).names == ("a", "b", "c")
    assert none.labels("val").shape == (30, 3)
    assert five.vocabulary(None).names == tuple("abcde")
    assert (five.labels("val")[:, RARE] == 0).all()
    np.testing.assert_array_equal(five.labels("val")[:, ~RARE], world.state[world.rows["val"]][:, ~RARE])
    assert (five.labels("train")[:, RARE] != 0).all()
    assert five.vocabulary(None).counts[RARE].max() <= 5


def toy_vectors(source, names, seen, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(600, 6)))[0][: len(names)].astype(np.float32)


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr(regimes, "label_vectors", toy_vectors)
    monkeypatch.setattr(regimes, "other_names", lambda names, number, seed: [f"other {i}" for i in range(number)])
    return toy_world()


def test_trained_scores_without_photos(toy):
    regime = regimes.Regime(toy, 0, 0)
    short = {"train": {"epochs": 1}}
    linear = regimes.trained_scores(regime, regimes.Task(regimes.Arm("linear", "linear", options=short), 0, 0))
    assert linear["scores"].shape == (30, 5)
    assert (linear["scores"][:, RARE] == 0).all()
    assert (linear["scores"][:, ~RARE].std(0) > 0).all()
    arm = regimes.Arm("cprfl", "cprfl", "clip", {"method": OPTIONS["cprfl"], **short})
    kept = regimes.trained_scores(regime, regimes.Task(arm, 0, 0))
    assert kept["scores"].shape == (30, 5)
    assert kept["scores"].std(0).min() > 0
    assert kept["seen_alone"].shape == kept["seen_of_100"].shape == kept["seen_of_500"].shape == (30, 3)
    changes = [np.abs(kept[key] - kept["seen_alone"]).max() for key in ("seen_of_100", "seen_of_500")]
    assert min(changes) > 1e-4


def test_the_learning_rate_of_a_task_is_used(toy):
    regime = regimes.Regime(toy, 0, 2)
    arm = regimes.Arm("linear", "linear", options={"train": {"epochs": 1}})
    kept = [regimes.trained_scores(regime, regimes.Task(arm, 0, 2, lr))["scores"] for lr in (0.0, 1e-2)]
    assert kept[0].shape == (30, 5)
    assert np.abs(kept[1]).mean() > 3 * np.abs(kept[0]).mean()


@pytest.mark.parametrize("kind", ["nearest", "weights"])
def test_closed_scores_score_every_class(toy, kind):
    for k in (0, 5):
        kept = regimes.closed_scores(regimes.Regime(toy, 0, k), regimes.Task(regimes.Arm(kind, kind, "clip"), 0, k))
        assert kept["scores"].shape == (30, 5)
        assert 0.3 < kept["val"] <= 1


def test_finished_fits_are_kept_and_others_made_anew(toy, monkeypatch, tmp_path):
    monkeypatch.setattr(regimes, "RUNS", tmp_path)
    monkeypatch.setattr(regimes, "WORLD", toy, raising=False)
    task = regimes.Task(regimes.Arm("linear", "linear", options={"train": {"epochs": 1}}), 0, 1)
    assert task.load() is None
    assert "validation" in regimes.run(task)
    assert task.load()["scores"].shape == (30, 5)
    changed = dataclasses.replace(task, arm=regimes.Arm("linear", "linear", options={"train": {"epochs": 2}}))
    assert changed.file == task.file
    assert changed.load() is None
    assert [path.name for path in tmp_path.iterdir()] == ["linear-draw1-k1.npz"]


def test_the_rate_of_the_best_validation_is_chosen():
    def tried(name, lr, value):
        return SimpleNamespace(arm=SimpleNamespace(name=name), lr=lr, load=lambda: {"val": np.array(value)})

    trials = [tried("x", 1e-3, 0.4), tried("x", 2e-3, 0.5), tried("x", 4e-3, 0.3), tried("y", 1e-3, 0.2)]
    assert regimes.chosen_rates(trials) == {"x": 2e-3, "y": 1e-3}


def test_every_arm_resolves_and_rates_name_arms():
    names = [arm.name for arm in regimes.ARMS]
    assert len(set(names)) == len(names)
    assert {name for pair in regimes_tables.PAIRS for name in pair} <= set(names)
    chosen = {task.arm.name for task in regimes.tries(regimes.ARMS)}
    assert {arm.rates for arm in regimes.ARMS if arm.rates} == chosen
    of_cprfl = regimes.tries([arm for arm in regimes.ARMS if arm.name == "cprfl-random"])
    assert [task.lr for task in of_cprfl] == list(regimes.RATES)


# --- closed form


def linked(classes=12, images=500, width=10, seed=0):
    """Photos whose classes' directions are a linear map of their label vectors."""
    rng = np.random.default_rng(seed)
    text = torch.from_numpy(rng.normal(size=(classes, 6)))
    text /= text.norm(dim=1, keepdim=True)
    shown = torch.from_numpy(rng.random((images, classes)) < 0.15)
    x = shown.double() @ text @ torch.from_numpy(rng.normal(size=(6, width)))
    return text, torch.where(shown, 1, -1).to(torch.int8), x + 0.1 * torch.from_numpy(rng.normal(size=x.shape))


@pytest.mark.parametrize("solve", [nearest_text.nearest, nearest_text.weights])
def test_unseen_classes_are_found_by_their_text(solve):
    text, labels, x = linked()
    trained = np.arange(12) < 9
    train = nearest_text.Photos(x[:300], labels[:300][:, :9])
    val = nearest_text.Photos(x[300:400], labels[300:400][:, :9])
    scores, value = solve(train, val, text, trained, x[400:])
    unseen = nearest_text.mean_ap(scores[:, 9:], labels[400:, 9:])
    shuffled = solve(train, val, text[[*range(9), 10, 11, 9]], trained, x[400:])[0]
    assert unseen > 0.45
    assert unseen > nearest_text.mean_ap(shuffled[:, 9:], labels[400:, 9:]) + 0.15
    assert value > 0.45


def test_trained_classes_keep_their_own_ridge_weights():
    text, labels, x = linked()
    trained = np.arange(12) < 9
    train, val = (nearest_text.Photos(x[rows], labels[rows][:, :9]) for rows in (slice(300), slice(300, 400)))
    scores, other = (nearest_text.weights(train, val, t, trained, x[400:])[0] for t in (text, text.flip(0)))
    np.testing.assert_allclose(scores[:, :9], other[:, :9], rtol=1e-9)
    assert not np.allclose(scores[:, 9:], other[:, 9:], rtol=0.1)


def test_left_out_equals_solving_without_the_class():
    text, _, x = linked(classes=7)
    own = x[:7] + 1
    for c in range(7):
        others = [i for i in range(7) if i != c]
        alone = text[c] @ nearest_text.regression(text[others], own[others], 0.5)
        np.testing.assert_allclose(nearest_text.left_out(text, own, 0.5)[c], alone, rtol=1e-9)
    a = nearest_text.regression(text, own, 0.5)  # the primal solution
    normal = text.T @ text + 0.5 * torch.eye(6, dtype=text.dtype)
    np.testing.assert_allclose(normal @ a, text.T @ own, rtol=1e-9)


# --- tables

LABELS = np.array([[1, -1, 1, -1, 1], [1, 1, -1, -1, -1], [-1, 1, 1, 1, -1], [-1, -1, -1, -1, -1]], np.int8)


def fits(arm_scores):
    """Kept fits of one draw, the same for every k."""
    about = {"val": 0.5, "epochs": 2, "seconds": 1.0}
    return {
        (arm, 0, k): {"scores": scores, **about} for arm, scores in arm_scores.items() for k in regimes_tables.SHOTS
    }


def test_rows_by_hand():
    perfect, blind = LABELS.astype(np.float32), LABELS.astype(np.float32) * ~RARE
    kept = fits({"good": perfect, "linear": blind})
    rows = regimes_tables.regime_rows(kept, LABELS, [RARE], {"good": 2e-3, "linear": "preset"})
    assert len(rows) == 10
    good, linear = rows[0], rows[5]
    assert (good["seen"], good["rare"], good["harmonic"], good["lr"]) == (100, 100, 100, 2e-3)
    assert (linear["seen"], linear["rare"], linear["harmonic"]) == (100, 25, 40)  # one of four photos: chance
    assert linear["chance_rare"] == 25
    assert np.isnan(linear["rare_sd"])
    kept.pop(("good", 0, 2))  # an arm may leave out some k
    assert [row["shots"] for row in regimes_tables.paired_rows(kept, LABELS, [RARE], 2)][::2] == [0, 1, 5, 10]
    (seen, rare) = [
        row for row in regimes_tables.paired_rows(kept, LABELS, [RARE], resamples=20) if row["shots"] == 1
    ]  # fmt: skip
    assert (seen["arm"], seen["against"], seen["classes"], seen["delta"]) == ("good", "linear", "seen", 0)
    assert (rare["classes"], rare["delta"]) == ("rare", 75)


def test_moved_by_hand():
    before = np.array([[4, 3, 2, 1], [1, 2, 3, 4]], np.float32)
    after = np.array([[4, 1, 2, 3], [1.5, 2, 3, 4]], np.float32)  # a change of rank four only in the first row
    labels = np.array([[1, 1, -1, -1], [-1, -1, 1, 1]], np.int8)
    change, size, top = regimes_tables.moved(before, after, labels)
    assert change == pytest.approx((0.5 - 1) / 4)  # the second class's positive now lies below
    assert size == pytest.approx((0.25 / 1.5 + 1 / 0.5 + 0 + 1 / 1.5) / 4)
    assert top == 0.5


def test_interaction_compares_with_the_seen_classes_alone():
    kept = fits({"cprfl": np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32), "linear": LABELS * 1.0})
    fit = kept["cprfl", 0, 0]
    fit["seen_alone"] = fit["scores"][:, ~RARE]
    fit["seen_of_100"] = fit["scores"][:, ~RARE][::-1]
    fit["seen_of_20"] = fit["scores"][:, ~RARE] + fit["scores"][:, ~RARE].std(0)
    rows = regimes_tables.interaction_rows(kept, LABELS, [RARE])
    assert [row["added"] for row in rows] == ["2 unseen", "20 other", "100 other"]
    assert rows[0]["logit_change_in_sd"] == rows[0]["top3_changed_percent"] == rows[0]["d_map_seen"] == 0
    assert rows[1]["logit_change_in_sd"] == 1
    assert rows[2]["logit_change_in_sd"] > 0.5


def test_plot_is_written(tmp_path):
    kept = fits({"good": LABELS.astype(np.float32), "linear": LABELS.astype(np.float32) * ~RARE})
    rows = regimes_tables.regime_rows(kept, LABELS, [RARE], {"good": 1, "linear": 1})
    regimes_tables.plot(rows, tmp_path / "images" / "regimes.png")
    assert (tmp_path / "images" / "regimes.png").stat().st_size > 5000


# --- the real data


@pytest.mark.realdata
def test_real_names_have_vectors_and_exact_counts(real_data):
    world = regimes.World()
    for rare, photos in zip(world.rare, world.photos):
        assert rare.sum() == 15
        for k, rows in photos.items():
            assert (world.present[rows][:, rare].sum(0) == k).all()
    names = world.names.tolist()
    for source, width in (("clip", 512), ("glove", 300), ("random", 512)):
        table = regimes_data.label_vectors(source, names, ~world.rare[0], 0)
        assert table.shape == (80, width)
        np.testing.assert_allclose(np.linalg.norm(table, axis=1), 1, atol=1e-5)
    clip = regimes_data.label_vectors("clip", names, ~world.rare[0], 0)
    nearest = (clip @ clip.T - np.eye(80)).argmax(1)
    assert names[nearest[names.index("fork")]] in ("spoon", "knife")
    others = regimes_data.other_names(names, 500, 0)
    assert len(set(others) - set(names)) == 500
    assert others[:100] == regimes_data.other_names(names, 100, 0)
