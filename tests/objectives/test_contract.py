"""What every objective owes: the folder is enumerated, so a new file is tested by being there."""

import numpy as np
import pytest
import torch

from manylabel import objectives
from manylabel.labels import ManylabelError

COUNTS, IMAGES = [3, 0, 500, 20], 500
OPTIONS = {"focal": {"alpha": 0.25}, "asl": {"detach": False, "gamma_positive": 0.5, "gamma_negative": 0.5}}


def both(name):
    """The objective at its defaults and with the options above."""
    return [objectives.load(name, counts=COUNTS, images=IMAGES, **options) for options in ({}, OPTIONS.get(name, {}))]


@pytest.fixture
def cells():
    rng = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(6, 4, generator=rng, dtype=torch.float64)
    labels = torch.randint(-1, 2, (6, 4), generator=rng, dtype=torch.int8)
    labels[0], labels[1], labels[2] = 0, -1, 1
    return scores, labels


@pytest.mark.parametrize("name", objectives.names())
def test_unknown_cells_are_exactly_zero_and_known_ones_are_not(name, cells):
    scores, labels = cells
    for objective in both(name):
        leaf = scores.clone().requires_grad_()
        loss = objective(leaf, labels)
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        assert loss.shape == labels.shape
        assert (loss[labels == 0] == 0).all()
        assert (gradient[labels == 0] == 0).all()
        # Below the clip of ASL a negative costs nothing: look at the other known cells.
        charged = (labels != 0) & ~((labels == -1) & (scores < -2.9))
        assert (loss[charged] > 0).all()
        assert (gradient[charged] != 0).all()


@pytest.mark.parametrize("name", objectives.names())
def test_an_unknown_cell_changes_no_other_cell(name, cells):
    scores, labels = cells
    other = torch.where(labels == 0, scores + 7, scores)
    for objective in both(name):
        assert torch.equal(objective(scores, labels), objective(other, labels))


@pytest.mark.parametrize("name", objectives.names())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_far_out(name, dtype):
    values = torch.tensor([0, 1e-30, 15, 20, 90, 105, 1e3, 1e4, -1e-30, -15, -20, -90, -105, -1e3, -1e4], dtype=dtype)
    scores = values[:, None].repeat(1, 4)
    for label in (-1, 0, 1):
        labels = torch.full(scores.shape, label, dtype=torch.int8)
        for objective in both(name):
            leaf = scores.clone().requires_grad_()
            with torch.autograd.set_detect_anomaly(True):  # no NaN on the way either
                loss = objective(leaf, labels)
                (gradient,) = torch.autograd.grad(loss.sum(), leaf)
            assert torch.isfinite(loss).all()
            assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", objectives.names())
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_scores_are_computed_in_float32(name, dtype, cells):
    scores, labels = cells[0].to(dtype).requires_grad_(), cells[1]
    for objective in both(name):
        loss = objective(scores, labels)
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, objective(scores.float(), labels))
        (gradient,) = torch.autograd.grad(loss.sum(), scores)
        assert gradient.dtype == dtype


@pytest.mark.parametrize("name", objectives.names())
def test_arguments_stay_as_they_are(name, cells):
    scores, labels = cells
    kept = scores.clone(), labels.clone()
    for objective in both(name):
        objective(scores, labels)
        assert torch.equal(scores, kept[0])
        assert torch.equal(labels, kept[1])


@pytest.mark.parametrize("name", objectives.names())
def test_gradient_is_the_finite_difference(name, cells):
    scores, labels = cells
    options = {"detach": False} if name == "asl" else {}
    objective = objectives.load(name, counts=COUNTS, images=IMAGES, **options)
    torch.autograd.gradcheck(lambda s: objective(s, labels), scores.clone().requires_grad_())


@pytest.mark.parametrize("name", objectives.names())
def test_wrong_labels_are_refused(name):
    objective = objectives.load(name, counts=COUNTS, images=IMAGES)
    with pytest.raises(ManylabelError, match="int8"):
        objective(torch.zeros(2, 4), torch.zeros(2, 4))  # 0 and 1 as floats: absent would pass as unknown
    with pytest.raises(ManylabelError, match="images, classes"):
        objective(torch.zeros(2, 4), torch.zeros(2, 3, dtype=torch.int8))


def test_load_names_the_nearest_word():
    with pytest.raises(ManylabelError, match="Did you mean 'focal'"):
        objectives.load("focall")
    with pytest.raises(ManylabelError, match="Did you mean 'gamma_negative'"):
        objectives.load("asl", gamma_negativ=2.0)
    with pytest.raises(ManylabelError, match="give counts"):
        objectives.load("class_balanced")
    with pytest.raises(ManylabelError, match="counts has shape"):
        objectives.load("class_balanced", counts=[1, 2])(torch.zeros(1, 3), torch.ones(1, 3, dtype=torch.int8))


def test_counts_and_images_are_offered_to_all_and_taken_by_those_that_need_them():
    labels = torch.ones(1, 4, dtype=torch.int8)
    for name in objectives.names():
        rare, common = objectives.load(name, counts=np.array(COUNTS), images=IMAGES)(torch.zeros(1, 4), labels)[
            0, [0, 2]
        ]
        assert (rare > common) == (name in ("class_balanced", "distribution_balanced"))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("asl", {"gamma_negative": -1.0}),
        ("asl", {"clip": 1.0}),
        ("focal", {"gamma": -0.1}),
        ("focal", {"alpha": 2.0}),
        ("class_balanced", {"beta": 1.0}),
        ("distribution_balanced", {"neg_scale": 0.0}),
    ],
)
def test_options_out_of_range_are_refused(name, options):
    objective = objectives.load(name, counts=COUNTS, images=IMAGES, **options)
    with pytest.raises(ManylabelError, match="must be"):
        objective(torch.zeros(1, 4), torch.ones(1, 4, dtype=torch.int8))
