"""Linear and MLP: features prepared as said, any objective, and what each adds."""

import numpy as np
import pytest
import torch

from manylabel.config import fill
from manylabel.labels import ManylabelError
from manylabel.loops.train import fit
from manylabel.methods import linear, mlp
from manylabel.objectives.asl import asl
from manylabel.parts.batch import Clock, Features
from manylabel.parts.settings import Settings
from manylabel.parts.standardise import Standardise
from toys import WIDTH, ToySource, vocabulary


def test_features_are_rooted_and_z_scored_with_training_statistics():
    source = ToySource(50)
    method = linear.build(linear.Config(), vocabulary(source), WIDTH)
    method.before_epoch(Clock(), source)
    z = method.standardise(source.pooled())
    root = source.pooled().sqrt()
    torch.testing.assert_close(z, (root - root.mean(0)) / root.std(0, correction=0), atol=1e-3, rtol=1e-3)
    method.before_epoch(Clock(epoch=1), ToySource(50, seed=3))  # only once: later epochs leave them alone
    torch.testing.assert_close(method.standardise(source.pooled()), z)


def test_standardise_keeps_signs_has_a_gradient_at_zero_and_spares_constants():
    z = Standardise(2, root=True)
    z.fit(torch.tensor([[-4.0, 7.0], [4.0, 7.0]]))
    torch.testing.assert_close(z(torch.tensor([[-4.0, 7.0]])), torch.tensor([[-1.0, 0.0]]))
    x = torch.zeros(1, 2, requires_grad=True)
    z(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_any_objective_with_options_and_counts():
    source = ToySource(10)
    batch = source.batch(np.arange(10))
    config = fill(linear.Config, {"objective": "asl", "options": {"gamma_negative": 2}}, "method")
    method = linear.build(config, vocabulary(source), WIDTH)
    expected = asl(method.scores(batch.inputs), batch.labels, gamma_negative=2).mean()
    torch.testing.assert_close(method(batch, Clock())["loss"], expected)
    for name in ("focal", "class_balanced", "distribution_balanced"):
        assert linear.build(linear.Config(objective=name), vocabulary(source), WIDTH)(batch, Clock())["loss"] > 0
    with pytest.raises(ManylabelError, match="bce"):
        linear.build(linear.Config(objective="bcee"), vocabulary(source), WIDTH)


def test_mlp_solves_what_linear_cannot():
    """Exclusive or: present where exactly one of two features is high."""

    class Xor(ToySource):
        def __init__(self, count, seed):
            bits = np.random.default_rng(seed).integers(0, 2, (count, 2))
            self.features = torch.from_numpy(np.repeat(bits, WIDTH // 2, axis=1)).float() + 0.1
            self.labels = torch.from_numpy((2 * (bits[:, :1] ^ bits[:, 1:]) - 1).astype(np.int8))

        def pooled(self):
            return self.features

        def batch(self, index, epoch=0):
            where = torch.from_numpy(np.asarray(index))
            from manylabel.parts.batch import Batch

            return Batch(Features(None, self.features[where], None), self.labels[where], where)

    torch.manual_seed(0)
    train, val = Xor(200, 0), Xor(100, 1)
    settings = Settings(epochs=20, batch_size=20, lr=1e-2, patience=0)
    values = {}
    for module, config in ((linear, linear.Config()), (mlp, mlp.Config(hidden=32, dropout=0.0))):
        method = module.build(config, vocabulary(train), WIDTH)
        values[module.__name__] = fit(method, train, val, settings).best_map
    assert values["manylabel.methods.mlp"] > 0.99
    assert values["manylabel.methods.linear"] < 0.8


def test_root_and_dropout_options_do_something():
    source = ToySource(10)
    pooled = source.pooled()
    plain = mlp.build(mlp.Config(root=False), vocabulary(source), WIDTH)
    torch.testing.assert_close(plain.standardise.prepare(pooled), pooled)
    assert [m.p for m in plain.classifier if isinstance(m, torch.nn.Dropout)] == [0.1, 0.5]


def test_mixup_mixes_what_the_classifier_sees():
    source = ToySource(6, "full")
    method = linear.build(linear.Config(mixup=0.7), vocabulary(source), WIDTH)
    method.before_epoch(Clock(), source)
    torch.nn.init.normal_(method.classifier[1].weight)
    torch.manual_seed(4)
    loss = method(source.batch(np.arange(6)), Clock())["loss"]
    torch.manual_seed(4)
    share, other = float(torch.distributions.Beta(0.7, 0.7).sample()), torch.randperm(6)
    z = method.standardise(source.pooled())
    scores = method.classifier(share * z + (1 - share) * z[other])
    one, two = (method.objective(scores, rows).mean() for rows in (source.labels, source.labels[other]))
    torch.testing.assert_close(loss, share * one + (1 - share) * two)
