"""Each objective against a value worked out by hand and against the recorded reference implementations."""

import math

import numpy as np
import pytest
import torch

from manylabel import objectives
from manylabel.objectives.asl import asl
from manylabel.objectives.bce import bce
from manylabel.objectives.class_balanced import class_balanced
from manylabel.objectives.distribution_balanced import distribution_balanced
from manylabel.objectives.focal import focal, of_margin


def signed(targets):
    """Reference targets 0 and 1 as ABSENT and PRESENT."""
    return torch.from_numpy(np.where(targets == 1, 1, -1).astype(np.int8))


def value_and_gradient(function, scores):
    leaf = torch.from_numpy(scores).clone().requires_grad_()
    loss = function(leaf)
    return loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0]


def close(ours, recorded, tolerance):
    torch.testing.assert_close(
        torch.as_tensor(np.asarray(ours, np.float64)),
        torch.as_tensor(np.asarray(recorded, np.float64)),
        rtol=tolerance,
        atol=tolerance,
        equal_nan=False,
    )


def tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def states(*rows):
    return torch.tensor(rows, dtype=torch.int8)


# ---- by hand: at logit log 3, p = 3/4 ----
HERE = math.log(3)


def test_bce_by_hand():
    loss = bce(tensor([HERE, HERE, HERE]), states([1, -1, 0]))
    close(loss, [[-math.log(0.75), -math.log(0.25), 0]], 1e-12)


def test_focal_by_hand():
    loss = focal(tensor([HERE, HERE]), states([1, -1]), gamma=2.0, alpha=0.25)
    close(loss, [[0.25 * 0.25**2 * -math.log(0.75), 0.75 * 0.75**2 * -math.log(0.25)]], 1e-12)


def test_asl_by_hand():
    loss = asl(tensor([HERE, HERE, -HERE]), states([1, -1, -1]), gamma_positive=1.0, gamma_negative=3.0, clip=0.25)
    close(loss, [[0.25 * -math.log(0.75), 0.5**3 * -math.log(0.5), 0]], 1e-12)  # p_m = .75-.25 and .25-.25


def test_class_balanced_by_hand():
    # beta .5: E = 1 and 1.5, so weights 1 and 2/3, scaled to average 1: 6/5 and 4/5.
    loss = class_balanced(tensor([0, 0]), states([1, -1]), counts=torch.tensor([1, 2]), beta=0.5, gamma=0.0)
    close(loss, [[1.2 * math.log(2), 0.8 * math.log(2)]], 1e-12)
    by_image = class_balanced(
        tensor([0, 0], [0, 0]),
        states([1, -1], [-1, -1]),
        counts=torch.tensor([1, 2]),
        beta=0.5,
        per_image=True,
        gamma=0.0,
    )
    close(by_image, [[1.2 * math.log(2)] * 2, [math.log(2)] * 2], 1e-12)


def test_class_balanced_limits():
    counts = torch.tensor([1, 10, 100])
    scores, labels = tensor([1, 2, 3]), states([1, -1, 1])
    close(class_balanced(scores, labels, counts=counts, beta=0.0), focal(scores, labels), 1e-12)
    inverse = 1 / counts.double()
    near = class_balanced(scores, labels, counts=counts, beta=1 - 1e-12)
    close(near, focal(scores, labels) * inverse / inverse.mean(), 1e-9)


def test_distribution_balanced_by_hand():
    # r of the positive class: (1/10) / (1/10 + 1/40) = .8; of the absent one (1/20) / .125 = .4
    loss = distribution_balanced(
        tensor([0, 0, 0]),
        states([1, 1, -1]),
        counts=torch.tensor([10, 40, 20]),
        images=80,
        alpha=0.5,
        beta=1.0,
        mu=0.0,
        neg_scale=4.0,
        init_bias=1.0,
        gamma=0.0,
        balance=1.0,
    )

    def sigma(x):
        return 1 / (1 + math.exp(-x))

    positive = (sigma(0.8) + 0.5) * -math.log(sigma(-math.log(7) / 4))
    negative = (sigma(0.4) + 0.5) * -math.log(sigma(4 * math.log(3) / 4)) / 4
    close(loss[0, [0, 2]], [positive, negative], 1e-12)


def test_neutral_settings_are_binary_cross_entropy():
    rng = torch.Generator().manual_seed(1)
    scores = 5 * torch.randn(40, 9, generator=rng, dtype=torch.float64)
    labels = torch.randint(-1, 2, (40, 9), generator=rng, dtype=torch.int8)
    reference = torch.nn.functional.binary_cross_entropy_with_logits(
        scores, (labels == 1).double(), reduction="none"
    ) * (labels != 0)
    close(bce(scores, labels), reference, 1e-12)
    close(focal(scores, labels, gamma=0.0), reference, 1e-12)
    for detach in (True, False):
        close(asl(scores, labels, gamma_negative=0.0, gamma_positive=0.0, clip=0.0, detach=detach), reference, 1e-12)
    neutral = {"neg_scale": 1.0, "init_bias": 0.0, "gamma": 0.0, "alpha": 0.0, "beta": 1.0, "mu": -1e9, "balance": 1.0}
    close(
        objectives.load("distribution_balanced", counts=[5] * 9, images=50, **neutral)(scores, labels), reference, 1e-12
    )
    close(objectives.load("class_balanced", counts=[5] * 9, gamma=0.0)(scores, labels), reference, 1e-12)


# ---- ASL against Alibaba-MIIL/ASL and CPRFL ----
ASL_SETTINGS = [(4, 1, 0.05), (4, 0, 0.05), (2, 0, 0.0), (2, 2, 0.0), (0, 0, 0.0), (4, 0, 0.2)]
LOG_EPS = -math.log(1e-8)  # the reference clamps its logarithms here


def clamped_cells(logits, targets, clip):
    """Where the reference clamps: log p of a positive, log(1 - p) of a negative unless the clip lifts it."""
    return (np.where(targets == 1, -logits, logits if clip == 0 else -np.inf)) > LOG_EPS


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize(("gamma_negative", "gamma_positive", "clip"), ASL_SETTINGS)
def test_asl_equals_the_reference(golden, gamma_negative, gamma_positive, clip, detach):
    recorded, single = golden("asl_f64"), golden("asl_f32")
    logits, targets = recorded["logits"], recorded["targets"]
    key = f"asl_gn{gamma_negative}_gp{gamma_positive}_clip{clip}_detach{int(detach)}"
    options = {"gamma_negative": gamma_negative, "gamma_positive": gamma_positive, "clip": clip, "detach": detach}
    clamped = clamped_cells(logits, targets, clip)
    assert clamped.sum() == (2 if clip else 4)
    loss, gradient = value_and_gradient(lambda s: asl(s, signed(targets), **options), logits)
    close(gradient[~clamped], recorded[f"{key}_grad"][~clamped], 1e-9)

    # At the clamp, the stated difference: the reference charges log 1e-8 and, weight detached, has no gradient.
    exponent = np.where(targets == 1, gamma_positive, gamma_negative)
    at_clamp = LOG_EPS * (1 / (1 + np.exp(-np.abs(logits)))) ** exponent
    close(np.where(clamped, at_clamp, loss).sum(), recorded[f"{key}_sum"], 1e-9)
    assert (loss.numpy()[clamped] > 19.9).all()
    assert (gradient.abs().numpy()[clamped] > 0.99).all()
    if detach:
        assert (recorded[f"{key}_grad"][clamped] == 0).all()

    # Float32: right to 1e-5 against double precision everywhere, hence against the reference's own float32
    # wherever that is (it forms 1 - sigmoid(z), which loses its digits for confident false positives).
    single_loss, single_gradient = value_and_gradient(lambda s: asl(s, signed(targets), **options), single["logits"])
    close(single_gradient[~clamped], recorded[f"{key}_grad"][~clamped], 1e-5)
    close(single_loss, loss, 1e-5)
    sound = ~clamped & np.isclose(single[f"{key}_grad"], recorded[f"{key}_grad"], rtol=1e-6, atol=1e-6)
    assert sound.sum() > 210
    close(single_gradient[sound], single[f"{key}_grad"][sound], 1e-5)


@pytest.mark.parametrize(("file", "tolerance"), [("asl_f64", 1e-9), ("asl_f32", 1e-5)])
def test_asl_mean_is_the_loss_cprfl_trains_with(golden, file, tolerance):
    recorded = golden(file)
    logits, targets = recorded["logits"], recorded["targets"]
    clamped = clamped_cells(logits, targets, 0.05)
    loss, gradient = value_and_gradient(lambda s: asl(s, signed(targets)), logits)  # the defaults are CPRFL's
    close(np.where(clamped, LOG_EPS, loss).mean(), recorded["cprfl_asl_mean"], tolerance)
    close(gradient[~clamped] / logits.size, recorded["cprfl_asl_mean_grad"][~clamped], tolerance)


def test_asl_charges_nothing_at_or_below_the_clip():
    edge = math.log(0.05 / 0.95)
    loss, gradient = value_and_gradient(lambda s: asl(s, states([-1, -1, -1])), np.array([[edge - 1e-9, -4, edge + 1]]))
    assert loss[0, :2].tolist() == [0, 0]
    assert gradient[0, :2].tolist() == [0, 0]
    assert loss[0, 2] > 0


# ---- focal, class-balanced and distribution-balanced against the repository of Wu et al. ----
def frequencies(recorded, data):
    counts = recorded[f"{data}_class_freq"]
    return {"counts": torch.from_numpy(counts), "images": int(counts[0] + recorded[f"{data}_neg_class_freq"][0])}


def inputs(recorded, data, empty_row):
    if data == "coco":
        return recorded["coco_logits"], recorded["coco_targets"]
    return recorded["logits"], recorded["targets" if empty_row else "voc_targets_everyrowpos"]


PUBLISHED = {"voc": {"mu": 0.3, "neg_scale": 5.0}, "coco": {}}
CASES = [("voc", ""), ("voc", "_emptyrow"), ("coco", "")]


def test_focal_equals_the_reference(golden):
    recorded = golden("db_focal_f64")
    labels = signed(recorded["targets"])
    loss, gradient = value_and_gradient(lambda s: 0.25 * focal(s, labels), recorded["logits"])
    close(loss, recorded["db_repo_focal_gamma2_bal.25_elementwise"], 1e-6)
    close(gradient, recorded["db_repo_focal_grad_of_sum"], 1e-6)


@pytest.mark.parametrize(("data", "row"), CASES)
def test_distribution_balanced_equals_the_reference(golden, data, row):
    recorded = golden("db_focal_f64")
    logits, targets = inputs(recorded, data, row)
    labels, known = signed(targets), frequencies(recorded, data)
    options = known | PUBLISHED[data]
    loss, gradient = value_and_gradient(lambda s: distribution_balanced(s, labels, **options), logits)
    close(loss, recorded[f"{data}_orig_DBfocal{row}"], 1e-5)
    close(gradient, recorded[f"{data}_orig_DBfocal{row}_grad_of_sum"], 1e-5)
    plain = options | {"gamma": 0.0, "balance": 0.5}
    loss, gradient = value_and_gradient(lambda s: distribution_balanced(s, labels, **plain).mean(), logits)
    close(loss, recorded[f"{data}_orig_DB0FL{row}"], 1e-5)
    close(gradient, recorded[f"{data}_orig_DB0FL{row}_grad_of_sum"], 1e-5)


@pytest.mark.parametrize("form", ["by_class", "average_w"])
@pytest.mark.parametrize(("data", "row"), CASES)
def test_class_balanced_equals_the_reference(golden, data, row, form):
    """The recorded runs add DB's regularisation and a factor 20 times the raw weights: bring the same to ours."""
    recorded = golden("db_focal_f64")
    logits, targets = inputs(recorded, data, row)
    labels, known = signed(targets), frequencies(recorded, data)
    counts, images = known["counts"], known["images"]
    neg_scale = PUBLISHED[data].get("neg_scale", 2.0)
    raw = 0.1 / (1 - 0.9**counts)

    def ours(scores):
        scale = torch.where(labels == -1, neg_scale, 1.0)
        regularised = (scores - torch.log(images / counts - 1) * 0.05 / neg_scale) * scale
        loss = class_balanced(regularised, labels, counts=counts, per_image=form == "average_w")
        return 20 * raw.mean() * loss / scale

    judged = (targets.sum(1) > 0) if form == "average_w" else np.ones(len(targets), bool)  # NaN there in the reference
    loss, gradient = value_and_gradient(ours, logits)
    close(loss[judged], recorded[f"{data}_orig_CB_{form}{row}"][judged], 1e-5)
    assert torch.isfinite(loss).all()
    close(gradient[judged], recorded[f"{data}_orig_CB_{form}{row}_grad_of_sum"][judged], 1e-5)


def test_of_margin_is_focal_of_a_positive():
    margin = tensor([-3, 0, 3])
    close(of_margin(margin, 1.5), focal(margin, states([1, 1, 1]), gamma=1.5), 0)
