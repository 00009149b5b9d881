"""ML-Decoder against its published forward pass, and what follows from queries that do not interact."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from manylabel.config import fill
from manylabel.heads.label_decoder import GroupLinear, LabelDecoder
from manylabel.labels import ManylabelError, Vocabulary
from manylabel.loops.score import score
from manylabel.loops.train import fit
from manylabel.methods.mldecoder import PRESETS, Config, MLDecoder, build
from manylabel.objectives.asl import asl
from manylabel.objectives.bce import bce
from manylabel.parts.batch import Batch, Clock, Features
from manylabel.parts.settings import Settings
from toys import WIDTH, ToySource, vocabulary

LAYER = "decoder.layers.0."
NAMES = {
    "phi": "decoder.embed_standart", "decoder.norm1": f"{LAYER}norm1", "decoder.norm2": f"{LAYER}norm2",
    "decoder.norm3": f"{LAYER}norm3", "decoder.out": f"{LAYER}multihead_attn.out_proj",
    "decoder.ffn1": f"{LAYER}linear1", "decoder.ffn2": f"{LAYER}linear2",
}  # fmt: skip
SINGLE = {
    "queries": "decoder.query_embed.weight", "decoder.qkv.weight": f"{LAYER}multihead_attn.in_proj_weight",
    "decoder.qkv.bias": f"{LAYER}multihead_attn.in_proj_bias", "classifier.weight": "decoder.duplicate_pooling",
    "classifier.bias": "decoder.duplicate_pooling_bias",
}  # fmt: skip


def small(classes=5, **options):
    """A small random method in float64, in eval mode, and three images of 3 x 3 patches."""
    torch.manual_seed(0)
    config = Config(**{"width": 16, "heads": 2, "hidden": 24, **options})
    text = F.normalize(torch.randn(classes, 6)).numpy()
    made = build(config, Vocabulary(tuple(map(str, range(classes))), text=text), 10)
    grid = torch.randn(3, 9, 10).double()
    return made.double().eval(), Features(grid, grid.mean(1), (3, 3))


def with_grid(features, grid):
    return Features(grid, features.pooled, features.size)


def test_equals_the_published_forward_pass_and_gradient(golden):
    data = golden("mldecoder_c7_g-1_zsl0_f64")
    method = MLDecoder(Config(width=32, heads=8, hidden=2048, groups=100), 7, None, 40).double().eval()
    names = SINGLE | {f"{o}.{p}": f"{t}.{p}" for o, t in NAMES.items() for p in ("weight", "bias")}
    method.load_state_dict({ours: torch.from_numpy(data[f"w:{theirs}"]) for ours, theirs in names.items()})
    image = torch.from_numpy(data["feature_map"]).requires_grad_()
    grid = image.flatten(2).transpose(1, 2)
    logits = method.scores(Features(grid, grid.mean(1), (3, 4)))
    np.testing.assert_allclose(logits.detach(), data["logits"], rtol=1e-9, atol=1e-9)
    logits.sum().backward()
    np.testing.assert_allclose(image.grad, data["g:feature_map_of_sum"], rtol=1e-9, atol=1e-9)


def test_attention_is_torch_s_own_and_starts_as_it_does():
    torch.manual_seed(0)
    decoder = LabelDecoder(16, 4, 24, dropout=0.0).double()
    oracle = torch.nn.MultiheadAttention(16, 4, batch_first=True).double()
    oracle.load_state_dict({
        "in_proj_weight": decoder.qkv.weight, "in_proj_bias": decoder.qkv.bias,
        "out_proj.weight": decoder.out.weight, "out_proj.bias": decoder.out.bias,
    })  # fmt: skip
    patches, queries = torch.randn(3, 9, 16).double(), torch.randn(5, 16).double()
    q = decoder.norm1(2 * queries).expand(3, -1, -1)
    torch.testing.assert_close(decoder.attend(patches, queries), decoder.norm2(q + oracle(q, patches, patches)[0]))
    assert decoder.qkv.weight.abs().max().item() == pytest.approx(
        (6 / (16 + 48)) ** 0.5, rel=0.05
    )  # xavier of (3 d, d)
    assert not decoder.qkv.bias.any()
    assert not decoder.out.bias.any()


def test_each_query_has_a_look_of_its_own_at_the_patches():
    """Average pooling would give every class the same patches and the same scores to any images of one mean."""
    method, features = small()
    method.classifier.weight.data[:] = method.classifier.weight.data[:1]  # only the query tells classes apart
    patches = F.relu(method.phi(features.grid)).detach().requires_grad_()
    tokens = method.decoder(patches, method.queries)
    flat = method.decoder(patches.mean(1, keepdim=True).expand_as(patches), method.queries)
    assert (tokens - flat).abs().amax((0, 2)).min() > 1e-3
    looks = [torch.autograd.grad(method.classifier(tokens)[0, c], patches, retain_graph=True)[0][0] for c in range(5)]
    looks = torch.stack([look.norm(dim=-1) / look.norm() for look in looks])  # (classes, patches)
    assert torch.pdist(looks).min() > 1e-3


def test_order_of_patches_does_not_matter_but_their_contents_do():
    method, features = small()
    scores = method.scores(features)
    shuffled = with_grid(features, features.grid[:, torch.randperm(9)])
    torch.testing.assert_close(method.scores(shuffled), scores, rtol=1e-10, atol=1e-12)
    changed = features.grid.clone()
    changed[:, 4] = 3.0
    assert (method.scores(with_grid(features, changed)) - scores).abs().min() > 1e-6


@pytest.mark.parametrize(
    ("classes", "groups", "queries", "each"), [(7, 3, 3, 3), (7, 5, 4, 2), (6, 3, 3, 2), (4, 9, 4, 1)]
)
def test_classes_of_a_group_share_a_query_and_surplus_outputs_are_dropped(classes, groups, queries, each):
    method, features = small(classes, groups=groups)
    method.classifier.bias.data = torch.arange(classes).double()
    scores = method.scores(features)
    assert scores.shape == (3, classes)
    assert method.queries.shape == (queries, 16)
    tokens = method.decoder(F.relu(method.phi(features.grid)), method.queries)
    for c in range(classes):
        expected = tokens[:, c // each] @ method.classifier.weight[c // each, :, c % each] + c
        torch.testing.assert_close(scores[:, c], expected)
    method.queries[0] += torch.randn(16)  # only classes of the first group change
    moved = (method.scores(features) - scores).abs().amax(0) > 1e-9
    assert moved.tolist() == [c < each for c in range(classes)]


def test_group_weights_start_as_published():
    torch.manual_seed(0)
    group = GroupLinear(400, 100, 64)
    assert group.weight.shape == (100, 64, 4)
    assert group.weight.std().item() == pytest.approx((2 / (64 * 4 + 100 * 4)) ** 0.5, rel=0.03)
    assert not group.bias.any()


def test_random_queries_are_standard_normal_frozen_and_saved():
    source = ToySource(12, "full")
    torch.manual_seed(0)
    method = build(Config(), vocabulary(source), WIDTH)
    before = method.queries.clone()
    assert before.std().item() == pytest.approx(1, abs=0.05)
    assert "queries" in dict(method.named_buffers())
    fit(method, source, None, Settings(epochs=2, batch_size=4))
    torch.testing.assert_close(method.queries, before, rtol=0, atol=0)
    other = build(Config(), vocabulary(source), WIDTH)
    assert not torch.equal(other.queries, before)
    other.load_state_dict(method.state_dict())
    np.testing.assert_array_equal(score(other, source), score(method, source))


@pytest.mark.parametrize("queries", ["learned", "text"])
def test_the_other_queries_train_and_round_trip(queries):
    source = ToySource(9)
    torch.manual_seed(0)
    method = build(Config(queries=queries), vocabulary(source), WIDTH)
    before = {name: value.detach().clone() for name, value in method.named_parameters()}
    sum(method(source.batch(np.arange(9)), Clock()).values()).backward()
    assert all(p.grad.abs().max() > 0 for p in method.parameters())
    fit(method, source, None, Settings(epochs=2, batch_size=4))
    changing = "queries" if queries == "learned" else "words.weight"
    assert not torch.equal(method.get_parameter(changing), before[changing])
    blank = dataclasses.replace(vocabulary(source), text=np.ones((5, 8), np.float32))  # as a run folder is loaded
    other = build(Config(queries=queries), blank, WIDTH)
    other.load_state_dict(method.state_dict())
    np.testing.assert_array_equal(score(other, source), score(method, source))
    alone = method.scores(source.batch(np.array([3])).inputs)
    torch.testing.assert_close(alone[0], torch.from_numpy(score(method, source))[3], rtol=1e-4, atol=1e-5)


def test_text_classes_differ_by_their_text_alone_and_do_not_interact():
    method, features = small(queries="text")
    scores = method.scores(features)
    assert method.classifier.weight.numel() == 16  # one output vector
    assert method.classifier.bias.numel() == 1
    assert scores.std(1).min() > 1e-4
    added = torch.cat([method.text, method.text[1:2], -method.text[:1]])
    more = method.text_scores(features, added)
    assert more.shape == (3, 7)
    torch.testing.assert_close(more[:, :5], scores, rtol=1e-10, atol=1e-12)  # unlike CPRFL
    torch.testing.assert_close(more[:, 5], scores[:, 1])  # the same text, the same score
    assert (more[:, 6] - scores[:, 0]).abs().min() > 1e-6
    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(method.text_scores(features, method.text[order]), scores[:, order])


def test_text_becomes_queries_by_linear_and_relu_at_its_scale():
    method, features = small(queries="text")
    rows = method.text * 6**0.5  # the root of the vectors' width
    queries = F.relu(rows @ method.words.weight.T + method.words.bias)
    tokens = method.decoder(F.relu(method.phi(features.grid)), queries)
    expected = tokens @ method.classifier.weight[:, 0] + method.classifier.bias
    torch.testing.assert_close(method.scores(features), expected)
    method.text_scale = 1.0
    unit, _ = small(queries="text", text_scale=1.0)
    torch.testing.assert_close(unit.scores(features), method.scores(features))
    assert not torch.allclose(unit.scores(features), expected)


def test_text_learns_what_classes_never_trained_look_like():
    """24 classes look as 3 numbers of text say; the first 6 are left out of training and scored by their text."""
    rng = np.random.default_rng(0)
    text = rng.normal(size=(24, 3)).astype(np.float32)
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    looks = torch.from_numpy(text @ rng.normal(size=(3, WIDTH)).astype(np.float32))
    present = rng.random((240, 24)) < 0.1
    source = ToySource(240)
    source.grid = torch.from_numpy(rng.normal(size=(240, 4, WIDTH)).astype(np.float32)) * 0.1
    for row, column in np.argwhere(present):
        source.grid[row, rng.integers(4)] += looks[column]
    source.labels = torch.from_numpy((2 * present[:, 6:] - 1).astype(np.int8))
    torch.manual_seed(0)
    seen = Vocabulary(tuple(map(str, range(18))), text=text[6:])
    method = build(Config(queries="text", width=64, hidden=64, dropout=0.0), seen, WIDTH)
    fit(method, source, None, Settings(epochs=10, batch_size=16, lr=5e-3, patience=0))
    inputs = source.batch(np.arange(240)).inputs
    scores = method.eval().text_scores(inputs, torch.from_numpy(text)).detach().numpy()
    auroc = [np.mean(s[there][:, None] > s[~there]) for s, there in zip(scores.T[:6], present.T)]
    assert np.mean(auroc) > 0.7  # chance is 0.5; 0.79 to 0.85 with seeds 0 to 4


def test_dropout_stands_at_its_four_places_and_draws_for_each_image():
    torch.manual_seed(0)
    decoder = LabelDecoder(16, 2, 24, dropout=0.5).double()
    patches, queries = torch.randn(1, 9, 16).double().expand(2, -1, -1), torch.randn(5, 16).double()
    dropped = []
    handle = decoder.drop.register_forward_hook(lambda module, args, output: dropped.append(tuple(output.shape)))
    decoder(patches, queries)
    handle.remove()
    assert dropped == [(2, 5, 16), (2, 5, 16), (2, 5, 24), (2, 5, 16)]  # first sum, attention, hidden, feed-forward
    for layer in (decoder.out, decoder.ffn2):  # nothing but the queries is left
        layer.weight.data.zero_()
        layer.bias.data.zero_()
    tokens = decoder(patches, queries)
    assert (tokens[0] - tokens[1]).abs().amax(-1).min() > 1e-3
    decoder.eval()
    torch.testing.assert_close(decoder(patches, queries)[0], decoder(patches, queries)[1])


def test_attention_weights_are_dropped_in_training_only():
    decoder = LabelDecoder(16, 2, 24, dropout=0.5)
    for layer in (decoder.norm1, decoder.qkv, decoder.out, decoder.norm2):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    decoder.qkv.bias.data[32:] = 1.0  # every value is 1, so what is read is the sum of the weights left
    decoder.out.weight.data = torch.eye(16)
    decoder.norm2 = torch.nn.Identity()
    patches, queries = torch.randn(8, 9, 16), torch.randn(5, 16)
    torch.manual_seed(0)
    read = decoder.attend(patches, queries)
    assert len(read.unique()) > 2  # the output's dropout alone leaves 0 and 2
    torch.testing.assert_close(decoder.eval().attend(patches, queries), torch.ones(8, 5, 16))


@pytest.mark.parametrize("objective", ["asl", "bce"])
def test_the_loss_is_the_mean_over_cells_of_the_objective_with_its_options(objective):
    method, features = small(objective=objective, gamma_negative=2.0, gamma_positive=1.0, clip=0.1, detach=False)
    labels = torch.tensor([[1, -1, 0, 1, -1]] * 3, dtype=torch.int8)
    scores = method.scores(features)
    cells = bce(scores, labels)
    if objective == "asl":
        cells = asl(scores, labels, gamma_negative=2.0, gamma_positive=1.0, clip=0.1, detach=False)
    losses = method(Batch(features, labels, torch.arange(3)), Clock())
    assert list(losses) == [objective]
    torch.testing.assert_close(losses[objective], cells.mean())
    expected = torch.autograd.grad(cells.mean(), method.phi.weight)[0]
    torch.testing.assert_close(torch.autograd.grad(losses[objective], method.phi.weight)[0], expected)


def test_the_published_preset_has_the_published_size():
    method = build(fill(Config, PRESETS["published"]["method"], "method"), Vocabulary(tuple(map(str, range(80)))), 2048)
    assert sum(p.numel() for p in method.parameters()) == 7_150_672
    assert sum(b.numel() for b in method.buffers()) == 61_440


def test_errors_say_what_to_do():
    plain = Vocabulary(("cat", "dog"))
    with pytest.raises(ManylabelError, match="give --text"):
        build(Config(queries="text"), plain, 4)
    with pytest.raises(ManylabelError, match=r"no method\.queries 'learnt'\. Did you mean 'learned'"):
        build(Config(queries="learnt"), plain, 4)
    with pytest.raises(ManylabelError, match=r"no method\.objective 'als'\. Did you mean 'asl'"):
        build(Config(objective="als"), plain, 4)
    with pytest.raises(ManylabelError, match=r"multiple of heads, got 100 and 8"):
        build(Config(width=100), plain, 4)
    with pytest.raises(ManylabelError, match=r"method\.groups is at least 1, got 0"):
        build(Config(groups=0), plain, 4)
    with pytest.raises(ManylabelError, match=r"dropout lies in \[0, 1\), got 1"):
        build(Config(dropout=1.0), plain, 4)
    method, features = small()
    with pytest.raises(ManylabelError, match="only queries of text"):
        method.text_scores(features, torch.zeros(1, 6))
