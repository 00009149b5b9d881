"""The sections that appear only where there is something for them: other models, suspected label errors."""

from __future__ import annotations

from importlib import resources
from string import Template
from typing import Any

from manylabel.report import compared
from manylabel.report.inputs import ReportData
from manylabel.report.payload import Prepared


def sections(data: ReportData, payload: dict[str, Any], ready: Prepared) -> dict[str, str]:
    """Template slot -> HTML, empty for a section that has nothing to show."""
    slots = dict.fromkeys(("models", "models_link", "findings", "findings_link"), "")
    if ready.comparisons:
        table = compared.table(data, ready.comparisons)
        slots["models"] = filled("models.html", lead=compared.lead(data), table=table)
        slots["models_link"] = '<a href="#models">Models</a>'
    if payload["findings"]:
        slots["findings"] = filled("findings.html", lead=findings_lead(payload["findings"]))
        slots["findings_link"] = '<a href="#findings">Label errors</a>'
    return slots


def filled(name: str, *, lead: str, table: str = "") -> str:
    """A template of this folder with its slots filled."""
    return Template((resources.files("manylabel.report") / name).read_text("utf-8")).substitute(lead=lead, table=table)


def findings_lead(found: dict[str, Any]) -> str:
    """What the cards are and what a save is for."""
    return (
        f"{found['total']:,} labels that are likely wrong, the most suspicious first, each with the reason."
        ' <span class="onscreen">Nothing is changed here: “Save verdicts” gives the findings file with the column'
        " verdict filled in, and <code>manylabel audit findings.csv LABELS --apply --out NEW.csv</code> carries it"
        " out on a copy.</span>"
    )
