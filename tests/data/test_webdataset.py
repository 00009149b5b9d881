"""WebDataset archives: each test is one that `webdataset`, `img2dataset` or plain tar writes."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from damage import ABSURD, corruptions, survives
from manylabel.data import formats, read, tarred
from manylabel.data.dataset import Dataset
from manylabel.data.images import DamagedImage, read_image
from manylabel.data.source import Source
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError


def packed(members, mode="w"):
    """The bytes of an archive of (name, content or TarInfo type) members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, (dict, list, int)):
                content = json.dumps(content)
            if isinstance(content, tuple):
                info.type, info.linkname = content
                content = b""
            data = content.encode() if isinstance(content, str) else content
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@pytest.fixture
def shard(tmp_path):
    """Write an archive and read it."""

    def reader(*members, name="train-000000.tar", classes=None, **options):
        (tmp_path / name).write_bytes(packed(members, "w:gz" if name.endswith("gz") else "w"))
        if classes is not None:
            (tmp_path / "classes.txt").write_text("".join(f"{one}\n" for one in classes))
        return read(tmp_path / name, **options)

    return reader


def said(found):
    return " ".join(found.notes)


def cells(found):
    """{class: states} of a dataset."""
    return {name: found.labels.state[:, c].tolist() for c, name in enumerate(found.labels.names)}


@pytest.mark.parametrize("name", ["train-000000.tar", "train-000000.tar.gz", "train.tgz"])
def test_samples_of_json(shard, tmp_path, name):
    found = shard(
        ("./sub/", (tarfile.DIRTYPE, "")),
        ("./sub/000.jpg", b"x"),
        ("./sub/000.json", {"labels": ["cat", "hot  dog"], "site": "n", "year": 2020, "seen": True}),
        ("sub/001.JPG", b"y"), ("sub/001.json", {"labels": [], "site": "s"}),
        ("sub/002.png", b"z"),
        ("003.json", {"tags": {"cat": 0, "dog": 1, "hot dog": None}}),
        name=name,
    )  # fmt: skip
    assert cells(found) == {"cat": [1, -1, 0, -1], "hot dog": [1, -1, 0, 0], "dog": [-1, -1, 0, 1]}
    assert found.labels.ids == (f"{name}/sub/000.jpg", f"{name}/sub/001.JPG", f"{name}/sub/002.png", f"{name}/003")
    assert [str(path) for path in found.paths[:3]] == [f"{tmp_path}/{one}" for one in found.labels.ids[:3]]
    assert found.split.tolist() == ["train"] * 4
    assert found.columns["site"].tolist() == ["n", "s", "", ""]
    assert found.columns["year"].tolist() == ["2020", "", "", ""]
    assert found.beside.reviewed.tolist() == [True, True, False, True]  # of 002 nobody said anything
    assert found.lines == (1, 2, 3, 4)
    assert "1 samples have no labels: nobody judged them" in said(found)
    assert "1 samples have no photograph" in said(found)


def test_a_list_a_name_or_a_number_is_enough(shard):
    found = shard(("a.json", ["cat"]), ("b.json", '"dog"'), ("c.json", {"label": "owl"}), ("d.json", {"cls": ["cat"]}))
    assert cells(found) == {"cat": [1, -1, -1, 1], "dog": [-1, 1, -1, -1], "owl": [-1, -1, 1, -1]}
    assert cells(shard(("a.json", {"label": 1}), ("b.json", 0), classes=["cat", "dog"])) == {
        "cat": [-1, 1],
        "dog": [1, -1],
    }


def test_class_numbers(shard, tmp_path):
    found = shard(("a.cls", "2"), ("b.cls", "0, 2\n"), ("c.cls", ""), ("d.cls", "10 0"))
    assert cells(found) == {"0": [-1, 1, -1, 1], "2": [1, 1, -1, -1], "10": [-1, -1, -1, 1]}
    assert "Classes are numbers without names" in said(found)
    found = shard(("a.cls", "0 1"), ("b.cls", "1 1"), classes=["cat", "dog"])  # never 0 or 1 for each class
    assert cells(found) == {"cat": [1, -1], "dog": [1, 1]}
    (tmp_path / "classes.txt").unlink()
    found = shard(("a.cls", "2"), ("b.cls", "0 2"), classes=["cat", "dog", "owl", "never seen"])
    assert cells(found) == {"cat": [-1, 1], "dog": [-1, -1], "owl": [1, 1], "never seen": [-1, -1]}


def test_the_classes_may_lie_in_the_archive(shard):
    for name, text in (("__classes__", "cat\ndog\n"), ("classes.json", ["cat", "dog"]), ("classes.txt", "cat\r\ndog")):
        assert cells(shard((name, text), ("a.cls", "1"), ("b.cls", "0"))) == {"cat": [-1, 1], "dog": [1, -1]}
    with pytest.raises(ManylabelError, match=r"train-000000.tar, 'classes.txt': other classes than said before"):
        shard(("a.cls", "1"), ("classes.txt", "owl\n"), classes=["cat"])
    with pytest.raises(ManylabelError, match=r"'classes.txt', line 2: expected the name of another class, got 'cat'"):
        shard(("a.cls", "1"), ("classes.txt", "cat\ncat\n"))


def test_lists_of_zeros_and_ones(shard):
    found = shard(
        ("a.json", {"labels": [1, 0, 0]}), ("b.json", {"labels": [1, None, -1]}), classes=["cat", "dog", "owl"]
    )
    assert cells(found) == {"cat": [1, 1], "dog": [-1, 0], "owl": [-1, 0]}
    assert "0 or 1 for each of 3 classes" in said(found)
    found = shard(("a.json", [1, 0, 0]), ("b.json", [0, 0, 0]), name="x.tar")
    assert cells(found) == {"cat": [1, -1], "dog": [-1, -1], "owl": [-1, -1]}


def test_short_lists_that_may_be_both(shard):
    with pytest.raises(ManylabelError, match=r"train-000000.tar, 'a': \[1, 0\] may be class numbers, or a value"):
        shard(("a.json", [1, 0]), ("b.json", [0, 1]), classes=["cat", "dog"])
    assert cells(shard(("a.json", [1, 0]), ("b.json", [0, 0]))) == {"cat": [1, -1], "dog": [-1, -1]}
    assert cells(shard(("a.json", [1, 0]), ("b.json", [0]))) == {"cat": [1, 1], "dog": [1, -1]}


def test_text_lists_names(shard):
    found = shard(("a.jpg", b""), ("a.txt", "cat\nhot dog\n"), ("b.txt", "cat, owl"), ("c.json", {"labels": ["owl"]}),
                  ("c.txt", "an owl at night"))  # fmt: skip
    assert cells(found) == {"cat": [1, 1, -1], "hot dog": [1, -1, -1], "owl": [-1, 1, 1]}


def test_json_without_labels_leaves_them_to_cls(shard):
    found = shard(("a.json", {"url": "x", "width": 3}), ("a.cls", "1"), ("b.cls", "0"))
    assert cells(found) == {"0": [-1, 1], "1": [1, -1]}
    assert found.columns["url"].tolist() == ["x", ""]


def test_absent_and_unknown_and_parts(shard):
    found = shard(("a.json", {"image": "x.jpg", "labels": ["cat"], "unknown": ["dog"], "split": "validation"}),
                  ("b.json", {"image": "x.jpg", "labels": [], "absent": ["dog"]}), unlisted="unknown")  # fmt: skip
    assert cells(found) == {"cat": [1, 0], "dog": [0, -1]}
    assert found.split.tolist() == ["val", "train"]
    assert found.labels.ids == ("x.jpg", "train-000000.tar/b")  # another image of that name is another image


def test_a_folder_of_archives(tmp_path):
    for name in ("val/000.tar", "train/000.tar", "train/001.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(packed([("a.jpg", b""), ("a.cls", "0")]))
    found = read(tmp_path)
    assert formats.recognise(Source(tmp_path))[0] == "webdataset"
    assert found.split.tolist() == ["train", "train", "val"]
    assert len(set(map(str, found.paths))) == 3


def test_names_with_dots_and_hidden_files(shard):
    found = shard(("v1.2/a.b.jpg", b""), ("v1.2/a.json", {"labels": ["cat"]}), ("._a.jpg", b""), ("README", b""),
                  ("c.jpg", b""), ("c.seg.png", b""), ("c.npy", b""), ("c.png", b""), ("c.cls", "0"))  # fmt: skip
    assert found.labels.ids == ("train-000000.tar/v1.2/a", "train-000000.tar/c.jpg")
    for part in ("hidden or without an ending (2)", ".b.jpg (1)", ".seg.png (1)", ".npy (1)", ".png (1)"):
        assert part in said(found)


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        (("../x.jpg", b""), "leads out of the archive"),
        (("/etc/x.jpg", b""), "leads out of the archive"),
        (("a/../../x.jpg", b""), "leads out of the archive"),
        (("..\\x.jpg", b""), "leads out of the archive"),
        (("x.jpg", (tarfile.SYMTYPE, "/etc/passwd")), "a link, which leads elsewhere"),
        (("x.jpg", (tarfile.LNKTYPE, "a.json")), "a link, which leads elsewhere"),
        (("x.jpg", (tarfile.CHRTYPE, "")), "neither a file nor a folder"),
        (("x.jpg", (tarfile.FIFOTYPE, "")), "neither a file nor a folder"),
        (("x.json", b" " * (1 << 24) + b"1"), "16,777,217 bytes are more than the 16,777,216"),
    ],
)
def test_members_that_lead_elsewhere_are_refused(shard, member, problem):
    with pytest.raises(ManylabelError, match=rf"train-000000.tar, .*: .*{problem}"):
        shard(("a.json", {"labels": ["cat"]}), member)
    found = shard(("a.json", {"labels": ["cat"]}), member, mistakes="leave")
    assert found.labels.state[0].tolist() == [1]
    assert found.mistakes[0].startswith(("1 members left out: ", "1 labels left out: "))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("b.json", "{", "not valid JSON"),
        ("b.json", b"\xff\xfe", "expected text in UTF-8"),
        ("b.json", {"labels": [["cat"]]}, "expected the name of a class"),
        ("b.json", {"labels": ["cat", ""]}, "expected the name of a class"),
        ("b.json", {"labels": {"cat": 2}}, "expected 1, 0, null or -1 for a label, got 2"),
        ("b.json", {"labels": {"cat": "x"}}, "expected 1, 0, null or -1 for a label"),
        ("b.json", {"labels": ["cat"], "unknown": "dog"}, "expected unknown as a list"),
        ("b.json", "null", "expected an object, a list or a name"),
        ("b.json", "[NaN]", "NaN is no JSON value"),
        ("b.cls", "cat", "expected class numbers separated by blanks or commas, got 'cat'"),
        ("b.cls", "-3", "expected a class number"),
        ("b.cls", "7", "expected a class number, 0 to 2, got 7"),
        ("b.cls", "1e308", "expected class numbers"),
        ("b.json", [0.5], "expected a class number, 0 to 2, got 0.5"),
    ],
)
def test_labels_that_cannot_be_read_leave_the_sample_unknown(shard, name, content, problem):
    members = ("a.json", {"labels": ["cat"]}), (name, content), ("c.json", {"labels": []})
    with pytest.raises(ManylabelError, match=rf"train-000000.tar, 'b.*: {problem}"):
        shard(*members, classes=["cat", "dog", "owl"])
    found = shard(*members, mistakes="leave")
    assert found.labels.state.T.tolist()[1:] == [[-1, 0, -1], [-1, 0, -1]]
    assert "1 labels left out" in found.mistakes[0]


def test_an_archive_that_is_cut_off_or_damaged_inside_is_said(tmp_path):
    good = packed([(f"{k}.json", {"labels": ["cat"]}) for k in range(5)])
    head = good.index(b"3.json")
    cases = {"cut off in a header": good[: head + 100], "cut off in a file": good[: head + 520],
             "cut off between files": good[:head], "header": good[:head] + b"garbage" * 20 + good[head + 140 :],
             "two archives": good + good}  # fmt: skip
    for what, content in cases.items():
        (tmp_path / "a.tar").write_bytes(content)
        with pytest.raises(ManylabelError, match=r"a.tar.*(cut off|damaged)"):
            read(tmp_path / "a.tar")
        found = read(tmp_path / "a.tar", mistakes="leave")
        assert len(found) == (5 if what == "two archives" else 3), what
        assert "1 archives that are not whole" in found.mistakes[-1]


def test_a_photograph_inside_is_found_by_its_path(shard, tmp_path):
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(stream, "PNG")
    found = shard(("./sub/a.png", stream.getvalue()), ("sub/a.cls", "0"), ("b.png", b"second"), ("b.cls", "0"))
    assert tarred.member_bytes(found.paths[0]) == stream.getvalue()
    assert tarred.member_bytes(found.paths[1]) == b"second"
    assert tarred.member_bytes(tmp_path / "a.jpg") is None
    assert tarred.member_bytes(tmp_path / "none.tar" / "a.jpg") is None
    with pytest.raises(ManylabelError, match=r"train-000000.tar holds no 'sub/b.png'"):
        tarred.member_bytes(tmp_path / "train-000000.tar" / "sub" / "b.png")
    found = shard(("a.png", b"x"), ("a.cls", "0"), name="a.tar.gz")
    with pytest.raises(ManylabelError, match=r"a.tar.gz is compressed.*unpack it"):
        tarred.member_bytes(found.paths[0])


def made(folder, split):
    state = np.array([[PRESENT, UNKNOWN], [ABSENT, PRESENT], [ABSENT, ABSENT]], np.int8)
    labels = LabelTable(state, ("cat", "hot dog"), ("a.PNG", "sub/b.x.jpg", "missing.jpg"))
    (folder / "sub").mkdir()
    for k, name in enumerate(labels.ids[:2]):
        (folder / name).write_bytes(bytes([k]) * 9)
    site = {"site": np.array(["x", "", "y"])}
    return Dataset(labels, [folder / name for name in labels.ids], np.array(split), site, folder, "", (), (0, 0, 0))


def test_written_with_the_photographs_that_exist_and_always_the_same(tmp_path):
    data = made(tmp_path, ["train", "val", "train"])
    for name in ("one", "two"):
        formats.write(data, tmp_path / name, "webdataset")
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert files == ["classes.txt", "manylabel.json", "train-000000.tar", "val-000000.tar"]
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
               for name in files if name != "manylabel.json")  # fmt: skip
    with tarfile.open(tmp_path / "one" / "train-000000.tar") as tar:
        assert tar.getnames() == ["00000000.png", "00000000.json", "00000002.json"]
        assert tar.extractfile("00000000.png").read() == bytes(9)
        assert json.loads(tar.extractfile("00000000.json").read()) == {
            "image": "a.PNG", "labels": ["cat"], "unknown": ["hot dog"], "split": "train", "site": "x",
        }  # fmt: skip
        assert {(info.mtime, info.uid, info.uname) for info in tar} == {(0, 0, "")}
    (tmp_path / "one" / "manylabel.json").unlink()  # the archives alone say all but the order and the old paths
    found = read(tmp_path / "one")
    assert found.labels.ids == ("a.PNG", "missing.jpg", "sub/b.x.jpg")
    assert found.labels.state.tolist() == [[1, 0], [-1, -1], [-1, 1]]
    formats.write(found, tmp_path / "again", "webdataset")  # photographs inside archives are copied too
    with tarfile.open(tmp_path / "again" / "val-000000.tar") as tar:
        assert tar.extractfile("00000002.jpg").read() == b"\1" * 9


def test_nothing_is_written_under_a_name_that_is_taken(tmp_path):
    data = made(tmp_path, ["", "", ""])
    data.columns["labels"] = data.columns["site"]
    with pytest.raises(ManylabelError, match="'labels' has the name of one that is written"):
        formats.write(data, tmp_path / "out", "webdataset")


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_headers_are_read_as_tarfile_reads_them(tmp_path, kind):
    names = ["a.jpg", "f" * 90 + "/" + "g" * 60 + ".jpg", "ü/é.json", "x" * 100]
    names += [] if kind == tarfile.USTAR_FORMAT else ["d/" * 200 + "long.jpg", "Ü" * 80 + ".cls"]
    with tarfile.open(tmp_path / "a.tar", "w", format=kind) as tar:
        for k, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = 700 * k
            info.mtime = 1.5 if kind == tarfile.PAX_FORMAT else 1
            tar.addfile(info, io.BytesIO(bytes([k]) * info.size))
    shard = tarred.Shard(tmp_path / "a.tar")
    found = [(one.name, one.size, one.offset_data, one.isreg(), shard.read(one, 9999)) for one in shard]
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert found == [(m.name, m.size, m.offset_data, m.isreg(), tar.extractfile(m).read()) for m in tar]
    assert (len(found), shard.damage) == (len(names), "")


def test_a_million_headers_are_not_kept(tmp_path):
    (tmp_path / "a.tar").write_bytes(packed([(f"{k}.cls", "0") for k in range(50)]))
    shard = tarred.Shard(tmp_path / "a.tar")
    assert max(len(shard._tar.members) for _ in shard) <= 1


def test_damaged_archives_are_errors_or_read(tmp_path):
    members = [
        ("a.jpg", b"x" * 20),
        ("a.json", {"labels": ["cat"], "n": 1}),
        ("b.cls", "0 2"),
        ("classes.txt", "cat\ndog\nowl"),
    ]
    told = {"error": 0, "read": 0}
    for mode in ("w", "w:gz"):
        for k, (what, content) in enumerate(corruptions(packed(members, mode))):
            (tmp_path / "a.tar").write_bytes(content)
            told[survives(tmp_path / "a.tar", what, mistakes=("error", "leave")[k % 2], format="webdataset")] += 1
    for absurd in ABSURD:
        more = ({"labels": ["cat"], key: absurd} for key in ("split", "image", "unknown", "absent", "site"))
        for said in ({"labels": absurd}, {"labels": [absurd]}, {"labels": {"cat": absurd}}, absurd, *more):
            (tmp_path / "a.tar").write_bytes(packed([*members, ("c.json", json.dumps(said))]))
            told[survives(tmp_path / "a.tar", f"{said!r}"[:60], format="webdataset")] += 1
    assert min(told.values()) >= 25


def test_photographs_in_a_shard_are_read_also_where_the_originals_are_gone(tmp_path):
    (tmp_path / "photos").mkdir()
    for k, colour in enumerate([(250, 0, 0), (0, 0, 250)]):
        Image.new("RGB", (40, 40), colour).save(tmp_path / "photos" / f"{k}.png")
    (tmp_path / "photos" / "labels.csv").write_text("image,labels\n0.png,red\n1.png,blue\n")
    formats.write(read(tmp_path / "photos"), tmp_path / "shards", "webdataset")
    shutil.rmtree(tmp_path / "photos")
    found = read(tmp_path / "shards")
    assert [np.asarray(read_image(path))[0, 0].tolist() for path in found.paths] == [[250, 0, 0], [0, 0, 250]]
    with pytest.raises(DamagedImage, match=r"holds no 'none\.png'"):
        read_image(Path(str(found.paths[0]).rpartition("/")[0]) / "none.png")


def test_a_pattern_stands_for_many_archives(tmp_path):
    for part in ("train", "val"):
        (tmp_path / part).mkdir()
        for k in (8, 9, 10):
            members = (("a.jpg", b""), ("a.json", {"labels": [f"{part} {k}"]}))
            (tmp_path / part / f"{k:03}.tar").write_bytes(packed(members))
    data = read(tmp_path / "{train,val}/{009..010}.tar")
    assert data.labels.ids == ("train/009.tar/a.jpg", "train/010.tar/a.jpg", "val/009.tar/a.jpg", "val/010.tar/a.jpg")
    assert data.split.tolist() == ["train", "train", "val", "val"]
    assert data.paths[3] == tmp_path / "val/010.tar/a.jpg"
    assert "Read as webdataset: it stands for 4 tar archives." in data.notes
    assert len(read(tmp_path / "train" / "{010..008}.tar")) == 3
    (tmp_path / "train" / "{odd}.tar").write_bytes(packed((("a.json", {"labels": ["cat"]}),)))
    assert read(tmp_path / "train" / "{odd}.tar").labels.names == ("cat",)  # a file that is called so


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{000..011}.tar", "stands for 12 archives, of which 12 are not there, such as .*000.tar"),
        ("{0..9999999}.tar", "10,000,000 files, which are more than"),
        ("{0..999}{0..999}{0..9}.tar", "10,000,000 files, which are more than"),
        ("a{x}.tar", r"expected a range such as \{000..146\} or a list in the braces, got \{x\}"),
        ("{0..3}.csv", "there is no file or folder"),
    ],
)
def test_a_pattern_of_what_is_not_there_is_named(tmp_path, name, message):
    with pytest.raises(ManylabelError, match=message):
        read(tmp_path / name)


def test_captions_are_no_labels_and_what_is_not_read_is_said(shard):
    caption = "a cat, sitting on a mat"
    found = shard(
        ("a.jpg", b""), ("a.json", {"caption": caption, "width": 4}), ("a.txt", f"{caption}\n"),
        ("b.jpg", b""), ("b.json", {"labels": ["cat"]}), ("b.cls", "3"), ("b.txt", "dog"),
    )  # fmt: skip
    assert cells(found) == {"cat": [0, 1]}
    assert "1 .txt repeat a text of their .json: they are captions, no labels." in found.notes
    assert "Not read, since another member of the sample has labels: .cls (1), .txt (1)." in found.notes


@pytest.mark.parametrize("classes", [None, ["cat", "dog"]])
def test_lists_of_two_that_may_be_either_are_refused(shard, classes):
    with pytest.raises(ManylabelError, match=r"'1': \[1, 0\] may be class numbers, or a value for each of 2 classes"):
        shard(("1.json", [1, 0]), ("2.json", [0, 1]), classes=classes)
    values = shard(("1.json", [True, False]), ("2.json", [False, True]), classes=classes)
    assert values.labels.state.tolist() == [[1, -1], [-1, 1]]
