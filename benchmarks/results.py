"""Writing benchmark results: one CSV, every row with date, hardware and versions."""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any


def hardware() -> str:
    """The processor's name and how many cores this process may use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write `rows` to `path` with date, hardware and torch's version beside each."""
    about = {"date": date.today().isoformat(), "hardware": hardware(), "torch": metadata.version("torch")}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        writer = csv.DictWriter(file, fieldnames=[*columns, *about])
        writer.writeheader()
        writer.writerows({**row, **about} for row in rows)
    print(f"written to {path}")
