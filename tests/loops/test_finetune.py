"""End-to-end training: blocks and their rates, folded norms, memory layout."""

import numpy as np
import pytest
import torch

from manylabel import encoders, methods
from manylabel.encoders.efficientnet_lite import convolution
from manylabel.labels import ManylabelError
from manylabel.loops.finetune import EndToEnd, encoder_blocks
from manylabel.parts.settings import Settings
from toys import ToySource, vocabulary


def end_to_end(**options):
    encoder = encoders.load("efficientnet_lite0", image_size=32, pretrained=False)
    source = ToySource(4)
    method = methods.load("linear")
    return EndToEnd(encoder, method.build(method.Config(), vocabulary(source), encoder.width), **options)


def test_blocks_go_from_the_stem_to_the_head_and_hold_every_parameter_once():
    encoder = end_to_end().encoder
    blocks = encoder_blocks(encoder)
    assert len(blocks) == 18  # stem, 16 inverted residuals, head
    assert blocks[0][0] is encoder.network.stem[0].weight
    assert blocks[-1][0] is encoder.network.head[0].weight
    held = [id(p) for block in blocks for p in block]
    assert sorted(held) == sorted(id(p) for p in encoder.parameters())


def test_each_block_below_the_top_learns_slower_by_the_same_factor():
    groups = end_to_end(encoder_lr=0.2, layer_decay=0.5).parameter_groups(1e-2)
    rates = [g["lr"] for g in groups]
    np.testing.assert_allclose(rates, [*(2e-3 * 0.5**depth for depth in range(17, -1, -1)), 1e-2])
    assert {g["lr"] for g in end_to_end(encoder_lr=0.2).parameter_groups(1e-2)[:-1]} == {2e-3}


def test_frozen_blocks_are_in_no_group():
    method = end_to_end()
    method.encoder.network.stem.requires_grad_(False)
    assert len(encoder_blocks(method.encoder)) == 17


@pytest.mark.parametrize("decay", [0.0, 1.5])
def test_layer_decay_outside_its_range_is_named(decay):
    with pytest.raises(ManylabelError, match="layer_decay"):
        Settings(layer_decay=decay)


@pytest.mark.parametrize("active", [True, False])
def test_a_frozen_norm_folded_into_its_convolution_changes_neither_values_nor_gradients(active):
    torch.manual_seed(0)
    block = convolution(4, 6, 3, 2, active=active).double()
    block[1].running_mean.uniform_(-1, 1)
    block[1].running_var.uniform_(0.5, 2)
    torch.nn.init.uniform_(block[1].weight, 0.5, 2)
    block[1].eval()
    x = torch.randn(2, 4, 7, 7, dtype=torch.float64)
    folded = block(x)
    plain = torch.nn.Sequential.forward(block, x)
    torch.testing.assert_close(folded, plain, rtol=1e-10, atol=1e-10)
    one = torch.autograd.grad(folded.square().sum(), list(block.parameters()))
    two = torch.autograd.grad(plain.square().sum(), list(block.parameters()))
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_a_norm_in_training_is_not_folded():
    block = convolution(3, 4, 1)
    before = block[1].running_mean.clone()
    block.train()(torch.randn(4, 3, 5, 5) + 3)
    assert (block[1].running_mean - before).abs().max() > 0


def test_convolutions_are_laid_out_channels_last_and_scores_stay():
    method = end_to_end().eval()
    weight = method.encoder.network.head[0].weight
    assert method.encoder.network.stem[0].weight.is_contiguous(memory_format=torch.channels_last)
    images = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
    scores = method.scores(images)
    method.encoder.to(memory_format=torch.contiguous_format)
    assert weight.is_contiguous()
    torch.testing.assert_close(method.scores(images), scores, rtol=1e-4, atol=1e-4)
