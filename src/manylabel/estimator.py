"""The scikit-learn door: `MultiLabelClassifier`, for photographs or features, with holes in y."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from manylabel import config as configuration
from manylabel import encoders, methods
from manylabel.classes import Classes, guarantee
from manylabel.data.split import assign
from manylabel.encoders import text as texts
from manylabel.folderformat import read as read_folder
from manylabel.labels import LabelTable, ManylabelError, Vocabulary, did_you_mean
from manylabel.loops import train as loop
from manylabel.loops.score import score as scores_of
from manylabel.loops.sources import Source
from manylabel.metrics import evaluate
from manylabel.model import Model, load
from manylabel.network import Network, build, fill
from manylabel.parts.checkpoint import write_tensors
from manylabel.parts.files import write_json
from manylabel.parts.settings import Settings
from manylabel.runfolder import fit_decisions, model_config
from manylabel.scores import ScoreFile
from manylabel.seen import Seen, encoded, holds_text, photos_of
from manylabel.targets import table_of

SECTIONS = ("method", "train")
SCORED = 256  # rows of features scored at once


class MultiLabelClassifier(ClassifierMixin, BaseEstimator):
    """Any method of `manylabel methods` on frozen features, as scikit-learn's estimators are used.

    X is a list of photographs (paths, bytes of files, PIL images), an array of images (N, H, W, 3) uint8, or features:
    (N, D), or patch grids (N, P, D). y is (N, C) of 1, 0 and NaN or -1 (unknown), a data frame, scipy.sparse, or a list
    of label names for each image (see `manylabel.targets.table_of`). Unknown cells take no part in the loss, the
    thresholds or the score. To train the encoder too, take `manylabel.train`.

    Arguments:
        method: a name of `manylabel methods`.
        preset: one of its presets; the first by default.
        encoder: of photographs; see `manylabel encoders`.
        image_size: side of the square the encoder sees, its own by default.
        options: nested, {"method": {...}, "train": {...}}, such as {"train": {"epochs": 5}}.
        text: label text for methods that read it: sentence, clip, random, or an .npz file.
        names: of the classes; by default those y brings.
        unlisted: what a class is that a list of names does not hold: "absent" or "unknown".
        validation: share of the rows that training does not see; epochs, thresholds and calibration are chosen on them.
            0: all rows train, and thresholds are at logit 0.
        random_state: of the validation rows, the start and the order; an int gives the same each time.

    Attributes after `fit`:
        classes_: (C,) names.
        thresholds_: (C,) logits; a class is predicted at or above its own.
        validation_indices_: rows of X that were held out.
        model_: `manylabel.model.Model` where X were photographs, else None.
        n_features_in_: D, where X were features.

    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> y = np.where(np.random.default_rng(1).random((60, 2)) < 0.2, np.nan, X[:, :2] > 0)
    >>> found = MultiLabelClassifier(random_state=0).fit(X, y)
    >>> found.predict(X[:2]).shape, bool(found.predict_proba(X).max() <= 1), bool(found.score(X, y) > 0.7)
    ((2, 2), True, True)
    """

    def __init__(
        self, method: str = "ridge", *, preset: str | None = None, encoder: str = "efficientnet_lite0",
        image_size: int | None = None, options: Mapping[str, Any] | None = None, text: str | None = None,
        names: Sequence[str] | None = None, unlisted: str = "absent", validation: float = 0.2,
        random_state: Any = None,
    ) -> None:  # fmt: skip
        self.method, self.preset, self.encoder, self.image_size = method, preset, encoder, image_size
        self.options, self.text, self.names, self.unlisted = options, text, names, unlisted
        self.validation, self.random_state = validation, random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X and y; returns self. Raises ManylabelError (a ValueError) for what cannot be understood."""
        found = self._features(X, fitting=True)
        if y is None:
            raise ManylabelError("requires y to be passed, but the target y is None")
        table = table_of(y, names=self.names, unlisted=self.unlisted)
        if len(table) != len(found):
            raise ManylabelError(f"X has {len(found)} rows and y has {len(table)}: inconsistent numbers of samples")
        if not 0 <= self.validation < 1:
            raise ManylabelError(f"validation is a share of the rows in [0, 1), got {self.validation}")
        if not table.known.any():
            raise ManylabelError("y has no known label: all of it is NaN or -1")
        if len(table) < 2:
            raise ManylabelError(f"training needs more than n_samples = {len(table)}")
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        held = self._held_out(table, seed)
        with torch.random.fork_rng(devices=[]):
            self._train(found, table, held, seed)
        self.classes_ = np.array(self._classes.names)
        self.thresholds_ = self._classes.thresholds
        self.validation_indices_ = np.flatnonzero(held)
        return self

    def _held_out(self, table: LabelTable, seed: int) -> NDArray[np.bool_]:
        if not self.validation:
            return np.zeros(len(table), bool)
        shares = {"train": 1 - self.validation, "val": self.validation}
        return np.asarray(assign(table, fractions=shares, seed=seed) == "val")

    def _train(self, found: Seen, table: LabelTable, held: NDArray[np.bool_], seed: int) -> None:
        module, sections = self._sections()
        vocabulary = self._vocabulary(module, table, ~held, seed)
        own = configuration.fill(module.Config, sections["method"], "method")
        settings = configuration.fill(Settings, {**sections["train"], "seed": seed}, "train")
        torch.manual_seed(seed)
        method = module.build(own, vocabulary, found.width)
        train, val = (found.source(np.flatnonzero(r), table, grid=method.needs_grid) for r in (~held, held))
        outcome = getattr(module, "train", loop.fit)(method, train, val if len(val) else None, settings)
        self._method = method.eval()
        scored = self._scored(val, table, held) if len(val) else None
        decisions, notes = fit_decisions(scored, len(table.names))
        self._classes = _classes(vocabulary, decisions, scored)
        self.notes_ = [*outcome.notes, *notes]
        plain = configuration.as_plain(getattr(method, "config", own))
        self._about = model_config(found.described(), {"name": self.method, **plain}, vocabulary)
        self.model_ = None
        if found.encoder is not None:
            self.model_ = Model(Network(found.encoder, self._method), self._classes, self._about)

    def _scored(self, val: Source, table: LabelTable, held: NDArray[np.bool_]) -> ScoreFile:
        ids = np.array(table.ids)[held]
        return ScoreFile(ids, np.array(table.names), scores_of(self._method, val), "logit", table.state[held])

    def _sections(self) -> tuple[Any, dict[str, dict[str, Any]]]:
        """The method's module, and its preset's settings with `options` over them."""
        module = methods.load(self.method)
        presets = getattr(module, "PRESETS", {"default": {}})
        preset = self.preset or next(iter(presets))
        if preset not in presets:
            raise ManylabelError(f"method {self.method!r} has no preset {preset!r}.{did_you_mean(preset, presets)}")
        given = dict(self.options or {})
        if wrong := next((section for section in given if section not in SECTIONS), None):
            raise ManylabelError(f"options has no section {wrong!r}.{did_you_mean(wrong, SECTIONS)}")
        return module, {s: configuration.merge(presets[preset].get(s, {}), given.get(s, {})) for s in SECTIONS}

    def _vocabulary(self, module: Any, table: LabelTable, train: NDArray[np.bool_], seed: int) -> Vocabulary:
        reads = getattr(module, "NEEDS_TEXT", False)
        source = self.text or ("none" if not reads or getattr(module, "TEXT_OPTIONAL", False) else "sentence")
        vectors, described = texts.vectors(table.names, source, seed=seed, centre=True)
        counts = table.rows(np.flatnonzero(train)).counts
        return Vocabulary(table.names, counts, vectors, images=int(train.sum()), text_source=described)

    def decision_function(self, X: Any) -> NDArray[np.float32]:
        """(N, C) logits."""
        check_is_fitted(self, "classes_")
        if self.model_ is not None:
            return self._image_scores(X)
        found = self._features(X, fitting=False)
        with torch.inference_mode():
            rows = [np.arange(i, min(i + SCORED, len(found))) for i in range(0, len(found), SCORED)]
            parts = [self._method.scores(found.features(some)).float().numpy() for some in rows]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes_)), np.float32)

    def _image_scores(self, X: Any) -> NDArray[np.float32]:
        """Logits through the same door as `model_.predict`."""
        photos = photos_of(X)
        if photos is None:
            raise ManylabelError("this estimator was made for photographs; X holds none")
        assert self.model_ is not None
        found = []
        for row, outcome in enumerate(self.model_.scored(photos)):
            if isinstance(outcome, str):
                raise ManylabelError(f"X, row {row}: {outcome}")
            found.append(outcome)
        return np.stack(found) if found else np.zeros((0, len(self.classes_)), np.float32)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) calibrated probabilities of each class being present."""
        return self._classes_of().probabilities(self.decision_function(X))

    def predict(self, X: Any) -> NDArray[np.int64]:
        """(N, C) of 1 and 0, each class by its own threshold."""
        return self._classes_of().decide(self.decision_function(X)).astype(np.int64)

    def predict_labels(self, X: Any) -> list[list[str]]:
        """The names of what is present, for each row."""
        return [self.classes_[row].tolist() for row in self.predict(X).astype(bool)]

    def score(self, X: Any, y: Any) -> float:
        """mAP: the mean over classes with a known positive of the average precision over known cells.

        Not the share of rows that are right in every class, which scikit-learn's classifiers give.
        """
        table = table_of(y, names=list(self._classes_of().names), unlisted=self.unlisted)
        value = evaluate(self.decision_function(X), table.state, names=table.names)["map"]
        return float("nan") if value is None else float(value)

    def _classes_of(self) -> Classes:
        check_is_fitted(self, "classes_")
        return self._classes

    def save(self, folder: str | Path) -> Path:
        """Write the fitted estimator: safetensors and json, no pickle. `load`, and for photographs `manylabel.load`,
        read it."""
        check_is_fitted(self, "classes_")
        folder = Path(folder)
        if folder.exists() and not (
            folder.is_dir() and ((folder / "config.json").exists() or not any(folder.iterdir()))
        ):
            raise ManylabelError(f"{folder} holds other things; choose another folder, or an empty one")
        if self.model_ is not None:
            return self.model_.save_pretrained(folder)
        write_tensors(folder / "model.safetensors", dict(self._method.state_dict()))
        write_json(folder / "config.json", self._about)
        write_json(folder / "labels.json", self._classes.to_dict())
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """A fitted estimator of what `save` wrote, of a run or model folder, or of an .onnx file.

        Of its parameters only `method`, `encoder` and `image_size` are known: set the others before fitting it anew.
        """
        folder = Path(folder)
        if folder.suffix != ".onnx" and (config := read_folder(folder)[0]).get("encoder", {}).get("name") is None:
            return cls._of_features(folder, config)
        return cls._of_model(load(folder))

    @classmethod
    def from_pretrained(cls, name: str | Path, **options: Any) -> Self:
        """As `load`; also a repository OWNER/NAME of the Hugging Face hub (options as `Model.from_pretrained`)."""
        return cls.load(name) if Path(name).exists() else cls._of_model(Model.from_pretrained(name, **options))

    @classmethod
    def _of_model(cls, model: Model) -> Self:
        encoder = model.about.get("encoder", {})
        made = cls(model.about["method"]["name"], encoder=encoder["name"], image_size=encoder["image_size"])
        return made._fitted(model.classes, model.about, model)

    @classmethod
    def _of_features(cls, folder: Path, config: dict[str, Any]) -> Self:
        classes = Classes.from_dict(read_folder(folder)[1])
        made = cls(config["method"]["name"])._fitted(classes, config, None)
        made._method = build(config, classes).eval()
        fill(made._method, folder / "model.safetensors")
        made.n_features_in_ = config["encoder"]["width"]
        return made

    def _fitted(self, classes: Classes, about: dict[str, Any], model: Model | None) -> Self:
        self._classes, self._about, self.model_, self.notes_ = classes, about, model, []
        self.classes_, self.thresholds_ = np.array(classes.names), classes.thresholds
        self.validation_indices_ = np.zeros(0, np.int64)
        return self

    def _features(self, X: Any, *, fitting: bool) -> Seen:
        """What X is: photographs, which are encoded, or features."""
        photos = photos_of(X)
        if photos is None and holds_text(X):
            raise ManylabelError("X holds text, and features are numbers; give paths of photographs as a list of them")
        if photos is not None and fitting:
            return encoded(photos, encoders.load(self.encoder, image_size=self.image_size))
        if photos is not None:
            raise ManylabelError("this estimator was fitted to features; X holds photographs")
        if getattr(X, "ndim", 2) == 3:
            if X.dtype == np.uint8:
                raise ManylabelError(f"X of {X.shape} uint8 looks like grey images, or like one: give (N, H, W, 3)")
            array = validate_data(self, X, reset=fitting, allow_nd=True, ensure_2d=False, dtype=np.float32)
            return Seen(torch.from_numpy(array), torch.from_numpy(array).mean(1))
        array = validate_data(self, X, reset=fitting, dtype=np.float32)
        pooled = torch.from_numpy(np.ascontiguousarray(array))
        return Seen(pooled[:, None], pooled)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label, tags.classifier_tags.multi_class = True, False
        tags.target_tags.multi_output, tags.target_tags.single_output = True, False
        tags.target_tags.required, tags.input_tags.three_d_array = True, True
        return tags


def _classes(vocabulary: Vocabulary, decisions: Any, scored: ScoreFile | None) -> Classes:
    made = Classes(
        vocabulary.names, decisions.thresholds, decisions.temperatures, decisions.biases,
        counts=np.asarray(vocabulary.counts, np.int64), images=vocabulary.images, decision=decisions.rule,
        text_source=vocabulary.text_source,
    )  # fmt: skip
    if scored is None or scored.labels is None:
        return made
    return replace(made, guarantee=guarantee(made.calibrated(scored.scores), scored.labels))
