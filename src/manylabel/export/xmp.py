"""Labels as keywords in XMP sidecars, which photo programs read (Lightroom, digiKam, darktable).

ISO 16684-1: keywords are the bag `dc:subject`; Lightroom keeps places in a hierarchy in `lr:hierarchicalSubject`,
parents before children, between them a bar. What was written here is noted in a bag of our own, so that it can be taken
back when an image is looked at anew, and nobody else's keyword is ever touched.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from manylabel.data.formats._xml import parse
from manylabel.labels import ManylabelError
from manylabel.parts.files import write_text
from manylabel.prediction import Prediction

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
LR = "http://ns.adobe.com/lightroom/1.0/"
X = "adobe:ns:meta/"
OURS = "https://manylabel.org/ns/1.0/"
PREFIXES = {"rdf": RDF, "dc": DC, "lr": LR, "x": X, "manylabel": OURS}
EMPTY = f'<x:xmpmeta xmlns:x="{X}"><r:RDF xmlns:r="{RDF}"/></x:xmpmeta>'
SUBJECT, PLACES, WRITTEN = f"{{{DC}}}subject", f"{{{LR}}}hierarchicalSubject", f"{{{OURS}}}keywords"


def sidecar_of(image: Path) -> Path:
    """photo.jpg.xmp where there is one (darktable), else photo.xmp (Adobe)."""
    full = image.with_name(image.name + ".xmp")
    return full if full.exists() else image.with_suffix(".xmp")


def write(prediction: Prediction) -> Path:
    """Write the labels of an image, with what lies above them, into its sidecar; the rest of the sidecar stays.

    Raises ManylabelError where a sidecar is there that is no XMP: it is left alone.
    """
    path = sidecar_of(Path(prediction.image))
    for prefix, space in PREFIXES.items():
        ET.register_namespace(prefix, space)
    root = _kept(path) if path.exists() else ET.fromstring(EMPTY)
    keywords, places = _said(prediction)
    _fill(_description(path, root), keywords, places)
    write_text(path, ET.tostring(root, encoding="unicode") + "\n")
    return path


def _kept(path: Path) -> ET.Element:
    """What is in the sidecar; the prefixes it uses are kept too."""
    root = parse(path)
    for _, (prefix, space) in ET.iterparse(path, events=("start-ns",)):
        if prefix and not prefix.startswith("ns") and space not in PREFIXES.values():
            ET.register_namespace(prefix, space)
    return root


def _said(prediction: Prediction) -> tuple[list[str], list[str]]:
    """Keywords, and places in the hierarchy."""
    keywords: dict[str, None] = {}
    places = []
    for name in prediction.labels:
        above = prediction.ancestors.get(name, ())
        keywords |= dict.fromkeys((name, *above))
        if above:
            places.append("|".join((*reversed(above), name)))
    return list(keywords), places


def _description(path: Path, root: ET.Element) -> ET.Element:
    rdf = root if root.tag == f"{{{RDF}}}RDF" else root.find(f"{{{RDF}}}RDF")
    if rdf is None:
        raise ManylabelError(f"{path} is no XMP: it has no rdf:RDF; it was left as it is")
    found = rdf.findall(f"{{{RDF}}}Description")
    holds = [d for d in found if d.find(SUBJECT) is not None]
    if holds or found:
        return (holds or found)[0]
    return ET.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})


def _fill(description: ET.Element, keywords: list[str], places: list[str]) -> None:
    before = set(_words(description, WRITTEN))
    theirs = [word for word in _words(description, SUBJECT) if word not in before]
    their_places = [p for p in _words(description, PLACES) if p.rpartition("|")[2] not in before]
    _put(description, SUBJECT, list(dict.fromkeys([*theirs, *keywords])))
    _put(description, PLACES, list(dict.fromkeys([*their_places, *places])))
    _put(description, WRITTEN, [word for word in keywords if word not in theirs])


def _words(description: ET.Element, tag: str) -> list[str]:
    return [item.text or "" for item in description.iterfind(f"{tag}/*/{{{RDF}}}li")]


def _put(description: ET.Element, tag: str, words: list[str]) -> None:
    for old in description.findall(tag):
        description.remove(old)
    if words:
        bag = ET.SubElement(ET.SubElement(description, tag), f"{{{RDF}}}Bag")
        for word in words:
            ET.SubElement(bag, f"{{{RDF}}}li").text = word
