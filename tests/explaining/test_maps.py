"""Maps of small trained models point at the patch that holds the label, whatever makes them."""

import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image

from explaining.patches import NAMES, SIDE, WIDTH, Squares, encoder, model_of, picture, trained
from manylabel import methods
from manylabel.explain import heat_maps
from manylabel.explaining import evidence
from manylabel.heads.label_decoder import LabelDecoder
from manylabel.heads.vsi import VSI
from manylabel.labels import ManylabelError, Vocabulary
from manylabel.loops.finetune import EndToEnd
from manylabel.methods import cprfl, kernel_ridge, linear, mldecoder, ridge
from manylabel.parts.batch import Features
from toys import ToySource, vocabulary

trained = cache(trained)
OWN = ("cprfl", "kernel_ridge", "linear", "mldecoder", "ridge")
METHODS = (*OWN, "mlp")
PLACES = {0: (0, 3), 1: (2, 0), 2: (3, 2)}


def hottest_cells(maps):
    """(row, column) of the hottest place of each map, on the encoder's grid."""
    return [tuple(int(i) * SIDE // m.shape[0] for i in np.unravel_index(m.argmax(), m.shape)) for m in maps]


CASES = [(m, k) for m in METHODS for k in ("own", "gradient", "occlusion")]
CASES = [(m, k) for m, k in CASES if m in OWN or k != "own"]
CASES = [(m, k) for m, k in CASES if m not in ("cprfl", "mldecoder") or k != "gradient"]


@pytest.mark.parametrize(
    ("method", "kind"), CASES
)  # behind attention the gradient may point elsewhere, see docs/explain.md
def test_a_map_points_to_the_patch_of_its_label(method, kind):
    for column, place in PLACES.items():
        maps = heat_maps(trained(method), picture({column: place}), [NAMES[column]], kind=kind)
        assert maps.dtype == np.float32
        assert hottest_cells(maps) == [place]
        assert maps.max() == 1
        assert maps.min() >= 0


@pytest.mark.parametrize(("method", "kind"), [("cprfl", "own"), ("mldecoder", "own"), ("ridge", "gradient")])
def test_each_label_has_a_map_of_its_own(method, kind):
    maps = heat_maps(trained(method), picture(PLACES), NAMES, kind=kind)
    assert hottest_cells(maps) == list(PLACES.values())


def test_auto_is_own_evidence_where_there_is_some_and_else_the_gradient():
    image = picture(PLACES)
    for method, kind in (("cprfl", "own"), ("linear", "own"), ("mlp", "gradient"), ("kernel_ridge", "own")):
        maps = heat_maps(trained(method), image, NAMES)
        np.testing.assert_array_equal(maps, heat_maps(trained(method), image, NAMES, kind=kind))
    with pytest.raises(ManylabelError, match="no evidence of its own"):
        heat_maps(trained("mlp"), image, NAMES, kind="own")


def test_a_finetuned_model_has_the_same_maps_from_its_own_encoder():
    model = trained("cprfl")
    whole = model_of(EndToEnd(encoder(), model.network.head), encoder())
    for kind in ("own", "gradient", "occlusion"):
        maps = [heat_maps(m, picture(PLACES), NAMES, kind=kind) for m in (model, whole)]
        np.testing.assert_allclose(*maps, atol=0.01)  # frozen features are rounded to half precision, these are not


@pytest.mark.parametrize("kind", ["own", "gradient"])
def test_the_mirrored_view_is_turned_back(kind):
    coder = encoder()
    coder.flip = True
    maps = heat_maps(model_of(trained("ridge").network.head, coder), picture(PLACES), NAMES, kind=kind)
    assert hottest_cells(maps) == list(PLACES.values())
    assert maps[0, 0, 0] < 0.5  # the mirror image of the patch of red


def test_shares_of_linear_classifiers_sum_to_the_logit_without_its_bias():
    model = trained("ridge")
    features = evidence.features_of(model.network, picture(PLACES))
    features.pooled = features.grid.mean(1)
    method = model.network.head
    shares = method.evidence(features)
    torch.testing.assert_close(shares.sum(-1) + method.bias, method.scores(features), rtol=1e-4, atol=1e-4)
    method = trained("linear").network.head
    bias = method.classifier[-1].bias
    torch.testing.assert_close(method.evidence(features).sum(-1) + bias, method.scores(features), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["cprfl", "ridge", "mldecoder", "mlp"])
def test_the_gradient_is_that_of_the_logit_and_passes_the_pooled_vector(name):
    method = trained(name).network.head
    features = evidence.features_of(trained(name).network, picture(PLACES))
    features.pooled = features.grid.mean(1)

    def logit(step, d):
        grid = features.grid.clone()
        grid[..., d] += step
        return method.scores(Features(grid, grid.mean(1), features.size))[0, 1].item()

    slopes = torch.tensor([(logit(0.005, d) - logit(-0.005, d)) / 0.01 for d in range(WIDTH)]) / SIDE**2
    found = torch.from_numpy(evidence.gradient(trained(name).network, features, [1])[0]).float().flatten()
    expected = features.grid[0] @ slopes
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.03 * expected.abs().max().item())


def test_shares_of_a_kernel_ridge_sum_to_the_logit_without_that_of_the_mean_image():
    method = trained("kernel_ridge").network.head
    inputs = Squares(6, seed=5).batch(np.arange(6)).inputs
    mean = method.kernel(torch.zeros(1, WIDTH), method.landmarks) @ method.coefficients.double() + method.bias
    together = method.evidence(inputs)
    torch.testing.assert_close(together.sum(-1) + mean, method.scores(inputs), rtol=0.02, atol=0.1, check_dtype=False)
    finer = method.slopes(method.standardise(inputs.pooled), 512)
    inside = (finer * method.standardise(inputs.pooled).double()[:, None]).sum(-1) + mean
    torch.testing.assert_close(inside, method.scores(inputs).double(), rtol=1e-3, atol=1e-3)
    alone = method.evidence(Features(inputs.grid[2:3], inputs.pooled[2:3], inputs.size))
    torch.testing.assert_close(alone[0], together[2])


def test_the_gradient_at_a_landmark_is_finite():
    source = Squares(8)
    method = kernel_ridge.build(kernel_ridge.Config(), Vocabulary(NAMES, np.ones(3, int), images=8), WIDTH)
    method.solve(source)
    pooled = torch.ones(1, WIDTH, requires_grad=True)
    method.landmarks[0] = method.standardise(pooled.detach())[0]
    method.standardise.mean.copy_(pooled[0].detach() - method.landmarks[0].float())
    method.standardise.root, method.standardise.std = False, torch.ones(WIDTH)
    method.scores(Features(None, pooled, None)).sum().backward()
    assert torch.isfinite(pooled.grad).all()


def test_where_pooling_is_no_mean_a_pooled_method_is_explained_by_occlusion():
    coder = encoder()
    coder.network.pooled_by_mean = False
    model = model_of(trained("linear").network.head, coder)
    image = picture({0: (0, 0)})  # the patch that this encoder pools
    for kind in ("own", "gradient"):
        with pytest.raises(ManylabelError, match="kind occlusion"):
            heat_maps(model, image, ["red"], kind=kind)
    assert hottest_cells(heat_maps(model, image, ["red"])) == [(0, 0)]


@pytest.mark.parametrize(("depth", "interact"), [(1, True), (2, True), (2, False)])
def test_the_attention_shown_is_that_of_the_last_layer(depth, interact):
    torch.manual_seed(0)
    vsi = VSI(8, 2, 4, 8, depth=depth, interact=interact, dropout=0.0).eval()
    patches, prompts, seen = torch.randn(2, 6, 8), torch.randn(3, 8), []
    vsi.layers[-1].register_forward_pre_hook(lambda layer, given: seen.append(given))
    out = vsi.layers[-1].forward
    vsi(patches, prompts)
    entered = seen[0]
    weights = vsi.layers[-1].attention(*entered)  # (2, heads, 3, 9)
    torch.testing.assert_close(vsi.attention(patches, prompts), weights.mean(1)[..., :6])
    _, _, v = vsi.layers[-1]._project(vsi.layers[-1].norm1(entered[1]), queries=True)
    _, _, w = vsi.layers[-1]._project(vsi.layers[-1].norm1(entered[0]), queries=False)
    read = weights @ torch.cat([w, v.expand(2, -1, -1, -1)], 2)
    made = vsi.layers[-1].out(read.transpose(1, 2).flatten(2))
    torch.testing.assert_close(made, out(*entered, last=True)[1])


def test_the_decoders_attention_is_what_its_queries_read_with():
    torch.manual_seed(0)
    decoder = LabelDecoder(8, 2, 16).eval()
    patches, queries = torch.randn(2, 6, 8), torch.randn(3, 8)
    _, _, v = torch.nn.functional.linear(patches, decoder.qkv.weight, decoder.qkv.bias).chunk(3, dim=-1)
    read = (decoder.attention(patches, queries) @ decoder._split(v)).transpose(1, 2).flatten(2)
    made = decoder.norm2(decoder.norm1(2 * queries) + decoder.out(read))
    torch.testing.assert_close(made, decoder.attend(patches, queries))


def test_classes_of_a_group_share_its_query():
    config = mldecoder.Config(width=8, heads=2, hidden=8, groups=2)
    method = mldecoder.build(config, Vocabulary(NAMES, np.ones(3, int), images=3), WIDTH).eval()
    found = method.evidence(Squares(2).batch(np.arange(2)).inputs)
    assert found.shape == (2, 3, SIDE * SIDE)
    assert torch.equal(found[:, 0], found[:, 1])
    assert not torch.equal(found[:, 1], found[:, 2])


def test_text_queries_have_attention_too():
    config = mldecoder.Config(width=8, heads=2, hidden=8, queries="text")
    method = mldecoder.build(config, Vocabulary(NAMES, np.ones(3, int), np.eye(3, dtype=np.float32), images=3), WIDTH)
    found = method.eval().evidence(Squares(2).batch(np.arange(2)).inputs)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 3))


def test_several_members_are_averaged():
    text = np.eye(3, dtype=np.float32)
    config = cprfl.Config(width=8, heads=2, head_width=4, hidden=8, members=2)
    method = cprfl.build(config, Vocabulary(NAMES, np.ones(3, int), text, images=3), WIDTH).eval()
    inputs = Squares(2).batch(np.arange(2)).inputs
    one, other = (member.evidence(inputs) for member in method.members)
    assert not torch.equal(one, other)
    torch.testing.assert_close(method.evidence(inputs), (one + other) / 2)


@pytest.mark.parametrize("anchor", ["linear", "ridge", "kernel"])
def test_an_anchor_adds_its_shares(anchor):
    config = cprfl.Config(width=8, heads=2, head_width=4, hidden=8, anchor=anchor, anchor_weight=0.25)
    vocabulary = Vocabulary(NAMES, np.ones(3, int), np.eye(3, dtype=np.float32), images=3)
    method, inputs = cprfl.build(config, vocabulary, WIDTH).eval(), Squares(2).batch(np.arange(2)).inputs
    for weights in method.anchor.state_dict().values():
        weights.copy_(torch.rand(weights.shape) + 0.1) if weights.ndim == 2 else None
    attention, shares = method.members[0].evidence(inputs), method.anchor.evidence(inputs)
    above = shares.clamp(min=0)  # a class may have none
    scaled = [x / x.amax(-1, keepdim=True).clamp(min=1e-9) for x in (attention, above)]
    torch.testing.assert_close(method.evidence(inputs), 0.75 * scaled[0] + 0.25 * scaled[1])
    inputs.pooled = inputs.pooled + 1  # no mean of the grid: shares would mean nothing
    assert torch.equal(method.evidence(inputs), method.members[0].evidence(inputs))


@pytest.mark.parametrize("name", methods.names())
def test_evidence_is_of_every_class_and_patch_and_each_images_own(name):
    source = ToySource(4)
    module = methods.load(name)
    torch.manual_seed(0)
    method = module.build(module.Config(), vocabulary(source), source.grid.shape[-1]).eval()
    with torch.no_grad():
        together = method.evidence(source.batch(np.arange(4)).inputs)
        assert (together is not None) == (name in OWN)
        if together is None:
            return
        alone = method.evidence(source.batch(np.array([2])).inputs)
    assert together.shape == (4, source.labels.shape[1], source.grid.shape[1])
    assert torch.isfinite(together).all()
    torch.testing.assert_close(alone[0], together[2], rtol=1e-4, atol=1e-6)


def test_linear_methods_need_a_grid_for_evidence():
    bare = Features(None, torch.ones(1, WIDTH), None)
    vocabulary = Vocabulary(NAMES, np.ones(3, int), images=3)
    for module in (linear, ridge, kernel_ridge):
        assert module.build(module.Config(), vocabulary, WIDTH).evidence(bare) is None


def test_maps_come_with_any_way_to_give_an_image(tmp_path):
    image = picture(PLACES)
    Image.fromarray(image).save(tmp_path / "x.png")
    given = (image, tmp_path / "x.png", (tmp_path / "x.png").read_bytes(), Image.fromarray(image))
    maps = [heat_maps(trained("ridge"), one, ["blue"]) for one in given]
    for other in maps[1:]:
        np.testing.assert_array_equal(maps[0], other)
    assert heat_maps(trained("ridge"), image, []).shape[0] == 0


def test_maps_need_no_torch():
    code = "import sys, manylabel.explain; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
