"""What every method, objective and decision must do, by enumerating their folders."""

import dataclasses
import functools
import json

import numpy as np
import pytest
import torch

from manylabel import decisions, methods, objectives
from manylabel.config import fill
from manylabel.labels import UNKNOWN
from manylabel.loops.score import score
from manylabel.loops.train import fit
from manylabel.parts.batch import Clock, Features
from manylabel.parts.settings import Settings
from toys import WIDTH, ToySource, vocabulary

CONDITIONS = ("mixed", "single", "unlabelled")


def made(name, source):
    module = methods.load(name)
    torch.manual_seed(0)
    return module, module.build(module.Config(), vocabulary(source), WIDTH)


def trained(name, condition="mixed", count=9, batch_size=4, **options):
    source = ToySource(count, condition)
    module, method = made(name, source)
    settings = Settings(epochs=2, batch_size=batch_size, ema=0.5, **options)
    outcome = getattr(module, "train", fit)(method, source, ToySource(6, "full", seed=1), settings)
    return method, outcome, source


@functools.cache
def shared(name):
    """One that several tests look at and none changes."""
    return trained(name)


@pytest.mark.parametrize("name", methods.names())
class TestMethods:
    def test_files_have_the_documented_shape(self, name):
        module = methods.load(name)
        assert module.__doc__
        assert module.__doc__.split("\n")[0].endswith(".")
        assert dataclasses.is_dataclass(module.Config)
        assert module.Config.__dataclass_params__.frozen
        for chosen in getattr(module, "PRESETS", {}).values():
            assert set(chosen) <= {"method", "train", "encoder", "text"}
            fill(module.Config, chosen.get("method", {}), "method")
            fill(Settings, chosen.get("train", {}), "train")

    @pytest.mark.parametrize("condition", CONDITIONS)
    @pytest.mark.parametrize("batch_size", [1, 4, 9])  # 9 rows: 4 leaves a ragged last batch of one
    def test_trains_under_every_label_condition(self, name, condition, batch_size):
        method, outcome, source = trained(name, condition, batch_size=batch_size)
        assert np.isfinite([row["loss"] for row in outcome.log if condition != "unlabelled"]).all()
        assert np.isfinite(score(method, source)).all()

    def test_losses_are_named_finite_scalars(self, name):
        source = ToySource(5)
        _, method = made(name, source)
        losses = method(source.batch(np.arange(5)), Clock())
        assert losses
        assert all(v.dim() == 0 and torch.isfinite(v) for v in losses.values())

    def test_every_trainable_parameter_gets_a_gradient(self, name):
        source = ToySource(6, "full")
        _, method = made(name, source)
        trainable = dict(method.named_parameters())
        if not any(p.requires_grad for p in trainable.values()):
            assert hasattr(methods.load(name), "train")
            return
        sum(method(source.batch(np.arange(6)), Clock()).values()).backward()
        for parameter_name, parameter in trainable.items():
            if parameter.requires_grad:
                assert parameter.grad is not None, parameter_name
                assert parameter.grad.abs().max() > 0, parameter_name

    def test_each_image_scores_as_it_does_alone(self, name):
        method, _, source = shared(name)
        together = method.scores(source.batch(np.arange(9)).inputs)
        assert together.shape == (9, 5)
        for row in range(9):
            alone = method.scores(source.batch(np.array([row])).inputs)
            torch.testing.assert_close(alone[0], together[row], rtol=1e-4, atol=1e-5)

    def test_images_differ_in_score(self, name):
        method, _, source = shared(name)
        scores = method.scores(source.batch(np.arange(9)).inputs)
        assert (scores[0] - scores[1]).abs().max() > 1e-6

    def test_unknown_cells_do_not_matter_to_the_loss_unless_the_paper_says_so(self, name):
        source = ToySource(6, "unlabelled")
        _, method = made(name, source)
        assert sum(method(source.batch(np.arange(6)), Clock()).values()).item() == 0.0

    def test_state_round_trips(self, name):
        method, _, source = shared(name)
        _, other = made(name, source)
        other.load_state_dict({k: v.clone() for k, v in method.state_dict().items()})
        np.testing.assert_array_equal(score(other, source), score(method, source))

    def test_says_truly_whether_it_reads_the_grid(self, name):
        method, _, source = shared(name)
        inputs = source.batch(np.arange(3)).inputs
        if not method.needs_grid:
            bare = Features(None, inputs.pooled, None)
            torch.testing.assert_close(method.scores(bare), method.scores(inputs))

    def test_learns(self, name):
        source, held = ToySource(160, "full"), ToySource(80, "full", seed=5)
        module, method = made(name, source)
        epochs = 12 if method.needs_grid else 25  # what looks at patches takes long and learns soon
        settings = Settings(epochs=epochs, batch_size=16, lr=5e-3, patience=0)
        outcome = getattr(module, "train", fit)(method, source, held, settings)
        assert outcome.best_map > 0.75  # chance is about 0.5

    def test_one_class_and_one_image(self, name):
        source = ToySource(1, "full", classes=1)
        module, method = made(name, source)
        getattr(module, "train", fit)(method, source, None, Settings(epochs=1))
        assert score(method, source).shape == (1, 1)


@pytest.mark.parametrize("name", objectives.names())
class TestObjectives:
    def test_is_per_cell_unknown_aware_and_bounded(self, name):
        labels = torch.tensor([[1, -1, 0, 1], [-1, 0, 0, -1]], dtype=torch.int8)
        objective = objectives.load(name, counts=np.array([5, 2, 1, 9]), images=20)
        scores = torch.tensor([[1e4, 1e4, 1e4, -1e4], [-1e4, 3.0, -2.0, 0.5]], requires_grad=True)
        before = scores.detach().clone()
        cells = objective(scores, labels)
        cells.sum().backward()
        assert cells.shape == (2, 4)
        assert torch.isfinite(cells).all()
        assert torch.isfinite(scores.grad).all()
        assert (cells[labels == UNKNOWN] == 0).all()
        assert (scores.grad[labels == UNKNOWN] == 0).all()
        assert (cells >= 0).all()
        torch.testing.assert_close(scores.detach(), before)

    def test_right_answers_cost_less(self, name):
        objective = objectives.load(name, counts=np.array([5, 2]), images=20)
        labels = torch.tensor([[1, -1]], dtype=torch.int8)
        good, bad = objective(torch.tensor([[3.0, -3.0]]), labels), objective(torch.tensor([[-3.0, 3.0]]), labels)
        assert (good < bad).all()


@pytest.mark.parametrize("name", decisions.names())
def test_decisions_fit_call_and_survive_json(name):
    rng = np.random.default_rng(0)
    labels = rng.choice(np.array([-1, 0, 1], np.int8), (40, 3))
    labels[0] = 1  # an image without an unknown cell
    scores = rng.normal(size=(40, 3)) + labels
    if name == "lp_icp":  # which is of probabilities
        scores = 1 / (1 + np.exp(-scores))
    rule = decisions.load(name)
    rule = (rule(0.0) if name == "fixed" else rule()).fit(scores, labels)
    answer = rule(scores)
    again = type(rule).from_dict(json.loads(json.dumps(rule.to_dict())))
    assert answer.shape == (40, 3)
    np.testing.assert_array_equal(again(scores), answer)
