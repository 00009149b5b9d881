"""COCO as its tools write it: instances, panoptic, LVIS, Roboflow, folders; and all that can be wrong with it."""

import copy
import json

import numpy as np
import pytest
from PIL import Image

from damage import corruptions, json_corruptions, survives
from manylabel.data import formats, read
from manylabel.data.beside import Beside, Cells
from manylabel.data.dataset import Dataset
from manylabel.data.source import Source
from manylabel.labels import LabelTable, ManylabelError
from manylabel.sparse import SparseLabels

HOST = "http://images.cocodataset.org"
URL = f"{HOST}/val2017/"
IMAGES = [
    {"license": 4, "file_name": "000000397133.jpg", "coco_url": f"{URL}000000397133.jpg", "height": 427, "width": 640,
     "date_captured": "2013-11-14 17:02:52", "flickr_url": "http://farm7.staticflickr.com/1.jpg", "id": 397133},
    {"license": 1, "file_name": "000000037777.jpg", "coco_url": f"{URL}000000037777.jpg", "height": 230, "width": 352,
     "date_captured": "2013-11-14 20:55:31", "flickr_url": "http://farm9.staticflickr.com/2.jpg", "id": 37777},
    {"license": 3, "file_name": "000000252219.jpg", "coco_url": f"{URL}000000252219.jpg", "height": 428, "width": 640,
     "date_captured": "2013-11-14 22:32:02", "flickr_url": "http://farm4.staticflickr.com/3.jpg", "id": 252219},
]  # fmt: skip
CATEGORIES = [
    {"supercategory": "person", "id": 1, "name": "person"},
    {"supercategory": "vehicle", "id": 2, "name": "bicycle"},
    {"supercategory": "animal", "id": 18, "name": "dog"},
    {"supercategory": "indoor", "id": 90, "name": "toothbrush"},
]
ANNOTATIONS = [
    {"segmentation": [[224.24, 297.18, 228.29, 297.18, 234.91, 298.29]], "area": 1481.38, "iscrowd": 0,
     "image_id": 397133, "bbox": [64.0, 42.7, 320.0, 213.5], "category_id": 18, "id": 1768},
    {"segmentation": [[100.0, 97.18, 28.29, 97.18, 34.91, 98.29]], "area": 900.5, "iscrowd": 0,
     "image_id": 397133, "bbox": [0, 0, 64, 42.7], "category_id": 18, "id": 1769},
    {"segmentation": {"counts": [272, 2, 4, 4], "size": [428, 640]}, "area": 18419, "iscrowd": 1,
     "image_id": 252219, "bbox": [1, 0, 276, 122], "category_id": 1, "id": 900100252219},
]  # fmt: skip
INSTANCES = {
    "info": {"description": "COCO 2017 Dataset", "url": "http://cocodataset.org", "version": "1.0", "year": 2017},
    "licenses": [{"url": "http://creativecommons.org/licenses/by-nc-sa/2.0/", "id": 1, "name": "A-NC-SA License"}],
    "images": IMAGES, "annotations": ANNOTATIONS, "categories": CATEGORIES,
}  # fmt: skip
LVIS = {
    "info": {}, "licenses": [],
    "images": [
        {"id": 391895, "coco_url": f"{HOST}/train2017/000000391895.jpg", "height": 360, "width": 640,
         "license": 3, "date_captured": "2013-11-14 11:18:45", "neg_category_ids": [2, 3],
         "not_exhaustive_category_ids": [4]},
        {"id": 522418, "coco_url": f"{HOST}/val2017/000000522418.jpg", "height": 480, "width": 640,
         "license": 3, "neg_category_ids": [], "not_exhaustive_category_ids": [1]},
    ],
    "annotations": [
        {"id": 1, "image_id": 391895, "category_id": 1, "bbox": [32.0, 36.0, 64.0, 36.0], "area": 10.0,
         "segmentation": [[1, 1, 2, 2, 3, 1]]},
        {"id": 2, "image_id": 522418, "category_id": 1, "bbox": [0, 0, 640, 480], "area": 10.0, "segmentation": []},
    ],
    "categories": [
        {"id": 1, "name": "aerosol_can", "synonyms": ["aerosol_can", "spray_can"], "frequency": "c",
         "synset": "aerosol.n.02",
         "def": "a dispenser", "image_count": 64, "instance_count": 109},
        {"id": 2, "name": "bat_(animal)", "synonyms": ["bat_(animal)", "bat"], "frequency": "r"},
        {"id": 3, "name": "bat_(sports)", "synonyms": ["bat_(sports)", "bat"], "frequency": "r"},
        {"id": 4, "name": "cup", "synonyms": ["cup"], "frequency": "f"},
        {"id": 5, "name": "tag", "synonyms": ["tag"], "frequency": "f"},
    ],
}  # fmt: skip
PANOPTIC = {
    "info": {}, "licenses": [], "images": IMAGES[:2],
    "annotations": [
        {"image_id": 397133, "file_name": "000000397133.png", "segments_info": [
            {"id": 3226956, "category_id": 18, "iscrowd": 0, "bbox": [320, 0, 320, 427], "area": 2840},
            {"id": 6979964, "category_id": 200, "iscrowd": 1, "bbox": [0, 0, 640, 427], "area": 439}]},
        {"image_id": 37777, "file_name": "000000037777.png", "segments_info": []},
    ],
    "categories": [
        {"supercategory": "animal", "isthing": 1, "id": 18, "name": "dog"},
        {"supercategory": "ground", "isthing": 0, "id": 200, "name": "rug-merged"},
    ],
}  # fmt: skip
ROBOFLOW = {
    "info": {"year": "2024", "description": "Exported from roboflow.com"}, "licenses": [],
    "categories": [{"id": 0, "name": "fruits", "supercategory": "none"},
                   {"id": 1, "name": "apple", "supercategory": "fruits"}],
    "images": [{"id": 0, "license": 1, "file_name": "a_jpg.rf.1.jpg", "height": 10, "width": 20,
                "date_captured": "2024",
                "extra": {"name": "a.jpg"}}],
    "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [10, 5, 10, 5], "area": 50, "segmentation": [],
                     "iscrowd": 0}],
}  # fmt: skip


def write(folder, name, data):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


def boxes(data):
    cells = data.beside.boxes
    names = data.labels.names
    words = cells.words or ("",) * len(cells)
    return [
        (r, names[c], np.round(v, 9).tolist(), w)
        for r, c, v, w in zip(cells.rows.tolist(), cells.columns.tolist(), cells.values, words)
    ]


def notes(data):
    return " ".join(data.notes)


def test_instances(tmp_path):
    data = read(write(tmp_path, "instances_val2017.json", INSTANCES))
    assert (data.kind, data.unit, data.lines) == ("coco", "image", (1, 2, 3))
    assert data.labels.ids == ("000000397133.jpg", "000000037777.jpg", "000000252219.jpg")
    assert data.labels.names == ("person", "bicycle", "dog", "toothbrush")  # also those of no annotation
    assert data.labels.state.tolist() == [[-1, -1, 1, -1], [-1, -1, -1, -1], [1, -1, -1, -1]]
    assert boxes(data) == [
        (0, "dog", [0.1, 0.1, 0.5, 0.5], ""),
        (0, "dog", [0, 0, 0.1, 0.1], ""),
        (2, "person", [1 / 640, 0, 276 / 640, 122 / 428], "crowd"),
    ] or boxes(data)[2][2] == pytest.approx([1 / 640, 0, 276 / 640, 122 / 428])
    assert boxes(data)[2][3] == "crowd"
    assert data.beside.sizes.tolist() == [[640, 427], [352, 230], [640, 428]]
    assert data.beside.parents == (("bicycle", "vehicle"), ("dog", "animal"), ("toothbrush", "indoor"))
    assert data.beside.reviewed is None
    assert data.split.tolist() == ["", "", ""]  # one file alone says no part
    assert data.columns == {}
    assert "3 outlines (segmentation) are not kept" in notes(data)
    assert "coco_url, date_captured, flickr_url" in notes(data)
    assert "license" not in notes(data)
    assert "Read as coco: an object with images and annotations or categories." in notes(data)


def test_unlisted_is_unknown_where_that_is_asked_for(tmp_path):
    data = read(write(tmp_path, "a.json", INSTANCES), unlisted="unknown")
    assert data.labels.state.tolist() == [[0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]


def test_lvis_knows_what_it_lists_and_nothing_else(tmp_path):
    data = read(write(tmp_path, "lvis_v1_val.json", LVIS))
    assert data.labels.ids == ("train2017/000000391895.jpg", "val2017/000000522418.jpg")
    assert data.labels.state.tolist() == [[1, -1, -1, 0, 0], [1, 0, 0, 0, 0]]
    assert data.beside.aliases == {"spray_can": "aerosol_can"}  # bat is two classes
    assert "neg_category_ids" in notes(data)
    assert "Synonyms of several classes are not kept: bat." in notes(data)
    assert data.beside.parents == ()


def test_panoptic(tmp_path):
    data = read(write(tmp_path, "panoptic_val2017.json", PANOPTIC))
    assert data.labels.state.tolist() == [[1, 1], [-1, -1]]
    assert boxes(data) == [(0, "dog", [0.5, 0, 0.5, 1], ""), (0, "rug-merged", [0, 0, 1, 1], "crowd")]


def test_images_without_annotations_key_are_not_labelled(tmp_path):
    data = read(
        write(tmp_path, "image_info_test2017.json", {k: INSTANCES[k] for k in ("info", "images", "categories")})
    )
    assert not data.beside.reviewed.any()
    assert not data.labels.known.any()
    assert "nobody labelled them" in notes(data)


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ({"image_id": 1, "id": 1, "caption": "A dog."}, "holds captions"),
        ({"image_id": 1, "id": 1, "category_id": 1, "keypoints": [0, 0, 0], "num_keypoints": 0}, "holds keypoints"),
    ],
)
def test_captions_and_keypoints_are_refused(tmp_path, annotation, said):
    file = write(tmp_path, "x_val2017.json", {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [annotation],
                                              "categories": [{"id": 1, "name": "person"}]})  # fmt: skip
    with pytest.raises(ManylabelError, match=said):
        read(file)


def test_detections_of_a_model_are_refused(tmp_path):
    file = write(tmp_path, "detections.json", [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}])
    with pytest.raises(ManylabelError, match="holds detections of a model"):
        read(file)


def test_a_folder_of_parts_with_its_photographs(tmp_path):
    val, train = copy.deepcopy(INSTANCES), copy.deepcopy(INSTANCES)
    train["images"], train["annotations"] = [{"id": 5, "file_name": "000000397133.jpg"}], []
    train["categories"] = CATEGORIES[::-1]
    write(tmp_path, "annotations/instances_val2017.json", val)
    write(tmp_path, "annotations/instances_train2017.json", train)
    write(tmp_path, "annotations/captions_val2017.json", {"images": IMAGES, "annotations": [{"caption": "A"}]})
    write(tmp_path, "annotations/again_val2017.json", val)
    for name in ("val2017/000000397133.jpg", "train2017/000000397133.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    data = read(tmp_path)
    assert data.labels.ids == (
        "train2017/000000397133.jpg", "val2017/000000397133.jpg", "val2017/000000037777.jpg", "val2017/000000252219.jpg"
    )  # fmt: skip
    assert data.split.tolist() == ["train", "val", "val", "val"]
    assert data.paths[0].is_file()
    assert data.paths[1] == tmp_path / "val2017" / "000000397133.jpg"
    assert data.labels.state[0].tolist() == [-1, -1, -1, -1]
    assert "Not read: again_val2017.json, captions_val2017.json" in notes(data)


def test_the_same_name_in_two_parts_is_two_images_also_without_photographs(tmp_path):
    one = {**INSTANCES, "images": IMAGES[:1], "annotations": ANNOTATIONS[:1]}
    write(tmp_path, "annotations/instances_train2017.json", one)
    write(tmp_path, "annotations/instances_val2017.json", one)
    data = read(tmp_path)
    assert data.labels.ids == ("train2017/000000397133.jpg", "val2017/000000397133.jpg")


def test_photographs_in_a_folder_images(tmp_path):
    Image.new("RGB", (640, 427)).save(_made(tmp_path / "images" / "000000397133.jpg"))
    images = [{"id": 397133, "file_name": "000000397133.jpg"}]
    part = {**INSTANCES, "images": images, "annotations": ANNOTATIONS[:1]}
    file = write(tmp_path, "annotations/instances_default.json", part)
    data = read(file)
    assert data.paths[0].is_file()
    assert boxes(data)[0][2] == [0.1, 0.1, 0.5, 0.5]  # the size is that of the file
    assert read(tmp_path).labels.ids == ("images/000000397133.jpg",)
    elsewhere = read(file, root=tmp_path / "other")
    assert elsewhere.paths[0] == tmp_path / "other" / "000000397133.jpg"


def _made(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def test_roboflow(tmp_path):
    for part in ("train", "valid", "test"):
        write(tmp_path, f"{part}/_annotations.coco.json", ROBOFLOW)
        (tmp_path / part / "a_jpg.rf.1.jpg").touch()
    data = read(tmp_path)
    assert data.labels.ids == ("test/a_jpg.rf.1.jpg", "train/a_jpg.rf.1.jpg", "valid/a_jpg.rf.1.jpg")
    assert data.split.tolist() == ["test", "train", "val"]
    assert data.beside.parents == (("apple", "fruits"),)  # none is no class
    assert data.labels.state.tolist() == [[-1, 1]] * 3
    assert boxes(data)[0][2] == [0.5, 0.5, 0.5, 0.5]
    assert "Keys of images that are not kept: date_captured, extra" in notes(data)


def test_what_exporters_write_differently(tmp_path):
    """Ids as text, labels without boxes, attributes, further text, keys in order of the alphabet."""
    data = read(write(tmp_path, "a.json", {
        "annotations": [
            {"category_id": 7, "id": 1, "image_id": "12", "bbox": [0, 0, 1, 1],
             "attributes": {"occluded": True, "truncated": False, "pose": "left", "rotation": 0.0}},
            {"category_id": "7", "id": 1, "image_id": 12.0, "attributes": {}},
            {"category_id": 8, "id": 3, "image_id": 12, "bbox": [], "score": 0.5},
        ],
        "categories": [{"id": "7", "name": " traffic  light "}, {"id": 8, "name": "Ü", "supercategory": ""}],
        "images": [{"id": 12, "file_name": "a.jpg", "width": 2.0, "height": 4, "site": "north", "night": True,
                    "split": "valid"}],
    }))  # fmt: skip
    assert data.labels.names == ("traffic light", "Ü")
    assert data.labels.state.tolist() == [[1, 1]]
    assert boxes(data) == [(0, "traffic light", [0, 0, 0.5, 0.25], "occluded|pose=left")]
    assert {name: cells.tolist() for name, cells in data.columns.items()} == {"site": ["north"], "night": ["True"]}
    assert data.split.tolist() == ["val"]
    assert "Keys of annotations that are not kept: score." in notes(data)


def test_boxes_without_a_size_are_said(tmp_path):
    data = read(write(tmp_path, "a.json", {**INSTANCES, "images": [{"id": 397133, "file_name": "a.jpg"}],
                                           "annotations": ANNOTATIONS[:2]}))  # fmt: skip
    assert data.beside.boxes is None
    assert data.labels.state.tolist() == [[-1, -1, 1, -1]]
    assert "2 boxes are not kept" in notes(data)


BROKEN = {
    "annotation of no image": (("annotations", 0, "image_id"), 5, "annotation 1: image_id 5 is none of the 3 images"),
    "annotation of no category": (("annotations", 0, "category_id"), 5, "annotation 1: category_id 5 is none of the 4"),
    "id twice": (("images", 1, "id"), 397133, "image 2: id 397133 is that of another image already"),
    "category twice": (("categories", 1, "id"), 1, "category 2: id 1 is that of 'person' already"),
    "no name": (("categories", 1, "name"), " ", "category 2: expected text for name"),
    "no file name": (("images", 0, "file_name"), None, "397133.jpg"),
    "negative box": (("annotations", 0, "bbox"), [1, 1, -5, 1], "annotation 1: expected a box in the image"),
    "endless box": (("annotations", 0, "bbox"), [1, 1, 1e308, 1], "annotation 1: expected a box in the image"),
    "box of words": (("annotations", 0, "bbox"), "all", "annotation 1: expected a bbox of x, y"),
    "short box": (("annotations", 0, "bbox"), [1, 2, 3], "annotation 1: expected a bbox of x, y"),
    "crowd": (("annotations", 0, "iscrowd"), 7, "annotation 1: expected 0 or 1 for iscrowd, got 7"),
    "width": (("images", 0, "width"), -640, "image 1: expected width and height in pixels, got -640"),
    "huge width": (("images", 0, "width"), 1e308, "image 1: expected width and height in pixels"),
    "part": (("images", 0, "split"), "trian", "image 1: expected train, val or test, got 'trian'"),
    "annotations": (("annotations",), {"a": 1}, "expected a list for annotations"),
    "images": (("images",), {"a": 1}, "expected an object with a list of images"),
    "circle": (("categories", 0, "supercategory"), "dog", None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_errors_name_the_entry(tmp_path, name):
    place, value, said = BROKEN[name]
    data = copy.deepcopy(INSTANCES)
    inner = data
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    if name == "no file name":
        file = write(tmp_path, "a.json", data)  # its address tells it
        assert read(file).labels.ids[0] == "val2017/000000397133.jpg"
        return
    if name == "circle":
        data["categories"][2]["supercategory"], said = "person", "person under dog under person"
    with pytest.raises(ManylabelError) as problem:
        read(write(tmp_path, "a.json", data))
    assert said in str(problem.value)
    assert str(tmp_path / "a.json") in str(problem.value)


def test_what_is_left_out_is_said_and_leaves_its_image_unknown(tmp_path):
    data = copy.deepcopy(INSTANCES)
    data["annotations"][0]["category_id"] = 5
    data["annotations"][2]["bbox"] = [0, 0, -1, 1]
    data["annotations"].append({"image_id": 99, "category_id": 1})
    data["annotations"].append(None)
    data["images"].append({"id": 7})
    found = read(write(tmp_path, "a.json", data), mistakes="leave")
    assert found.labels.state.tolist() == [[0, 0, 1, 0], [-1] * 4, [1, -1, -1, -1]]  # a box lost is no label lost
    assert [text.partition(":")[0] for text in found.mistakes] == [
        "1 images left out", "3 annotations left out", "1 boxes left out",
    ]  # fmt: skip
    assert "annotation 1: category_id 5" in found.mistakes[1]
    assert "image 4: expected text for file_name" in found.mistakes[0]


@pytest.mark.parametrize("sample", ["instances", "lvis", "panoptic", "roboflow"])
def test_damaged_files_are_errors_or_read(tmp_path, sample):
    data = {"instances": INSTANCES, "lvis": LVIS, "panoptic": PANOPTIC, "roboflow": ROBOFLOW}[sample]
    file = tmp_path / "a.json"
    told = {"error": 0, "read": 0}
    damaged = [*corruptions(json.dumps(data, indent=0).encode()), *json_corruptions(data, limit=60)]
    for k, (what, content) in enumerate(damaged):
        file.write_bytes(content)
        told[survives(file, what, mistakes=("error", "leave")[k % 2], format=("coco", None)[k // 2 % 2])] += 1
    assert min(told.values()) >= 20


def test_a_broken_file_is_still_recognised(tmp_path):
    file = tmp_path / "a.json"
    file.write_bytes(json.dumps(INSTANCES).encode()[:-200])
    with pytest.raises(ManylabelError, match=r"a.json, line 1, column .*: not valid JSON"):
        read(file)


def test_no_other_format_claims_it(tmp_path):
    samples = {"instances": INSTANCES, "lvis": LVIS, "panoptic": PANOPTIC, "roboflow": ROBOFLOW}
    for name, data in samples.items():
        write(tmp_path, f"{name}/annotations/{name}_val.json", data)
        write(tmp_path, f"{name}-roboflow/valid/_annotations.coco.json", data)
        for path in (
            tmp_path / name / "annotations" / f"{name}_val.json",
            tmp_path / name,
            tmp_path / f"{name}-roboflow",
        ):
            assert formats.recognise(Source(path))[0] == "coco", path


def made(state, **beside):
    state = np.array(state, np.int8)
    ids = tuple(f"{k}.jpg" for k in range(len(state)))
    names = tuple("abcdef"[: state.shape[1]])
    return Dataset(LabelTable(state, names, ids), [f"/nowhere/{i}" for i in ids], np.full(len(state), "", "<U5"), {},
                   "made", "made", (), (0,) * len(state), beside=Beside(**beside))  # fmt: skip


def test_writes_what_other_tools_read(tmp_path):
    cells = Cells([0, 0], [0, 0], np.array([[0.1, 0.1, 0.5, 0.5], [0, 0, 1, 1]]), ("crowd|truncated|pose=left", ""))
    data = made([[1, -1], [-1, 1]], boxes=cells, sizes=np.array([[640, 480], [0, 0]]), parents=(("a", "letter"),))
    formats.write(data, tmp_path / "a.json", "coco")
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["images"] == [
        {"id": 1, "file_name": "0.jpg", "width": 640, "height": 480},
        {"id": 2, "file_name": "1.jpg"},
    ]
    assert found["annotations"] == [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [64.0, 48.0, 320.0, 240.0], "area": 76800.0, "iscrowd": 1,
         "attributes": {"truncated": True, "pose": "left"}},
        {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0.0, 0.0, 640.0, 480.0], "area": 307200.0, "iscrowd": 0},
        {"id": 3, "image_id": 2, "category_id": 2, "iscrowd": 0},
    ]  # fmt: skip
    assert found["categories"] == [
        {"id": 1, "name": "a", "supercategory": "letter"}, {"id": 2, "name": "b", "supercategory": "none"}
    ]  # fmt: skip


def test_unknown_cells_are_written_as_lvis_writes_them(tmp_path):
    data = made([[1, -1, 0], [0, 0, 0], [-1, -1, -1]])
    formats.write(data, tmp_path / "a.json", "coco")
    found = json.loads((tmp_path / "a.json").read_text())
    assert [image["neg_category_ids"] for image in found["images"]] == [[2], [], [1, 2, 3]]
    beside = json.loads((tmp_path / "a.json.manylabel.json").read_text())
    assert beside.keys() == {"manylabel", "about", "files"}  # the file itself says which cells are unknown
    np.testing.assert_array_equal(read(tmp_path / "a.json").labels.state, data.labels.state)


def test_lists_of_many_classes_are_written_without_a_table(tmp_path):
    labels = SparseLabels.from_lists([[5], [], [0, 3]], classes=6)
    data = made(np.full((3, 6), -1))
    table = LabelTable(labels, data.labels.names, data.labels.ids)
    formats.find("coco").save(Dataset(table, data.paths, data.split, {},
                                      data.source, "made", (), data.lines), tmp_path / "a.json")  # fmt: skip
    np.testing.assert_array_equal(read(tmp_path / "a.json").labels.state, labels.dense())
