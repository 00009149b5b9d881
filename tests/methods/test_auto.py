"""Auto: weights by greedy selection, what is left out and why, one model that loads, resuming and interruption."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

import manylabel
from drawn import photographs
from manylabel import methods
from manylabel.labels import UNKNOWN, ManylabelError, Vocabulary
from manylabel.loops import several
from manylabel.loops.score import score
from manylabel.loops.train import make_fabric
from manylabel.methods import auto
from manylabel.methods.auto import Config, build, recipe, select, train
from manylabel.parts import checkpoint
from manylabel.parts.batch import Features
from manylabel.parts.held_out import mean_ap
from manylabel.parts.settings import Settings
from manylabel.plan import plan
from manylabel.run import train as run
from manylabel.scores import load as load_scores
from toys import WIDTH, ToySource, vocabulary

PAIR = ("ridge", "linear")
NOISE = '''
"""Noise."""
from dataclasses import dataclass
import torch
from manylabel.methods import Method
from manylabel.parts.settings import Fit

@dataclass(frozen=True)
class Config:
    """Nothing to choose."""

class Noise(Method):
    needs_grid = False
    calls = 0

    def scores(self, inputs):
        self.calls += 1
        return torch.frac(1e4 * inputs.pooled[:, :5].sin())

def build(config, vocabulary, width):
    return Noise()

def train(method, train, val, settings, **options):
    return Fit([{"epoch": 0, "loss": 0.0}], 0, 0.1, "complete")
'''


@pytest.fixture
def noise(tmp_path, monkeypatch):
    """A method beside the others whose scores tell nothing."""
    (tmp_path / "noise.py").write_text(NOISE)
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    yield "noise"
    sys.modules.pop("manylabel.methods.noise", None)


@pytest.fixture
def trained_names(monkeypatch):
    """The classes of what the common loop was asked to train, in order."""
    names = []
    common = several.fit

    def recorded(method, *args, **options):
        names.append(type(method).__name__)
        return common(method, *args, **options)

    monkeypatch.setattr(several, "fit", recorded)
    return names


def made(systems=PAIR, count=120, condition="full", held=80, seed=0, **options):
    """An untrained sum, its training source and a validation source."""
    source = ToySource(count, condition, seed=seed)
    torch.manual_seed(0)
    method = build(Config(systems=systems, **options), vocabulary(source), WIDTH)
    return method, source, ToySource(held, "full", seed=5) if held else None


def weights(method):
    return dict(zip(method.systems, method.weight.tolist()))


def row(outcome, system):
    return next(r for r in outcome.log if r["system"] == system)


def test_selection_by_hand():
    # AP of the first alone (order + - + -) and of the second (+ - + -) is (1 + 2/3) / 2, of the third 5/12
    first, second, third = [4.0, 1, 3, 0], [0.0, 3, -0.5, 2], [-9.0, -9, 9, 9]
    labels = torch.tensor([[1], [1], [-1], [-1]], dtype=torch.int8)
    # first + second = 4, 4, 2.5, 2 ranks both positives above all: AP 1
    chosen, value = select(torch.tensor([first, second, third])[..., None], labels, rounds=5)
    assert chosen.tolist() == [0.5, 0.5, 0.0]
    assert value == 1.0
    chosen, value = select(torch.tensor([first, second, third])[..., None], labels, rounds=1)
    assert chosen.tolist() == [1.0, 0.0, 0.0]
    assert value == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_selection_equals_a_plain_restatement_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random((60, 3)) < 0.3, 1, -1).astype(np.int8)
    scores = rng.normal(size=(4, 60, 3)) + np.array([0.6, 0.5, 0.4, 0.0])[:, None, None] * labels
    picked, path = [], []
    for _ in range(12):
        values = [
            np.mean([average_precision_score(labels[:, c] == 1, scores[[*picked, k]].mean(0)[:, c]) for c in range(3)])
            for k in range(4)
        ]
        picked.append(int(np.argmax(values)))
        path.append(max(values))
    best = int(np.argmax(path))
    chosen, value = select(torch.from_numpy(scores), torch.from_numpy(labels), 12)
    np.testing.assert_allclose(chosen, np.bincount(picked[: best + 1], minlength=4) / (best + 1))
    assert value == pytest.approx(path[best])
    assert (chosen > 0).sum() > 1


def test_the_sum_is_what_the_equation_says_and_no_worse_than_its_best():
    method, source, val = made(("ridge", "mlp", "cprfl"))
    outcome = train(method, source, val, Settings())
    z = torch.stack([torch.from_numpy(score(system, val)) for system in method.systems.values()])
    standard = (z - z.mean(1, keepdim=True)) / z.std(1, correction=0, keepdim=True)
    total = torch.einsum("k,knc->nc", method.weight, standard)
    expected = method.slope * total + method.shift
    np.testing.assert_allclose(score(method, val), expected, rtol=1e-4, atol=1e-4)
    assert (method.slope > 0).all()
    assert sum(weights(method).values()) == pytest.approx(1)
    assert outcome.best_map == pytest.approx(mean_ap(expected, val.labels), abs=1e-4)
    assert outcome.best_map >= max(mean_ap(each, val.labels) for each in z)
    assert {r["system"]: r["weight"] for r in outcome.log} == pytest.approx(weights(method), abs=1e-4)


def test_scores_are_calibrated_logits():
    method, source, val = made()
    train(method, source, val, Settings())
    share = 1 / (1 + np.exp(-score(method, val)))
    assert abs(share.mean() - (val.labels == 1).float().mean()) < 0.03


def test_a_system_that_tells_nothing_gets_no_weight_and_is_not_computed(noise):
    method, source, val = made(("noise", "ridge"), held=200)
    outcome = train(method, source, val, Settings())
    assert weights(method) == {"noise": 0.0, "ridge": 1.0}
    assert row(outcome, "noise")["reason"] == "adds nothing to the sum"
    calls = method.systems["noise"].calls
    assert calls > 0
    score(method, val)
    assert method.systems["noise"].calls == calls


def test_what_is_saved_scores_the_same_again_and_one_image_as_many():
    method, source, val = made(("ridge", "mlp", "cprfl"), condition="mixed")
    train(method, source, val, Settings())
    words = vocabulary(source)
    again = build(method.config, dataclasses.replace(words, text=np.ones_like(words.text)), WIDTH).eval()
    again.load_state_dict({k: v.clone() for k, v in method.state_dict().items()})
    scores = score(again, val)
    np.testing.assert_array_equal(scores, score(method, val))
    for place in (0, 7):
        alone = again.scores(val.batch(np.array([place])).inputs)
        np.testing.assert_allclose(alone.detach()[0], scores[place], rtol=1e-4, atol=1e-5)


def test_without_a_budget_only_the_cheapest_is_trained_and_told():
    method, source, val = made(("mlp", "ridge", "linear"), minutes=0.0)
    outcome = train(method, source, val, Settings())
    assert weights(method) == {"mlp": 0.0, "ridge": 1.0, "linear": 0.0}
    assert any(n.startswith("auto: mlp left out: it takes about") and "of the 0 s left" in n for n in outcome.notes)
    assert row(outcome, "linear")["reason"].startswith("left out")
    assert np.isfinite(score(method, val)).all()


def test_what_fits_is_trained_the_cheapest_first(monkeypatch, trained_names):
    costs = {"Linear": 30.0, "CPRFL": 5.0, "MLDecoder": 3000.0}
    monkeypatch.setattr(several, "expected_seconds", lambda system, *rest: costs[type(system).__name__])
    method, source, val = made(("mldecoder", "linear", "cprfl"), minutes=2.0)
    outcome = train(method, source, val, Settings())
    assert trained_names == ["CPRFL", "Linear"]
    assert row(outcome, "mldecoder")["reason"] == "left out: it takes about 50 min of the 2 min left"


def test_expected_seconds_are_those_of_all_steps(monkeypatch):
    method, source, _ = made(("linear",), count=100)
    clock = iter([0.0, 9.0, 10.0, 12.0, 20.0, 23.0])  # steps of 9, 2 and 3 seconds
    before = {k: v.clone() for k, v in method.state_dict().items()}
    monkeypatch.setattr(several.time, "monotonic", lambda: next(clock))
    fabric = make_fabric(Settings())
    found = several.expected_seconds(method.systems["linear"], source, 60, Settings(epochs=4, batch_size=30), fabric)
    assert found == pytest.approx(2 * 4 * (4 + 60 / 30 / 3))  # 4 epochs of 4 batches and 2 batches only scored
    assert all(torch.equal(before[k], v) for k, v in method.state_dict().items())


@pytest.mark.parametrize("condition", ["few", "unknown", "none"])
def test_with_little_to_validate_on_the_weights_are_equal_and_it_is_said(condition):
    method, source, val = made(held=None if condition == "none" else 6)
    if condition == "unknown":
        val.labels[:] = UNKNOWN
    outcome = train(method, source, val, Settings())
    assert method.weight.tolist() == [0.5, 0.5]
    assert any("fewer than 30 positive labels to validate on: equal weights" in note for note in outcome.notes)
    assert np.isnan(outcome.best_map) == (condition != "few")
    scores = torch.from_numpy(score(method.systems["ridge"], source))
    torch.testing.assert_close(method.mean[0], scores.mean(0), rtol=1e-3, atol=1e-4)


def test_without_text_its_readers_are_left_out():
    source = ToySource(60, "full")
    bare = dataclasses.replace(vocabulary(source), text=None)
    method = build(Config(systems=("ridge", "cprfl")), bare, WIDTH)
    outcome = train(method, source, ToySource(60, "full", seed=5), Settings())
    assert list(method.systems) == ["ridge"]
    assert any(note.startswith("auto: cprfl left out: it reads label text") for note in outcome.notes)
    assert row(outcome, "cprfl")["weight"] == 0
    with pytest.raises(ManylabelError, match="give --text"):
        build(Config(systems=("cprfl",)), bare, WIDTH)


def test_sizes_depend_on_the_number_of_training_images():
    for images, width, batch in ((3999, 128, 32), (4000, 256, 64)):
        words = Vocabulary(("a", "b"), text=np.eye(2, dtype=np.float32), images=images)
        method = build(Config(), words, WIDTH)
        assert method.systems["cprfl"].phi.out_features == width
        assert method.systems["mldecoder"].phi.out_features == width
        assert recipe("cprfl", images)[1]["batch_size"] == batch
    assert recipe("mlp", 10)[1] == methods.load("mlp").PRESETS["small"]["train"]


def test_options_and_training_of_single_systems_are_laid_over_ours_and_kept(monkeypatch):
    source = ToySource(40, "full")
    config = Config(systems=("ridge", "cprfl"), options={"cprfl": {"width": 16}}, training={"cprfl": {"epochs": 3}})
    method = build(config, vocabulary(source), WIDTH)
    assert method.systems["cprfl"].phi.out_features == 16
    assert method.systems["cprfl"].config.mixup == 1.0
    settings = auto.members(method, Settings())[1].settings
    assert (settings.epochs, settings.batch_size) == (3, 32)
    monkeypatch.setattr(auto, "SIZES", {})  # other sizes in a later release
    again = build(method.config, vocabulary(source), WIDTH)
    again.load_state_dict(method.state_dict())
    assert again.systems["cprfl"].config == method.systems["cprfl"].config


def test_each_system_has_its_own_settings_but_the_seed_and_that_is_said():
    method, source, val = made()
    settings = auto.members(method, Settings(seed=3, epochs=77))[1].settings
    preset = methods.load("linear").PRESETS["small"]["train"]
    assert (settings.seed, settings.epochs, settings.weight_decay) == (3, preset["epochs"], preset["weight_decay"])
    told = train(method, source, val, Settings(seed=3, epochs=77)).notes
    assert "auto: train.epochs: not used, each system has its own settings" in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"systems": ("ridge", "cpfrl")}, "Did you mean 'cprfl'"),
        ({"systems": ("auto",)}, "method.systems names 'auto'"),
        ({"systems": ()}, "at least one"),
        ({"systems": ("ridge", "ridge")}, "each system once"),
        ({"options": {"lineer": {}}}, "Did you mean 'linear'"),
        ({"options": {"linear": {"droput": 0.1}}}, "Did you mean 'dropout'"),
        ({"training": {"linear": 3}}, "is a section of options"),
        ({"minutes": -1.0}, "minutes is at least 0"),
        ({"rounds": 0}, "rounds at least 1"),
    ],
)
def test_options_outside_their_range_are_errors(options, message):
    with pytest.raises(ManylabelError, match=message):
        made(**options)


def stopping(at, error=KeyboardInterrupt, epoch=1):
    """A progress that stops the bar number `at` of all at the end of an epoch, before its checkpoint."""
    bars = []

    class Bar:
        def __init__(self, steps, done, what):
            bars.append(self)

        def __enter__(self):
            return self.tick

        def __exit__(self, *error):
            pass

        def tick(self, log_row=None):
            if log_row and log_row["epoch"] == epoch and len(bars) == at:
                raise error

    return Bar


def same_states(a, b):
    a, b = a.state_dict(), b.state_dict()
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


THREE = ("ridge", "linear", "cprfl")
SHORT = {"training": {"linear": {"epochs": 3}, "cprfl": {"epochs": 3}}}


@pytest.mark.parametrize(("error", "epoch"), [(KeyboardInterrupt, 1), (RuntimeError, 1), (RuntimeError, 0)])
def test_a_resumed_run_ends_as_one_never_stopped_and_trains_nothing_twice(
    tmp_path, monkeypatch, trained_names, error, epoch
):
    """Stopped in the second system that is trained by steps, after its first checkpoint or before."""
    order = {"Linear": 1.0, "CPRFL": 2.0}
    monkeypatch.setattr(several, "expected_seconds", lambda system, *rest: order[type(system).__name__])
    whole, source, val = made(THREE, **SHORT)
    train(whole, source, val, Settings())
    broken, *_ = made(THREE, **SHORT)
    options = {"folder": tmp_path / "broken", "progress": stopping(2, error, epoch)}
    if error is RuntimeError:  # as good as killed
        with pytest.raises(RuntimeError):
            train(broken, source, val, Settings(), **options)
    else:
        assert train(broken, source, val, Settings(), **options).ended == "interrupted"
        assert all(weight >= 0 for weight in weights(broken).values())
    assert (tmp_path / "broken" / "state.json").exists()  # by which the run folder knows that a run was begun
    trained_names.clear()
    again, *_ = made(THREE, **SHORT)
    torch.manual_seed(12345)  # whatever state the generator is in when the next system's turn comes
    solved = methods.load("ridge").train
    monkeypatch.setattr(methods.load("ridge"), "train", lambda *a, **o: pytest.fail("ridge was solved again"))
    outcome = train(again, source, val, Settings(), folder=tmp_path / "broken", resume=True)
    monkeypatch.setattr(methods.load("ridge"), "train", solved)
    assert trained_names == ["CPRFL"]
    assert outcome.ended == "complete"
    same_states(whole, again)


def test_time_spent_before_a_resume_counts_and_what_was_begun_goes_on(tmp_path, monkeypatch, trained_names):
    order = {"Linear": 1.0, "CPRFL": 2.0}
    monkeypatch.setattr(several, "expected_seconds", lambda system, *rest: order[type(system).__name__])
    method, source, val = made(THREE, **SHORT)
    train(method, source, val, Settings(), folder=tmp_path, progress=stopping(1))
    done = checkpoint.load(tmp_path / "ridge" / "done")
    checkpoint.save(tmp_path / "ridge" / "done", {**done, "seconds": 9999.0})
    trained_names.clear()
    outcome = train(made(THREE, **SHORT)[0], source, val, Settings(), folder=tmp_path, resume=True)
    assert trained_names == ["Linear"]
    assert "of the 0 s left" in row(outcome, "cprfl")["reason"]


def test_ctrl_c_keeps_what_is_trained_and_names_the_rest(monkeypatch):
    order = {"Linear": 1.0, "CPRFL": 2.0}
    monkeypatch.setattr(several, "expected_seconds", lambda system, *rest: order[type(system).__name__])
    method, source, val = made(THREE)
    outcome = train(method, source, val, Settings(), progress=stopping(1))
    assert outcome.ended == "interrupted"
    assert row(outcome, "cprfl")["reason"] == "left out: interrupted"
    assert "auto: cprfl left out: interrupted" in outcome.notes
    assert weights(method)["cprfl"] == 0
    assert sum(weights(method).values()) == pytest.approx(1)


def test_ctrl_c_before_anything_is_trained_is_passed_on(monkeypatch):
    def interrupted(*rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(several, "expected_seconds", interrupted)
    method, source, val = made(("linear",))
    with pytest.raises(KeyboardInterrupt):
        train(method, source, val, Settings())


def test_patch_vectors_are_not_read_for_systems_that_do_not_look(monkeypatch):
    from manylabel.loops.sources import FeatureSource

    class Cached:
        size = (2, 2)

        def grid(self, rows):
            pytest.fail("patch vectors were read")

        def pooled(self, rows):
            return np.zeros((len(rows), WIDTH), np.float32)

    source = FeatureSource(Cached(), np.arange(3, 6), np.ones((3, 5), np.int8))
    method, *_ = made()
    batch = several.without_grid(source, method.systems["linear"]).batch(np.array([1]))
    assert isinstance(batch.inputs, Features)
    assert batch.labels.shape == (1, 5)
    method, *_ = made(("cprfl",))
    assert several.without_grid(source, method.systems["cprfl"]) is source


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photos"), 60)


FAST = {
    "encoder": {"image_size": 64, "flip": False},
    "text": {"source": "random"},
    "method": {"systems": THREE, **SHORT},
}


def test_a_run_folder_tells_the_choice_and_predicts_what_it_scored(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MANYLABEL_CACHE", str(tmp_path / "cache"))
    folder = run(plan(photos, tmp_path / "x", method="auto", options=FAST))
    numbers = json.loads((folder / "metrics.json").read_text())
    told = [note for note in numbers["notes"] if note.startswith("auto: ")]
    assert told[0] == "auto: 30 training images, 3 classes, 0 % of labels unknown: cprfl of width 128"
    page, shown = (folder / "report.html").read_text(encoding="utf-8"), capsys.readouterr().err
    assert all(note in page and note in shown for note in told)
    assert (folder / "log.csv").read_text().count("\n") == 1 + len(THREE)
    scores, model = load_scores(folder / "scores-test.npz"), manylabel.load(folder)
    predictions = model.predict([photos.parent / image for image in scores.ids])
    for prediction, z in zip(predictions, scores.scores):
        got = [prediction.probabilities[name] for name in scores.names]
        np.testing.assert_allclose(got, model.classes.probabilities(z), atol=2e-5)


def test_finetuning_is_refused(photos, tmp_path):
    options = {**FAST, "encoder": {"finetune": True}}
    with pytest.raises(ManylabelError, match="drop --finetune"):
        run(plan(photos, tmp_path / "x", method="auto", options=options))
    assert not Path(tmp_path / "x").exists()
