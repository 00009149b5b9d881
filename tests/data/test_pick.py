"""What `predict` is pointed at: files, folders, patterns, lists, label files, standard input."""

import io
import os
import shutil
import types
from pathlib import Path

import pytest

from drawn import draw, photographs
from manylabel.data.pick import pick
from manylabel.labels import ManylabelError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pick")
    photographs(made, 3)
    (made / "images/deep").mkdir()
    draw(["red"], 9).save(made / "images/deep/9.PNG")
    (made / "images/notes.txt").write_text("no image")
    return made


def names(found):
    return [Path(one.name).name for one in found]


def stdin(monkeypatch, content):
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(content)))


def test_files_folders_and_patterns(folder):
    assert names(pick([str(folder / "images")])) == ["0.jpg", "1.jpg", "2.jpg", "9.PNG"]
    assert names(pick([str(folder / "images/?.jpg"), str(folder / "images/0.jpg")])) == [
        "0.jpg",
        "1.jpg",
        "2.jpg",
        "0.jpg",
    ]
    assert names(pick([str(folder / "**/*.PNG")])) == ["9.PNG"]
    odd = folder / "images" / "[1].jpg"  # a name that is a pattern too
    shutil.copy(folder / "images/0.jpg", odd)
    assert [one.photo for one in pick([str(odd)])] == [odd]
    odd.unlink()
    assert names(pick([str(folder / "gone.jpg")])) == ["gone.jpg"]  # told when it is read


def test_an_image_without_an_ending_is_one(folder, tmp_path):
    shutil.copy(folder / "images/0.jpg", tmp_path / "photo")
    assert pick([str(tmp_path / "photo")])[0].photo == tmp_path / "photo"


@pytest.mark.parametrize(("name", "content"), [
    ("a.csv", "who;Filename;note\n1;images/0.jpg;x\n2;images/2.jpg;\n"), ("a.txt", "images/0.jpg\n\n  images/2.jpg \n"),
    ("b.csv", "image,labels\nimages/0.jpg,red|blue\nimages/2.jpg,\n"), ("c.csv", '"images/0.jpg"\nimages/2.jpg\n'),
    ("d.jsonl", '{"image": "images/0.jpg", "labels": ["red"]}\n{"image": "images/2.jpg", "labels": []}\n'),
])  # fmt: skip
def test_lists_and_label_files(folder, tmp_path, name, content):
    (folder / name).write_text(content, encoding="utf-8-sig")
    found = pick([str(folder / name)])
    assert [one.name for one in found] == ["images/0.jpg", "images/2.jpg"]
    assert all(Path(one.photo).samefile(folder / one.name) for one in found)
    moved = tmp_path / name
    shutil.move(folder / name, moved)
    assert all(Path(one.photo).is_file() for one in pick([str(moved)], root=folder))


def test_standard_input_is_names_or_one_image(folder, monkeypatch):
    monkeypatch.chdir(folder)
    stdin(monkeypatch, b"images/0.jpg\r\nimages/2.jpg\n")
    assert [one.photo.is_file() for one in pick(["-"])] == [True, True]
    content = (folder / "images/0.jpg").read_bytes()
    stdin(monkeypatch, content)
    assert pick(["-"])[0].photo == content


@pytest.mark.parametrize(("word", "said"), [
    ("images/deep/none-*.png", "no image matches"), ("nothing", "no file or folder"), ("empty", "no image in"),
    ("blank.txt", "names no image"), ("images/notes.txt/x", "no file or folder"),
])  # fmt: skip
def test_nothing_meant_is_an_error(folder, monkeypatch, word, said):
    monkeypatch.chdir(folder)
    Path("empty").mkdir(exist_ok=True)
    Path("blank.txt").write_text("\n")
    with pytest.raises(ManylabelError, match=said):
        pick([word])


def test_other_bytes_on_standard_input_are_refused(monkeypatch):
    stdin(monkeypatch, b"\xff\xfe\x00\x81\x82")
    with pytest.raises(ManylabelError, match="neither an image nor names"):
        pick(["-"])


def test_a_folder_says_what_it_leaves_out_and_tells_of_links_that_lead_nowhere(folder, tmp_path):
    shutil.copytree(folder / "images", tmp_path / "p")
    (tmp_path / "p/.hidden.jpg").write_bytes(b"")
    (tmp_path / "p/gone.jpg").symlink_to("/nowhere.jpg")
    (tmp_path / "p/x.HEIC").write_bytes(b"")
    (tmp_path / "p/linked").symlink_to(tmp_path / "p/deep")
    said = []
    found = pick([str(tmp_path / "p")], note=said.append)
    assert names(found) == ["0.jpg", "1.jpg", "2.jpg", "9.PNG", "gone.jpg", "x.HEIC"]
    (note,) = said
    for what in ("hidden files (1)", "links to folders (1)", ".txt (1)"):
        assert what in note


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_lists_of_any_encoding(tmp_path, encoding):
    (tmp_path / "list.txt").write_bytes("Grüße.jpg\r\n\r\nb.jpg\r\n".encode(encoding))
    assert [one.name for one in pick([str(tmp_path / "list.txt")])] == ["Grüße.jpg", "b.jpg"]
    (tmp_path / "list.txt").write_bytes(b"PK\x00\x01\x02")
    with pytest.raises(ManylabelError, match="no text"):
        pick([str(tmp_path / "list.txt")])


def test_names_with_blanks_quotes_and_line_ends(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (" lead.jpg", "two\nlines.jpg", 'a "b".jpg'):
        Path(name).write_bytes(b"")
    Path("list.txt").write_text(' lead.jpg\n b.jpg \n"a ""b"".jpg"\n')
    assert [one.name for one in pick(["list.txt"])] == [" lead.jpg", "b.jpg", 'a "b".jpg']
    stdin(monkeypatch, b"two\nlines.jpg\0 lead.jpg\0")  # find -print0
    assert [one.name for one in pick(["-"])] == ["two\nlines.jpg", " lead.jpg"]
    stdin(monkeypatch, b"bad\xff.jpg\n")  # a file's name need not be text
    assert os.fsencode(pick(["-"])[0].name) == b"bad\xff.jpg"


@pytest.mark.parametrize(("content", "said"), [(b"", "nothing came"), (b"\x1b[0m", "neither an image nor names")])
def test_standard_input_without_names(monkeypatch, content, said):
    stdin(monkeypatch, content)
    with pytest.raises(ManylabelError, match=said):
        pick(["-"])


def test_what_is_neither_image_nor_list_is_no_matter_of_a_format(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("notes.md").write_text("# hello")
    with pytest.raises(ManylabelError, match="neither an image nor a list of images"):
        pick(["notes.md"])
    with pytest.raises(ManylabelError, match=r"matches notes.md, which has no image's ending"):
        pick(["note*"])
