"""Escaping and number formats shared by the page's parts."""

from __future__ import annotations

import html
import math
from typing import Any


def text(value: Any) -> str:
    """Escaped for element content and quoted attributes."""
    return html.escape(str(value), quote=True).replace("\x00", "\ufffd")


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as a percentage without its sign, or a dash.

    >>> percent(0.4934), percent(None), percent(float("nan"))
    ('49.3', '–', '–')
    """
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f}"


def number(value: float | None) -> str:
    """A plain number at four significant digits, or a dash."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.4g}".replace("-", "−")
