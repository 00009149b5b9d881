"""Suspected label errors for review: what a card shows, and the rows that a save must give back letter by letter."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import Any

from manylabel.report.inputs import ReportData

FACETS = ("category", "severity")
"""Attributes that findings may have and the page can sift by."""


def columns() -> dict[str, str]:
    """The header of a findings file as `manylabel.audits.findings.write` writes it -> what stands for a missing value.

    A number that a finding lacks is nan, which reads back; a word is empty.

    >>> list(columns())[:3], columns()["confidence"], columns()["verdict"]
    (['rank', 'image', 'label'], 'nan', '')
    """
    from manylabel.audits.findings import Finding  # only pages with findings pay for the audits

    return {field.name: "nan" if "float" in str(field.type) else "" for field in fields(Finding)}


def cells(finding: Any, lacking: dict[str, str]) -> list[str]:
    """A finding as the text of its row."""
    values = [getattr(finding, name, empty) for name, empty in lacking.items()]
    return ["" if value is None else str(value) for value in values]


def payload(data: ReportData, *, most: int) -> dict[str, Any] | None:
    """The first `most` findings, or None where there are none.

    `rows` hold the cells of `columns`; `facets` what the page sifts by, a value for each row; `key` names this very
    list, so that verdicts kept by a browser are given back to it and to no other.
    """
    kept = list(data.findings[:most])
    if not kept:
        return None
    lacking = columns()
    rows = [cells(finding, lacking) for finding in data.findings]
    digest = hashlib.sha256(json.dumps([list(lacking), rows]).encode("utf-8"))
    return {
        "columns": list(lacking), "rows": rows[:most], "key": digest.hexdigest()[:24], "total": len(data.findings),
        "facets": {facet: values for facet in FACETS if any(values := facet_values(kept, facet))},
    }  # fmt: skip


def facet_values(findings: list[Any], facet: str) -> list[str]:
    """Of each finding what it says there, as text; empty where it says nothing."""
    found = [getattr(finding, facet, None) for finding in findings]
    return ["" if value is None else str(value) for value in found]


def images(data: ReportData, found: dict[str, Any] | None) -> list[str]:
    """The images of the findings in their order."""
    if found is None:
        return []
    place = found["columns"].index("image")
    return list(dict.fromkeys(row[place] for row in found["rows"]))
