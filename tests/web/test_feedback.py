"""Verdicts in the review file."""

import csv
import json
import os
import re
import subprocess
import sys
import threading

import pytest
import server

from manylabel.labels import ManylabelError
from manylabel.web import feedback, journal
from manylabel.web.feedback import COLUMNS, Review

VERDICT = {"image": "a.png", "sha256": "0" * 64, "label": "red", "verdict": "up", "probability": 0.75}


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_verdict_becomes_a_row_with_its_provenance(colours):
    path = colours.settings.review
    before = len(rows(path)) if path.exists() else 0
    for change in ({}, {"verdict": "down", "image": '=2+2, "ü".png', "label": "scarlet"}):
        answer = colours.client.post("/feedback", json={**VERDICT, **change})
        assert (answer.status_code, answer.json()) == (200, {"kept": True})
    first, second = rows(path)[before:]
    assert tuple(first) == COLUMNS
    assert {name: first[name] for name in VERDICT} == {**VERDICT, "probability": "0.75"}
    assert first["model"] == "colours"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first["time"])
    assert first["source"].startswith("manylabel serve ")
    assert (second["image"], second["verdict"], second["label"]) == ('=2+2, "ü".png', "down", "red")


@pytest.mark.parametrize(
    "change",
    [
        {"image": "a\nb.png"},
        {"image": "a\rb"},
        {"image": "\0"},
        {"image": ""},
        {"image": "\ud800"},
        {"image": "x" * 2000},
        {"sha256": "0" * 63},
        {"sha256": "0" * 64 + "\n"},
        {"label": "rde"},
        {"verdict": "sideways"},
        {"probability": 1.5},
        {"probability": float("nan")},
        {"probability": "0.5"},
        {"more": 1},
    ],
)
def test_what_is_no_verdict_leaves_no_row(colours, change):
    path = colours.settings.review
    before = path.read_bytes() if path.exists() else None
    answer = colours.client.post("/feedback", content=json.dumps({**VERDICT, **change}),
                                 headers={"content-type": "application/json"})  # fmt: skip
    assert answer.status_code == 422
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_body_that_is_no_object_is_refused(colours):
    for content, status in ((b"[]", 422), (b"{", 422), (b"\xff", 422), (b"[" * 50_000, 422), (b" " * 70_000, 413)):
        answer = colours.client.post("/feedback", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == status
    assert colours.client.post("/feedback", content=b"x=1").status_code == 415


def test_without_a_review_file_nothing_is_kept():
    with server.running() as own:
        answer = own.client.post("/feedback", json=VERDICT)
    assert answer.status_code == 403
    assert "--review" in answer.json()["detail"]


def test_another_file_is_never_written_to(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("image,labels\na.jpg,cat\n")
    with pytest.raises(ManylabelError, match="other columns"):
        Review(path, "m")
    with pytest.raises(ManylabelError, match="no folder"):
        Review(tmp_path / "none" / "x.csv", "m")
    path.write_text("")
    review = Review(path, "m")
    path.write_text("image,labels\n")  # replaced meanwhile
    with pytest.raises(ManylabelError, match="other columns"):
        review.append(VERDICT)
    assert path.read_text() == "image,labels\n"


def test_a_file_cut_off_in_a_line_or_saved_elsewhere_goes_on_with_whole_rows(tmp_path):
    path = tmp_path / "review.csv"
    path.write_text(feedback.HEADER + "half a row")
    Review(path, "m").append(VERDICT)
    assert [row["image"] for row in rows(path)] == ["half a row", "a.png"]
    path.write_bytes(b"\xef\xbb\xbf" + feedback.HEADER.encode().replace(b"\n", b"\r\n"))
    Review(path, "m").append(VERDICT)
    assert path.read_text(encoding="utf-8-sig").count("a.png") == 1


def test_each_row_is_one_write_and_on_the_disk(tmp_path, monkeypatch):
    done = []
    write, sync = os.write, os.fsync
    monkeypatch.setattr(journal.os, "write", lambda handle, data: done.append(data) or write(handle, data))
    monkeypatch.setattr(journal.os, "fsync", lambda handle: done.append("synced") or sync(handle))
    review = Review(tmp_path / "review.csv", "m")
    review.append(VERDICT)
    review.append(VERDICT)
    assert [d if d == "synced" else d.count(b"\n") for d in done] == [2, "synced", 1, "synced"]


def test_a_row_that_does_not_fit_on_the_disk_leaves_no_half(tmp_path, monkeypatch):
    review = Review(tmp_path / "review.csv", "m")
    review.append(VERDICT)
    before, write = review.path.read_bytes(), os.write
    monkeypatch.setattr(journal.os, "write", lambda handle, data: write(handle, data[:10]))
    with pytest.raises(OSError, match="only 10 of"):
        review.append(VERDICT)
    assert review.path.read_bytes() == before


def test_several_writers_do_not_mix_their_rows(tmp_path):
    path = tmp_path / "review.csv"
    code = ("import sys, pathlib; from manylabel.web.feedback import Review\n"
            "r = Review(pathlib.Path(sys.argv[1]), 'other')\n"
            f"for _ in range(40): r.append({VERDICT!r} | {{'image': 'x' * 3000}})")  # fmt: skip
    other = subprocess.Popen([sys.executable, "-c", code, str(path)])
    review = Review(path, "own")
    threads = [threading.Thread(target=lambda: [review.append(VERDICT) for _ in range(20)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait() == 0
    found = rows(path)
    assert sorted(row["model"] for row in found) == ["other"] * 40 + ["own"] * 60
    assert all(None not in row.values() and row["sha256"] == "0" * 64 for row in found)


def test_a_row_cut_off_within_quotes_or_a_letter_does_not_swallow_the_next(tmp_path):
    for cut in (b'"a, \xc3', b'"a ""b""', b'"a ""b"', b"\xe7\x8c", b"\0\0\0"):
        path = tmp_path / "review.csv"
        path.write_bytes(feedback.HEADER.encode() + cut)
        review = Review(path, "m")
        assert review.journal.rows() == []
        review.append(VERDICT)
        review.append(VERDICT)
        assert [row["image"] for row in review.journal.rows()] == ["a.png", "a.png"], cut


def test_a_row_that_is_not_safe_on_the_disk_is_not_left_there(tmp_path, monkeypatch):
    """Who was told of an error gives the verdict again."""
    review = Review(tmp_path / "review.csv", "m")
    review.append(VERDICT)
    before = review.path.read_bytes()
    monkeypatch.setattr(journal.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("no sync")))
    with pytest.raises(OSError, match="no sync"):
        review.append(VERDICT)
    assert review.path.read_bytes() == before
