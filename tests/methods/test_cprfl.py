"""CPRFL against its published forward pass and gradients, and the exact properties of its equations."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from manylabel.labels import ManylabelError, Vocabulary
from manylabel.methods.cprfl import CPRFL, Anchored, Config, build
from manylabel.methods.ridge import Ridge, solve_alone
from manylabel.parts.batch import Batch, Clock, Features
from toys import WIDTH, ToySource, vocabulary

SMALL = Config(width=32, heads=4, head_width=16, hidden=48, tau=0.5, dropout=0.1, train_text=True)
NAMES = {
    "pi.0.weight": "label_emb.0.weight", "pi.0.bias": "label_emb.0.bias",
    "pi.2.weight": "label_emb.3.weight", "pi.2.bias": "label_emb.3.bias",
    "phi.weight": "fc.0.weight", "phi.bias": "fc.0.bias", "text": "text_encoder.W",
    "vsi.layers.0.norm1.weight": "attention.layers.0.0.norm.weight",
    "vsi.layers.0.norm1.bias": "attention.layers.0.0.norm.bias",
    "vsi.layers.0.qkv.weight": "attention.layers.0.0.fn.to_qkv.weight",
    "vsi.layers.0.out.weight": "attention.layers.0.0.fn.to_out.0.weight",
    "vsi.layers.0.out.bias": "attention.layers.0.0.fn.to_out.0.bias",
    "vsi.layers.0.norm2.weight": "attention.layers.0.1.norm.weight",
    "vsi.layers.0.norm2.bias": "attention.layers.0.1.norm.bias",
    "vsi.layers.0.ffn1.weight": "attention.layers.0.1.fn.net.0.weight",
    "vsi.layers.0.ffn1.bias": "attention.layers.0.1.fn.net.0.bias",
    "vsi.layers.0.ffn2.weight": "attention.layers.0.1.fn.net.3.weight",
    "vsi.layers.0.ffn2.bias": "attention.layers.0.1.fn.net.3.bias",
}  # fmt: skip


def recorded(golden, dtype=torch.float64, **options):
    """The published head with its recorded weights, in eval mode, its inputs and its labels."""
    data = golden(f"cprfl_head_small_depth1_f{64 if dtype == torch.float64 else 32}")
    method = CPRFL(dataclasses.replace(SMALL, **options), torch.zeros(7, 24), 40).to(dtype).eval()
    method.load_state_dict({ours: torch.from_numpy(data[f"w:{theirs}"]) for ours, theirs in NAMES.items()})
    grid = torch.from_numpy(data["feature_map"]).flatten(2).transpose(1, 2).clone().requires_grad_()
    labels = torch.from_numpy(data["targets"] * 2 - 1).to(torch.int8)
    return data, method, Features(grid, grid.mean(1), (3, 4)), labels


def random_method(classes=5, **options):
    torch.manual_seed(0)
    config = Config(width=16, heads=2, head_width=8, hidden=16, **options)
    text = torch.randn(classes, 6)
    return CPRFL(config, text, 10).double().eval(), Features(torch.randn(3, 9, 10).double(), torch.zeros(3, 10), (3, 3))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_equals_the_published_forward_pass_and_gradients(golden, dtype, tolerance):
    data, method, features, labels = recorded(golden, dtype)
    scores = method.scores(features)
    np.testing.assert_allclose(scores.detach(), data["scores"], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(method.prompts().detach(), data["prompts"], rtol=tolerance, atol=tolerance)
    losses = method(Batch(features, labels, torch.arange(3)), Clock())
    np.testing.assert_allclose(losses["asl"].item(), data["asl_mean_loss"], rtol=tolerance)
    losses["asl"].backward()
    for ours, theirs in NAMES.items():
        gradient = method.get_parameter(ours).grad
        np.testing.assert_allclose(gradient, data[f"g:{theirs}"], rtol=tolerance, atol=tolerance, err_msg=ours)
    grid = features.grid.grad.transpose(1, 2).unflatten(2, (3, 4))
    np.testing.assert_allclose(grid, data["g:feature_map"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("option", "key"), [("classifier_path", "no_cls_grad"), ("token_path", "no_feature_grad")])
def test_each_gradient_path_alone_equals_the_published_switch(golden, option, key):
    data, method, features, labels = recorded(golden, **{option: False})
    method(Batch(features, labels, torch.arange(3)), Clock())["asl"].backward()
    np.testing.assert_allclose(method.text.grad, data[f"{key}:g:text"], atol=1e-9)
    np.testing.assert_allclose(method.pi[2].weight.grad, data[f"{key}:g:PI.W2"], atol=1e-9)
    grid = torch.zeros_like(features.grid) if features.grid.grad is None else features.grid.grad
    np.testing.assert_allclose(grid.transpose(1, 2).unflatten(2, (3, 4)), data[f"{key}:g:feature_map"], atol=1e-9)
    if option == "token_path":
        assert method.phi.weight.grad is None
        assert all(p.grad is None for p in method.vsi.parameters())


def test_both_paths_are_the_sum_of_each(golden):
    gradients = []
    for options in ({}, {"classifier_path": False}, {"token_path": False}):
        _, method, features, labels = recorded(golden, **options)
        method(Batch(features, labels, torch.arange(3)), Clock())["asl"].backward()
        gradients.append(method.pi[0].weight.grad)
    assert gradients[2].abs().max() > 1e-6
    torch.testing.assert_close(gradients[0], gradients[1] + gradients[2], rtol=1e-9, atol=1e-12)


def test_a_batch_of_one_keeps_its_axis(golden):
    data, method, features, _ = recorded(golden)
    one = Features(features.grid[:1], features.pooled[:1], (3, 4))
    assert method.scores(one).shape == (1, 7)
    np.testing.assert_allclose(method.scores(one)[0].detach(), data["scores_batch1"], atol=1e-9)


def plain_attention_scores(method, features):
    """The equations written out with every token a query: the form whose savings must change no digit."""
    prompts = method.pi(method.text)
    tokens = torch.cat([method.phi(features.grid), prompts.expand(len(features.grid), -1, -1)], dim=1)
    for layer in method.vsi.layers:
        q, k, v = layer.qkv(layer.norm1(tokens)).unflatten(-1, (3, layer.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) * layer.scale).softmax(-1)
        attended = layer.out((weights @ v).transpose(1, 2).flatten(2))
        attended = attended + tokens if layer.residual else attended
        fed = layer.ffn2(torch.nn.functional.gelu(layer.ffn1(layer.norm2(attended))))
        tokens = fed + attended if layer.residual else fed
    return (tokens[:, -len(prompts) :] * prompts).sum(-1)


@pytest.mark.parametrize(
    "options", [{}, {"depth": 3}, {"depth": 2, "residual": True}, {"norm": False, "scale": "model"}]
)
def test_the_cheap_form_equals_full_attention(options):
    method, features = random_method(**options)
    plain = plain_attention_scores(method, features)
    torch.testing.assert_close(method.scores(features), plain, rtol=1e-10, atol=1e-12)
    refined = method.vsi(method.phi(features.grid), method.prompts())  # P' itself, which single paths read
    torch.testing.assert_close((refined * method.prompts()).sum(-1), plain, rtol=1e-10, atol=1e-12)


def test_dropout_stands_behind_the_last_matrix_in_training():
    method, features = random_method(dropout=0.5)
    method.train()
    torch.manual_seed(1)
    scores = method.scores(features)
    torch.manual_seed(1)
    refined = method.vsi(method.phi(features.grid), method.prompts())
    torch.testing.assert_close(scores, (refined * method.prompts()).sum(-1))
    assert not torch.allclose(scores, method.eval().scores(features))


def test_permuting_patches_changes_nothing_and_permuting_classes_permutes_scores():
    method, features = random_method()
    scores = method.scores(features)
    shuffled = Features(features.grid[:, torch.randperm(9)], features.pooled, features.size)
    torch.testing.assert_close(method.scores(shuffled), scores, rtol=1e-10, atol=1e-12)
    order = torch.tensor([3, 1, 4, 0, 2])
    method.text.data = method.text.data[order]
    torch.testing.assert_close(method.scores(features), scores[:, order], rtol=1e-10, atol=1e-12)


def test_without_values_every_image_gets_the_same_scores():
    method, features = random_method()
    inner = method.vsi.layers[0].qkv.out_features // 3
    method.vsi.layers[0].qkv.weight.data[2 * inner :] = 0
    scores = method.scores(features)
    torch.testing.assert_close(scores, scores[:1].expand_as(scores))


def test_equal_texts_get_equal_scores_and_another_class_shifts_the_rest():
    method, features = random_method()
    method.text.data[1] = method.text.data[0]
    scores = method.scores(features)
    torch.testing.assert_close(scores[:, 0], scores[:, 1])
    method.text.data[4] += 1.0  # tokens interact: the head is not class-separable
    assert (method.scores(features)[:, 0] - scores[:, 0]).abs().max() > 1e-6


def test_image_text_and_nonlinearity_all_matter():
    method, features = random_method()
    scores = method.scores(features)
    other = Features(features.grid.flip(0), features.pooled, features.size)
    assert not torch.allclose(method.scores(other), scores)
    assert isinstance(random_method(linear_pi=True)[0].pi, torch.nn.Linear)
    assert method.pi[0].out_features == 8  # tau * d


def test_reduction_sum_is_the_article_s():
    method, features = random_method()
    labels = torch.ones(3, 5, dtype=torch.int8)
    mean = method(Batch(features, labels, torch.arange(3)), Clock())["asl"]
    method.config = dataclasses.replace(method.config, reduction="sum")
    total = method(Batch(features, labels, torch.arange(3)), Clock())["asl"]
    torch.testing.assert_close(total, mean * 5)


def test_attention_weights_sum_to_one():
    method, features = random_method()
    weights = method.vsi.layers[0].attention(method.phi(features.grid), method.prompts())
    assert weights.shape == (3, 2, 5, 14)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 5).double())


def test_errors_say_what_to_do():
    vocabulary = Vocabulary(("cat", "dog"))
    with pytest.raises(ManylabelError, match="give --text"):
        build(Config(), vocabulary, 4)
    text = np.eye(2, 3, dtype=np.float32)
    with pytest.raises(ManylabelError, match=r"method\.scale is one of head, model, got 'haed'"):
        build(Config(scale="haed"), dataclasses.replace(vocabulary, text=text), 4)


@pytest.mark.parametrize("depth", [1, 2])
def test_without_interaction_another_class_changes_nothing(depth):
    method, features = random_method(interact=False, depth=depth, residual=depth == 2)
    scores = method.scores(features)
    method.text.data[4] += 1.0
    shifted = method.scores(features)
    torch.testing.assert_close(shifted[:, :4], scores[:, :4], rtol=1e-12, atol=1e-12)
    assert (shifted[:, 4] - scores[:, 4]).abs().max() > 1e-6
    fewer = CPRFL(method.config, torch.zeros(3, 6), 10).double().eval()
    fewer.load_state_dict(method.state_dict() | {"text": method.text.data[:3]})
    torch.testing.assert_close(fewer.scores(features), scores[:, :3], rtol=1e-12, atol=1e-12)


def test_without_interaction_a_prompt_attends_to_patches_and_itself():
    method, features = random_method(interact=False)
    weights = method.vsi.layers[0].attention(method.phi(features.grid), method.prompts())  # (B, heads, C, P + C)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    others = weights[..., 9:] * (1 - torch.eye(5, dtype=torch.float64))
    assert others.abs().max() == 0
    assert (weights[..., :9] > 0).all()
    assert (weights[..., 9:].diagonal(dim1=-2, dim2=-1) > 0).all()


def toy(**options):
    source = ToySource(30, "full")
    torch.manual_seed(0)
    config = Config(width=16, heads=2, head_width=8, hidden=16, **options)
    return source, build(config, vocabulary(source), WIDTH)


def test_members_start_apart_and_their_scores_are_averaged():
    source, method = toy(members=3)
    assert isinstance(method, Anchored)
    features = source.batch(np.arange(4)).inputs
    each = torch.stack([member.scores(features) for member in method.members])
    assert (each[0] - each[1]).abs().max() > 1e-4
    torch.testing.assert_close(method.scores(features), each.mean(0))
    losses = [member(source.batch(np.arange(4)), Clock())["asl"] for member in method.members]
    torch.testing.assert_close(method(source.batch(np.arange(4)), Clock())["asl"], torch.stack(losses).mean())


def test_a_member_learns_what_it_would_alone():
    source, method = toy(members=2, anchor="ridge")
    batch = source.batch(np.arange(8))
    method(batch, Clock())["asl"].backward()
    alone = copy.deepcopy(method.members[0])
    alone.zero_grad()
    alone(batch, Clock())["asl"].backward()
    torch.testing.assert_close(method.members[0].phi.weight.grad, alone.phi.weight.grad / 2)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_anchor_has_its_share_of_the_score(weight):
    source, method = toy(anchor="ridge", anchor_weight=weight)
    method.before_epoch(Clock(epoch=0), source)
    alone = Ridge(method.anchor.config, 5, WIDTH)
    solve_alone(alone, source)
    features = source.batch(np.arange(30)).inputs
    network, ridge = method.members[0].scores(features), alone.scores(features)
    assert ridge.abs().max() > 0.1
    torch.testing.assert_close(method.scores(features), weight * ridge + (1 - weight) * network)
    before = method.anchor.weight.clone()
    method.before_epoch(Clock(epoch=1), ToySource(30, "full", seed=9))  # solved once, whatever comes later
    torch.testing.assert_close(method.anchor.weight, before)


def test_a_linear_anchor_learns_by_a_loss_of_its_own():
    source, method = toy(anchor="linear")
    method.before_epoch(Clock(epoch=0), source)
    losses = method(source.batch(np.arange(8)), Clock())
    assert set(losses) == {"asl", "anchor"}
    losses["anchor"].backward()
    assert method.anchor.classifier[1].weight.grad.abs().max() > 0
    assert all(p.grad is None for p in method.members.parameters())


@pytest.mark.parametrize(
    ("options", "named"),
    [({"anchor": "rigde"}, "anchor"), ({"members": 0}, "members"), ({"mixup": -1.0}, "mixup"),
     ({"anchor_weight": 2.0}, "anchor_weight")],
)  # fmt: skip
def test_options_outside_their_range_are_named(options, named):
    with pytest.raises(ManylabelError, match=named):
        build(Config(**options), vocabulary(ToySource(4)), WIDTH)
