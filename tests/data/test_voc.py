"""Pascal VOC as it is published, and as LabelImg, CVAT and Roboflow write it; and all that can be wrong with it."""

import numpy as np
import pytest
from PIL import Image

from damage import corruptions, survives
from manylabel.data import formats, read
from manylabel.data.beside import Beside, Cells
from manylabel.data.dataset import Dataset
from manylabel.data.source import Source
from manylabel.labels import LabelTable, ManylabelError

PUBLISHED = """<annotation>
	<folder>VOC2007</folder>
	<filename>000001.jpg</filename>
	<source>
		<database>The VOC2007 Database</database>
		<annotation>PASCAL VOC2007</annotation>
		<image>flickr</image>
	</source>
	<owner>
		<flickrid>Fried Camels</flickrid>
		<name>Jinky the Fruit Bat</name>
	</owner>
	<size>
		<width>353</width>
		<height>500</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
	<object>
		<name>dog</name>
		<pose>Left</pose>
		<truncated>1</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>48</xmin>
			<ymin>240</ymin>
			<xmax>195</xmax>
			<ymax>371</ymax>
		</bndbox>
	</object>
	<object>
		<name>person</name>
		<pose>Unspecified</pose>
		<truncated>0</truncated>
		<difficult>1</difficult>
		<bndbox>
			<xmin>1</xmin>
			<ymin>1</ymin>
			<xmax>353</xmax>
			<ymax>500</ymax>
		</bndbox>
		<part>
			<name>head</name>
			<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>
		</part>
	</object>
	<object>
		<name>dog</name>
		<difficult>1</difficult>
		<bndbox><xmax>10.5</xmax><xmin>1</xmin><ymax>10</ymax><ymin>1</ymin></bndbox>
	</object>
</annotation>
"""
EMPTY = """<annotation><filename>000002.jpg</filename><size><width>100</width><height>50</height><depth>3</depth></size>
</annotation>"""
LABELIMG = """<?xml version="1.0" encoding="utf-8"?>
<annotation verified="yes">
	<folder>photos</folder><filename>my photo.png</filename><path>C:\\Users\\me\\photos\\my photo.png</path>
	<source><database>Unknown</database></source>
	<size><width>0</width><height>0</height><depth>0</depth></size><segmented>0</segmented>
	<object><name>Ü-Boot</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>
		<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>3</ymax></bndbox></object>
</annotation>"""
CVAT = """<annotation><folder/><filename>sub/a.jpg</filename><source><database>Unknown</database></source>
<size><width>10</width><height>10</height><depth></depth></size><segmented>0</segmented>
<object><name>car</name><truncated>0</truncated><occluded>1</occluded><difficult>0</difficult>
<bndbox><xmin>1.0</xmin><ymin>1.0</ymin><xmax>5.0</xmax><ymax>10.0</ymax></bndbox>
<attributes><attribute><name>crowd</name><value>True</value></attribute>
<attribute><name>rotation</name><value>0.0</value></attribute>
<attribute><name>colour</name><value>red</value></attribute></attributes></object></annotation>"""

FORMAT = "voc"


def put(folder, name, text=""):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def published(tmp_path):
    """Two annotated images of three, a third one listed for testing without annotation, a photograph in no list."""
    folder = tmp_path / "VOC2007"
    put(folder, "Annotations/000001.xml", PUBLISHED)
    put(folder, "Annotations/000002.xml", EMPTY)
    for name in ("000001", "000002", "000009"):
        put(folder, f"JPEGImages/{name}.jpg")
    put(folder, "ImageSets/Main/train.txt", "000001\n")
    put(folder, "ImageSets/Main/val.txt", "000002\r\n")
    put(folder, "ImageSets/Main/trainval.txt", "000001\n000002\n")
    put(folder, "ImageSets/Main/test.txt", "000003\n")
    put(folder, "ImageSets/Main/dog_train.txt", "000001  1\n")
    put(folder, "ImageSets/Main/dog_trainval.txt", "000001  1\n000002 -1\n")
    put(folder, "ImageSets/Main/cat_train.txt", "000001 -1\n")
    put(folder, "ImageSets/Main/person_train.txt", "000001  0\n")
    return folder


def boxes(data):
    cells = data.beside.boxes
    words = cells.words or ("",) * len(cells)
    names = data.labels.names
    return [
        (r, names[c], np.round(v, 9).tolist(), w)
        for r, c, v, w in zip(cells.rows.tolist(), cells.columns.tolist(), cells.values, words)
    ]


def notes(data):
    return " ".join(data.notes)


def test_published(published):
    data = read(published)
    assert data.kind == "voc"
    assert data.labels.ids == ("000001.jpg", "000002.jpg", "000003", "000009.jpg")
    assert data.labels.names == ("dog", "person", "cat")  # cat is in a list only
    assert data.labels.state.tolist() == [[1, 0, -1], [-1, -1, -1], [0, 0, 0], [0, 0, 0]]
    assert data.split.tolist() == ["train", "val", "test", ""]
    assert data.beside.reviewed.tolist() == [True, True, False, False]
    assert data.beside.sizes.tolist() == [[353, 500], [100, 50], [0, 0], [0, 0]]
    assert data.paths[0] == published / "JPEGImages" / "000001.jpg"
    assert boxes(data) == [
        (0, "dog", np.round([47 / 353, 239 / 500, 148 / 353, 132 / 500], 9).tolist(), "truncated"),
        (0, "person", [0, 0, 1, 1], "difficult"),
        (0, "dog", np.round([0, 0, 10.5 / 353, 10 / 500], 9).tolist(), "difficult"),
    ]
    assert "2 images have no annotation" in notes(data)
    assert "Not kept of objects: part, pose." in notes(data)


def test_a_class_whose_every_object_is_difficult_is_unknown(published):
    data = read(published)
    assert data.labels.state[0, data.labels.names.index("person")] == 0
    assert data.labels.state[0, data.labels.names.index("dog")] == 1  # one of its two objects is not


def test_lists_alone_are_labels(tmp_path):
    put(tmp_path, "ImageSets/Main/cat_train.txt", "a 1\nb -1\n")
    put(tmp_path, "ImageSets/Main/hot dog_train.txt", 'a  0\n"c d" 1\n')
    put(tmp_path, "ImageSets/Main/train.txt", 'a\nb\n"c d"\n')
    data = read(tmp_path)
    assert data.labels.names == ("cat", "hot dog")
    assert data.labels.ids == ("a", "b", "c d")
    assert data.labels.state.tolist() == [[1, 0], [-1, 0], [0, 1]]
    assert data.split.tolist() == ["train"] * 3
    assert data.beside.reviewed is None


def test_trainval_alone_is_no_part(published):
    for name in ("train", "val"):
        (published / "ImageSets/Main" / f"{name}.txt").unlink()
    data = read(published)
    assert data.split.tolist() == ["", "", "test", ""]
    assert "2 images are in trainval.txt" in notes(data)


def test_a_devkit_of_two_years(published):
    put(published.parent, "VOC2012/Annotations/000001.xml", EMPTY)
    data = read(published.parent)
    assert data.labels.ids[0] == "VOC2007/000001.jpg"
    assert data.labels.ids[-1] == "VOC2012/000001"  # the XML speaks of another image, so its own name counts
    assert "1 annotations name another image" in notes(data)


def test_parts_in_folders_with_xml_beside_the_photographs(tmp_path):
    for part in ("train", "valid"):
        put(tmp_path, f"{part}/000001_jpg.rf.1.xml", PUBLISHED.replace("000001.jpg", "000001_jpg.rf.1.jpg"))
        put(tmp_path, f"{part}/000001_jpg.rf.1.jpg")
    data = read(tmp_path)
    assert data.labels.ids == ("train/000001_jpg.rf.1.jpg", "valid/000001_jpg.rf.1.jpg")
    assert data.split.tolist() == ["train", "val"]
    assert data.paths[1].is_file()


def test_labelimg(tmp_path):
    put(tmp_path, "my photo.xml", LABELIMG)
    Image.new("RGB", (8, 6)).save(tmp_path / "my photo.png")
    Image.new("RGB", (8, 6)).save(tmp_path / "other.png")
    data = read(tmp_path)
    assert data.labels.ids == ("my photo.png", "other.png")
    assert data.labels.state.tolist() == [[1], [0]]  # without XML it is not yet labelled
    assert boxes(data) == [(0, "Ü-Boot", [0, 0, 0.5, 0.5], "")]  # the size is that of the file
    assert "Not kept of images: verified." in notes(data)


def test_cvat(tmp_path):
    put(tmp_path, "Annotations/sub/a.xml", CVAT)
    put(tmp_path, "ImageSets/Main/default.txt", "sub/a\nsub/b\n")
    data = read(tmp_path)
    assert data.labels.ids == ("sub/a.jpg", "sub/b")
    assert boxes(data) == [(0, "car", [0, 0, 0.5, 1], "occluded|crowd|colour=red")]
    assert data.beside.reviewed.tolist() == [True, False]


def test_photographs_that_share_a_name_are_said(published):
    put(published, "JPEGImages/000001.png")
    assert "1 photographs are not read: another one has their name" in notes(read(published))


def test_the_folder_of_the_annotations_itself(published):
    data = read(published / "Annotations")
    assert data.labels.ids == ("000001.jpg", "000002.jpg", "000009.jpg")
    assert data.paths[0].is_file()


def test_one_file_is_refused_with_the_folder_to_give(published):
    with pytest.raises(ManylabelError, match=r"give the folder of all, .*VOC2007$"):
        read(published / "Annotations" / "000001.xml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<name>dog</name>", "<name> </name>", "000001.xml, object 1: expected the class of the object"),
        (
            "<difficult>1</difficult>",
            "<difficult>maybe</difficult>",
            "object 2: expected 0 or 1 in <difficult>, got 'maybe'",
        ),
        ("<xmin>48</xmin>", "<xmin>left</xmin>", "object 1: expected a number for xmin, got 'left'"),
        ("<xmin>48</xmin>", "<xmin>nan</xmin>", "object 1: expected a number for xmin"),
        ("<xmax>195</xmax>", "<xmax>19</xmax>", "object 1: expected a box in the image"),
        ("<xmax>195</xmax>", "<xmax>1e308</xmax>", "object 1: expected a box in the image"),
        ("<xmax>195</xmax>", "", "object 1: expected a number for xmax, got null"),
        ("<width>353</width>", "<width>-353</width>", "000001.xml: expected width and height in pixels, got -353"),
        ("<width>353</width>", "<width>wide</width>", "expected a number for size of 000001"),
        ("\t</object>\n</annotation>", "\t</object>", "000001.xml: line 52, column 1: not valid XML: no element found"),
        ("<annotation>\n", "<!DOCTYPE a [<!ENTITY b 'c'>]>\n<annotation>\n", "declares a document type or entities"),
        ("<annotation>\n", "<annotations>\n", "not valid XML"),
    ],
)
def test_errors_name_the_file_and_the_object(published, old, new, said):
    assert old in PUBLISHED
    put(published, "Annotations/000001.xml", PUBLISHED.replace(old, new, 1))
    with pytest.raises(ManylabelError) as problem:
        read(published)
    assert said in str(problem.value)


def test_an_entity_is_refused_in_utf_16_too(published):
    text = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "cc">]><annotation>&b;</annotation>'
    (published / "Annotations" / "000001.xml").write_bytes(text.encode("utf-16"))
    with pytest.raises(ManylabelError, match="declares a document type"):
        read(published)


def test_an_image_in_two_parts(published):
    put(published, "ImageSets/Main/val.txt", "000002\n000001\n")
    with pytest.raises(ManylabelError, match=r"val.txt, line 2: '000001' is in train and val at once"):
        read(published)


def test_a_list_against_an_annotation_is_a_contradiction(published):
    put(published, "ImageSets/Main/dog_train.txt", "000001 -1\n")
    with pytest.raises(ManylabelError, match=r"disagree.*'000001.jpg'.*dog"):
        read(published)
    assert read(published, conflicts="unknown").labels.state[0].tolist() == [0, 0, -1]


def test_a_wrong_state_in_a_list(published):
    put(published, "ImageSets/Main/cat_train.txt", "000001  7\n")
    with pytest.raises(ManylabelError, match=r"cat_train.txt, line 1: expected 1 \(present\), -1"):
        read(published)


def test_what_is_left_out_is_said_and_leaves_its_image_unknown(published):
    put(published, "Annotations/000001.xml", PUBLISHED.replace("<name>person</name>", "<name/>"))
    put(published, "Annotations/000002.xml", EMPTY[:-10])
    data = read(published, mistakes="leave")
    assert [text.partition(":")[0] for text in data.mistakes] == ["1 labels left out", "1 annotations left out"]
    state = dict(zip(data.labels.ids, data.labels.state.tolist()))
    assert data.labels.names == ("dog", "cat", "person")
    assert state["000001.jpg"] == [1, -1, 0]
    assert state["000002.jpg"] == [-1, 0, 0]  # the list still says it of the dog; the rest is not known


def test_damaged_files_are_errors_or_read(published):
    told = {"error": 0, "read": 0}
    for name in ("Annotations/000001.xml", "ImageSets/Main/dog_trainval.txt", "ImageSets/Main/train.txt"):
        file = published / name
        whole = file.read_bytes()
        for k, (what, content) in enumerate(corruptions(whole, seed=5)):
            file.write_bytes(content)
            told[
                survives(
                    published, f"{name}: {what}", mistakes=("error", "leave")[k % 2], format=(None, FORMAT)[k % 5 > 0]
                )
            ] += 1
        file.write_bytes(whole)
    assert min(told.values()) >= 20


def test_no_other_format_claims_it(published, tmp_path):
    put(tmp_path, "flat/my photo.xml", LABELIMG)
    put(tmp_path, "roboflow/train/a.xml", PUBLISHED)
    put(tmp_path, "roboflow/train/a.jpg")
    samples = [published, published.parent, published / "Annotations", published / "Annotations/000001.xml"]
    for path in [*samples, tmp_path / "flat", tmp_path / "roboflow"]:
        assert formats.recognise(Source(path))[0] == "voc", path


def made(state, split=None, ids=None, **beside):
    state = np.array(state, np.int8)
    ids = ids or tuple(f"{k}.jpg" for k in range(len(state)))
    parts = np.array(split or [""] * len(state), "<U5")
    return Dataset(LabelTable(state, tuple("abcdef"[: state.shape[1]]), ids), [f"/nowhere/{i}" for i in ids], parts, {},
                   "made", "made", (), (0,) * len(state), beside=Beside(**beside))  # fmt: skip


def test_boxes_are_written_as_voc_counts_pixels(tmp_path):
    values = np.array([[0.1, 0.1, 0.5, 0.5], [0, 0, 1, 1]])
    cells = Cells([0, 0], [0, 1], values, ("truncated|crowd|colour=red", "difficult"))
    data = made([[1, 0]], boxes=cells, sizes=np.array([[640, 480]]))
    formats.write(data, tmp_path / "out", "voc")
    text = (tmp_path / "out/Annotations/0.xml").read_text()
    assert "<bndbox><xmin>65</xmin><ymin>49</ymin><xmax>384</xmax><ymax>288</ymax></bndbox>" in text
    assert "<truncated>1</truncated>\n\t\t<occluded>0</occluded>\n\t\t<difficult>0</difficult>" in text
    assert not list((tmp_path / "out/ImageSets/Main").glob("*_*.txt"))  # the annotations say all
    assert (tmp_path / "out/manylabel.json").read_text().count("boxes") == 0
    assert read(tmp_path / "out").labels.state.tolist() == [[1, 0]]


def test_a_class_with_a_box_in_one_image_and_none_in_another_has_a_list(tmp_path):
    cells = Cells([0], [0], np.array([[0.1, 0.1, 0.5, 0.5]]))
    data = made([[1], [1], [0], [-1]], boxes=cells, sizes=np.full((4, 2), 100))
    formats.write(data, tmp_path / "out", "voc")
    assert (tmp_path / "out/ImageSets/Main/a_trainval.txt").read_text() == "0  1\n1  1\n2  0\n3 -1\n"
    (tmp_path / "out/manylabel.json").unlink()
    found = read(tmp_path / "out")
    assert dict(zip(found.labels.ids, found.labels.state[:, 0].tolist())) == {
        "0.jpg": 1,
        "1.jpg": 1,
        "2": 0,
        "3.jpg": -1,
    }


def test_labels_without_boxes_are_written_as_lists(tmp_path):
    data = made([[1, 0, -1], [-1, 1, -1], [0, 0, 0]], ["train", "val", ""])
    formats.write(data, tmp_path / "out", "voc")
    main = tmp_path / "out/ImageSets/Main"
    assert (main / "a_train.txt").read_text() == "0  1\n"
    assert (main / "b_trainval.txt").read_text() == "0  0\n1  1\n2  0\n"
    assert (main / "trainval.txt").read_text() == "0\n1\n2\n"
    assert not (tmp_path / "out/Annotations/2.xml").exists()  # nobody labelled it
    (tmp_path / "out/manylabel.json").unlink()
    found = read(tmp_path / "out")  # what is in the sidecar is no label
    assert found.labels.state.tolist() == [[1, 0, -1], [-1, 1, -1], [0, 0, 0]]
    assert found.split.tolist() == ["train", "val", ""]


def test_names_that_no_file_can_have(tmp_path):
    ids = ("a.jpg", "a.png", "../up/b.jpg", "C:\\x\\c.jpg", "/abs/d", "A.JPG", ".e/.f.jpg")
    data = made([[1]] * 7, ids=ids)
    formats.write(data, tmp_path / "out", "voc")
    found = read(tmp_path / "out")
    assert found.labels.ids == ids
    assert "another image" not in notes(found)
    written = (tmp_path / "out/Annotations").rglob("*.xml")
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in written) == [
        f"Annotations/{name}.xml" for name in ("A.JPG", "C_/x/c", "_e/_f", "a.png", "a", "abs/d", "up/b")
    ]  # fmt: skip


def _lists(folder, **texts):
    """A data set of annotations of a dog, and lists of these texts."""
    (folder / "Annotations").mkdir(parents=True)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    for name in ("1", "holiday 01", "holiday 2"):
        text = "<annotation><object><name>dog</name></object></annotation>"
        (folder / "Annotations" / f"{name}.xml").write_text(text)
    for name, text in texts.items():
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text(text)
    return folder


def test_a_line_of_a_class_list_without_its_number_is_named(tmp_path):
    folder = _lists(tmp_path / "set", cat_train="1 -1\nholiday 2 1\nholiday 01\n")
    with pytest.raises(ManylabelError, match=r"cat_train.txt, line 3: expected 1 .* behind 'holiday 01', got nothing"):
        read(folder)
    left = read(folder, mistakes="leave")
    assert "cat" in left.labels.names
    states = dict(zip(left.labels.ids, left.labels.state[:, left.labels.names.index("cat")].tolist()))
    assert states == {"1": -1, "holiday 01": 0, "holiday 2": 1}


def test_an_image_may_be_called_by_a_word_and_a_number(tmp_path):
    data = read(_lists(tmp_path / "set", train="holiday 01\n1 1\n", val="holiday 2\n"))
    assert dict(zip(data.labels.ids, data.split.tolist())) == {"1": "train", "holiday 01": "train", "holiday 2": "val"}


def test_a_text_among_the_lists_is_no_list(tmp_path):
    data = read(_lists(tmp_path / "set", train="1\n5\n", README="These lists are mine.\n"))
    assert "These lists are mine." not in data.labels.ids
    assert "5" in data.labels.ids
    assert "README.txt names no image that is here, and is not read." in data.notes
