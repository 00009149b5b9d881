"""Writes the pages that repeat what the code says; `--check` fails where one is out of date.

python docs/generate.py            # write
python docs/generate.py --check    # compare
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from typer.main import get_command

import bench_tables
from bench_tables import markdown
from manylabel import decisions
from manylabel.cli import app
from manylabel.cli.catalogue import encoder_rows, entries, options, presets
from manylabel.metrics.more import METRICS

DOCS = Path(__file__).parent
ROOT = DOCS.parent
NOTICE = "<!-- Written by docs/generate.py; do not edit by hand. -->\n\n"


def cli_page() -> str:
    """Every command with its arguments and options."""
    parts = ["# Commands\n"]
    for name, command in sorted(get_command(app).commands.items()):  # type: ignore[attr-defined]
        lead, _, example = (command.help or "").partition("Example:")
        rows = []
        for p in command.params:
            word = (p.metavar or p.name.upper()) if p.param_type_name == "argument" else ", ".join(p.opts)
            default = "" if p.default in (None, False) or callable(p.default) or p.required else str(p.default)
            rows.append((f"`{word}`", default, getattr(p, "help", None) or ""))
        parts.append(f"## {name}\n\n{lead.strip()}\n\nExample: {example.strip()}\n")
        parts.append(
            markdown(("argument", "default", "meaning"), [r for r in rows if r[0] != "`--help`"]) if rows else ""
        )
    return "\n".join(parts)


def methods_page() -> str:
    """Every method: its docstring, options and presets."""
    parts = ["# Methods\n", "One file each in `src/manylabel/methods/`; `manylabel methods NAME` prints the same.\n"]
    for entry in entries("methods"):
        parts.append(f"## {entry.name}\n\n```text\n{entry.docstring}\n```\n")
        rows = [(f"`method.{n.strip()}`", f"`{d}`", c) for n, d, c in options(entry)]
        parts.append(markdown(("option", "default", "meaning"), rows))
        if names := presets(entry):
            parts.append(f"Presets, the first being the default: {', '.join(f'`{n}`' for n in names)}.\n")
    parts.append("# Objectives\n\nFor `--set method.objective=NAME` where a method takes one.\n")
    parts.append(markdown(("name", "what it is"), [(f"`{e.name}`", e.summary) for e in entries("objectives")]))
    parts.append("# Encoders\n\nFor `--encoder NAME`.\n")
    parts.append(markdown(("name", "what it is"), [(f"`{n}`", line) for n, line in encoder_rows()]))
    return "\n".join(parts)


def decisions_page() -> str:
    """Every rule and calibrator: the docstring of its class, without its example."""
    parts = [
        "# Decisions\n",
        "From scores to yes or no: `manylabel tune` fits a rule to validation scores and writes it to a file that"
        " `evaluate --decisions` and `score --decisions` read; from Python, `manylabel.decisions.load(NAME)`. Each is"
        " fitted on validation scores: fitted on test scores, it makes every number that follows an oracle's.\n",
    ]
    for name in decisions.names():
        kind = "calibrator" if name in decisions.CALIBRATORS else "rule"
        told = (inspect.getdoc(decisions.load(name)) or "").partition(">>>")[0].rstrip()
        parts.append(f"## {name}\n\nA {kind}.\n\n```text\n{told}\n```\n")
    return "\n".join(parts)


FILLED = (
    "results.md",
    "speed.md",
    "does-cprfl-pay.md",
    "ablation.md",
    "metrics.md",
    "audit.md",
    "serve.md",
    "explain.md",
)  # by hand but for their tables


def metrics_table() -> str:
    """Every metric beyond the headline."""
    rows = [(f"`{m.key}`", m.name + ("" if m.higher else " (lower is better)"), m.meaning, m.source) for m in METRICS]
    return markdown(("key", "name", "definition", "source"), rows)


def filled(page: Path) -> str:
    """A page whose blocks between `<!-- table: NAME -->` and `<!-- end -->` are written anew."""

    def block(match: re.Match[str]) -> str:
        body = metrics_table() if match[1] == "metric-definitions" else bench_tables.table(match[1])
        return f"<!-- table: {match[1]} -->\n\n{body}\n<!-- end -->"

    return re.sub(r"<!-- table: (\S+) -->.*?<!-- end -->", block, page.read_text(encoding="utf-8"), flags=re.S)


def main() -> int:
    pages = {DOCS / "cli.md": NOTICE + cli_page(), DOCS / "methods.md": NOTICE + methods_page()}
    pages[DOCS / "decisions.md"] = NOTICE + decisions_page()
    pages |= {page: filled(page) for page in map(DOCS.joinpath, FILLED) if page.exists()}
    stale = [page for page, text in pages.items() if not page.exists() or page.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for page in stale:
            print(f"{page.relative_to(ROOT)} is out of date: run `make docs`")
        return 1 if stale else 0
    for page in stale:
        page.write_text(pages[page], encoding="utf-8")
        print(f"wrote {page.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
