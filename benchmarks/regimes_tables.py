"""From kept test scores to the tables and the plot of the bench of regimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.metrics import average_precision
from paired import compare, resampled, verdict
from regimes_data import SHOTS, Mask

Kept = Mapping[tuple[str, int, int], Any]  # (arm, draw, k) -> arrays of one fit
Row = dict[str, Any]
Scores = NDArray[np.float32]

RESAMPLES = 500
PAIRS = (("cprfl", "cprfl-random"), ("cprfl", "mldecoder-glove"), ("cprfl", "nearest-text"), ("cprfl", "ridge-text"))
TOP = 3


def means(scores: NDArray[np.float32], labels: NDArray[np.int8], rare: Mask) -> tuple[float, float, float]:
    """mAP of the seen and of the rare classes, and their harmonic mean."""
    ap = average_precision(scores, labels)
    seen, few = float(np.nanmean(ap[~rare])), float(np.nanmean(ap[rare]))
    return seen, few, 2 * seen * few / (seen + few)


def spread(values: Sequence[float], name: str) -> Row:
    """Mean and standard deviation over draws, in percent."""
    deviation = np.std(values, ddof=1) if len(values) > 1 else np.nan
    return {name: round(100 * float(np.mean(values)), 2), f"{name}_sd": round(100 * float(deviation), 2)}


def arms_of(kept: Kept) -> list[str]:
    return list(dict.fromkeys(name for name, _, _ in kept))


def draws_of(kept: Kept) -> list[int]:
    return sorted({draw for _, draw, _ in kept})


def shots_of(kept: Kept, arm: str) -> list[int]:
    return sorted({k for name, _, k in kept if name == arm})


def regime_rows(kept: Kept, labels: NDArray[np.int8], rare: Sequence[Mask], rates: Mapping[str, Any]) -> list[Row]:
    """One row per arm and k: test mAP of seen and rare classes and their harmonic mean, over draws."""
    rows = []
    for arm in arms_of(kept):
        for k in shots_of(kept, arm):
            fits = [kept[arm, draw, k] for draw in draws_of(kept)]
            found = [means(fit["scores"], labels, rare[draw]) for draw, fit in zip(draws_of(kept), fits)]
            row: Row = {"arm": arm, "shots": k, "draws": len(fits)}
            for name, values in zip(("seen", "rare", "harmonic"), zip(*found)):
                row |= spread(values, name)
            shares = [(labels[:, rare[draw]] > 0).mean() for draw in draws_of(kept)]
            row["chance_rare"] = round(100 * float(np.mean(shares)), 2)
            row["val_seen"] = round(100 * float(np.mean([fit["val"] for fit in fits])), 2)
            row["epochs"] = round(float(np.mean([fit["epochs"] for fit in fits])), 1)
            row["seconds"] = round(float(np.mean([fit["seconds"] for fit in fits])))
            rows.append(row | {"lr": rates[arm]})
    return rows


def paired_rows(kept: Kept, labels: NDArray[np.int8], rare: Sequence[Mask], resamples: int = RESAMPLES) -> list[Row]:
    """Differences of mAP in points with 95 % intervals over photos and draws: every arm less linear, and `PAIRS`."""
    draws = draws_of(kept)
    drawn = {}
    for arm in arms_of(kept):
        for k in shots_of(kept, arm):
            per_draw = [of_draw(kept[arm, d, k]["scores"], labels, rare[d], resamples) for d in draws]
            drawn[arm, k] = {name: np.concatenate([one[name] for one in per_draw], axis=1) for name in per_draw[0]}
    pairs = [(arm, "linear") for arm in arms_of(kept) if arm != "linear"]
    pairs += [pair for pair in PAIRS if set(pair) <= set(arms_of(kept))]
    rows = []
    for arm, against in pairs:
        for k in sorted({*shots_of(kept, arm)} & {*shots_of(kept, against)}):
            for name, (difference, low, high) in compare(drawn[arm, k], drawn[against, k]).items():
                row: Row = {"arm": arm, "against": against, "shots": k, "classes": name}
                row |= {"delta": round(difference, 2), "low": round(low, 2), "high": round(high, 2)}
                rows.append(row | {"verdict": verdict(low, high)})
    return rows


def of_draw(
    scores: NDArray[np.float32], labels: NDArray[np.int8], rare: Mask, resamples: int
) -> dict[str, NDArray[np.float64]]:
    """ "seen" and "rare" -> (1 + resamples, 1) mAP of one draw; the photos drawn are the same for all."""
    found = resampled(scores[None], labels, {"seen": ~rare, "rare": rare}, resamples=resamples)
    return {name: found[name] for name in ("seen", "rare")}


def moved(before: Scores, after: Scores, labels: NDArray[np.int8]) -> tuple[float, float, float]:
    """What added classes do to the scores (N, K) of the seen ones.

    Returns the change of mAP, the mean absolute change of a logit in units of its class's standard deviation over
    photos, and the share of photos whose three highest classes are others.
    """
    change = np.nanmean(average_precision(after, labels)) - np.nanmean(average_precision(before, labels))
    size = np.mean(np.abs(after - before).mean(axis=0) / before.std(axis=0))
    top = [np.sort(np.argsort(-scores, axis=1, kind="stable")[:, :TOP], axis=1) for scores in (before, after)]
    return float(change), float(size), float((top[0] != top[1]).any(axis=1).mean())


def interaction_rows(kept: Kept, labels: NDArray[np.int8], rare: Sequence[Mask]) -> list[Row]:
    """k = 0: seen classes scored alone against among the unseen ones, and among names of other things."""
    rows = []
    for arm in arms_of(kept):
        fits = [(draw, kept[arm, draw, 0]) for draw in draws_of(kept)]
        if "seen_alone" not in fits[0][1]:
            continue
        among = {f"{rare[0].sum()} unseen": [fit["scores"][:, ~rare[draw]] for draw, fit in fits]}
        for key in sorted((k for k in fits[0][1] if k.startswith("seen_of_")), key=lambda k: int(k[8:])):
            among[f"{key[8:]} other"] = [fit[key] for _, fit in fits]
        for added, scores in among.items():
            found = [moved(fit["seen_alone"], s, labels[:, ~rare[d]]) for (d, fit), s in zip(fits, scores)]
            change, size, top = zip(*found)
            row: Row = {"arm": arm, "added": added} | spread(change, "d_map_seen")
            row |= {"logit_change_in_sd": round(float(np.mean(size)), 4)}
            rows.append(row | {"top3_changed_percent": round(100 * float(np.mean(top)), 2)})
    return rows


def rate_rows(tried: Sequence[tuple[str, float, Any]], rates: Mapping[str, float]) -> list[Row]:
    """The learning rates that were tried, on draw 1 with k = 10."""
    return [
        {"arm": arm, "lr": lr, "val_seen": round(100 * float(kept["val"]), 2), "chosen": rates[arm] == lr}
        for arm, lr, kept in tried
    ]


def draw_rows(
    names: NDArray[np.str_], present: Mask, rare: Sequence[Mask], photos: Sequence[Mapping[int, NDArray[np.int64]]]
) -> list[Row]:
    """What came out of each draw: photos left, positives of the rare classes, and what seen classes lost."""
    rows = []
    for draw, mask in enumerate(rare):
        for k, left in photos[draw].items():
            few = present[left][:, mask].sum(axis=0)
            row: Row = {"draw": draw + 1, "shots": k, "photos": len(left), "fewest": few.min(), "most": few.max()}
            rows.append(row | {"rare": "|".join(names[mask])})
    return rows


def plot(rows: Sequence[Row], file: Path) -> None:
    """mAP of rare and of seen classes over k, one line an arm; bars are standard deviations over draws."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    names = list(dict.fromkeys(row["arm"] for row in rows))
    for axis, what in zip(axes, ("rare", "seen")):
        for number, arm in enumerate(names):
            mine = [row for row in rows if row["arm"] == arm]
            place = np.array([SHOTS.index(row["shots"]) for row in mine]) + 0.04 * (
                number - len(names) / 2
            )  # side by side, so that bars can be told apart
            values, bars = [row[what] for row in mine], [row[f"{what}_sd"] for row in mine]
            axis.errorbar(place, values, yerr=bars, marker="o", markersize=4, capsize=2, linewidth=1.4, label=arm)
        axis.set_xticks(range(len(SHOTS)), [str(k) for k in SHOTS])
        axis.set_xlabel("training photos of each rare class")
        axis.set_ylabel(f"mAP of {what} classes, %")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].axhline(rows[0]["chance_rare"], color="grey", linestyle=":", linewidth=1)
    axes[0].annotate("chance", (len(SHOTS) - 1, rows[0]["chance_rare"]), color="grey", va="bottom", ha="right")
    axes[1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
    print(f"written to {file}")
