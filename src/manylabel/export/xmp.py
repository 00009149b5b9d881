"""Labels as keywords in XMP sidecars, which photo programs read (Lightroom, digiKam, darktable).

ISO 16684-1: keywords are the bag `dc:subject`; Lightroom keeps places in a hierarchy in `lr:hierarchicalSubject`,
parents before children, between them a bar. What was written here is noted in a bag of our own, so that it can be taken
back when an image is looked at anew, and nobody else's keyword is ever touched.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from manylabel.data.dataset import IMAGE_ENDINGS
from manylabel.data.formats._xml import NO_XML, parse
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
    """photo.jpg.xmp where there is one (darktable), or another image photo.png; else photo.xmp (Adobe)."""
    full = image.with_name(image.name + ".xmp")
    endings = (spelt for ending in IMAGE_ENDINGS for spelt in (ending, ending.upper()) if spelt != image.suffix)
    shared = any(_is_other(image.with_suffix(ending), image) for ending in endings)
    return full if shared or full.exists() else image.with_suffix(".xmp")


def _is_other(file: Path, image: Path) -> bool:
    """Whether a file is there, and is not the image by another spelling."""
    return file.exists() and not (image.exists() and file.samefile(image))


def write(prediction: Prediction, image: Path) -> Path:
    """Write the labels of an image file, with what lies above them, into its sidecar; the rest of the sidecar stays.

    Raises ManylabelError where a sidecar is there that is no XMP: it is left alone.
    """
    path = sidecar_of(image)
    if wrong := [name for name in prediction.labels if NO_XML.search(name)]:
        raise ManylabelError(f"the name of class {wrong[0]!r} cannot stand in XML: rename the class")
    for prefix, space in PREFIXES.items():
        ET.register_namespace(prefix, space)
    root = _kept(path) if path.exists() else ET.fromstring(EMPTY)
    keywords, places = _said(prediction)
    _fill(_descriptions(path, root), keywords, places)
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


def _descriptions(path: Path, root: ET.Element) -> list[ET.Element]:
    rdf = root if root.tag == f"{{{RDF}}}RDF" else root.find(f"{{{RDF}}}RDF")
    if rdf is None:
        raise ManylabelError(f"{path} is no XMP: it has no rdf:RDF; it was left as it is")
    found = rdf.findall(f"{{{RDF}}}Description")
    return found or [ET.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})]


def _fill(descriptions: list[ET.Element], keywords: list[str], places: list[str]) -> None:
    before = set(_words(descriptions, WRITTEN))
    theirs = [word for word in _words(descriptions, SUBJECT) if word not in before]
    their_places = [p for p in _words(descriptions, PLACES) if p.rpartition("|")[2] not in before]
    _put(descriptions, SUBJECT, list(dict.fromkeys([*theirs, *keywords])))
    _put(descriptions, PLACES, list(dict.fromkeys([*their_places, *places])))
    _put(descriptions, WRITTEN, [word for word in keywords if word not in theirs])


def _words(descriptions: list[ET.Element], tag: str) -> list[str]:
    return [item.text or "" for one in descriptions for item in one.iterfind(f"{tag}/*/{{{RDF}}}li")]


def _put(descriptions: list[ET.Element], tag: str, words: list[str]) -> None:
    """In place of what was there: some programs give each namespace a description of its own."""
    home = next((one for one in descriptions if one.find(tag) is not None), descriptions[0])
    for one in descriptions:
        for old in one.findall(tag):
            one.remove(old)
    if words:
        bag = ET.SubElement(ET.SubElement(home, tag), f"{{{RDF}}}Bag")
        for word in words:
            ET.SubElement(bag, f"{{{RDF}}}li").text = word
