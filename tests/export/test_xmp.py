"""Keywords beside photographs: ours come and go, everybody else's stay."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from manylabel.export import xmp
from manylabel.labels import ManylabelError
from manylabel.prediction import Prediction

LIGHTROOM = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/">
   <crs:Exposure2012>+0.35</crs:Exposure2012>
   <dc:subject><rdf:Bag><rdf:li>holiday</rdf:li><rdf:li>cat</rdf:li></rdf:Bag></dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def said(image, *labels, ancestors=None):
    return Prediction(str(image), labels=labels, probabilities=dict.fromkeys(labels, 0.9), ancestors=ancestors or {})


def write(image, *labels, ancestors=None):
    return xmp.write(said(image, *labels, ancestors=ancestors), image)


def bag(path, tag):
    root = ET.parse(path).getroot()
    return [li.text for li in root.iterfind(f".//{tag}/{{{xmp.RDF}}}Bag/{{{xmp.RDF}}}li")]


def test_a_new_sidecar_holds_labels_and_what_lies_above(tmp_path):
    path = write(tmp_path / "a.jpg", "cat", "çedilla & <dog>", ancestors={"cat": ("feline", "animal")})
    assert path == tmp_path / "a.xmp"
    assert bag(path, xmp.SUBJECT) == ["cat", "feline", "animal", "çedilla & <dog>"]
    assert bag(path, xmp.PLACES) == ["animal|feline|cat"]
    assert 'xmlns:dc="http://purl.org/dc/elements/1.1/"' in path.read_text()


def test_other_keywords_and_settings_stay_and_ours_are_taken_back(tmp_path):
    (tmp_path / "a.xmp").write_text(LIGHTROOM)
    for labels in (("dog", "cat"), ("bird",)):
        path = write(tmp_path / "a.jpg", *labels)
        text = path.read_text()
        assert 'xmp:Rating="4"' in text
        assert "<crs:Exposure2012>+0.35</crs:Exposure2012>" in text
        assert bag(path, xmp.SUBJECT) == ["holiday", "cat", labels[0]]  # cat was theirs before it was ours
        assert bag(path, xmp.WRITTEN) == [labels[0]]
    write(tmp_path / "a.jpg")
    assert bag(path, xmp.SUBJECT) == ["holiday", "cat"]


def test_a_sidecar_of_the_full_name_is_the_one(tmp_path):
    (tmp_path / "a.jpg.xmp").write_text(LIGHTROOM)
    assert write(tmp_path / "a.jpg", "dog") == tmp_path / "a.jpg.xmp"
    assert not (tmp_path / "a.xmp").exists()


@pytest.mark.parametrize("content", ["not xml", "<html/>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', ""])
def test_what_is_no_xmp_is_left_alone(tmp_path, content):
    (tmp_path / "a.xmp").write_text(content)
    with pytest.raises(ManylabelError, match=r"a\.xmp"):
        write(tmp_path / "a.jpg", "dog")
    assert Path(tmp_path / "a.xmp").read_text() == content


def test_two_images_of_one_stem_have_a_sidecar_each(tmp_path):
    for name in ("a.jpg", "a.PNG", "b.JPG"):
        (tmp_path / name).write_bytes(b"")
    assert write(tmp_path / "a.jpg", "dog") == tmp_path / "a.jpg.xmp"
    assert write(tmp_path / "a.PNG", "cat") == tmp_path / "a.PNG.xmp"
    assert bag(tmp_path / "a.jpg.xmp", xmp.SUBJECT) == ["dog"]
    assert write(tmp_path / "b.JPG", "cat") == tmp_path / "b.xmp"


def test_keywords_stay_in_the_description_that_has_them(tmp_path):
    spaces = f'xmlns:dc="{xmp.DC}" xmlns:lr="{xmp.LR}"'
    parts = "".join(
        f'<r:Description r:about="" {spaces}><{tag}><r:Bag><r:li>{word}</r:li></r:Bag></{tag}></r:Description>'
        for tag, word in (("lr:hierarchicalSubject", "sea|boat"), ("dc:subject", "boat"))
    )
    (tmp_path / "a.xmp").write_text(f'<r:RDF xmlns:r="{xmp.RDF}">{parts}</r:RDF>')
    for _ in range(2):
        path = write(tmp_path / "a.jpg", "cat", ancestors={"cat": ("animal",)})
    places, subject = ET.parse(path).getroot()
    assert [one.tag for one in places] == [xmp.PLACES, xmp.WRITTEN]
    assert [one.tag for one in subject] == [xmp.SUBJECT]
    assert bag(path, xmp.PLACES) == ["sea|boat", "animal|cat"]
    assert bag(path, xmp.SUBJECT) == ["boat", "cat", "animal"]


@pytest.mark.parametrize("name", ["a\x01b", "\ud800"])
def test_a_name_that_is_no_xml_is_refused(tmp_path, name):
    with pytest.raises(ManylabelError, match="rename the class"):
        write(tmp_path / "a.jpg", name)
    assert not (tmp_path / "a.xmp").exists()
