"""What the pages say is true: examples run, links lead somewhere, nothing is left out of the catalogues."""

import importlib
import importlib.util
import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
from typer.main import get_command
from typer.testing import CliRunner

import test_contract
from drawn import photographs
from manylabel import methods
from manylabel.cli import app
from manylabel.cli.catalogue import entries

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
QUICK = ["--set", "encoder.image_size=64", "--set", "train.epochs=1", "--text", "random"]
QUICK += [word for name in ("mlp", "cprfl", "mldecoder") for word in ("--set", f"method.training.{name}.epochs=1")]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), flags=re.M | re.S)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """The folder that the README speaks of, as the working folder."""
    photographs(tmp_path / "photos", 24)
    monkeypatch.setenv("MANYLABEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_the_commands_of_the_readme_run(photos):
    lines = [line for block in blocks("README.md", "sh") for line in block.splitlines()]
    commands = [words[1:] for line in lines if (words := shlex.split(line, comments=True))[0] == "manylabel"]
    assert {"doctor", "train", "predict", "score", "evaluate"} <= {words[0] for words in commands}
    for words in commands:
        result = CliRunner().invoke(app, words + (QUICK if words[0] == "train" else []))
        assert result.exit_code == 0, (words, result.exception)
    assert Path("report.html").stat().st_size > 10_000


def test_the_python_of_the_readme_runs(photos, capsys):
    (code,) = blocks("README.md", "python")
    exec(compile(code, "README.md", "exec"), {})
    assert "'red':" in capsys.readouterr().out


def test_make_has_every_target_that_is_named():
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), flags=re.M))
    shell = [block for page in PAGES for block in blocks(page, "sh")]
    prose = [span for page in PAGES for span in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))]
    named = {name for text in shell + prose for name in re.findall(r"^make ([a-z][\w-]*)", text, flags=re.M)}
    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s#]+)", prose):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 70


@pytest.fixture
def prototype(tmp_path, monkeypatch):
    """The method of CONTRIBUTING, saved beside the others as it says."""
    (code,) = blocks("CONTRIBUTING.md", "python")
    (tmp_path / "prototype.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield "prototype"
    sys.modules.pop("manylabel.methods.prototype", None)


@pytest.mark.parametrize(
    "check",
    [
        "test_files_have_the_documented_shape",
        "test_losses_are_named_finite_scalars",
        "test_every_trainable_parameter_gets_a_gradient",
        "test_each_image_scores_as_it_does_alone",
        "test_unknown_cells_do_not_matter_to_the_loss_unless_the_paper_says_so",
        "test_state_round_trips",
        "test_learns",
    ],
)
def test_the_method_of_contributing_keeps_the_contract(prototype, check):
    assert prototype in methods.names()
    getattr(test_contract.TestMethods(), check)(prototype)


def test_the_method_of_contributing_has_its_paper_s_idea(prototype):
    method, _, source = test_contract.trained(prototype)
    inputs = source.batch([0, 1, 2]).inputs
    before = method.scores(inputs).detach()
    with torch.no_grad():
        method.prototypes.mul_(10)
    torch.testing.assert_close(method.scores(inputs), before)


def test_the_written_pages_are_up_to_date(monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert generate.main() == 0, capsys.readouterr().out


def test_no_command_method_or_objective_is_left_out():
    cli, about = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("cli.md", "methods.md"))
    commands = get_command(app).commands
    assert set(re.findall(r"^## (\w+)$", cli, flags=re.M)) == set(commands)
    assert all(f"`{option}`" in cli for c in commands.values() for p in c.params for option in p.opts if "-" in option)
    assert set(re.findall(r"^## (\w+)$", about, flags=re.M)) == {entry.name for entry in entries("methods")}
    assert all(f"| `{entry.name}` |" in about for entry in entries("objectives"))
