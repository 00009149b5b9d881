"""The page: a template, a style sheet, scripts, and the numbers as JSON that no name can break out of."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from importlib import resources
from string import Template
from typing import Any

from manylabel.report import sections
from manylabel.report.gallery import add_pictures, by_need
from manylabel.report.inputs import ReportData
from manylabel.report.payload import LOG_ROWS, Detail, Prepared, numbers, prepare
from manylabel.report.review import images

LIMIT = 2_950_000
"""Bytes a page may have; the promise is below 3 MB."""
PICTURES = 360
PICTURE_ROOM = 300_000
"""Bytes a level of detail must leave for pictures, where there are any, to be taken."""

LEVELS = (
    Detail(120, points=200, bins=32, curves=120, rows=6000, errors=320, others=100, diagrams=1000, findings=3000),
    Detail(400, points=100, bins=32, curves=400, rows=6000, errors=320, others=50, diagrams=1000, findings=2000),
    Detail(1000, points=48, bins=24, curves=1000, rows=6000, errors=320, others=24, diagrams=1200, findings=1500),
    Detail(2000, points=32, bins=20, curves=2000, rows=6000, errors=240, others=12, diagrams=400, findings=1000),
    Detail(3000, points=16, bins=16, curves=3000, rows=6000, errors=240, others=12, diagrams=400, findings=1000),
    Detail(6000, points=16, bins=16, curves=2500, rows=6000, errors=200, others=12, diagrams=300, findings=800),
    Detail(20000, points=12, bins=12, curves=800, rows=3000, errors=100, others=12, diagrams=200, findings=500),
    Detail(10**9, points=12, bins=12, curves=200, rows=500, errors=60, others=12, diagrams=100, findings=200),
)
SCRIPTS = (
    "tools.js", "frequency.js", "class.js", "reliability.js", "compare.js", "gallery.js", "findings.js", "heat.js",
    "small.js", "start.js",
)  # fmt: skip
"""In this order they make the page's one script."""


def render(data: ReportData) -> str:
    """The whole page as text, below 3 MB as UTF-8, with the most detail that fits."""
    ready = prepare(data)
    needed = 0 if data.pictures is None else PICTURE_ROOM
    for level in LEVELS:
        if level is not LEVELS[-1] and (level.classes < len(data.names) or expected(data, level) > LIMIT - needed):
            continue
        payload = numbers(data, level, ready)
        notes = [*data.notes, *ready.notes, *limits(data, level)]
        room = LIMIT - size(assemble(data, payload, ready, notes, level.rows))
        if room > needed:
            break
    if data.pictures is not None:
        notes += pictures_within(data, payload, room - 4096)
    return assemble(data, payload, ready, notes, level.rows)


def expected(data: ReportData, level: Detail) -> float:
    """Bytes a page will have, roughly and rather too few: saves making one that is sure not to fit."""
    classes, others = len(data.names), len(data.others)
    curves = min(classes, level.curves) * 14 * (level.points + others * level.others)
    diagrams = min(classes * (1 + others), level.diagrams) * 250
    return 150_000 + curves + diagrams + min(classes, level.rows) * 250 + min(len(data.findings), level.findings) * 100


def size(page: str) -> int:
    """Bytes of a page as UTF-8."""
    return len(page.encode("utf-8"))


def pictures_within(data: ReportData, payload: dict[str, Any], room: int) -> list[str]:
    """Put pictures into the payload as far as there is room; returns what there is to say about it."""
    assert data.pictures is not None
    shown = payload["gallery"]
    errors = [shown["images"][k]["id"] for k in dict.fromkeys(by_need(shown))]
    regressions = [cell[0] for other in payload["compared"] for cell in other["regressions"]]
    wanted = [errors, images(data, payload["findings"]), list(dict.fromkeys(regressions))]
    payload["pictures"], left_out, missing = add_pictures(wanted, data.pictures, room=room, most=PICTURES)
    notes = []
    if left_out:
        total = len({identity for ids in wanted for identity in ids})
        notes.append(f"Gallery: {left_out} of {total} images have no picture here, to keep this file small.")
    if missing:
        named = "; ".join(missing[:5]) + ("; …" if len(missing) > 5 else "")
        notes.append(f"Gallery: {len(missing)} pictures could not be had ({named[:600]}).")
    return notes


def limits(data: ReportData, level: Detail) -> list[str]:
    """What this level of detail leaves out, in words."""
    classes, notes = len(data.names), []
    if level.points < LEVELS[0].points:
        notes.append(f"Curves have at most {level.points} points each, to keep {classes:,} classes in one small file.")
    if data.others and level.others < LEVELS[0].others:
        notes.append(f"Curves of the other models have at most {level.others} points each.")
    if classes > level.curves:
        notes.append(f"Curves are kept for the {level.curves:,} most frequent of {classes:,} classes.")
    series = len(data.models) + (data.temperatures is not None)
    if classes * series > level.diagrams:
        kept = max(1, level.diagrams // series)
        notes.append(f"Reliability diagrams are kept for the {kept:,} most frequent of {classes:,} classes.")
    if classes > level.rows:
        notes.append(f"The class table lists the {level.rows:,} most frequent of {classes:,} classes.")
    if len(data.findings) > level.findings:
        notes.append(
            f"The first {level.findings:,} of {len(data.findings):,} suspected label errors are here; the file of"
            " verdicts holds these alone, and the others stay as they are."
        )
    if data.log and len(data.log) > LOG_ROWS:
        notes.append(f"Learning curves show {LOG_ROWS} of {len(data.log):,} rows of the log, evenly spaced.")
    return notes


def assemble(data: ReportData, payload: dict[str, Any], ready: Prepared, notes: list[str], rows: int) -> str:
    """Fill the template. The policy allows this page's own script by its hash and no request at all."""
    folder = resources.files("manylabel.report")
    script = "\n".join((folder / name).read_text("utf-8") for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    style = "\n".join(
        (folder / name).read_text("utf-8") for name in ("page.css", "parts.css", "narrow.css", "paper.css")
    )
    page = Template((folder / "page.html").read_text("utf-8")).substitute(
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        style=style,
        script=script,
        data=embedded(payload),
        **sections.all_sections(data, payload, ready, notes, rows=rows),
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def embedded(payload: dict[str, Any]) -> str:
    """JSON fit for a script element: no `<`, `>` or `&` survives, NaN and infinities become null.

    >>> embedded({"name": "</script>", "ap": float("nan")})
    '{"name":"\\\\u003c/script\\\\u003e","ap":null}'
    """
    text = ",".join(f"{dumped(key)}:{dumped(value)}" for key, value in payload.items())
    return f"{{{text}}}".translate({ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def dumped(value: Any) -> str:
    """As JSON; what has no NaN, most of a page, is written in one go."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(finite(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def finite(value: Any) -> Any:
    """The same lists and dictionaries with None for every number JSON cannot hold."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
