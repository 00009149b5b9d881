"""The scikit-learn door: the checks that apply, holes in y, photographs and features, there and back without pickle."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import manylabel
from drawn import photographs
from manylabel import MultiLabelClassifier
from manylabel.encoders.cache import Cached
from manylabel.labels import ManylabelError
from manylabel.metrics import evaluate
from test_run import run

TWO = "the check calls the two values 1 and 2: here 1 is present, 0 absent, and any other number a mistake"
ONE = "the check gives one label a row: y has a column for each class"
NOT_PASSED = {
    "check_estimators_dtypes": TWO,
    "check_fit2d_1feature": TWO,
    "check_classifier_data_not_an_array": TWO,
    "check_classifiers_classes": ONE,
    "check_classifiers_train": ONE,
    "check_decision_proba_consistency": ONE,
    "check_classifier_not_supporting_multiclass": ONE,
    "check_classifiers_regression_target": ONE,
    "check_classifier_multioutput": "classes_ are the names, not 0 and 1; thresholds are chosen, not at 0",
}


@parametrize_with_checks([MultiLabelClassifier(random_state=0)], expected_failed_checks=lambda _: NOT_PASSED)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def toy(count=120, classes=3, hidden=0.2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 8)).astype(np.float32)
    truth = X[:, :classes] + 0.3 * rng.normal(size=(count, classes)) > 0.4
    return X, np.where(rng.random(truth.shape) < hidden, np.nan, truth)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photos"), 24)


@pytest.fixture(scope="module", autouse=True)
def one_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANYLABEL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def files(photos):
    return sorted((photos.parent / "images").iterdir(), key=lambda f: int(f.stem))


@pytest.fixture(scope="module")
def named(photos):
    table = manylabel.read(photos).labels
    return [[n for n, s in zip(table.names, row) if s == 1] for row in table.state]


def test_what_is_unknown_teaches_nothing_and_is_not_judged():
    X, y = toy()
    found = MultiLabelClassifier(random_state=0).fit(X, y)
    other = np.where(np.isnan(y), -1, y)  # the other way to say it
    np.testing.assert_array_equal(found.decision_function(X), MultiLabelClassifier(random_state=0).fit(X, other)
                                  .decision_function(X))  # fmt: skip
    new, truth = toy(400, seed=1, hidden=0)
    missing = np.where((y == 1) & (np.random.default_rng(2).random(y.shape) < 0.7), np.nan, y)  # of those present
    recalls = [(MultiLabelClassifier(random_state=0).fit(X, labels).predict(new)[truth == 1] == 1).mean()
               for labels in (missing, np.nan_to_num(missing))]  # fmt: skip
    assert recalls[0] > recalls[1] + 0.1
    state = np.where(np.isnan(y), 0, np.where(y == 1, 1, -1)).astype(np.int8)
    assert found.score(X, y) == evaluate(found.decision_function(X), state, names=found.classes_)["map"]


def test_predictions_follow_the_thresholds_chosen_on_held_out_rows():
    X, y = toy(hidden=0)
    found = MultiLabelClassifier(random_state=1, names=["a", "b", "c"]).fit(X, y)
    assert found.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(found.predict(X), found.decision_function(X) >= found.thresholds_)
    assert found.predict_labels(X)[0] == [n for n, p in zip("abc", found.predict(X)[0]) if p]
    assert len(found.validation_indices_) == 24
    best = [max(np.unique(z), key=lambda cut: f1(z >= cut, t == 1)) for z, t in zip(
        found.decision_function(X[found.validation_indices_]).T, y[found.validation_indices_].T)]  # fmt: skip
    for z, t, cut, mine in zip(found.decision_function(X[found.validation_indices_]).T,
                               y[found.validation_indices_].T, best, found.thresholds_):  # fmt: skip
        assert f1(z >= mine, t == 1) == f1(z >= cut, t == 1)
    assert (MultiLabelClassifier(validation=0).fit(X, y).thresholds_ == 0).all()


def f1(decided, true):
    return 2 * (decided & true).sum() / (decided.sum() + true.sum())


def test_any_method_and_patch_grids():
    X, y = toy(60)
    options = {"train": {"epochs": 1}}
    grid = np.repeat(X[:, None], 4, axis=1)
    for method in ("linear", "cprfl", "mldecoder"):
        found = MultiLabelClassifier(method, text="random", options=options, random_state=0)
        assert found.fit(X, y).predict_proba(X).shape == (60, 3)
        assert found.fit(grid, y).predict_proba(grid).shape == (60, 3)
        if method == "linear":
            np.testing.assert_allclose(found.predict_proba(grid), found.predict_proba(grid[:, :2]), atol=1e-6)


def test_clones_pipelines_folds_and_searches():
    X, y = toy()
    copy = clone(MultiLabelClassifier("linear", options={"train": {"epochs": 2}}, random_state=3))
    assert copy.get_params()["options"] == {"train": {"epochs": 2}}
    pipe = make_pipeline(StandardScaler(), MultiLabelClassifier(random_state=0))
    assert cross_val_score(pipe, X, y, cv=KFold(3)).mean() > 0.8
    assert cross_val_score(pipe, X, np.where(np.isnan(y), -1, y).astype(int), cv=3).mean() > 0.8
    grid = [{"train": {"epochs": n}} for n in (1, 3)]
    search = GridSearchCV(MultiLabelClassifier("linear", random_state=0), {"options": grid}, cv=KFold(2)).fit(X, y)
    assert search.best_params_["options"] in grid


def test_photographs_as_paths_pictures_and_pixels(files, named):
    found = MultiLabelClassifier(image_size=64, random_state=0).fit(files, named)
    assert found.classes_.tolist() == ["blue", "green", "red"]
    p = found.predict_proba(files)
    pictures = [Image.open(f).convert("RGB") for f in files]
    pixels = np.stack([np.asarray(picture) for picture in pictures])
    for same in (np.array([str(f) for f in files]), [f.read_bytes() for f in files], pictures, pixels):
        np.testing.assert_allclose(found.predict_proba(same), p, atol=1e-6)
    again = MultiLabelClassifier(image_size=64, random_state=0).fit(pixels, named)  # past the cache
    np.testing.assert_allclose(again.predict_proba(files), p, atol=1e-4)
    told = found.model_.predict(files)
    np.testing.assert_allclose([[t.probabilities[n] for n in found.classes_] for t in told], p, atol=1e-9)
    assert [set(t.labels) for t in told] == [set(row) for row in found.predict_labels(files)]


def test_a_trained_run_is_an_estimator(photos, files, tmp_path):
    folder = run(photos, tmp_path / "x", "linear")
    model, found = manylabel.load(folder), MultiLabelClassifier.from_pretrained(folder)
    told = model.predict(files)
    p = [[t.probabilities[n] for n in found.classes_] for t in told]
    np.testing.assert_allclose(found.predict_proba(files), p, atol=1e-9)
    assert found.predict_labels(files[:1])[0] == [n for n in model.names if n in told[0].labels]
    assert clone(found).get_params()["method"] == "linear"


def test_saved_without_pickle_and_read_back(files, named, tmp_path):
    X, y = toy()
    one = MultiLabelClassifier("linear", options={"train": {"epochs": 1}}, random_state=0).fit(X, y)
    again = MultiLabelClassifier.load(one.save(tmp_path / "features"))
    np.testing.assert_array_equal(again.predict_proba(X), one.predict_proba(X))
    with pytest.raises(ManylabelError, match=r"features.*MultiLabelClassifier\.load"):
        manylabel.load(tmp_path / "features")
    other = MultiLabelClassifier(image_size=64, random_state=0).fit(files, named)
    saved = other.save(tmp_path / "photos")
    np.testing.assert_array_equal(MultiLabelClassifier.load(saved).predict_proba(files), other.predict_proba(files))
    assert manylabel.load(saved).predict(files[:2]) == other.model_.predict(files[:2])
    assert not [f for f in tmp_path.rglob("*") if f.suffix in (".pkl", ".joblib", ".pt")]


@pytest.mark.parametrize(("options", "said"), [
    ({"method": "rigde"}, "Did you mean 'ridge'"), ({"preset": "x"}, "no preset"),
    ({"options": {"trian": {}}}, "'train'"), ({"options": {"train": {"epoch": 3}}}, "epochs"),
    ({"validation": 1}, r"\[0, 1\)"), ({"names": ["a"]}, "3 columns"),
])  # fmt: skip
def test_mistakes_name_what_is_valid(options, said):
    with pytest.raises(ManylabelError, match=said):
        MultiLabelClassifier(**options).fit(*toy(20))


def test_photographs_and_features_are_not_mixed_up(files, named, tmp_path):
    X, y = toy(20)
    found = MultiLabelClassifier(random_state=0).fit(X, y)
    with pytest.raises(ManylabelError, match="fitted to features"):
        found.predict(files)
    seeing = MultiLabelClassifier(image_size=64, random_state=0).fit(files, named)
    with pytest.raises(ManylabelError, match="made for photographs"):
        seeing.predict(X)
    (tmp_path / "bad.jpg").write_bytes(b"none")
    for call in (seeing.predict, lambda some: seeing.fit(some, named[: len(some)])):
        with pytest.raises(ManylabelError, match=r"X, row 1: .*bad\.jpg"):
            call([files[0], tmp_path / "bad.jpg", files[1]])
    with pytest.raises(ManylabelError, match="20 rows and y has 3"):
        found.fit(X, y[:3])


def test_importing_the_package_brings_neither_torch_nor_scikit_learn():
    code = "import sys, manylabel; print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute"):
        manylabel.MultiLabel  # noqa: B018


def test_a_score_is_by_the_names_of_columns():
    from manylabel.labels import LabelTable

    X, y = toy(60, hidden=0)
    names = ("a", "b", "c")
    found = MultiLabelClassifier(random_state=0, names=names).fit(X, y)
    state, turned = np.where(y == 1, 1, -1).astype(np.int8), (2, 0, 1)
    ids = tuple(map(str, range(60)))
    table = LabelTable(state[:, turned], tuple(names[c] for c in turned), ids)
    assert found.score(X, table) == found.score(X, y)


def test_what_cannot_be_trained_on_or_saved_is_said(tmp_path):
    X, y = toy(40)
    found = MultiLabelClassifier(random_state=0)
    for bad, labels, said in (
        (X, np.full_like(y, np.nan), "no known label"), ("a.jpg", y, "paths of photographs as a list"),
        ([["a.jpg"], ["b.jpg"]], y, "paths of photographs as a list"),
        (np.zeros((40, 8, 8), np.uint8), y, "looks like grey images"),
    ):  # fmt: skip
        with pytest.raises(ManylabelError, match=said):
            found.fit(bad, labels)
    (tmp_path / "precious.txt").write_text("x")
    found.fit(X, y)
    for place in (tmp_path, tmp_path / "precious.txt"):
        with pytest.raises(ManylabelError, match="holds other things"):
            found.save(place)
    assert [f.name for f in tmp_path.iterdir()] == ["precious.txt"]
    found.save(found.save(tmp_path / "new"))  # its own may be written anew


def test_patches_are_read_from_the_cache_as_they_are_needed(files, named, monkeypatch):
    asked = []
    whole = Cached.grid
    monkeypatch.setattr(Cached, "grid", lambda self, rows: asked.append(len(np.atleast_1d(rows))) or whole(self, rows))
    options = {"train": {"epochs": 1, "batch_size": 4}}
    for method, reads in (("ridge", False), ("mldecoder", True)):
        made = MultiLabelClassifier(method, image_size=64, options={} if method == "ridge" else options)
        made.fit(files, named)
        assert bool(asked) == reads
    assert max(asked) < len(files)
