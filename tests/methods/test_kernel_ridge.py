"""Kernel ridge against scikit-learn, against refitting without each row, and with unknown cells."""

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge as SkKernelRidge

from manylabel.labels import UNKNOWN, ManylabelError
from manylabel.loops.score import score
from manylabel.methods.kernel_ridge import Config, System, build, train
from manylabel.parts.held_out import mean_ap
from manylabel.parts.settings import Settings
from toys import WIDTH, ToySource, vocabulary


def kernel(x, y):
    return torch.exp(-torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist") / x.shape[1] ** 0.5)


def problem(rows=25, unknown=0.0, seed=0):
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.normal(size=(rows, 6)))
    labels = np.where(x.numpy()[:, :3] + rng.normal(size=(rows, 3)) > 0.5, 1, -1)
    labels[rng.random((rows, 3)) < unknown] = UNKNOWN
    return x, torch.from_numpy(labels.astype(np.int8))


def oracle(own, labels, column, penalty):
    """scikit-learn's dual coefficients on the class's known rows, 0 elsewhere."""
    known = np.flatnonzero(labels[:, column] != UNKNOWN)
    y = (labels[known, column] == 1).double().numpy()
    fitted = SkKernelRidge(alpha=penalty, kernel="precomputed").fit(own.numpy()[np.ix_(known, known)], y - y.mean())
    coefficients = np.zeros(len(labels))
    coefficients[known] = fitted.dual_coef_
    return coefficients, y.mean()


@pytest.mark.parametrize("unknown", [0.0, 0.4])
def test_equals_scikit_learn_on_each_class_s_known_rows(unknown):
    x, labels = problem(unknown=unknown)
    system = System(kernel(x, x), kernel(x, x), labels)
    ours = system.coefficients(0.2)
    for c in range(3):
        theirs, mean = oracle(kernel(x, x), labels, c, 0.2)
        np.testing.assert_allclose(ours[:, c], theirs, atol=1e-6)
        assert system.mean[c].item() == pytest.approx(mean)


@pytest.mark.parametrize("unknown", [0.0, 0.4])
def test_with_few_landmarks_it_solves_the_normal_equations_of_the_known_rows(unknown):
    x, labels = problem(unknown=unknown)
    cross, own = kernel(x, x[:8]), kernel(x[:8], x[:8])
    system = System(cross, own, labels)
    ours = system.coefficients(0.2)
    for c in range(3):
        known = labels[:, c] != UNKNOWN
        k, y = cross[known], (labels[known, c] == 1).double()
        theirs = torch.linalg.solve(k.T @ k + 0.2 * own, k.T @ (y - y.mean()))
        torch.testing.assert_close(ours[:, c], theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("landmarks", [25, 8])
def test_leave_one_out_equals_solving_without_each_row(landmarks):
    x, labels = problem()
    own = kernel(x[:landmarks], x[:landmarks])
    system = System(kernel(x, x[:landmarks]), own, labels)
    predicted = system.left_out(0.2)
    y = (labels == 1).double() - system.mean  # the mean is that of all rows
    for row in range(landmarks - 8, landmarks):
        rest = torch.arange(25) != row
        if landmarks == 25:  # the row is no landmark any more
            v = torch.linalg.solve(own[rest][:, rest] + 0.2 * torch.eye(24).double(), y[rest])
            value = own[row, rest] @ v
        else:
            k = system.cross[rest]
            value = system.cross[row] @ torch.linalg.solve(k.T @ k + 0.2 * own, k.T @ y[rest])
        torch.testing.assert_close(predicted[row], value + system.mean, rtol=1e-5, atol=1e-6)


def test_it_takes_the_penalty_of_the_best_leave_one_out_map():
    x, labels = problem(rows=60)
    system = System(kernel(x, x), kernel(x, x), labels)
    penalties = (1e-3, 0.3, 50.0)
    values = [mean_ap(system.left_out(p), labels) for p in penalties]
    penalty, left_out, value = system.choose(penalties)
    assert value == max(values)
    assert penalty == penalties[int(np.argmax(values))]
    torch.testing.assert_close(left_out, system.left_out(penalty))
    assert len(set(values)) == 3


@pytest.mark.parametrize("landmarks", [10_000, 12])
def test_learns_and_is_calibrated_on_what_it_had_not_seen(landmarks):
    source, other = ToySource(120, "mixed"), ToySource(120, "full", seed=1)
    method = build(Config(landmarks=landmarks), vocabulary(source), WIDTH)
    outcome = train(method, source, other, Settings())
    assert outcome.best_map == pytest.approx(mean_ap(torch.from_numpy(score(method, other)), other.labels))
    assert outcome.best_map > 0.6
    assert method.landmarks.shape == (min(120, landmarks), WIDTH)
    shares = torch.sigmoid(torch.from_numpy(score(method, other))).mean(0)
    assert (shares - (other.labels == 1).double().mean(0)).abs().max() < 0.15


def test_scores_survive_saving_and_an_image_scores_as_it_does_alone():
    source = ToySource(40)
    method = build(Config(), vocabulary(source), WIDTH)
    method.solve(source)
    again = build(Config(), vocabulary(source), WIDTH)
    again.load_state_dict(method.state_dict())
    together = again.scores(source.batch(np.arange(40)).inputs)
    for row in (0, 39):
        alone = method.scores(source.batch(np.array([row])).inputs)
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-4, atol=1e-4)


def test_it_bends_where_ridge_is_straight():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(200, 2)))
    ring = torch.from_numpy(np.where(np.linalg.norm(x.numpy(), axis=1) > 1.2, 1, -1)[:, None].astype(np.int8))
    left_out = System(kernel(x, x), kernel(x, x), ring).left_out(0.1)
    assert mean_ap(left_out, ring) > 0.95  # no direction separates a ring from what it holds


@pytest.mark.parametrize("options", [{"gamma": 0.0}, {"penalties": ()}, {"penalties": (0.0,)}, {"landmarks": 0}])
def test_options_outside_their_range_are_refused(options):
    with pytest.raises(ManylabelError, match="above 0"):
        build(Config(**options), vocabulary(ToySource(4)), WIDTH)
