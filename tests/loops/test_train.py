"""The loop: resuming to the bit, interruption, selection, rates, several processes."""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from manylabel import methods
from manylabel.labels import ManylabelError
from manylabel.loops.finetune import EndToEnd
from manylabel.loops.sources import shuffled
from manylabel.loops.train import Trainer, fit, make_fabric, optimizer_groups
from manylabel.methods import Method
from manylabel.parts import checkpoint
from manylabel.parts.ema import Ema
from manylabel.parts.schedules import one_cycle
from manylabel.parts.settings import Settings
from toys import WIDTH, ToySource, vocabulary

FEW = Settings(epochs=4, batch_size=8, ema=0.9, patience=0)
TESTS = Path(__file__).resolve().parents[1]


def method_of(source, name="cprfl"):
    module = methods.load(name)
    torch.manual_seed(3)
    return module.build(module.Config(), vocabulary(source), WIDTH)


def state_of(method):
    return {name: value.clone() for name, value in method.state_dict().items()}


def assert_equal_states(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


@pytest.mark.parametrize("name", ["cprfl", "linear", "mlp"])
@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_resumed_run_ends_bit_equal(tmp_path, name, stop_after):
    source, val = ToySource(20), ToySource(10, "full", seed=1)
    whole = method_of(source, name)
    straight = fit(whole, source, val, FEW, folder=tmp_path / "a")

    class Killed(Exception):
        pass

    def dies(steps, done):
        def tick(row=None):
            if row and row["epoch"] == stop_after:
                raise Killed  # before the checkpoint of this epoch is written

        class Bar:
            def __enter__(self):
                return tick

            def __exit__(self, *error):
                pass

        return Bar()

    broken = method_of(source, name)
    with pytest.raises(Killed):
        fit(broken, source, val, FEW, folder=tmp_path / "b", progress=dies)
    torch.manual_seed(12345)  # whatever state the new process starts in
    again = method_of(source, name)
    torch.rand(7)
    resumed = fit(again, source, val, FEW, folder=tmp_path / "b", resume=True)
    assert_equal_states(state_of(whole), state_of(again))
    drop = [{k: v for k, v in row.items() if k != "seconds"} for row in straight.log]
    assert drop == [{k: v for k, v in row.items() if k != "seconds"} for row in resumed.log]
    assert (straight.best_epoch, straight.best_map) == (resumed.best_epoch, resumed.best_map)


SCRIPT = """
import sys, torch
from toys import ToySource, vocabulary, WIDTH
from manylabel import methods
from manylabel.loops.train import fit
from manylabel.parts.settings import Settings
from pathlib import Path

torch.set_num_threads(1)
source = ToySource(40)
module = methods.load("cprfl")
torch.manual_seed(3)
method = module.build(module.Config(), vocabulary(source), WIDTH)
settings = Settings(epochs=14, batch_size=8, ema=0.9, patience=0)
fit(method, source, ToySource(10, "full", seed=1), settings, folder=Path(sys.argv[1]), resume=True)
"""


def test_a_run_killed_at_any_moment_resumes_to_the_same_weights(tmp_path):
    """Killed in a process of its own and gone on with in this one, which also trains it whole."""
    (tmp_path / "job.py").write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    job = subprocess.Popen([sys.executable, tmp_path / "job.py", tmp_path / "b"], env=env)
    index = tmp_path / "b" / "state.json"
    while job.poll() is None and not (index.exists() and json.loads(index.read_text())["tensors"] > "state-3"):
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    settings, source, val = (
        Settings(epochs=14, batch_size=8, ema=0.9, patience=0),
        ToySource(40),
        ToySource(10, "full", seed=1),
    )
    resumed = method_of(source)
    assert len(fit(resumed, source, val, settings, folder=tmp_path / "b", resume=True).log) == 14
    whole = method_of(source)
    fit(whole, source, val, settings)
    assert_equal_states(state_of(whole), state_of(resumed))


def test_resume_refuses_other_settings(tmp_path):
    source = ToySource(8)
    fit(method_of(source), source, None, dataclasses.replace(FEW, epochs=1), folder=tmp_path)
    with pytest.raises(ManylabelError, match=r"train\.lr is 0\.5 now and was 0\.001"):
        fit(method_of(source), source, None, dataclasses.replace(FEW, epochs=1, lr=0.5), folder=tmp_path, resume=True)


def interrupting(at_epoch):
    class Bar:
        def __init__(self, steps, done): ...

        def __enter__(self):
            self.epoch = 0
            return self.tick

        def tick(self, row=None):
            if row:
                self.epoch = row["epoch"] + 1
            elif self.epoch == at_epoch:
                raise KeyboardInterrupt

        def __exit__(self, *error): ...

    return Bar


def test_ctrl_c_keeps_the_best_epoch_so_far():
    source, val = ToySource(40, "full"), ToySource(20, "full", seed=1)
    method = method_of(source)
    outcome = fit(method, source, val, FEW, progress=interrupting(2))
    assert outcome.ended == "interrupted"
    assert len(outcome.log) == 2
    trainer = Trainer(method, source, val, FEW, make_fabric(FEW))
    assert trainer.validate() == outcome.best_map == max(row["val_map"] for row in outcome.log)


def test_ctrl_c_before_the_first_epoch_ends_is_passed_on():
    source = ToySource(20)
    with pytest.raises(KeyboardInterrupt):
        fit(method_of(source), source, None, FEW, progress=interrupting(0))


def test_the_best_validated_epoch_is_kept_and_patience_stops():
    class Overfits(Method):
        """Its validation mAP falls with every epoch after the second."""

        needs_grid = False

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.register_buffer("epoch", torch.zeros(()))

        def before_epoch(self, clock, train):
            self.epoch.fill_(clock.epoch)

        def scores(self, inputs):
            quality = -abs(self.epoch - 1)
            truth = torch.linspace(1, -1, len(inputs.pooled))[:, None]  # rows come sorted by label
            noise = torch.randn(len(inputs.pooled), 5, generator=torch.Generator().manual_seed(0))
            return truth + self.weight + noise * -quality * 10

        def forward(self, batch, clock):
            return {"zero": (self.weight * 0).sum()}

    source, val = ToySource(8, "full"), ToySource(40, "full")
    val.labels = torch.where(torch.arange(40)[:, None] < 20, 1, -1).to(torch.int8).expand(40, 5).contiguous()
    method = Overfits()
    outcome = fit(method, source, val, Settings(epochs=9, ema=0, patience=3))
    assert (outcome.best_epoch, outcome.ended, len(outcome.log)) == (1, "stopped early", 5)
    assert method.epoch.item() == 1


def test_without_validation_the_last_epoch_counts():
    source = ToySource(8)
    outcome = fit(method_of(source), source, None, FEW)
    assert outcome.best_epoch == 3
    assert math.isnan(outcome.best_map)


def test_a_loss_that_is_not_finite_stops_with_advice():
    source = ToySource(8, "full")
    method = method_of(source, "linear")
    method.classifier[1].weight.data.fill_(math.inf)
    with pytest.raises(ManylabelError, match=r"lower train\.lr"):
        fit(method, source, None, FEW)


def test_one_cycle_equals_torch():
    parameter = torch.nn.Parameter(torch.zeros(1))
    for steps, warmup in ((50, 0.1), (37, 0.3), (200, 0.2)):
        optimizer = torch.optim.AdamW([parameter], lr=1.0)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=steps, pct_start=warmup)
        for step in range(steps):
            factor, beta1 = one_cycle(step, steps, warmup=warmup)
            group = optimizer.param_groups[0]
            assert group["lr"] == pytest.approx(0.3 * factor, rel=1e-9)
            assert group["betas"][0] == pytest.approx(beta1, rel=1e-9)
            optimizer.step()
            if step < steps - 1:
                schedule.step()


def test_per_group_rates_really_apply():
    """The published CPRFL scales rates of groups that are empty; here the encoder moves at a tenth, and is seen to."""

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(WIDTH, WIDTH) * 0.1)

        def forward(self, features):
            return dataclasses.replace(features, grid=features.grid @ self.weight, pooled=features.pooled @ self.weight)

    source = ToySource(16, "full")
    method = EndToEnd(Encoder(), method_of(source), encoder_lr=0.1)
    method._features = lambda features: method.encoder(features)  # the toy has no images to lay out
    settings = Settings(epochs=1, batch_size=16, ema=0, lr=1e-3, weight_decay=0.0, clip=0.0)
    groups = optimizer_groups(method, settings)
    assert sum(len(g["params"]) for g in groups) == len(list(method.parameters())) - 1  # the frozen text
    before = method.encoder.weight.detach().clone(), method.method.phi.weight.detach().clone()
    trainer = Trainer(method, source, None, settings, make_fabric(settings))
    trainer.run_epoch(lambda: None)  # one step of Adam: every weight moves by its rate
    moved = (method.encoder.weight - before[0]).abs().max(), (method.method.phi.weight - before[1]).abs().max()
    assert moved[0].item() == pytest.approx(1e-4, rel=0.02)
    assert moved[1].item() == pytest.approx(1e-3, rel=0.02)


def test_weight_decay_is_for_matrices_only():
    source = ToySource(4)
    groups = optimizer_groups(method_of(source), Settings(weight_decay=0.3))
    assert {(p.dim() > 1, g["weight_decay"]) for g in groups for p in g["params"]} == {(True, 0.3), (False, 0.0)}


def test_clipping_bounds_the_gradient():
    source = ToySource(16, "full")
    seen = []

    class Loud(Method):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(2, 2))

        def scores(self, inputs):
            return self.weight.sum() + torch.zeros(len(inputs.pooled), 5)

        def forward(self, batch, clock):
            return {"loud": self.weight.sum() * 1e3}

        def after_step(self, clock):
            seen.append(clock.step)

    for clip, expected in ((1.0, 1.0), (0.0, 2e3)):
        method = Loud()
        trainer = Trainer(method, source, None, Settings(clip=clip, ema=0), make_fabric(FEW))
        norms = []
        step = trainer.stepper.step
        trainer.stepper.step = lambda: (norms.append(method.weight.grad.norm().item()), step())  # noqa: B023
        trainer.run_epoch(lambda: None)
        assert norms[0] == pytest.approx(expected, rel=1e-5)
    assert seen == [0, 0]


def test_ema_arithmetic_and_swap():
    line = torch.nn.Linear(1, 1, bias=False)
    line.weight.data.fill_(0.0)
    ema = Ema(line, 0.75, warmup=False)
    for value in (1.0, 2.0):
        line.weight.data.fill_(value)
        ema.update(line)
    assert ema.state["weight"].item() == pytest.approx(0.75 * 0.25 + 0.25 * 2)
    with ema.swapped(line):
        assert line.weight.item() == pytest.approx(0.6875)
    assert line.weight.item() == 2.0
    warm = Ema(line, 0.999)
    line.weight.data.fill_(12.0)
    warm.update(line)
    assert warm.state["weight"].item() == pytest.approx(2 + 0.9 * 10)  # first update: decay 1/10


def test_ema_copies_fitted_statistics():
    """Averaged with their start at 0 and 1 they would be wrong z-scores."""
    source = ToySource(30)
    method = method_of(source, "linear")
    trainer = Trainer(method, source, None, Settings(ema=0.999, ema_warmup=False), make_fabric(FEW))
    trainer.run_epoch(lambda: None)
    assert torch.equal(trainer.ema.state["standardise.mean"], method.standardise.mean)
    assert method.standardise.mean.abs().max() > 0


def test_every_row_comes_once_an_epoch_and_ranks_share_them():
    batches = shuffled(103, 10, seed=0, epoch=0)
    assert sorted(np.concatenate(batches)) == list(range(103))
    assert [len(b) for b in batches] == [10] * 10 + [3]
    assert not np.array_equal(np.concatenate(batches), np.concatenate(shuffled(103, 10, seed=0, epoch=1)))
    ranks = [np.concatenate(shuffled(103, 10, seed=0, epoch=0, rank=r, world=4)) for r in range(4)]
    assert {len(r) for r in ranks} == {26}
    assert set(np.concatenate(ranks)) == set(range(103))


def test_checkpoint_is_whole_or_absent(tmp_path):
    state = {"epoch": 1, "a": {"0": torch.ones(2), 5: [1, (torch.zeros(1), None)]}, "x": 0.1 + 0.2}
    checkpoint.save(tmp_path, state)
    loaded = checkpoint.load(tmp_path)
    assert loaded["x"] == 0.1 + 0.2
    assert torch.equal(loaded["a"]["0"], torch.ones(2))
    assert loaded["a"][5][0] == 1
    (tmp_path / "state-2.safetensors.part").write_bytes(b"half")  # killed while writing the next one
    assert checkpoint.load(tmp_path)["epoch"] == 1
    checkpoint.save(tmp_path, {**state, "epoch": 2})
    assert sorted(p.name for p in tmp_path.glob("*.safetensors")) == ["state-2.safetensors"]


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, {"epoch": 1, "a": torch.ones(2)})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ManylabelError, match="No space left on device; what was written before is kept"):
        checkpoint.save(tmp_path, {"epoch": 2, "a": torch.zeros(2)})
    assert torch.equal(checkpoint.load(tmp_path)["a"], torch.ones(2))
    assert not list(tmp_path.glob("*.part"))


PARALLEL = """
import sys, torch
from toys import ToySource, vocabulary, WIDTH
from manylabel import methods
from manylabel.loops.score import score
from manylabel.loops.train import fit, make_fabric
from manylabel.parts.settings import Settings
from safetensors.torch import save_file

torch.set_num_threads(1)
settings = Settings(epochs=3, batch_size=4, ema=0.9, devices=2)
fabric = make_fabric(settings)
fabric.launch()
source, val = ToySource(21), ToySource(11, "full", seed=1)
module = methods.load(sys.argv[1])
torch.manual_seed(3)
method = module.build(module.Config(), vocabulary(source), WIDTH)
outcome = fit(method, source, val, settings, fabric=fabric)
scores = torch.from_numpy(score(method, val, fabric=fabric))
alone = torch.from_numpy(score(method, val))
save_file({**method.state_dict(), "scores": scores, "alone": alone}, f"{sys.argv[2]}-{fabric.global_rank}.safetensors")
"""


@pytest.mark.parametrize("name", ["cprfl", pytest.param("linear", marks=pytest.mark.slow)])
def test_two_processes_end_with_equal_weights(tmp_path, name):
    from safetensors.torch import load_file

    (tmp_path / "job.py").write_text(PARALLEL)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LOCAL_", "MASTER_", "WORLD_", "PYTEST_"))}
    env["PYTHONPATH"] = str(TESTS)
    job = subprocess.run(
        [sys.executable, tmp_path / "job.py", name, tmp_path / "rank"], env=env, capture_output=True, timeout=120
    )
    assert job.returncode == 0, job.stderr.decode()[-2000:]
    first, second = (load_file(tmp_path / f"rank-{rank}.safetensors") for rank in (0, 1))
    assert_equal_states(first, second)
    torch.testing.assert_close(first["scores"], first["alone"])  # shared scoring gives every row, in order
