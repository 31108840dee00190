"""Drawings of things that are no garment: a body, and parts on, in, under and beside it.

What comes out reminds one of houses, cups, animals, faces, machines.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from fashion_model.training.synthesis.garments import Rng
from fashion_model.training.synthesis.outlines import GARMENTS
from fashion_model.training.synthesis.sketches import Strokes, arc, box, drawn


def nonsense(rng: Rng) -> Image.Image:
    """A line drawing of no garment: a thing, or lines, loops and strokes out of place."""
    if rng.random() < 0.6:
        return drawn(rng, thing(rng))
    parts: Strokes = []
    for _ in range(int(rng.integers(1, 6))):
        x, y = rng.uniform(-0.7, 0.7, 2)
        rx, ry = rng.uniform(0.1, 0.6, 2)
        kind = rng.integers(4)
        if kind == 0:
            parts.append(arc(x, y, rx, ry, rng.random(), rng.random() + rng.choice([0.3, 1.0])))
        elif kind == 1:
            corners = int(rng.integers(3, 9))
            turns = rng.random() + np.linspace(0, 1, corners + 1)
            reach = (
                rng.choice([1.0, 0.4], corners + 1) if rng.random() < 0.5 else np.ones(corners + 1)
            )
            reach[-1] = reach[0]
            at = np.stack([np.cos(turns * 2 * np.pi) * rx, np.sin(turns * 2 * np.pi) * ry], 1)
            parts.append([(x + float(a), y + float(b)) for a, b in at * reach[:, None]])
        elif kind == 2:
            parts.append([tuple(p) for p in rng.uniform(-0.9, 0.9, (int(rng.integers(2, 7)), 2))])
        else:
            part = GARMENTS[rng.integers(len(GARMENTS))](rng)
            stroke = np.array(part[rng.integers(len(part))])
            a = rng.random() * 2 * np.pi
            spin = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
            parts.append([tuple(p) for p in (stroke - stroke.mean(0)) @ spin + [x, y]])
    return drawn(rng, parts)


def thing(rng: Rng) -> Strokes:
    """A body with some parts, or several bodies, in about [-1, 1] x [-1, 1]."""
    if rng.random() < 0.25:
        parts = [_shrunk(rng, _whole(rng)) for _ in range(int(rng.integers(2, 4)))]
        return [stroke for part in parts for stroke in part]
    return _whole(rng)


def _whole(rng: Rng) -> Strokes:
    rx, ry = rng.uniform(0.25, 0.7, 2)
    x, y = rng.uniform(-0.15, 0.15, 2)
    body = BODIES[rng.integers(len(BODIES))](rng)
    strokes: Strokes = [[(px * rx + x, py * ry + y) for px, py in stroke] for stroke in body]
    for parts, chance in ((INSIDE, 0.7), (ABOVE, 0.5), (BELOW, 0.4), (BESIDE, 0.4)):
        while rng.random() < chance:
            part = parts[rng.integers(len(parts))](rng)
            strokes += [[(px * rx + x, py * ry + y) for px, py in stroke] for stroke in part]
            chance /= 2
    if rng.random() < 0.2:  # lying
        strokes = [[(py, -px) for px, py in stroke] for stroke in strokes]
    return strokes


def _shrunk(rng: Rng, strokes: Strokes) -> Strokes:
    scale = rng.uniform(0.3, 0.6)
    x, y = rng.uniform(-0.6, 0.6, 2)
    return [[(px * scale + x, py * scale + y) for px, py in stroke] for stroke in strokes]


def _tapered(rng: Rng) -> Strokes:
    top, bottom = rng.uniform(0.3, 1.0, 2)
    return [[(-top, -1), (top, -1), (bottom, 1), (-bottom, 1), (-top, -1)]]


def _dome(rng: Rng) -> Strokes:
    """A tower, a tooth, a toe, a ghost."""
    shoulder = rng.uniform(-0.8, 0.6)
    return [[(-1, 1), *arc(0, shoulder, 1, 1 + shoulder, 0.5, 1.0), (1, 1)], [(1, 1), (-1, 1)]]


def _polygon(rng: Rng) -> Strokes:
    turns = rng.random() + np.linspace(0, 1, int(rng.integers(4, 10)))
    return [[(float(np.cos(t)), float(np.sin(t))) for t in 2 * np.pi * turns]]


def _cloud(rng: Rng) -> Strokes:
    turns = np.linspace(0, 1, 60) * 2 * np.pi
    reach = 1 + rng.uniform(0.05, 0.3) * np.sin(turns * rng.integers(2, 11) + rng.random() * 6)
    points = np.stack([np.cos(turns) * reach, np.sin(turns) * reach], 1)
    return [[(float(x), float(y)) for x, y in points]]


def _oval(_: Rng) -> Strokes:
    return [arc(0, 0, 1, 1, 0, 1)]


def _cylinder(rng: Rng) -> Strokes:
    lid = rng.uniform(0.1, 0.35)
    return [
        arc(0, -1 + lid, 1, lid, 0, 1),
        [(-1, -1 + lid), (-1, 1 - lid), *arc(0, 1 - lid, 1, lid, 0.5, 0.0), (1, -1 + lid)],
    ]


def _across(rng: Rng) -> Strokes:
    return [[(-0.95, float(y)), (0.95, float(y))] for y in rng.uniform(-0.8, 0.9, 2)]


def _upright(rng: Rng) -> Strokes:
    return [[(float(x), -0.9), (float(x), 0.9)] for x in rng.uniform(-0.8, 0.8, 2)]


def _windows(rng: Rng) -> Strokes:
    w, h = rng.uniform(0.12, 0.35, 2)
    rows = rng.uniform(-0.7, 0.7, (int(rng.integers(1, 5)), 2))
    return [box(x - w, y - h, x + w, y + h) for x, y in rows.tolist()]


def _rings(rng: Rng) -> Strokes:
    r = rng.uniform(0.08, 0.4)
    spots = rng.uniform(-0.6, 0.6, (int(rng.integers(1, 5)), 2))
    return [arc(x, y, r, r, 0, 1) for x, y in spots.tolist()]


def _face(rng: Rng) -> Strokes:
    r, y = rng.uniform(0.05, 0.15), rng.uniform(-0.5, -0.1)
    eyes: Strokes = [arc(side * 0.35, y, r, r, 0, 1) for side in (-1, 1)]
    return [*eyes, arc(0, y + 0.4, 0.4, rng.uniform(-0.3, 0.3), 0, 0.5)]


def _door(rng: Rng) -> Strokes:
    w, h = rng.uniform(0.12, 0.3), rng.uniform(0.4, 0.9)
    x = rng.uniform(-0.5, 0.5)
    return [[(x - w, 1), (x - w, 1 - h), (x + w, 1 - h), (x + w, 1)]]


def _wave(rng: Rng) -> Strokes:
    x = np.linspace(-0.95, 0.95, 24)
    y = rng.uniform(-0.6, 0.6) + 0.15 * np.sin(x * rng.uniform(4, 16))
    return [list(zip(x.tolist(), y.tolist(), strict=True))]


def _roof(rng: Rng) -> Strokes:
    wide = rng.uniform(0.9, 1.3)
    return [[(-wide, -1), (rng.uniform(-0.3, 0.3), -1 - rng.uniform(0.3, 1.0)), (wide, -1)]]


def _head(rng: Rng) -> Strokes:
    r, x = rng.uniform(0.25, 0.6), rng.uniform(-0.7, 0.7)
    strokes: Strokes = [arc(x, -1 - r * 0.8, r, r, 0, 1)]
    if rng.random() < 0.5:  # ears
        strokes += [
            [(x + s * r * 0.9, -1 - r), (x + s * r, -1 - 2.2 * r), (x + s * r * 0.2, -1 - 1.7 * r)]
            for s in (-1, 1)
        ]
    return strokes


def _stem(rng: Rng) -> Strokes:
    x, tall = rng.normal(0, 0.2, 2)
    tip = (float(x), -1.4 - abs(float(tall)))
    leaf = [arc(tip[0] + 0.25, tip[1] + 0.1, 0.3, 0.12, 0, 1)] if rng.random() < 0.5 else []
    return [[(0.0, -0.95), tip], *leaf]


def _spikes(rng: Rng) -> Strokes:
    x = np.linspace(-1, 1, 2 * int(rng.integers(2, 6)) + 1)
    y = np.where(np.arange(len(x)) % 2, -1 - rng.uniform(0.2, 0.7), -1.0)
    return [list(zip(x.tolist(), y.tolist(), strict=True))]


def _legs(rng: Rng) -> Strokes:
    long, lean = rng.uniform(0.3, 1.0), rng.normal(0, 0.15)
    columns = np.linspace(-0.7, 0.7, int(rng.integers(1, 6)))
    return [[(x, 0.9), (x + lean, 0.9 + long)] for x in columns.tolist()]


def _wheels(rng: Rng) -> Strokes:
    r = rng.uniform(0.15, 0.45)
    return [arc(side * rng.uniform(0.4, 0.8), 1, r, r, 0, 1) for side in (-1, 1)]


def _floor(rng: Rng) -> Strokes:
    wide = rng.uniform(1.1, 2.0)
    return [[(-wide, 1.05), (wide, 1.05)]]


def _ear(rng: Rng) -> Strokes:
    """A cup's handle."""
    side = rng.choice([-1, 1])
    return [arc(side, 0, rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7), 0.75, 0.75 + side / 2)]


def _tail(rng: Rng) -> Strokes:
    x = np.linspace(0, rng.uniform(0.5, 1.3), 16)
    y = rng.normal(0, 0.5) * x + 0.2 * np.sin(x * rng.uniform(2, 10))
    return [list(zip((1 + x).tolist(), y.tolist(), strict=True))]


def _wings(rng: Rng) -> Strokes:
    long, high, y = rng.uniform(0.3, 0.8), rng.uniform(0.15, 0.7), rng.uniform(-0.6, 0.6)
    return [arc(side * (1 + long), y, long, high, 0, 1) for side in (-1, 1)]


def _arms(rng: Rng) -> Strokes:
    y, drop = rng.uniform(-0.6, 0.4), rng.normal(0, 0.5)
    return [[(side, y), (side * rng.uniform(1.4, 2.2), y + drop)] for side in (-1.0, 1.0)]


Part = Callable[[Rng], Strokes]
BODIES: tuple[Part, ...] = (_oval, _tapered, _dome, _polygon, _cloud, _cylinder)
INSIDE: tuple[Part, ...] = (_across, _upright, _windows, _rings, _face, _door, _wave)
ABOVE: tuple[Part, ...] = (_roof, _head, _stem, _spikes)
BELOW: tuple[Part, ...] = (_legs, _wheels, _floor)
BESIDE: tuple[Part, ...] = (_ear, _tail, _wings, _arms)
