"""Backgrounds of the demo scenes, painted from random numbers: sky and hills, water, blocks, rooms, tables, patterns.

They are painted at half the size of a scene and enlarged, which softens them as a lens would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 112
"""Side of a background in pixels before it is enlarged."""

Pixels = NDArray[np.float32]  # (SIDE, SIDE, 3) in [0, 255]


def paint(kind: str, size: int, rng: np.random.Generator) -> Image.Image:
    """A background of one of the kinds in `BACKDROPS`, `size` pixels square, drawn anew."""
    ground = np.clip(BACKDROPS[kind](rng), 0, 255).astype(np.uint8)
    return Image.fromarray(ground).resize((size, size), Image.Resampling.BICUBIC)


def _colour(
    rng: np.random.Generator, low: Sequence[float], high: Sequence[float], freedom: float = 0.3
) -> NDArray[np.float32]:
    """A colour (3,) near the line from `low` to `high`; with `freedom` 1 anywhere in the box they span."""
    share = (1 - freedom) * rng.random() + freedom * rng.random(3)
    return (np.array(low) + (np.array(high) - low) * share).astype(np.float32)


def _noise(rng: np.random.Generator, cells: Sequence[int] = (4, 9, 23), wide: int = 1) -> NDArray[np.float32]:
    """Smooth noise (SIDE, SIDE) in [0, 1]: random grids enlarged and added, coarse ones weighing most."""
    total = np.zeros((SIDE, SIDE), np.float32)
    for weight, n in enumerate(reversed(cells), start=1):
        grid = Image.fromarray(rng.random((n, max(2, n // wide)), dtype=np.float32))
        total += weight * np.asarray(grid.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    low, high = total.min(), total.max()
    return (total - low) / max(float(high - low), 1e-6)


def _mix(a: NDArray, b: NDArray, share: NDArray) -> Pixels:
    """Per pixel (1 - share) a + share b; a and b are colours (3,) or pictures."""
    a, b, share = (np.asarray(part, np.float32) for part in (a, b, share))
    return a + (b - a) * share[..., None]


def ramp(angle: float, side: int = SIDE) -> NDArray[np.float32]:
    """(side, side) rising from 0 to 1 along `angle`, in radians; pi / 2 is downwards."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / (side - 1) - 0.5
    along = np.float32(math.cos(angle)) * x + np.float32(math.sin(angle)) * y
    return (along - along.min()) / (along.max() - along.min())


def _below(rng: np.random.Generator, level: float, height: float) -> NDArray[np.float32]:
    """(SIDE, SIDE) in [0, 1], 1 below a rolling line about `level` (share of the height), 0 above."""
    line = np.interp(np.linspace(0, 1, SIDE), np.linspace(0, 1, 7), rng.uniform(-height, height, 7))
    smooth = np.convolve(np.pad(line, 10, mode="edge"), np.ones(21) / 21, mode="valid")
    rows = np.arange(SIDE)[:, None] - SIDE * (level + smooth)[None, :]
    return np.clip(rows, 0, 1).astype(np.float32)


SKIES = (
    ([90, 140, 200], [150, 195, 250]),
    ([200, 140, 110], [250, 190, 160]),
    ([60, 70, 110], [110, 120, 160]),
)
"""Day, dusk and dull: the ranges of the colour overhead."""


def _sky(rng: np.random.Generator) -> Pixels:
    top, low = _colour(rng, *SKIES[rng.choice(3, p=[0.6, 0.25, 0.15])]), _colour(rng, [200] * 3, [250] * 3)
    sky = _mix(top, low, ramp(math.pi / 2) * rng.uniform(0.6, 1.3))
    clouds = np.clip((_noise(rng, wide=2) - rng.uniform(0.5, 0.9)) * 4, 0, 0.8)
    return _mix(sky, np.array([245, 245, 250]), clouds)


def meadow(rng: np.random.Generator) -> Pixels:
    """Sky over one to three rolling hills, green to dry."""
    picture, level = _sky(rng), rng.uniform(0.25, 0.5)
    for step in range(rng.integers(1, 4)):
        ground = _colour(rng, [70, 110, 40], [190, 190, 110])
        texture = _mix(ground * 0.75, ground * 1.1, _noise(rng, (9, 30, 60)))
        picture = _mix(picture, texture, _below(rng, level + 0.15 * step, 0.08))
    return picture


def shore(rng: np.random.Generator) -> Pixels:
    """Sky, water with ripples, and often sand."""
    picture, level = _sky(rng), rng.uniform(0.25, 0.55)
    water = _colour(rng, [30, 90, 120], [110, 180, 210])
    ripples = _mix(water * 0.8, water * 1.2, _noise(rng, (20, 60), wide=6))
    picture = _mix(picture, ripples, _below(rng, level, 0.005))
    if rng.random() < 0.7:
        sand = _colour(rng, [190, 160, 110], [240, 215, 170])
        sandy = _mix(sand * 0.85, sand, _noise(rng, (12, 40, 80)))
        picture = _mix(picture, sandy, _below(rng, level + rng.uniform(0.15, 0.35), 0.06))
    return picture


def town(rng: np.random.Generator) -> Pixels:
    """Sky, a row of blocks with windows, and a paved ground."""
    picture, ground = _sky(rng), int(SIDE * rng.uniform(0.5, 0.75))
    left = 0
    while left < SIDE:
        right, top = left + int(rng.integers(12, 35)), int(ground * rng.uniform(0.1, 0.7))
        wall = _colour(rng, [90, 80, 80], [215, 200, 190])
        picture[top:ground, left:right] = wall
        step = int(rng.integers(5, 9))
        for y in range(top + 3, ground - step, step):
            for x in range(left + 2, min(right, SIDE) - 3, step):
                picture[y : y + step // 2, x : x + step // 2] = wall * rng.choice([0.6, 0.7, 1.25])
        left = right
    grey = _colour(rng, [95, 95, 95], [175, 170, 165])
    picture[ground:] = _mix(grey * 0.9, grey * 1.1, _noise(rng, (12, 40, 80)))[ground:]
    return picture


def _tiling(rng: np.random.Generator) -> NDArray[np.float32]:
    """(SIDE, SIDE) in {0, 1}: stripes, checks or dots, turned by any angle."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    angle, period = rng.uniform(0, math.pi), rng.uniform(6, 24)
    u = (math.cos(angle) * x + math.sin(angle) * y) / period
    v = (math.cos(angle) * y - math.sin(angle) * x) / period
    kinds = u % 1 < 0.5, (u % 1 < 0.5) ^ (v % 1 < 0.5), (u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < 0.07
    return kinds[rng.integers(3)].astype(np.float32)


def room(rng: np.random.Generator) -> Pixels:
    """A wall, plain or papered, over a floor of boards seen in perspective."""
    wall, floor = _colour(rng, [120] * 3, [245] * 3, freedom=0.5), _colour(rng, [90, 65, 50], [205, 175, 145])
    picture = _mix(wall, wall * 0.85, ramp(rng.uniform(0, math.pi)))
    if rng.random() < 0.6:
        picture = _mix(picture, wall * rng.uniform(0.75, 1.2, 3), _tiling(rng) * rng.uniform(0.2, 0.8))
    horizon = int(SIDE * rng.uniform(0.45, 0.75))
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    depth = np.maximum(y - horizon, 0) + SIDE / 6
    boards = np.floor((x - SIDE / 2) / depth * np.float32(rng.uniform(3, 9))) % 2
    grain = boards * 0.25 + _noise(rng, (10, 40), wide=3) * 0.3
    picture[horizon:] = _mix(floor, floor * 0.7, grain)[horizon:]
    picture[horizon - 2 : horizon] = wall * 0.6
    return picture


def table(rng: np.random.Generator) -> Pixels:
    """A wooden or stone top seen from above, sometimes with a cloth."""
    base = _colour(rng, [100, 80, 60], [230, 215, 200])
    grain = _noise(rng, (6, 24, 70), wide=int(rng.choice([1, 8])))
    picture = _mix(base * 0.75, base * 1.05, grain)
    if rng.random() < 0.4:
        cloth = _colour(rng, [60] * 3, [250] * 3, freedom=1)
        woven = _mix(cloth, cloth * 0.5 + 120, _tiling(rng))
        covered = ramp(rng.uniform(0, 2 * math.pi)) > rng.uniform(0.2, 0.6)
        picture = np.where(covered[..., None], woven, picture)
    return picture


def pattern(rng: np.random.Generator) -> Pixels:
    """Any two colours: a gradient, blots or a tiling."""
    a, b = (_colour(rng, [40] * 3, [255] * 3, freedom=1) for _ in range(2))
    kinds = ramp(rng.uniform(0, 2 * math.pi)), _noise(rng), np.round(_noise(rng)), _tiling(rng) * 0.5
    return _mix(a, b, kinds[rng.integers(4)])


BACKDROPS: Mapping[str, Callable[[np.random.Generator], Pixels]] = {
    painter.__name__: painter for painter in (meadow, shore, town, room, table, pattern)
}
