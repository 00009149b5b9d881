"""Writes the pages that repeat what the code says; `--check` fails where one is out of date.

python docs/generate.py            # write
python docs/generate.py --check    # compare
"""

from __future__ import annotations

import csv
import re
import statistics
import sys
from pathlib import Path

from typer.main import get_command

from manylabel.cli import app
from manylabel.cli.catalogue import encoder_rows, entries, options, presets

DOCS = Path(__file__).parent
ROOT = DOCS.parent
NOTICE = "<!-- Written by docs/generate.py; do not edit by hand. -->\n\n"


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    cells = [tuple(c.replace("|", "\\|").replace("\n", " ") for c in row) for row in rows]
    lines = [" | ".join(header), " | ".join("---" for _ in header), *(" | ".join(row) for row in cells)]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


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
        parts.append(table(("argument", "default", "meaning"), [r for r in rows if r[0] != "`--help`"]) if rows else "")
    return "\n".join(parts)


def methods_page() -> str:
    """Every method: its docstring, options and presets."""
    parts = ["# Methods\n", "One file each in `src/manylabel/methods/`; `manylabel methods NAME` prints the same.\n"]
    for entry in entries("methods"):
        parts.append(f"## {entry.name}\n\n```text\n{entry.docstring}\n```\n")
        rows = [(f"`method.{n.strip()}`", f"`{d}`", c) for n, d, c in options(entry)]
        parts.append(table(("option", "default", "meaning"), rows))
        if names := presets(entry):
            parts.append(f"Presets, the first being the default: {', '.join(f'`{n}`' for n in names)}.\n")
    parts.append("# Objectives\n\nFor `--set method.objective=NAME` where a method takes one.\n")
    parts.append(table(("name", "what it is"), [(f"`{e.name}`", e.summary) for e in entries("objectives")]))
    parts.append("# Encoders\n\nFor `--encoder NAME`.\n")
    parts.append(table(("name", "what it is"), [(f"`{n}`", line) for n, line in encoder_rows()]))
    return "\n".join(parts)


def percent(values: list[str], digits: int = 1) -> str:
    """Mean and, of several seeds, standard deviation, in percent; "-" where there is no number."""
    if not all(values):
        return "-"
    numbers = [100 * float(v) for v in values]
    spread = f" ± {statistics.stdev(numbers):.{digits}f}" if len(numbers) > 1 else ""
    return f"{statistics.mean(numbers):.{digits}f}{spread}"


RECIPES = ("recipes", "flagship", "finetune")


FILLED = ("results.md", "speed.md", "does-cprfl-pay.md")  # written by hand but for their tables


def recipe_table(folder: str) -> str:
    """The results of a folder of recipes, one row each, from the CSV of its name."""
    path = ROOT / "benchmarks" / "results" / f"{folder}.csv"
    if not path.exists():
        return "No results yet.\n"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = []
    for name in dict.fromkeys(row["recipe"] for row in rows):
        runs = [row for row in rows if row["recipe"] == name]
        cells = [percent([r[k] for r in runs]) for k in ("map", "map_head", "map_medium", "map_tail", "cf1", "of1")]
        seconds = statistics.median(float(r["seconds"]) for r in runs)
        lines.append((f"`{name}`", str(len(runs)), *cells, runs[0]["expected"], f"{seconds:.0f}"))
    header = ("recipe", "seeds", "mAP", "head", "medium", "tail", "CF1", "OF1", "expected total / tail", "seconds")
    about = rows[0]
    return table(header, lines) + f"\nMeasured {about['date']} on {about['hardware']}, torch {about['torch']}.\n"


def csv_table(name: str) -> str:
    """A benchmark's CSV as it is."""
    path = ROOT / "benchmarks" / "results" / f"{name}.csv"
    if not path.exists():
        return "No results yet.\n"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    hidden = ("date", "hardware", "torch")
    header = tuple(k for k in rows[0] if k not in hidden)
    about = ", ".join(rows[0][k] for k in hidden if k in rows[0])
    return table(header, [tuple(row[k] for k in header) for row in rows]) + f"\nMeasured: {about}.\n"


def filled(page: Path) -> str:
    """A page whose blocks between `<!-- table: NAME -->` and `<!-- end -->` are written anew."""

    def block(match: re.Match[str]) -> str:
        name = match[1]
        body = recipe_table(name) if name in RECIPES else csv_table(name)
        return f"<!-- table: {name} -->\n\n{body}\n<!-- end -->"

    return re.sub(r"<!-- table: (\S+) -->.*?<!-- end -->", block, page.read_text(encoding="utf-8"), flags=re.S)


def main() -> int:
    pages = {DOCS / "cli.md": NOTICE + cli_page(), DOCS / "methods.md": NOTICE + methods_page()}
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
