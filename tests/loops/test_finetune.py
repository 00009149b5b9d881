"""End-to-end training: blocks and their rates, folded norms, memory layout."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from manylabel import encoders, methods
from manylabel.encoders.efficientnet_lite import convolution
from manylabel.labels import ManylabelError
from manylabel.loops.finetune import EndToEnd, encoder_blocks
from manylabel.loops.train import fit
from manylabel.parts.batch import Batch, Clock
from manylabel.parts.settings import Settings
from toys import ToySource, vocabulary


def end_to_end(name="linear", **options):
    torch.manual_seed(0)
    encoder = encoders.load("efficientnet_lite0", image_size=32, pretrained=False)
    source = ToySource(4)
    method = methods.load(name)
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
    method = end_to_end(encoder_lr=0.2)
    encoder, head = method.parameter_groups(1e-2)  # all alike: one group each, as ever
    assert (encoder["lr"], head["lr"]) == (2e-3, 1e-2)
    assert [id(p) for p in encoder["params"]] == [id(p) for p in method.encoder.parameters()]


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


class Photographs:
    """Random images as a `Source`."""

    def __init__(self, count):
        self.labels = ToySource(count, "full").labels
        self.images = torch.randint(0, 256, (count, 3, 32, 32), generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.labels)

    def batch(self, index, epoch=0):
        where = torch.from_numpy(np.asarray(index))
        return Batch(self.images[where].to(torch.uint8), self.labels[where], where)


@contextmanager
def killed_after(ticks):
    """Progress that breaks off in the second of two epochs."""
    left = iter(range(ticks))

    def tick(row=None):
        if next(left, None) is None:
            raise RuntimeError("killed")

    yield tick


def test_a_resumed_run_ends_bit_equal(tmp_path):
    """A 3x3 convolution over several channels is what a change of memory layout between the two parts would spoil."""
    settings, source = Settings(epochs=2, batch_size=4, patience=0), Photographs(8)
    whole = end_to_end("mldecoder", encoder_lr=1.0)
    fit(whole, source, None, settings)
    first = end_to_end("mldecoder", encoder_lr=1.0)
    with pytest.raises(RuntimeError, match="killed"):  # two steps and a row an epoch
        fit(first, source, None, settings, folder=tmp_path, progress=lambda steps, done: killed_after(4))
    resumed = end_to_end("mldecoder", encoder_lr=1.0)
    fit(resumed, source, None, settings, folder=tmp_path, resume=True)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_maps_are_channels_last_in_training_and_scoring_and_weights_stay():
    method = end_to_end("mldecoder")
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    expected = method.eval().method.scores(method.encoder(images))
    laid_out = []
    block = method.encoder.network.blocks[1]
    block.register_forward_hook(
        lambda module, given, x: laid_out.append(x.is_contiguous(memory_format=torch.channels_last))
    )
    torch.testing.assert_close(method.scores(images), expected, rtol=1e-4, atol=1e-4)
    labels = ToySource(2, "full").labels
    method.train()(Batch(images, labels, torch.arange(2)), Clock(0, 1, 0, 1))
    assert laid_out == [True, True]
    assert all(p.is_contiguous() for p in method.encoder.parameters())


def test_neighbours_without_a_number_form_one_block():
    class Tower(torch.nn.Module):
        """Names as in a vision transformer: own parameters, a stem, blocks with layers inside, a norm, a head."""

        def __init__(self):
            super().__init__()
            self.token = torch.nn.Parameter(torch.zeros(1))
            self.stem = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1))
            self.layers = torch.nn.ModuleList(torch.nn.Sequential(torch.nn.Linear(1, 1)) for _ in range(2))
            self.norm, self.head = torch.nn.LayerNorm(1), torch.nn.Linear(1, 1)

    tower = torch.nn.ModuleDict({"network": Tower()})
    names = {id(p): name.removeprefix("network.") for name, p in tower.named_parameters()}
    assert [[names[id(p)].removesuffix(".bias") for p in block if p.dim() == 1] for block in encoder_blocks(tower)] == [
        ["token", "stem.0", "stem.1"], ["layers.0.0"], ["layers.1.0"], ["norm.weight", "norm", "head"],
    ]  # fmt: skip
