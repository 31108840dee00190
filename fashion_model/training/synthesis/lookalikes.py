"""Drawings of things that are taken for garments: boxes and doors, cups, hats, arches and such.

See sketches for the plane.
"""

from itertools import pairwise

import numpy as np

from fashion_model.training.synthesis.garments import Rng
from fashion_model.training.synthesis.sketches import Point, Strokes, arc, box


def lookalike(rng: Rng) -> Strokes:
    """One of LOOKALIKES, wide or tall, in about [-1, 1] x [-1, 1]."""
    strokes = LOOKALIKES[rng.integers(len(LOOKALIKES))](rng)
    wide, high = rng.uniform(0.6, 1.0, 2)
    return [[(x * wide, y * high) for x, y in stroke] for stroke in strokes]


def _panel(rng: Rng) -> Strokes:
    """A box, a book, a door, a window, an envelope, a screen, a sheet."""
    x, y = rng.uniform(0.4, 1.0, 2)
    strokes: Strokes = [box(-x, -y, x, y)]
    style = rng.integers(7)
    if style == 0:  # a frame
        k = rng.uniform(0.6, 0.9)
        strokes.append(box(-x * k, -y * k, x * k, y * k))
    elif style == 1:  # a door's knob
        side = rng.choice([-1, 1]) * x * 0.75
        strokes.append(arc(side, rng.uniform(-0.1, 0.2), 0.06, 0.06, 0, 1))
        if rng.random() < 0.5:
            strokes += [box(-x * 0.6, y - 0.3, x * 0.6, y + 0.3) for y in (-y / 2, y / 2)]
    elif style == 2:  # a window, a parcel
        strokes += [[(-x, 0), (x, 0)], [(0, -y), (0, y)]]
    elif style == 3:  # an envelope
        strokes.append([(-x, -y), (0, rng.uniform(-0.2, 0.3)), (x, -y)])
    elif style == 4:  # a screen on its foot
        strokes += [[(-0.1, y), (-0.1, y + 0.25)], [(0.1, y), (0.1, y + 0.25)]]
        strokes.append([(-0.4, y + 0.25), (0.4, y + 0.25)])
    elif style == 5:  # a cube
        d = rng.uniform(0.15, 0.4)
        strokes.append([(-x, -y), (-x + d, -y - d), (x + d, -y - d), (x + d, y - d), (x, y)])
        strokes.append([(x, -y), (x + d, -y - d)])
    else:  # lines of text
        strokes += [[(-x * 0.8, r), (x * rng.uniform(0.2, 0.8), r)] for r in (-0.3, 0.0, 0.3)]
    return strokes


def _cup(rng: Rng) -> Strokes:
    top, bottom, high = rng.uniform(0.5, 0.9), rng.uniform(0.3, 0.8), rng.uniform(0.5, 0.95)
    side = rng.choice([-1.0, 1.0])
    body: Strokes = [[(-top, -high), (-bottom, high), (bottom, high), (top, -high)]]
    body.append(
        arc(0, -high, top, rng.uniform(0.05, 0.2), 0, 1)
        if rng.random() < 0.5
        else [(-top, -high), (top, -high)]
    )
    reach, tall = rng.uniform(0.2, 0.45), rng.uniform(0.25, 0.6) * high
    if rng.random() < 0.8:  # its handle, at the side
        middle = side * (top + bottom) / 2
        body.append(arc(middle, 0, reach, tall, 0.75, 0.75 + side / 2))
        if rng.random() < 0.5:
            body.append(arc(middle, 0, reach * 0.6, tall * 0.6, 0.75, 0.75 + side / 2))
    for x in np.linspace(-0.3, 0.3, int(rng.integers(0, 4))).tolist():  # steam
        body.append([(x, -high - 0.1), (x + 0.08, -high - 0.25), (x, -high - 0.4)])
    return body


def _hat(rng: Rng) -> Strokes:
    crown, high = rng.uniform(0.35, 0.65), rng.uniform(0.5, 1.1)
    style = rng.integers(4)
    if style == 0:  # a top hat
        narrow = crown * rng.uniform(0.8, 1.2)
        return [
            [(-crown, 0.5), (-narrow, 0.5 - high), (narrow, 0.5 - high), (crown, 0.5)],
            arc(0, 0.5, 1, rng.uniform(0.08, 0.3), 0, 1),
            [(-crown, 0.3), (crown, 0.3)],
        ]
    if style == 1:  # a cap
        side = rng.choice([-1.0, 1.0])
        visor = [(side * 0.6, 0.3), (side * 1.0, 0.35), (side * 1.3, 0.5), (side * 0.6, 0.45)]
        return [arc(0, 0.4, 0.65, high, 0.5, 1.0), [(-0.65, 0.4), (0.65, 0.4)], visor]
    if style == 2:  # a woollen one
        return [
            arc(0, 0.3, 0.8, high, 0.5, 1.0),
            box(-0.85, 0.3, 0.85, rng.uniform(0.5, 0.8)),
            arc(0, 0.2 - high, 0.15, 0.15, 0, 1),
        ]
    return [  # a brim, and a dome on it
        arc(0, 0.4, crown, high, 0.5, 1.0),
        [(-1, 0.45), (-0.5, 0.35), (0.5, 0.35), (1, 0.45), (0.5, 0.6), (-0.5, 0.6), (-1, 0.45)],
    ]


def _arches(rng: Rng) -> Strokes:
    """A gate, a tunnel, a rainbow, a horseshoe, a magnet."""
    count, foot = int(rng.integers(1, 5)), rng.choice([0.0, rng.uniform(0.2, 1.0)])
    strokes: Strokes = []
    for k in np.linspace(1, rng.uniform(0.4, 0.8), count).tolist():
        strokes.append([(-k, foot), *arc(0, 0, k, k, 0.5, 1.0), (k, foot)])
    if rng.random() < 0.4:
        strokes.append([(-1, foot), (1, foot)])
    return strokes


def _burger(rng: Rng) -> Strokes:
    high, low = rng.uniform(0.4, 0.9), rng.uniform(0.2, 0.5)
    x = np.linspace(-1, 1, 20)
    wave = rng.uniform(0.02, 0.1) * np.sin(x * rng.uniform(8, 20))
    layers: Strokes = [list(zip(x.tolist(), (wave + y).tolist(), strict=True)) for y in (0.0, 0.15)]
    strokes: Strokes = [
        arc(0, 0, 1, high, 0.5, 1.0),
        [(-1, 0), (1, 0)],
        *layers[: int(rng.integers(0, 3))],
        [(-1, 0.25), (-0.9, 0.25 + low), (0.9, 0.25 + low), (1, 0.25), (-1, 0.25)],
    ]
    for x0 in rng.uniform(-0.6, 0.6, int(rng.integers(0, 6))).tolist():  # seeds
        strokes.append([(x0, -high * 0.4), (x0 + 0.05, -high * 0.35)])
    return strokes


def _bottle(rng: Rng) -> Strokes:
    neck, body = rng.uniform(0.12, 0.3), rng.uniform(0.35, 0.6)
    shoulder = rng.uniform(-0.5, 0.0)
    right: list[Point] = [(neck, -1), (neck, shoulder - 0.2), (body, shoulder), (body, 1)]
    left: list[Point] = [(-x, y) for x, y in right]
    strokes: Strokes = [[*left, *right[::-1]], [(-neck, -1), (neck, -1)]]
    if rng.random() < 0.5:
        strokes.append(box(-body, 0.2, body, 0.6))
    return strokes


def _glasses(rng: Rng) -> Strokes:
    r = rng.uniform(0.25, 0.42)
    return [
        *(arc(side * 0.5, 0, r, r * rng.uniform(0.7, 1), 0, 1) for side in (-1, 1)),
        arc(0, 0, 0.5 - r, 0.1, 0.5, 1.0),
        *([(side * (0.5 + r), 0.0), (side * 1.1, -0.3)] for side in (-1, 1)),
    ]


def _umbrella(rng: Rng) -> Strokes:
    count = int(rng.integers(2, 5))
    edges = np.linspace(-1, 1, count + 1).tolist()
    scallops: Strokes = [
        arc((a + b) / 2, 0, (b - a) / 2, 0.12, 0.5, 1.0) for a, b in pairwise(edges)
    ]
    stick = [(0, 0), (0, 0.8), *arc(-0.15, 0.8, 0.15, 0.15, 0.0, 0.5)]
    return [arc(0, 0, 1, rng.uniform(0.6, 1), 0.5, 1.0), *scallops, stick]


def _figure(rng: Rng) -> Strokes:
    """A stick man."""
    hip, y = rng.uniform(0.1, 0.4), rng.uniform(-0.3, 0.3)
    return [
        arc(0, -0.75, 0.25, 0.25, 0, 1),
        [(0, -0.5), (0, hip)],
        [(-0.6, y), (0, -0.3), (0.6, y)],
        [(-0.4, 1), (0, hip), (0.4, 1)],
    ]


def _star(rng: Rng) -> Strokes:
    """A star, a flower, a gear."""
    corners = int(rng.integers(4, 9))
    turns = np.linspace(0, 1, 2 * corners + 1) * 2 * np.pi
    reach = np.where(np.arange(len(turns)) % 2, rng.uniform(0.3, 0.7), 1.0)
    x, y = np.sin(turns) * reach, -np.cos(turns) * reach
    return [list(zip(x.tolist(), y.tolist(), strict=True))]


def _heart(rng: Rng) -> Strokes:
    t = np.linspace(0, 2 * np.pi, 30)
    y = 0.8 * np.cos(t) - 0.35 * np.cos(2 * t) - 0.15 * np.cos(3 * t)
    y = -y * rng.uniform(0.8, 1.1)
    return [list(zip((np.sin(t) ** 3).tolist(), y.tolist(), strict=True))]


def _house(rng: Rng) -> Strokes:
    eaves, door = rng.uniform(-0.4, 0.1), rng.uniform(0.1, 0.2)
    x = rng.uniform(-0.4, 0.4)
    strokes: Strokes = [
        box(-0.8, eaves, 0.8, 1),
        [(-rng.uniform(0.8, 1), eaves), (0, -1), (rng.uniform(0.8, 1), eaves)],
    ]
    if rng.random() < 0.7:
        strokes.append([(x - door, 1), (x - door, 0.4), (x + door, 0.4), (x + door, 1)])
    return strokes


def _table(rng: Rng) -> Strokes:
    """A table, a chair, a bench."""
    leg, y = rng.uniform(0.6, 1.2), rng.uniform(-0.4, 0.1)
    strokes: Strokes = [[(-1, y), (1, y)], [(-0.9, y), (-0.9, y + leg)], [(0.9, y), (0.9, y + leg)]]
    if rng.random() < 0.5:
        strokes.append([(0.9, y), (0.95, y - rng.uniform(0.5, 1.0))])
    return strokes


def _tie(rng: Rng) -> Strokes:
    k, w = rng.uniform(0.12, 0.25), rng.uniform(0.2, 0.45)
    return [
        [(-k, -1), (k, -1), (k * 0.7, -0.75), (-k * 0.7, -0.75), (-k, -1)],
        [(-k * 0.7, -0.75), (-w, 0.75), (0, 1), (w, 0.75), (k * 0.7, -0.75)],
    ]


def _hand(rng: Rng) -> Strokes:
    """A mitten, or a hand."""
    count = int(rng.integers(1, 5))
    width = 1.0 / count
    top: list[Point] = []
    for i in range(count):
        top += arc(-0.5 + (i + 0.5) * width, -0.3, width / 2, rng.uniform(0.4, 0.7), 0.5, 1.0)
    return [[(-0.5, 1), *top, (0.5, 0.2), (0.95, -0.2), (1.0, 0.1), (0.5, 0.7), (0.5, 1)]]


LOOKALIKES = (
    *(_panel, _panel, _panel, _cup, _cup, _hat, _hat, _arches, _arches, _burger, _bottle),
    *(_glasses, _umbrella, _figure, _star, _heart, _house, _table, _tie, _hand),
)
