"""Garments as people doodle them, drawn anew every time with a shaky hand; and nonsense."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from fashion_model.training.synthesis import accessories, things
from fashion_model.training.synthesis import outlines as strokes
from fashion_model.training.synthesis.garments import Array
from fashion_model.training.synthesis.outlines import Rng, Strokes, arc

# In the order of networks.CLASSES
GARMENTS: tuple[Callable[[Rng], Strokes], ...] = (
    *(strokes.t_shirt, strokes.trouser, strokes.pullover, strokes.dress, strokes.coat),
    *(accessories.sandal, strokes.shirt, accessories.sneaker, accessories.bag, accessories.boot),
)

SIDE = 224


def doodle(rng: Rng, label: int) -> Image.Image:
    """A black line drawing on white, "L", up to 224x224, of a garment of class label."""
    return _drawn(rng, GARMENTS[label](rng))


def nonsense(rng: Rng) -> Image.Image:
    """A drawing like doodle's of no garment: a thing, or lines, loops and strokes out of place."""
    if rng.random() < 0.6:
        return _drawn(rng, things.thing(rng))
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
    return _drawn(rng, parts)


def _drawn(rng: Rng, parts: Strokes) -> Image.Image:
    picture = Image.new("L", (SIDE, SIDE), 255)
    pen = ImageDraw.Draw(picture)
    width = int(rng.integers(2, 11))
    # people draw wide trousers and squat jackets, and not all of them are careful
    angle, stretch = rng.normal(0, 0.08), np.exp(rng.normal(0, 0.28))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shake = rng.uniform(0.004, 0.045)
    bends = rng.normal(0, rng.choice([0.05, 0.12]), (2, 3))
    forgotten = rng.choice([0.0, 0.02, 0.08])
    for stroke in parts:
        if len(parts) > 5 and rng.random() < forgotten:
            continue
        points = _by_hand(rng, np.array(stroke), shake)
        points = points + np.stack([np.sin(points[:, ::-1] @ bends[:, k]) for k in (0, 1)], 1) * 0.3
        points = points @ turn * [stretch, 1]
        pixels = (points * 0.4 + 0.5) * SIDE
        pen.line([tuple(p) for p in pixels], fill=0, width=width, joint="curve")
    return _cropped(rng, picture) if rng.random() < 0.15 else picture


def _cropped(rng: Rng, picture: Image.Image) -> Image.Image:
    """picture without a strip of what is drawn on one side: the sheet was too small."""
    left, top, right, bottom = ImageOps.invert(picture).getbbox() or (0, 0, *picture.size)
    side, share = int(rng.integers(4)), rng.uniform(0.05, 0.25)
    box = [left, top, right, bottom]
    length = right - left if side in (0, 2) else bottom - top
    box[side] += round(share * length) * (1 if side < 2 else -1)
    return picture.crop((box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1)))


def _by_hand(rng: Rng, points: Array, shake: float) -> Array:
    """Points every few pixels along the stroke, with corners rounded and a little noise."""
    # corners move freely; the many points of an arc would crumple it
    points = points + rng.normal(0, shake if len(points) < 9 else shake / 4, points.shape)
    steps = np.linspace(0, len(points) - 1, 12 * (len(points) - 1) + 1)
    path = np.stack([np.interp(steps, np.arange(len(points)), points[:, k]) for k in (0, 1)], 1)
    rounded = int(rng.integers(1, 6))
    if rounded > 1:
        padded = np.pad(path, ((rounded, rounded), (0, 0)), "edge")
        kernel = np.ones(2 * rounded + 1) / (2 * rounded + 1)
        path = np.stack([np.convolve(padded[:, k], kernel, "valid") for k in (0, 1)], 1)
    slow = rng.normal(0, shake, (max(2, len(path) // 10), 2))
    at = np.linspace(0, len(slow) - 1, len(path))
    drift = np.stack([np.interp(at, np.arange(len(slow)), slow[:, k]) for k in (0, 1)], 1)
    return np.asarray(path + drift)
