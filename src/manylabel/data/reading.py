"""How a label file is to be read where it leaves a choice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from manylabel.data.repeats import CONFLICTS
from manylabel.data.wide import STATES
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError, did_you_mean

UNCERTAIN = {"ignore": UNKNOWN, "positive": PRESENT, "negative": ABSENT, "soft": UNKNOWN}
SOFT = 0.5  # what an uncertain cell counts with `uncertain="soft"`: a coin's toss


@dataclass(frozen=True)
class Reading:
    """The choices of `manylabel.data.read`, checked; a format ignores those that cannot arise in it.

    Arguments:
        unlisted, minus_one, separator, root, columns, conflicts, mistakes, uncertain: as of `manylabel.data.read`.
    """

    unlisted: str = "absent"
    minus_one: str = "unknown"
    separator: str | None = None
    root: Path | None = None
    columns: tuple[str, ...] = ()
    conflicts: str = "error"
    mistakes: str = "error"
    uncertain: str = "ignore"

    def __post_init__(self) -> None:
        _check("unlisted", self.unlisted, ("absent", "unknown"))
        _check("minus_one", self.minus_one, (*STATES, "uncertain"))
        _check("conflicts", self.conflicts, CONFLICTS)
        _check("mistakes", self.mistakes, ("error", "leave"))
        _check("uncertain", self.uncertain, tuple(UNCERTAIN))

    @property
    def leave(self) -> bool:
        """Whether mistakes are left out and said, instead of ending the reading."""
        return self.mistakes == "leave"

    @property
    def state_of_minus_one(self) -> str:
        """The word for what -1 is in the table."""
        words = {"ignore": "unknown", "soft": "unknown", "positive": "present", "negative": "absent"}
        return words[self.uncertain] if self.minus_one == "uncertain" else self.minus_one

    @property
    def default(self) -> int:
        """The state of a class that an image does not list."""
        return UNKNOWN if self.unlisted == "unknown" else ABSENT


def _check(what: str, word: str, valid: tuple[str, ...]) -> None:
    if word not in valid:
        raise ManylabelError(
            f"--{what.replace('_', '-')} (Python: {what}) cannot be {word!r}.{did_you_mean(word, valid)}"
        )
