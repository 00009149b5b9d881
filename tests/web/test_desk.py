"""What lies behind the review and the browser of labels: verdicts, undo, files written, rows, photographs."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from dataclasses import replace
from pathlib import Path

import desks
import httpx
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from manylabel import data
from manylabel.audits import findings
from manylabel.cli import app
from manylabel.labels import ManylabelError
from manylabel.sparse import SparseLabels
from manylabel.web.app import make_app
from manylabel.web.desk import Desk
from manylabel.web.photos import Photos, roots_of
from manylabel.web.refusal import Refusal
from manylabel.web.reviewing import Reviewing, Sift
from manylabel.web.settings import Settings
from manylabel.web.sifting import Wanted


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A folder with drawn photographs and findings; tests put their own findings beside."""
    folder = tmp_path_factory.mktemp("scene")
    desks.small(folder)
    return folder


def again(scene, file="findings.csv") -> Reviewing:
    """As a server that starts anew finds things."""
    return Reviewing(scene / file, data.read(scene / "set" / "labels.csv"))


def own(scene, name) -> Reviewing:
    """A review of its own."""
    return desks.small(scene, file=f"{name}.csv").reviewing


def test_verdicts_and_undo_survive_a_kill(scene):
    review = own(scene, "killed")
    review.judge(0, "accept")
    review.judge(1, "reject")
    review.judge(0, "unknown")
    assert again(scene, "killed.csv").verdicts[:3] == ["unknown", "reject", ""]
    later = again(scene, "killed.csv")
    assert later.undo() == 0
    assert later.verdicts[:2] == ["accept", "reject"]
    with (scene / "killed.verdicts.csv").open("a") as file:
        file.write("1,images/0.jpg,re")  # the machine was lost in the middle of a row
    last = again(scene, "killed.csv")
    assert last.verdicts[:2] == ["accept", "reject"]
    assert [last.undo(), last.undo(), last.undo()] == [1, 0, None]
    assert set(again(scene, "killed.csv").verdicts) == {""}
    assert findings.read(scene / "killed.csv") == review.findings, "the findings are not written to"


def test_verdicts_on_other_findings_are_refused(scene):
    review = own(scene, "other")
    review.judge(4, "accept")
    findings.write(scene / "other.csv", review.findings[5:])
    with pytest.raises(ManylabelError, match="move it away"):
        again(scene, "other.csv")


def test_what_is_saved_is_what_the_command_line_writes(scene):
    review = own(scene, "saved")
    before = (scene / "set" / "labels.csv").read_bytes()
    for number, verdict in enumerate(("accept", "reject", "unknown", "skip", "accept")):
        review.judge(number, verdict)
    lines = review.save()
    assert (scene / "set" / "labels.csv").read_bytes() == before
    assert lines[0].startswith("3 labels changed, 4 of 9 findings reviewed")
    done = findings.read(scene / "labels.corrected.findings.csv")
    assert [one.verdict for one in done[:5]] == ["accept", "reject", "unknown", "", "accept"]
    out = scene / "by-hand.csv"
    asked = ["audit", str(scene / "labels.corrected.findings.csv"), str(scene / "set" / "labels.csv"), "--apply"]
    assert CliRunner().invoke(app, [*asked, "--out", str(out)]).exit_code == 0
    assert out.read_bytes() == (scene / "labels.corrected.csv").read_bytes()
    changed = list(csv.DictReader((scene / "labels.corrected.changes.csv").read_text("utf-8").splitlines()))
    assert [row["finding"] for row in changed] == ["1", "3", "5"]
    assert [row["after"] for row in changed][1] == "unknown"


def test_the_original_is_never_the_file_to_write(scene):
    dataset = data.read(scene / "set" / "labels.csv")
    for out in (scene / "set" / "labels.csv", scene / "findings.csv", scene / "labels.txt"):
        with pytest.raises(ManylabelError, match="never touched"):
            Reviewing(scene / "findings.csv", dataset, out=out)


@pytest.mark.parametrize("out", ["own.verdicts.csv", "own.csv"])
def test_what_is_read_is_never_written_to_by_a_file_beside_the_corrected_labels(scene, out):
    """NAME.csv brings NAME.findings.csv, which may be the file under review."""
    desks.small(scene, file="own.csv")
    with pytest.raises(ManylabelError, match=r"--corrected NEW\.csv"):
        Reviewing(scene / "own.csv", data.read(scene / "set" / "labels.csv"), out=scene / out)
    desks.small(scene, file="labels.again.findings.csv")
    with pytest.raises(ManylabelError, match="never touched"):
        Reviewing(scene / "labels.again.findings.csv", data.read(scene / "set" / "labels.csv"),
                  out=scene / "labels.again.csv")  # fmt: skip


def test_an_undo_takes_back_ones_own_verdict_however_many_review(scene):
    review = own(scene, "together")
    review.judge(0, "accept")
    review.judge(1, "reject")
    review.judge(1, "reject")
    assert len(review.journal.rows()) == 2, "the same verdict again changes nothing, and no undo is spent on it"
    assert review.undo(0) == 0
    assert review.undo(0) is None
    assert review.verdicts[:2] == ["", "reject"]
    after = again(scene, "together.csv")
    assert (after.verdicts, after.history) == (review.verdicts, review.history)
    assert (after.undo(), after.undo()) == (1, None)


def test_findings_are_sifted_and_told(scene):
    review = own(scene, "sifted")
    assert list(review.matching(Sift(label="blue"))) == [0, 3, 6]
    assert list(review.matching(Sift(severity="major", search="IMAGES/3"))) == [3]
    review.judge(3, "skip")
    assert list(review.matching(Sift(label="blue", seen="open"))) == [0, 6]
    assert list(review.matching(Sift(seen="skip"))) == [3]
    told = review.told(0)
    assert told["reasons"][0] == "the model says 3 % present"
    assert told["neighbours"] == [
        {"image": "images/5.jpg", "row": 5, "state": "absent" if told["given"] == "present" else "present"}
    ]
    assert told["place"].startswith("labels.csv, row 2")
    assert review.counts() == {"open": 8, "accept": 0, "reject": 0, "unknown": 0, "skip": 1}


def test_the_routes_of_a_review(desk_server, scene):
    client = desk_server.client
    first = client.get("/review/findings", params={"count": 4}).json()
    assert [one["number"] for one in first["findings"]] == [0, 1, 2, 3]
    rest = client.get("/review/findings", params={"after": 3, "count": 200}).json()
    assert [one["number"] for one in rest["findings"]] == [4, 5, 6, 7, 8]
    assert rest["matching"] == 9
    answer = client.post("/review/verdict", json={"number": 8, "verdict": "reject"})
    assert answer.json()["counts"]["reject"] == 1
    assert client.post("/review/undo").json() == {"number": 8, "verdict": "", "counts": first["counts"]}
    assert client.post("/review/undo").status_code == 409
    for wrong, status in (({"number": 9, "verdict": "accept"}, 404), ({"number": -1, "verdict": "accept"}, 422),
                          ({"number": 0, "verdict": "perhaps"}, 422), ({"number": 0}, 422)):  # fmt: skip
        assert client.post("/review/verdict", json=wrong).status_code == status
    for wrong_sift in ({"colour": "red"}, {"seen": "opn"}):
        assert client.get("/review/findings", params=wrong_sift).status_code == 422
    statuses = [client.post("/review/undo", params={"finding": number}).status_code for number in (9, -1, 0)]
    assert statuses == [404, 404, 409]
    crossed = client.post("/review/verdict", json={"number": 0, "verdict": "accept"},
                          headers={"origin": "http://elsewhere.example"})  # fmt: skip
    assert crossed.status_code == 403


def test_two_verdicts_on_a_cell_are_told_and_nothing_is_written(scene):
    review = own(scene, "twice")
    twice = [*review.findings, replace(review.findings[0], rank=10)]
    findings.write(scene / "twice.csv", twice)
    review = again(scene, "twice.csv")
    review.out = scene / "twice.corrected.csv"
    review.judge(0, "accept")
    review.judge(9, "reject")
    with pytest.raises(ManylabelError, match="keep one of them"):
        review.save()
    assert not review.out.exists()


def brute(dataset, wanted):
    """The rows wanted, cell by cell."""
    table, found = dataset.labels, []
    for row in range(len(dataset)):
        share = float((table.state[row] == 0).mean())
        state = {"present": 1, "absent": -1, "unknown": 0}[wanted.state]
        if (
            (not wanted.label or table.state[row, table.names.index(wanted.label)] == state)
            and wanted.least_unknown <= share <= wanted.most_unknown
            and wanted.part in ("", str(dataset.split[row]))
            and wanted.search.lower() in table.ids[row].lower()
        ):
            found.append(row)
    return found


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(), Wanted(label="red"), Wanted(label="red", state="absent"), Wanted(label="blue", state="unknown"),
        Wanted(least_unknown=0.3), Wanted(most_unknown=0), Wanted(part="val"), Wanted(search="/1"),
        Wanted(label="green", part="train", search="2", most_unknown=0.4),
    ],
    ids=str,
)  # fmt: skip
def test_rows_are_those_wanted(scene, wanted, sparse):
    dataset = data.read(scene / "set" / "labels.csv")
    state = dataset.labels.state.copy()
    state[::3, 1] = state[4] = 0
    cells = SparseLabels.from_dense(state) if sparse else state
    dataset = replace(dataset, labels=replace(dataset.labels, cells=cells))
    shelf = desks.Shelf(dataset)
    page = shelf.page(wanted, 0, 500)
    assert [one["row"] for one in page["rows"]] == brute(dataset, wanted)
    assert page["total"] == len(page["rows"])
    whole = shelf.whole(3)
    assert [(word, whole[word]["names"]) for word in ("present", "unknown", "absent")] == [
        (word, [n for n, c in zip(dataset.labels.names, state[3]) if c == s])
        for word, s in (("present", 1), ("unknown", 0), ("absent", -1))
    ]


def test_doctor_speaks_of_images_and_the_browser_shows_them(desk_server, scene):
    client = desk_server.client
    suspected = client.get("/browse/rows", params={"suspected": True}).json()
    assert (suspected["total"], suspected["rows"][0]["suspected"]) == (9, 1)
    end = time.monotonic() + 20
    while (told := client.get("/browse/doctor").json())["findings"] is None and time.monotonic() < end:
        time.sleep(0.02)
    assert told["problem"] == ""
    named = [one for one in told["findings"] if one["images"]]
    assert named, "two files are equal"
    found = client.get("/browse/rows", params={"finding": named[0]["number"]}).json()
    assert found["total"] == named[0]["images"]
    assert client.get("/browse/rows", params={"finding": 999}).status_code == 422
    assert client.get("/browse/rows", params={"label": "rde"}).json()["detail"].endswith("Valid: blue, green, red.")
    assert "Did you mean 'train'" in client.get("/browse/rows", params={"part": "trian"}).json()["detail"]
    assert client.get("/browse/row/24").status_code == 404
    assert client.get("/browse/row/2").json()["place"] == "labels.csv, row 4 (images/2.jpg)"


def test_a_photograph_is_asked_for_by_row_and_small(desk_server):
    client = desk_server.client
    for prefix in ("/review", "/browse"):
        answer = client.get(f"{prefix}/photo/3")
        assert answer.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.content)).size == (64, 64)
    for path in ("24", "-1", "..%2f..%2flabels.csv", "images/3.jpg", "3?size=huge"):
        assert client.get(f"/browse/photo/{path}").status_code in (404, 422)


def test_what_leads_out_of_the_folder_is_refused(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "away").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "away" / "secret.png")
    (tmp_path / "set" / "link.png").symlink_to(tmp_path / "away" / "secret.png")
    (tmp_path / "set" / "folder").symlink_to(tmp_path / "away")
    (tmp_path / "set" / "loop.png").symlink_to(tmp_path / "set" / "loop.png")
    (tmp_path / "set" / "labels.csv").write_text(
        f"image,labels\nlink.png,a\nfolder/secret.png,a\nloop.png,a\n{tmp_path}/away/secret.png,b\n../../../etc/x.png,b\n"
    )
    dataset = data.read(tmp_path / "set" / "labels.csv")
    photos = Photos(dataset.paths, [tmp_path / "set"])
    for row, status in enumerate((403, 403, None, 403, 403)):
        with pytest.raises(Refusal) as told:
            photos.jpeg(row, "small")
        assert told.value.status in ((status,) if status else (403, 422))
    assert roots_of(dataset, None) == [tmp_path], "beside the label file's folder, and no higher"
    assert roots_of(dataset, "photos") == [Path("photos")]
    (tmp_path / "set" / "labels.csv").write_text("image,labels\nlink.png,a\n")
    inside = data.read(tmp_path / "set" / "labels.csv")
    assert roots_of(inside, None) == [tmp_path / "set"]


def test_photographs_kept_are_bounded(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (6, 90, 90, 3), dtype=np.uint8)
    for k in range(6):
        Image.fromarray(noise[k]).save(tmp_path / f"{k}.png")
    photos = Photos([tmp_path / f"{k}.png" for k in range(6)], [tmp_path], room=20_000)
    sizes = [len(photos.jpeg(k, "small")) for k in range(6)]
    assert sum(sizes) > photos.room >= photos._bytes == sum(map(len, photos._kept.values()))
    last = photos.jpeg(5, "small")
    (tmp_path / "5.png").unlink()
    assert photos.jpeg(5, "small") is last
    with pytest.raises(Refusal, match="422") as told:
        photos.jpeg(0, "large") if (tmp_path / "0.png").unlink() is None else None
    assert str(tmp_path) not in told.value.detail


def answers(app_, *paths):
    """What an application without a socket says."""

    async def ask():
        transport = httpx.ASGITransport(app_, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(ask())


def test_without_a_model_the_desk_alone_is_served(scene, capsys):
    desk = desks.small(scene)
    page, about, health, labels = answers(make_app(None, Settings(), desk), "/", "/about", "/health", "/labels")
    assert "Suspected label errors" in page.text
    assert about.json()["model"] is None
    assert (about.json()["review"], about.json()["browse"]) == (True, True)
    assert (health.json()["classes"], labels.status_code) == (0, 404)
    page, facts = answers(make_app(None, Settings(), Desk(None, desk.shelf, desk.photos)), "/", "/browse/facts")
    assert "Browse labels" in page.text
    assert facts.json()["images"] == 24
    assert facts.json()["classes"][0] == {"name": "blue", **{
        word: int((desk.shelf.dataset.labels.state[:, 0] == state).sum())
        for word, state in (("present", 1), ("absent", -1), ("unknown", 0))}}  # fmt: skip


def test_what_needs_a_token_says_so_and_pages_need_none(scene):
    app_ = make_app(None, Settings(token="right"), desks.small(scene))
    closed = ("/about", "/review/findings", "/browse/facts", "/browse/photo/0", "/review/photo/0", "/browse/doctor")
    assert [one.status_code for one in answers(app_, *closed)] == [401] * len(closed)
    opened = ("/", "/review", "/browse", "/static/report.css", "/static/review.js", "/static/base.css")
    assert [one.status_code for one in answers(app_, *opened)] == [200] * len(opened)


def test_about_tells_the_guarantees_and_limits(colours):
    told = colours.client.get("/about").json()
    assert told["guarantee"] == [
        {"recall": w, "threshold": pytest.approx(1 / (1 + np.exp(w)))} for w in (0.5, 0.8, 0.9)
    ]
    assert (told["guarantee_images"], told["verdicts"], told["model"]) == (9, True, "colours")
    assert told["limits"]["files"] == colours.settings.max_files


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give a MODEL"),
        (["model", "--findings", "f.csv"], "--findings needs"),
        (["model", "--corrected", "c.csv"], "--corrected needs"),
        (["model", "--root", "x"], "--data LABELS"),
        (["model", "--open-images"], "--open-images needs"),
    ],
)
def test_options_that_do_not_go_together_are_told(options, said):
    result = CliRunner().invoke(app, ["serve", *options])
    assert said in str(result.exception)
