"""Mixup of features, in every method that offers it."""

import numpy as np
import pytest
import torch

from manylabel import methods
from manylabel.labels import UNKNOWN, ManylabelError
from manylabel.parts.batch import Clock, Features
from manylabel.parts.mixup import mixed_loss
from toys import WIDTH, ToySource, vocabulary

NAMES = ("cprfl", "linear", "mlp", "mldecoder")


def made(name, source, **options):
    module = methods.load(name)
    torch.manual_seed(0)
    return module.build(module.Config(**options), vocabulary(source), WIDTH).eval()


def test_features_and_losses_of_pairs_are_mixed_with_one_share():
    grid, pooled = torch.rand(3, 4, 2), torch.rand(3, 2)
    labels = torch.tensor([[1, -1], [-1, 0], [1, 1]], dtype=torch.int8)
    seen = []

    def loss(inputs):
        seen.append(inputs)
        return lambda rows: (inputs.pooled * rows).sum()

    torch.manual_seed(2)
    total = mixed_loss(loss, Features(grid, pooled, (2, 2)), labels, 0.5)
    torch.manual_seed(2)
    share, other = float(torch.distributions.Beta(0.5, 0.5).sample()), torch.randperm(3)
    assert not torch.equal(other, torch.arange(3))
    (mixed,) = seen
    torch.testing.assert_close(mixed.grid, share * grid + (1 - share) * grid[other])
    torch.testing.assert_close(mixed.pooled, share * pooled + (1 - share) * pooled[other])
    expected = share * (mixed.pooled * labels).sum() + (1 - share) * (mixed.pooled * labels[other]).sum()
    torch.testing.assert_close(total, expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_method_that_offers_it_mixes_and_scores_stay_unmixed(name):
    source = ToySource(12, "full")
    plain, mixing = made(name, source), made(name, source, mixup=1.0)
    batch = source.batch(np.arange(12))
    torch.testing.assert_close(mixing.scores(batch.inputs), plain.scores(batch.inputs))
    if name == "linear":  # which starts from no opinion, whatever it is shown
        mixing.classifier[1].weight.data.normal_()
        plain.classifier[1].weight.data.copy_(mixing.classifier[1].weight.data)
    torch.manual_seed(1)
    (mixed,) = mixing(batch, Clock()).values()
    (unmixed,) = plain(batch, Clock()).values()
    assert (mixed - unmixed).abs() > 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_unknown_cells_count_nothing_in_either_term(name):
    source = ToySource(8, "full")
    source.labels[:] = UNKNOWN
    (loss,) = made(name, source, mixup=0.5)(source.batch(np.arange(8)), Clock()).values()
    assert loss.item() == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_negative_parameter_is_refused(name):
    with pytest.raises(ManylabelError, match=r"method\.mixup is at least 0"):
        made(name, ToySource(4), mixup=-0.1)
