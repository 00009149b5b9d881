"""The score file: what one model said about some images, and the only door between training and judging.

Anybody's model can write one: a CSV or parquet file `image,<class>,...`, one of `image,label,score`, or an `.npz` with
ids, names, scores, kind and, where known, labels. No pickle. Whether the numbers are logits or probabilities is
declared, never guessed. `ScoreFile` holds a score of every class for every image, `TopFile` the highest classes only.
"""

from manylabel.scores.file import KINDS, ScoreFile
from manylabel.scores.loading import load, load_top
from manylabel.scores.top import TopFile

__all__ = ["KINDS", "ScoreFile", "TopFile", "load", "load_top"]
