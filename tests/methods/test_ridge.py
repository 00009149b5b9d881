"""Ridge against the normal equations, scikit-learn, and the promise that unknown is not negative."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as SkRidge

from manylabel.labels import UNKNOWN
from manylabel.loops.score import score
from manylabel.methods.ridge import (
    Config,
    build,
    choose_alpha,
    leave_one_out,
    solve,
    solve_alone,
    solve_known,
    train,
)
from manylabel.parts.held_out import filled, mean_ap
from manylabel.parts.settings import Settings
from toys import WIDTH, ToySource, vocabulary


def problem(rows, columns, classes=3, unknown=0.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns))
    labels = np.where(rng.random((rows, classes)) < 0.3, 1, -1)
    labels[rng.random((rows, classes)) < unknown] = UNKNOWN
    return torch.from_numpy(x), torch.from_numpy(labels.astype(np.int8))


@pytest.mark.parametrize(("rows", "columns"), [(60, 8), (8, 60)])
def test_equals_scikit_learn_on_each_class_s_known_rows(rows, columns):
    x, labels = problem(rows, columns, unknown=0.3)
    weight, bias = solve(x, labels, alpha=0.2)
    for c in range(3):
        known = labels[:, c] != UNKNOWN
        y = (labels[known, c] == 1).double().numpy()
        oracle = SkRidge(alpha=0.2 * int(known.sum())).fit(x[known].numpy(), y)
        np.testing.assert_allclose(weight[c], oracle.coef_, atol=1e-8)
        np.testing.assert_allclose(bias[c], oracle.intercept_, atol=1e-8)


def test_one_decomposition_serves_all_penalties():
    x, labels = problem(40, 6)
    y = (labels == 1).double()
    for penalty, (weight, bias) in zip((0.5, 20.0), solve_known(x, y, [0.5, 20.0])):
        oracle = SkRidge(alpha=penalty).fit(x.numpy(), y.numpy())
        np.testing.assert_allclose(weight, oracle.coef_, atol=1e-10)
        np.testing.assert_allclose(bias, oracle.intercept_, atol=1e-10)


def test_one_feature_by_hand():
    # x centred: -1, 1; y centred: -.5, .5; w = (x.y) / (x.x + alpha n) = 1 / (2 + 2) at alpha = 1
    weight, bias = solve(torch.tensor([[1.0], [3.0]]).double(), torch.tensor([[-1], [1]], dtype=torch.int8), 1.0)
    assert weight.item() == pytest.approx(0.25)
    assert bias.item() == pytest.approx(0.5 - 0.25 * 2)


def test_what_an_unknown_row_looks_like_changes_nothing():
    x, labels = problem(50, 6, unknown=0.2)
    weight, bias = solve(x, labels, 0.1)
    moved = x.clone()
    moved[labels[:, 0] == UNKNOWN] += 5.0
    again, bias_again = solve(moved, labels, 0.1)
    torch.testing.assert_close(again[0], weight[0])
    torch.testing.assert_close(bias_again[0], bias[0])
    assert (again[1] - weight[1]).abs().max() > 1e-3


def test_a_class_nobody_judged_scores_a_constant():
    x, labels = problem(20, 4)
    labels[:, 1] = UNKNOWN
    weight, bias = solve(x, labels, 0.1)
    assert weight[1].abs().max() == 0
    assert bias[1] == 0
    assert weight[0].abs().max() > 0


def test_alpha_is_chosen_on_validation():
    rng = np.random.default_rng(0)
    direction = rng.normal(size=30)
    x, x_val = rng.normal(size=(40, 30)), rng.normal(size=(400, 30))
    noisy = x @ direction + 8 * rng.normal(size=40) > 0
    train_labels = torch.from_numpy(np.where(noisy, 1, -1).astype(np.int8)[:, None])
    val = torch.from_numpy(np.where(x_val @ direction > 0, 1, -1).astype(np.int8)[:, None])
    config = Config(alphas=(1e-6, 3.0))
    alpha, value = choose_alpha(torch.from_numpy(x), train_labels, torch.from_numpy(x_val), val, config)
    assert alpha == 3.0  # little data, much noise: the strong penalty wins
    assert 0.5 < value < 1


def test_scores_are_logits_of_unchanged_order():
    source, val = ToySource(80, "full"), ToySource(60, "full", seed=1)
    method = build(Config(alphas=(0.1,)), vocabulary(source), WIDTH)
    train(method, source, val, Settings())
    scores = score(method, val)
    probabilities = 1 / (1 + np.exp(-scores))
    truth = (val.labels == 1).numpy()
    assert abs(probabilities.mean() - truth.mean()) < 0.03  # calibrated on these very rows
    raw = method.standardise(val.pooled()).double()
    weight, bias = solve(method.standardise(source.pooled()).double(), source.labels, 0.1)
    plain = (raw @ weight.T + bias).numpy()
    for c in range(5):
        np.testing.assert_array_equal(
            np.argsort(plain[:, c]), np.argsort(scores[:, c].astype(np.float64), kind="stable")
        )


@pytest.mark.parametrize(("rows", "columns"), [(30, 6), (9, 20)])
def test_leave_one_out_equals_solving_without_each_row(rows, columns):
    x, labels = problem(rows, columns)
    y = (labels == 1).double()
    for penalty, predicted in zip((0.5, 20.0), leave_one_out(x, y, [0.5, 20.0])):
        for row in range(rows):
            rest = np.arange(rows) != row
            oracle = SkRidge(alpha=penalty).fit(x[rest].numpy(), y[rest].numpy())
            np.testing.assert_allclose(predicted[row], oracle.predict(x[row : row + 1].numpy())[0], atol=1e-8)


def test_alone_it_takes_the_penalty_of_the_best_leave_one_out_map_and_the_scale_of_held_out_scores():
    source = ToySource(80, "mixed", seed=3)
    ridge = build(Config(alphas=(1e-4, 1.0, 100.0)), vocabulary(source), WIDTH)
    solve_alone(ridge, source)
    x = ridge.standardise(source.pooled()).double()
    held_out = leave_one_out(x, filled(source.labels, torch.float64), [a * 80 for a in (1e-4, 1.0, 100.0)])
    best = int(np.argmax([mean_ap(p, source.labels) for p in held_out]))
    weight, _ = solve(x, source.labels, (1e-4, 1.0, 100.0)[best])
    slope = ridge.weight / weight  # one positive number a class
    torch.testing.assert_close(slope, slope[:, :1].expand_as(slope), rtol=1e-3, atol=1e-4)
    assert (slope > 0).all()
    known = source.labels != UNKNOWN
    calibrated = torch.sigmoid(
        (
            held_out[best] * slope[:, :1].T
            + (ridge.bias - slope[:, 0] * solve(x, source.labels, (1e-4, 1.0, 100.0)[best])[1])
        ).double()
    )
    share = (source.labels == 1).sum(0) / known.sum(0)
    for c in range(source.labels.shape[1]):  # calibrated on held-out scores: on average as many as there are
        assert calibrated[known[:, c], c].mean().item() == pytest.approx(
            share[c].item(), abs=0.05
        )  # Platt shrinks its targets


def test_alone_without_a_label_it_scores_finitely():
    source = ToySource(12, "unlabelled")
    ridge = build(Config(), vocabulary(source), WIDTH)
    solve_alone(ridge, source)
    assert np.isfinite(score(ridge, source)).all()
