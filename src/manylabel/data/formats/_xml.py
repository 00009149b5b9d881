"""XML that cannot grow: whatever declares a document type or an entity is refused before it is parsed."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from manylabel.labels import ManylabelError

NO_XML = re.compile("[\x00-\x1f\ufffe\uffff\ud800-\udfff]")
"""What no text in XML may hold, and line ends, which a reader may turn into blanks."""
DECLARED = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def parse(path: Path) -> ElementTree.Element:
    """The root of an XML file; an error says the line and column at which it breaks.

    Raises ManylabelError where the file is no XML, or declares a document type or entities: labels need none, and ten
    lines of them can fill a memory.
    """
    data = path.read_bytes()
    if DECLARED.search(data.replace(b"\0", b"")):  # without the zeros that UTF-16 has in it
        raise ManylabelError(f"{path}: declares a document type or entities, which labels have no use for: remove it")
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as problem:
        line, column = problem.position
        said = str(problem).partition(":")[0]
        raise ManylabelError(f"{path}, line {line}, column {column + 1}: not valid XML: {said}") from None
    except (ValueError, LookupError) as problem:  # an encoding that is not known or not what it says
        raise ManylabelError(f"{path}: not valid XML: {problem}") from None


def text_of(element: ElementTree.Element, tag: str) -> str:
    """The text of a child without the blanks around it; "" where there is no such child.

    >>> text_of(ElementTree.fromstring("<a><b> cat </b></a>"), "b")
    'cat'
    """
    return (element.findtext(tag) or "").strip()
