"""The page as text: numbers, curves, escaping, size, and what it says when something is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve
from synthetic import payload

from manylabel.labels import ManylabelError
from manylabel.report import Other, render, write
from manylabel.report.curves import counts_at, curve
from manylabel.report.gallery import EXTRA, HIT, MISSED, UNJUDGED, by_need, gallery
from manylabel.report.page import SCRIPTS
from manylabel.report.summaries import cooccurrence

MEGABYTES = 1_000_000
HOSTILE = [
    "</script><script>throw 1</script>", "<!--<script>", "\"><img src=x onerror='throw 2'>", "a'b\"c&amp;d",
    "猫 Hündin", "\u202egnp.exe", "\u2028line\u2029", "${title}$title", "\ud800 lone", "nul\x00l", "x" * 300, "]]>{{}}",
]  # fmt: skip


class Elements(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def row(page: str, key: str) -> str:
    """The text of the headline row or fact named `key`."""
    found = re.search(rf'data-key="{key}">(.*?)(?=<tr|</div>|</table>|</p>)', page, re.S)
    assert found
    return re.sub(r"<[^>]+>", " ", found[1])


def test_headline_shows_the_numbers_given(results):
    data = results(classes=30)
    page = render(data)
    for key in ("map", "map_head", "map_medium", "map_tail", "cf1", "of1", "cp", "cr", "op", "or"):
        value, (low, high) = data.metrics[key], data.metrics["intervals"][key]
        shown = [float(x) for x in re.findall(r"\d+\.\d+", row(page, key))]
        assert shown == pytest.approx([100 * value, 100 * low, 100 * high], abs=0.0501), key
    assert row(page, "images").split()[-1] == "120"
    assert row(page, "unknown_share").split()[-2] == f"{100 * data.metrics['unknown_share']:.1f}"


def test_class_table_shows_the_numbers_given(results):
    data = results(classes=9)
    rows = re.findall(r'<tr data-i="(\d+)">(.*)', render(data))
    train = (data.parts["train"] == 1).sum(0)
    assert [int(i) for i, _ in rows] == np.argsort(-train, kind="stable").tolist()
    for i, line in rows:
        entry, cells = data.metrics["per_class"][int(i)], re.split(r"<t[hd][^>]*>", line)[1:]
        assert entry["name"] in cells[0]
        assert cells[1] == entry["group"]
        expected = [100 * entry["ap"], 100 * entry["f1"], entry["threshold"], entry["train_positives"]]
        shown = [float(x.replace("−", "-")) for x in cells[2:6]]
        assert shown == pytest.approx(expected, rel=1e-3, abs=0.0501)
        assert int(cells[7]) == entry["test_positives"]


def test_curve_points_equal_independent_counts(results):
    data = results(images=900, classes=6)
    found = payload(render(data))["curves"]
    for c in range(6):
        line, known = found[str(c)]["line"], data.labels[:, c] != 0
        truth, scores = data.labels[known, c] == 1, data.values[known, c]
        assert len(line["t"]) <= 201
        for t, tp, fp in zip(line["t"], line["tp"], line["fp"]):
            decided = scores >= t
            assert (tp, fp) == ((decided & truth).sum(), (decided & ~truth).sum())
        assert line["tp"][-1] == line["positives"]
        assert line["t"][line["at"]] == data.cuts[c]


def test_f1_at_the_stored_threshold_is_the_metrics_f1(results):
    data = results(classes=20)
    for c, found in payload(render(data))["curves"].items():
        line = found["line"]
        if line is not None:
            tp, fp = line["tp"][line["at"]], line["fp"][line["at"]]
            assert 2 * tp / (tp + fp + line["positives"]) == pytest.approx(data.metrics["per_class"][int(c)]["f1"])


def test_unthinned_curve_holds_every_step_of_scikit_learn():
    rng = np.random.default_rng(1)
    labels = np.where(rng.random(300) < 0.1, 1, -1).astype(np.int8)
    scores = np.round(rng.normal(size=300) + (labels == 1), 3)
    found = curve(scores, labels, threshold=0.25, points=200)
    precision, recall, _ = precision_recall_curve(labels == 1, scores)
    shown = {(tp / (tp + fp), tp / found["positives"]) for tp, fp in zip(found["tp"], found["fp"]) if tp + fp}
    best = {r: max(precision[recall == r]) for r in recall[recall > 0]}
    assert {(p, r) for r, p in best.items()} <= shown


def test_thinned_curve_keeps_its_area():
    rng = np.random.default_rng(2)
    labels = np.where(rng.random(20000) < 0.3, 1, -1).astype(np.int8)
    scores = rng.normal(size=20000) + (labels == 1)
    areas = []
    for points in (60, 20000):
        found = curve(scores, labels, threshold=np.nan, points=points)
        tp, fp = np.array(found["tp"]), np.array(found["fp"])
        areas.append((np.diff(tp, prepend=0) * tp / np.maximum(tp + fp, 1)).sum() / found["positives"])
    assert areas[0] == pytest.approx(areas[1], abs=0.01)


def test_unknown_cells_count_nowhere_and_a_score_at_the_threshold_decides():
    scores, labels = np.array([3.0, 2.0, 1.0, 0.5]), np.array([0, 1, 0, -1], np.int8)
    assert [x.tolist() for x in counts_at(scores, labels, np.array([2.5, 0.0]))] == [[0, 1], [0, 1]]
    assert [x.tolist() for x in counts_at(scores, labels, np.array([2.0, 0.5, 0.6]))] == [[1, 1, 1], [0, 1, 0]]
    both, base = cooccurrence(np.array([[1, 0], [1, 1]], np.int8))
    assert (both[0, 1], base[0, 1]) == (1, 1)


def test_gallery_ranks_errors_and_tells_all_labels_of_an_image(results):
    labels = np.array([[1, -1, 0, -1], [1, 1, -1, -1], [-1, -1, -1, 1]], np.int8)
    scores = np.array([[2, 1, 3, -1], [-4, 2, 4, -9], [-2, 0.5, -1, -0.5]])
    data = results(3, 4, labels=labels, scores=scores, thresholds=np.zeros(4), temperatures=None, biases=None)
    shown = gallery(data, per_class=5, most=9)
    assert [(shown["images"][k]["id"][-5], c) for k, c, _ in shown["extra"]] == [("1", 2), ("0", 1), ("2", 1)]
    assert [(shown["images"][k]["id"][-5], c) for k, c, _ in shown["missed"]] == [("1", 0), ("2", 3)]
    first = next(i for i in shown["images"] if i["id"].endswith("0.jpg"))
    assert first["labels"] == [[0, HIT, 881], [2, UNJUDGED, 953], [1, EXTRA, 731]]
    assert first["unknown"] == 1
    assert [0, MISSED, 18] in next(i for i in shown["images"] if i["id"].endswith("1.jpg"))["labels"]
    assert next(iter(by_need(shown))) == 0


def test_gallery_probabilities_are_calibrated(results):
    data = results(temperatures=np.full(12, 2.0), biases=np.full(12, -1.0))
    shown = gallery(data, per_class=1, most=1)
    k, c, p = shown["extra"][0]
    score = data.values[data.ids.index(shown["images"][k]["id"]), c]
    assert p == pytest.approx(1000 / (1 + np.exp(1 - score / 2)), abs=0.51)


def test_hostile_names_stay_text(results):
    n = len(HOSTILE)
    ids = [f"{name} {k}" for k, name in enumerate([*HOSTILE, *HOSTILE])]
    hostile = {"title": HOSTILE[0], "notes": HOSTILE, "command": HOSTILE[2], "config": {HOSTILE[0]: HOSTILE[2]}}
    data = results(2 * n, n, names=HOSTILE, ids=ids, **hostile, log=[{HOSTILE[0]: 1}])
    page = render(data)
    elements = Elements(page).found
    assert sum(tag == "script" for tag, _ in elements) == 2
    assert not any(key.startswith("on") for _, attributes in elements for key in attributes)
    assert not any(tag == "img" for tag, _ in elements)
    repaired = [name.encode("utf-8", "replace").decode() for name in HOSTILE]
    assert payload(page)["names"] == repaired


def test_page_asks_for_nothing(results, jpeg):
    page = render(results(pictures=jpeg))
    for tag, attributes in Elements(page).found:
        assert tag not in ("link", "iframe", "object", "base")
        assert not attributes.get("src")
        assert str(attributes.get("href", "#")).startswith("#")
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" in page


def test_classes_are_joined_by_name(results):
    data = results()
    backwards = {**data.metrics, "per_class": data.metrics["per_class"][::-1]}
    assert render(results(metrics=backwards)) == render(data)


def test_same_input_gives_the_same_page(results):
    assert render(results()) == render(results())


@pytest.mark.parametrize(("images", "classes"), [(5000, 80), (300, 1000), (150, 9000)])
def test_page_stays_below_three_megabytes(tmp_path: Path, results, images: int, classes: int):
    data = results(images, classes, pictures=lambda identity: b"\xff\xd8\xff" + b"x" * 9000)
    path = write(tmp_path / "deep" / "report.html", data)
    assert MEGABYTES < path.stat().st_size < 3 * MEGABYTES
    page = path.read_text("utf-8")
    assert "images have no picture here" in page
    assert ("Curves have at most" in page) == (classes > 120)
    assert ("The class table lists the 3,000 most frequent of 9,000" in page) == (classes == 9000)


def test_pictures_that_fail_are_named_and_the_rest_shown(results, jpeg):
    def pictures(identity: str) -> bytes | None:
        if identity.endswith("3.jpg"):
            raise ManylabelError(f"{identity} is truncated")
        return {"4": b"GIF89a", "5": None}.get(identity[-5], jpeg(identity))

    page = render(results(pictures=pictures))
    images = payload(page)["gallery"]["images"]
    shown = payload(page)["pictures"]
    assert all((image["id"] in shown) == (image["id"][-5] not in "345") for image in images)
    assert "3.jpg is truncated" in page
    assert "not a JPEG, PNG or WebP" in page


def absent_labels(n: int, c: int, value: int) -> np.ndarray:
    return np.full((n, c), value, np.int8)


DEGENERATE = {
    "one class": ({"classes": 1}, "No two classes come together in more than one image"),
    "one image": ({"images": 1}, "<dt>test images</dt><dd>1</dd>"),
    "no image": ({"images": 0}, "not defined: no class has a positive"),
    "no positives": ({"labels": absent_labels(120, 12, -1)}, "not defined: no class has a positive"),
    "all unknown": ({"labels": absent_labels(120, 12, 0)}, "not defined: no class has a positive"),
    "all present": ({"labels": absent_labels(120, 12, 1)}, "0 labels were decided and are wrong"),
    "constant scores": ({"scores": np.zeros((120, 12))}, "are wrong, 0 were missed"),
    "huge scores": ({"scores": np.full((120, 12), -1e30)}, "are wrong, 0 were missed"),
    "no log": ({"log": None}, "No training log was given"),
    "empty log": ({"log": []}, "No training log was given"),
    "text log": ({"log": [{"epoch": "x", "loss": None}]}, "No training log was given"),
    "no pictures": ({"pictures": None}, "No pictures were given"),
    "no thresholds": ({"thresholds": None}, "No thresholds were given"),
    "undefined thresholds": ({"thresholds": np.full(12, np.nan)}, "0 labels were decided"),
    "endless thresholds": ({"thresholds": np.full(12, np.inf)}, "0 labels were decided"),
    "uncalibrated": ({"temperatures": None, "biases": None}, "not calibrated"),
    "no parts": ({"parts": {}}, "One column per class, the most frequent in training"),
    "no numbers": ({"metrics": {}, "parts": {}}, "not known here"),
    "no config": ({"config": None, "command": ""}, "The command was not given"),
    "no notes": ({"notes": []}, "Nothing to remark"),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_what_is_missing_is_said(results, case: str):
    changes, said = DEGENERATE[case]
    page = render(results(**changes))
    assert said in page
    payload(page)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"thresholds": np.zeros(3)}, "one number per class"),
        ({"temperatures": None}, "give both or neither"),
        ({"decisions": np.zeros((120, 3), bool)}, "decisions must be (images, classes) = (120, 12), got (120, 3)"),
        ({"threshold_intervals": np.zeros(12)}, "threshold_intervals must be (classes, low and high) = (12, 2)"),
        ({"others": [Other("b", np.zeros((5, 12)))]}, "b: scores must be (images, classes) = (120, 12), got (5, 12)"),
        ({"others": [Other("b", np.zeros((120, 12)), "odds")]}, 'b: kind must be "logit" or "probability"'),
        ({"others": [Other("b", np.full((120, 12), np.inf))]}, "b: scores are not finite in row 0, column 0"),
        ({"others": [Other("b", np.zeros((120, 12)))] * 2}, "two models are called 'b'"),
        ({"others": [Other(str(k), np.zeros((120, 12))) for k in range(8)]}, "at most 8 models"),
        ({"kind": "odds"}, '"logit" or "probability"'),
        ({"parts": {"train": np.zeros((4, 2), np.int8)}}, "part 'train' must be"),
        ({"scores": np.full((120, 12), np.nan)}, "1440 scores are not finite, the first for image 'photos/00000.jpg'"),
    ],
)
def test_errors_name_what_is_wrong(results, changes, said):
    with pytest.raises(ManylabelError, match=re.escape(said)):
        results(**changes)


def test_neither_torch_nor_pillow_is_imported():
    line = "import sys, manylabel.report; print([m for m in ('torch', 'PIL') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_scripts_stay_small_and_are_all_used():
    folder = resources.files("manylabel.report")
    assert {file.name for file in folder.iterdir() if file.name.endswith(".js")} == set(SCRIPTS)
    assert sum(len((folder / name).read_bytes()) for name in SCRIPTS) < 65_000


def test_a_log_of_systems_is_listed_with_weights_and_reasons(results):
    rows = [
        {"system": "ridge", "weight": 0.25, "val_map": 0.4911, "seconds": 1.5, "reason": "adds <to> the sum"},
        {"system": "cprfl", "weight": 0.0, "val_map": float("nan"), "seconds": 0.0, "reason": "left out"},
    ]
    page = render(results(log=rows))
    assert payload(page)["log"] is None
    one, two = re.findall(r"<tr><td>(?:ridge|cprfl).*?(?=<tr>|</table>)", page)
    assert re.split(r"<t[hd][^>]*>", one)[1:] == ["ridge", "0.25", "0.4911", "1.5", "adds &lt;to&gt; the sum"]
    assert re.split(r"<t[hd][^>]*>", two)[1:] == ["cprfl", "0", "–", "0", "left out"]
