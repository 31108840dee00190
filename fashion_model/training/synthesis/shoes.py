"""Shoes as people draw them, from above or from the side, drawn anew every time."""

import numpy as np

from fashion_model.training.synthesis.garments import Rng
from fashion_model.training.synthesis.sketches import Point, Strokes, arc


def _flip_flop(rng: Rng, x: float, wide: float, lean: float) -> Strokes:
    sole = arc(0, 0, wide, 0.95, 0, 1)
    sole = [(px * (1 - 0.25 * (py > 0)) + x + lean * py, py) for px, py in sole]
    toe, y = (x - lean * 0.55, -0.55), rng.uniform(-0.15, 0.25)
    strap: Strokes = [[toe, (x + side * wide * 0.9, y)] for side in (-1, 1)]
    if rng.random() < 0.25:  # a broad band
        strap = [[(x - wide, y), (x + wide, y)] for y in (-0.3, 0.1)]
    return [sole, *strap]


def sandal(rng: Rng) -> Strokes:
    style = rng.integers(4)
    if style < 2:
        lean = rng.normal(0, 0.08)
        if style == 0:
            return _flip_flop(rng, 0, rng.uniform(0.3, 0.45), lean)
        wide = rng.uniform(0.25, 0.38)
        x = wide + rng.uniform(0.05, 0.2)
        return _flip_flop(rng, -x, wide, lean) + _flip_flop(rng, x, wide, -lean)
    heel = rng.uniform(0.0, 0.9) if style == 3 else 0.0
    thick = rng.uniform(0.08, 0.16)
    low, back = 0.5, 0.5 - heel
    sole: list[Point] = [(-1, low - 0.02), (-0.3, low - 0.03), (0.5, back), (0.95, back)]
    under: list[Point] = [(-1, low + thick), (-0.3, low + thick), (0.45, back + thick)]
    strokes: Strokes = [sole, under, [(-1, low - 0.02), (-1, low + thick)]]
    high = [(0.95, back), (0.92, low + thick), (0.8, low + thick), (0.7, back + thick)]
    strokes.append(high if heel > 0.2 else [(0.45, back + thick), (0.95, back + thick), sole[-1]])
    for x in np.linspace(-0.75, 0.2, int(rng.integers(1, 4))):
        rise = rng.uniform(0.2, 0.4)
        strokes.append(arc(float(x), low - 0.03 - heel * 0.4 * (x > -0.2), 0.2, rise, 0.5, 1.0))
    if rng.random() < 0.7:  # round the ankle
        strokes.append([(0.9, back), (0.85, back - 0.5), (0.35, back - 0.45), (0.2, back)])
    return strokes


def _profile(rng: Rng, top: float, toe: float) -> tuple[Strokes, list[Point]]:
    """A shoe from the side, toe left: the opening at height top, the toe box toe high."""
    shaft = rng.uniform(0.1, 0.35)
    bend = toe - rng.uniform(0.05, 0.25)
    upper: list[Point] = [
        *((-0.98, 0.5), (-0.98, toe + 0.1), (-0.8, toe), (-0.4, bend)),
        *((shaft - 0.1, bend - 0.08), (shaft, top), (0.92, top + rng.normal(0, 0.04))),
        *((0.9, 0.1), (0.98, 0.5)),
    ]
    return [upper, [(-0.98, 0.5), (0.98, 0.5)]], upper


def sneaker(rng: Rng) -> Strokes:
    strokes, upper = _profile(rng, rng.uniform(-0.35, -0.05), rng.uniform(0.1, 0.3))
    if rng.random() < 0.7:
        thick = rng.uniform(0.08, 0.2)
        strokes.append([(-0.98, 0.5), (-0.98, 0.5 + thick), (0.98, 0.5 + thick), (0.98, 0.5)])
    (x0, y0), (x1, y1) = upper[3], upper[5]
    for k in np.linspace(0.2, 0.9, int(rng.integers(0, 5))):  # laces
        x, y = x0 + (x1 - x0) * float(k), y0 + (y1 - y0) * float(k)
        strokes.append([(x - 0.08, y - 0.05), (x + 0.12, y + 0.12)])
    if rng.random() < 0.3:
        strokes.append([(-0.3, 0.4), (0.2, 0.15), (0.7, 0.0)])
    return strokes


def boot(rng: Rng) -> Strokes:
    strokes, _ = _profile(rng, rng.uniform(-1.1, -0.6), rng.uniform(0.05, 0.25))
    style = rng.integers(3)
    if style == 0:
        strokes.append([(-0.98, 0.5), (-0.98, 0.64), (0.98, 0.64), (0.98, 0.5)])
    elif style == 1:  # a heel
        strokes.append([(0.98, 0.5), (0.95, 0.8), (0.55, 0.8), (0.5, 0.55)])
    if rng.random() < 0.3:
        strokes.append([(0.1, -0.55), (0.95, -0.5)])
    return strokes
