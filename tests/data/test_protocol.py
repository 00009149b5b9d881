"""Published label lists and arrays as their authors give them; and all that can be wrong with them."""

import io
import json
import pickle

import numpy as np
import pytest

from conftest import REAL
from damage import corruptions, survives
from manylabel.data import doctor, formats, read
from manylabel.data.dataset import Dataset
from manylabel.data.source import Source
from manylabel.labels import LabelTable, ManylabelError

TRAIN = "train2017/000000554625.jpg 0 2 3 \ntrain2017/000000118113.jpg 1 \ntrain2017/my cat 1.jpg\n"
TEST = "val2017/000000397133.jpg 3 0\nval2017/000000037777.jpg\n"
NAMES = "person 0\r\nhot dog 1 \r\ncar 2\r\nn 22 3"

FORMAT = "protocol"


def put(folder, name, text):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode("utf-8"))
    return file


@pytest.fixture
def lists(tmp_path):
    put(tmp_path, "coco_lt_train.txt", TRAIN)
    put(tmp_path, "coco_lt_test.txt", TEST)
    put(tmp_path, "coco_labels.txt", NAMES)
    return tmp_path


def arrays(folder, part="train", *, obs=None, labels=((1.0, 0.0, 0.0), (0.0, 1.0, 1.0)), names=("a.jpg", "b.jpg ")):
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"formatted_{part}_labels.npy", np.array(labels))
    np.save(folder / f"formatted_{part}_images.npy", np.array(names))
    if obs is not None:
        np.save(folder / f"formatted_{part}_labels_obs.npy", np.array(obs))
    return folder


def notes(data):
    return " ".join(data.notes)


@pytest.mark.parametrize("name", ["", "coco_lt_train.txt", "coco_lt_test.txt"])
def test_lists(lists, name):
    data = read(lists / name)
    assert data.kind == "protocol"
    assert data.labels.names == ("person", "hot dog", "car", "n 22")
    assert data.labels.ids == (
        "train2017/000000554625.jpg", "train2017/000000118113.jpg", "train2017/my cat 1.jpg",
        "val2017/000000397133.jpg", "val2017/000000037777.jpg",
    )  # fmt: skip
    assert data.labels.state.tolist() == [[1, -1, 1, 1], [-1, 1, -1, -1], [-1] * 4, [1, -1, -1, 1], [-1] * 4]
    assert data.split.tolist() == ["train"] * 3 + ["test"] * 2
    assert data.lines == (1, 2, 3, 1, 2)
    assert "Read: coco_lt_train.txt, coco_lt_test.txt, coco_labels.txt." in notes(data)


def test_unlisted_is_unknown_where_that_is_asked_for(lists):
    assert read(lists, unlisted="unknown").labels.state[1].tolist() == [0, 1, 0, 0]


def test_two_sets_in_a_folder(lists):
    put(lists, "voc_lt_train.txt", "VOC2012/JPEGImages/2008_000023.jpg 1 0\n")
    put(lists, "voc_labels.txt", "aeroplane\nbicycle\n")
    with pytest.raises(ManylabelError, match=r"several sets \(coco_lt, voc_lt\): give one file"):
        read(lists)
    assert read(lists / "voc_lt_train.txt").labels.names == ("aeroplane", "bicycle")
    assert len(read(lists / "coco_lt_test.txt")) == 5


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("person 0\ncar 1\ncar 2\nbus 3", "line 3: 'car' is the class of line 2 too"),
        (
            "person 0\ncar 1\ndog 1\nbus 3",
            "line 3: expected a class and its number, each of 0 to 3 once; got 1 for 'dog'",
        ),
        ("person 0\ncar 1\ndog\nbus 3", "line 3: expected a class and its number.*a line without a number"),
        ("person 1\ncar 2\ndog 3\nbus 4", "line 4: expected a class and its number, each of 0 to 3 once; got 4"),
        ("", "expected the name of a class"),
    ],
)
def test_names_that_cannot_be(lists, names, said):
    put(lists, "coco_labels.txt", names)
    with pytest.raises(ManylabelError, match=f"coco_labels.txt.*{said}"):
        read(lists)


@pytest.mark.parametrize(
    "names", ["0 person\n1 hot dog\n2 car\n3 bus", "person\nhot dog\ncar\nbus\n", "car 2\nbus 3\nperson 0\nhot dog 1"]
)
def test_ways_to_write_names(lists, names):
    put(lists, "coco_labels.txt", names)
    assert read(lists / "coco_lt_train.txt").labels.names == ("person", "hot dog", "car", "bus")


def test_without_names_the_classes_are_numbers(lists):
    (lists / "coco_labels.txt").unlink()
    data = read(lists)
    assert data.labels.names == ("0", "1", "2", "3")
    assert data.labels.state[0].tolist() == [1, -1, 1, 1]
    assert "No file such as labels.txt names the classes" in notes(data)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("113.jpg 1", "113.jpg 4", "coco_lt_train.txt, line 2: expected the number of a class, 0 to 3, got 4"),
        ("113.jpg 1", "113.jpg -1", "line 2: expected the number of a class, 0 to 3, got -1"),
        ("113.jpg 1", "113.jpg dog", "line 2: expected an image and the numbers of its classes, got 'dog'"),
        ("113.jpg 1", "113.jpg 1.0", "line 2: expected an image and the numbers of its classes, got '1.0'"),
        (
            "train2017/000000118113.jpg",
            "val2017/000000397133.jpg",
            "coco_lt_test.txt, line 1: .*is in train and test at once",
        ),
    ],
)
def test_errors_name_the_file_and_the_line(lists, old, new, said):
    put(lists, "coco_lt_train.txt", TRAIN.replace(old, new, 1))
    with pytest.raises(ManylabelError, match=said):
        read(lists)


def test_what_is_left_out_is_said_and_leaves_its_image_unknown(lists):
    put(lists, "coco_lt_train.txt", TRAIN.replace("113.jpg 1", "113.jpg 1 9") + "x.jpg y\n")
    data = read(lists, mistakes="leave")
    assert data.labels.state[:2].tolist() == [[1, -1, 1, 1], [0, 1, 0, 0]]
    assert [text.partition(":")[0] for text in data.mistakes] == ["1 labels left out", "1 lines left out"]
    assert len(data) == 5


def test_single_positives_are_read_where_they_were_observed(tmp_path):
    arrays(tmp_path, obs=[[1, 0, 0], [0, 1, -1]])
    arrays(tmp_path, "val", obs=[[0, 0, 0], [0, 0, 1]], names=("c.jpg", "d.jpg"))
    put(tmp_path, "classes.txt", "cat\nhot dog\nbus\n")
    data = read(tmp_path)
    assert data.labels.names == ("cat", "hot dog", "bus")
    assert data.labels.ids == ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert data.labels.state.tolist() == [[1, 0, 0], [0, 1, -1], [1, -1, -1], [-1, 1, 1]]  # val: the full labels
    assert data.split.tolist() == ["train", "train", "val", "val"]
    assert "Read formatted_train_labels_obs.npy (train): 0 is not observed, so unknown." in notes(data)
    assert "Not read: formatted_train_labels.npy, formatted_val_labels_obs.npy" in notes(data)
    full = read(tmp_path / "formatted_train_labels.npy")
    assert full.labels.state.tolist() == [[1, -1, -1], [-1, 1, 1], [1, -1, -1], [-1, 1, 1]]


def test_minus_one_and_nan_in_arrays(tmp_path):
    arrays(tmp_path, labels=[[1, -1, np.nan], [0, 1, 0]])
    assert read(tmp_path).labels.state.tolist() == [[1, 0, 0], [-1, 1, -1]]
    assert read(tmp_path, minus_one="absent").labels.state.tolist() == [[1, -1, 0], [-1, 1, -1]]


def test_a_mask_of_partial_labels(tmp_path):
    arrays(tmp_path)
    arrays(tmp_path, "val", names=("c.jpg", "d.jpg"))
    mask = np.array([[1, 0, 1], [0, 1, 1]])
    np.save(tmp_path / "partial_label_0.50.npy", np.stack([mask] * 3, axis=1))  # as it is drawn for three sizes
    data = read(tmp_path)
    assert data.labels.state.tolist() == [[1, 0, -1], [0, 1, 1], [1, -1, -1], [-1, 1, 1]]
    assert "66.7% of the training labels are known" in notes(data)
    put(tmp_path, "partial_label_0.10.pt", "pickle")
    assert "partial_label_0.10.pt is a pickle and not opened" in notes(read(tmp_path))
    np.save(tmp_path / "partial_label_0.50.npy", mask[:1])
    with pytest.raises(ManylabelError, match=r"partial_label_0.50.npy: expected 0 and 1 of the size \(2, 3\)"):
        read(tmp_path)
    np.save(tmp_path / "partial_label_0.60.npy", mask)
    assert "Not applied: partial_label_0.50.npy, partial_label_0.60.npy" in notes(read(tmp_path))


def test_a_variant_has_images_of_its_own(tmp_path):
    arrays(tmp_path)
    np.save(tmp_path / "formatted_train_all_labels_filtered.npy", np.array([[1, 0, 0]]))
    np.save(tmp_path / "formatted_train_images_filtered.npy", np.array(["z.jpg"]))
    with pytest.raises(ManylabelError, match="several kinds of label arrays"):
        read(tmp_path)
    assert read(tmp_path / "formatted_train_all_labels_filtered.npy").labels.ids == ("z.jpg",)


def test_a_pickle_is_not_opened(tmp_path):
    arrays(tmp_path, names=["a.jpg", "b.jpg"])

    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "opened"), "w")

    np.save(tmp_path / "formatted_train_images.npy", np.array([Bomb(), "b"], object), allow_pickle=True)
    with pytest.raises(ManylabelError, match=r"formatted_train_images.npy is a pickle .*astype\(str\)"):
        read(tmp_path)
    (tmp_path / "formatted_train_images.npy").write_bytes(pickle.dumps(["a.jpg"]))
    with pytest.raises(ManylabelError, match="expected an array as numpy saves it"):
        read(tmp_path)
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"labels": [[1, 0, 2], [0, 0, 1]]}, "formatted_train_labels.npy, row 1, column 3: expected 1, 0 or -1, got 2"),
        ({"labels": [1, 0]}, r"labels.npy: expected numbers \(images, classes\)"),
        ({"labels": [["a", "b"], ["c", "d"]]}, r"labels.npy: expected numbers \(images, classes\)"),
        ({"names": ["a.jpg"]}, "images.npy: expected 2 names, one for each row of formatted_train_labels.npy, got 1"),
        ({"names": ["a.jpg", " "]}, "images.npy, row 2: expected the name of an image"),
        ({"names": [1, 2]}, "images.npy: expected the names of images, got int64"),
        ({"labels": [[np.inf, 0, 0], [0, 0, 1]]}, "row 1, column 1: expected 1, 0 or -1, got inf"),
    ],
)
def test_arrays_that_cannot_be(tmp_path, broken, said):
    arrays(tmp_path, **broken)
    with pytest.raises(ManylabelError, match=said):
        read(tmp_path)


def test_arrays_without_images_or_with_other_names(tmp_path):
    arrays(tmp_path)
    put(tmp_path, "labels.txt", "cat\ndog\n")
    with pytest.raises(ManylabelError, match=r"labels.txt: expected the names of 3 classes.*got 2"):
        read(tmp_path)
    (tmp_path / "formatted_train_images.npy").unlink()
    with pytest.raises(ManylabelError, match=r"expected formatted_train_images.npy beside it .* found 0"):
        read(tmp_path)


def test_mistakes_in_arrays_are_left_out_and_said(tmp_path):
    arrays(tmp_path, labels=[[1, 7, 0], [0, 0, 1], [1, 1, 1], [0, 0, 1]], names=["a.jpg", "", "b.jpg", "b.jpg"])
    data = read(tmp_path, mistakes="leave")
    assert data.labels.ids == ("a.jpg", "b.jpg")
    assert data.labels.state.tolist() == [[1, 0, -1], [0, 0, 1]]  # the rows of b.jpg disagree on two classes
    assert [text.partition(":")[0] for text in data.mistakes] == [
        "1 rows with cells left unknown", "1 images left out", "1 images with contradictions, left unknown"
    ]  # fmt: skip


def test_damaged_files_are_errors_or_read(lists):
    told = {"error": 0, "read": 0}
    npy = arrays(lists / "npy", obs=[[1, 0, 0], [0, 1, -1]])
    damaged = [(lists, name) for name in ("coco_lt_train.txt", "coco_labels.txt")]
    for path, name in [*damaged, (npy, "formatted_train_labels.npy"), (npy, "formatted_train_images.npy")]:
        file = path / name
        whole = file.read_bytes()
        for k, (what, content) in enumerate(corruptions(whole, seed=1)):
            file.write_bytes(content)
            whence = path / "formatted_train_labels.npy" if path == npy else path
            told[
                survives(
                    whence, f"{name}: {what}", mistakes=("error", "leave")[k % 2], format=(None, FORMAT)[k % 5 > 0]
                )
            ] += 1
        file.write_bytes(whole)
    assert min(told.values()) >= 25


@pytest.mark.parametrize("shape", ["(1000000000000, 3)", "(-1, 3)", "(2,", "(2, 3) + (1,)", "'x'"])
def test_headers_of_arrays_that_lie(tmp_path, shape):
    arrays(tmp_path)
    stream = io.BytesIO()
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    stream.write(b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header.encode() + b"\n" + bytes(48))
    (tmp_path / "formatted_train_labels.npy").write_bytes(stream.getvalue())
    with pytest.raises(ManylabelError, match=r"formatted_train_labels.npy"):
        read(tmp_path)


def test_no_other_format_claims_it(lists, tmp_path):
    npy = arrays(tmp_path / "npy")
    (lists / "train2017").mkdir()
    (lists / "val2017").mkdir()
    for path in (lists, lists / "coco_lt_train.txt", npy, npy / "formatted_train_labels.npy"):
        assert formats.recognise(Source(path))[0] == "protocol", path


def test_other_texts_are_not_claimed(tmp_path):
    clue = formats.find("protocol").clue
    for text in (
        "a.jpg,1\nb.jpg,0\n",
        "images/a.jpg\nimages/b.jpg\n",
        "1,3 1:0.5 7:1\n",
        "",
        "image\tlabels\na.jpg\tcat\n",
        NAMES,
    ):
        assert clue(Source(put(tmp_path, "a.txt", text))) is None, text


def test_writes_the_published_lists(tmp_path):
    state = np.array([[1, -1, 1], [-1, -1, -1], [0, 1, 0]], np.int8)
    ids = ("a b.jpg", "x, y.jpg", "no-ending")
    table, parts = LabelTable(state, ("cat", "hot dog", "n 2"), ids), np.array(["train", "train", ""])
    data = Dataset(table, ["/p/a", "/p/b", "/p/c"], parts, {},
                   "made", "made", (), (0, 0, 0))  # fmt: skip
    formats.write(data, tmp_path / "out", "protocol")
    assert (tmp_path / "out/train.txt").read_text() == "a b.jpg 0 2\nx_y.jpg\n"
    assert (tmp_path / "out/all.txt").read_text() == "no-ending.jpg 1\n"
    assert (tmp_path / "out/labels.txt").read_text() == "cat 0\nhot dog 1\nn 2 2\n"
    assert read(tmp_path / "out").labels.ids == ids
    assert read(tmp_path / "out").labels.state.tolist() == state.tolist()


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "images", "groups"),
    [("coco_lt", (1909, 5000), (22, 33, 25)), ("voc_lt", (1142, 4952), (6, 6, 8))],
)
def test_the_published_counts_and_groups(name, images, groups):
    folder = REAL / "protocols"
    if not folder.is_dir():
        pytest.skip("../shared/data/protocols is not here")
    data = read(folder / f"{name}_train.txt")
    train = data.rows(data.split == "train")
    assert (len(train), int((data.split == "test").sum())) == images
    wanted = json.loads((folder / f"{name}_class_freq.json").read_text())
    assert train.labels.counts.tolist() == wanted["class_freq"]
    assert (len(train) - train.labels.counts).tolist() == wanted["neg_class_freq"]
    assert tuple(doctor.examine(train, images=False).groups.values()) == groups
    assert train.labels.unknown_share == 0
