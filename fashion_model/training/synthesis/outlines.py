"""The ten garments as people draw them, drawn anew every time.

Tops and trousers are drawn as halves, of which the right one is the mirror image of the left one.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from fashion_model.training.synthesis.garments import Rng
from fashion_model.training.synthesis.shoes import boot, sandal, sneaker
from fashion_model.training.synthesis.sketches import Point, Strokes, arc, box, drawn


def garment_drawing(rng: Rng, label: int) -> Image.Image:
    """A black line drawing on white, "L", up to 224x224, of a garment of class label."""
    return drawn(rng, GARMENTS[label](rng))


def _mirrored(strokes: Strokes) -> Strokes:
    return strokes + [[(-x, y) for x, y in stroke] for stroke in strokes]


def _top(
    rng: Rng, sleeve: tuple[float, float], bottom: tuple[float, float], neck: str = "any"
) -> tuple[Strokes, dict[str, float]]:
    """A top's outline: sleeves of a length in sleeve, the hem at a height in bottom."""
    collar = rng.uniform(0.14, 0.34)
    shoulder_x, shoulder_y = rng.uniform(0.45, 0.62), -0.9 + rng.uniform(0, 0.15)
    length = rng.uniform(*sleeve)
    angle = rng.choice([rng.uniform(0.1, 0.7), rng.uniform(0.7, 1.35)])  # 0 is sideways
    wide = rng.uniform(0.2, 0.34)
    dx, dy = np.cos(angle), np.sin(angle)
    end_x, end_y = shoulder_x + length * dx, shoulder_y + 0.06 + length * dy
    cuff_x, cuff_y = end_x - wide * dy, end_y + wide * dx
    pit_x, pit_y = rng.uniform(0.36, 0.5), shoulder_y + rng.uniform(0.38, 0.5)
    cuff_x = max(cuff_x, pit_x + 0.04)
    hem = rng.uniform(*bottom)
    hem_x = pit_x + rng.uniform(-0.06, 0.14)
    end, cuff, pit = (-end_x, end_y), (-cuff_x, cuff_y), (-pit_x, pit_y)
    side: Strokes = [[(-collar, -0.95), (-shoulder_x, shoulder_y), end], [end, cuff], [cuff, pit]]
    side.append([pit, (-hem_x, hem)])
    if rng.random() < 0.5:
        side = [[point for stroke in side for point in stroke]]
    bottom_edge = [(-hem_x, hem), (0.0, hem + rng.normal(0, 0.03)), (hem_x, hem)]
    strokes = [*_mirrored(side), bottom_edge]
    kind = neck if neck != "any" else rng.choice(["round", "vee", "flat", "double"])
    depth = rng.uniform(0.08, 0.28)
    if kind in ("round", "double"):
        strokes.append(arc(0, -0.95, collar, depth, 0.5, 0.0))
        if kind == "double":
            strokes.append(arc(0, -0.95, collar * 1.3, depth * 1.5, 0.5, 0.0))
    elif kind == "vee":
        strokes.append([(-collar, -0.95), (0, -0.95 + depth * 1.5), (collar, -0.95)])
    elif kind == "flat":
        strokes.append([(-collar, -0.95), (collar, -0.95)])
    where = {"collar": collar, "hem": hem, "hem_x": hem_x, "pit_x": pit_x, "depth": depth}
    where |= {"end_x": end_x, "end_y": end_y, "cuff_x": cuff_x, "cuff_y": cuff_y}
    return strokes, where


def t_shirt(rng: Rng) -> Strokes:
    strokes, _ = _top(rng, (0.22, 0.48), (0.55, 0.95))
    if rng.random() < 0.2:  # a print
        strokes.append(arc(0, -0.1, rng.uniform(0.1, 0.25), rng.uniform(0.1, 0.25), 0, 1))
    return strokes


def pullover(rng: Rng) -> Strokes:
    strokes, at = _top(rng, (0.75, 1.25), (0.3, 0.9))
    if rng.random() < 0.5:
        y = at["hem"] - 0.12
        strokes.append([(-at["hem_x"], y), (at["hem_x"], y)])
    if rng.random() < 0.5:  # cuffs
        inner = [(0.075 - at[f"{key}_x"], at[f"{key}_y"] - 0.15) for key in ("end", "cuff")]
        strokes += _mirrored([inner])
    if rng.random() < 0.3:
        for y in np.linspace(-0.3, at["hem"] - 0.2, int(rng.integers(1, 4))):
            strokes.append([(-at["pit_x"], float(y)), (at["pit_x"], float(y))])
    return strokes


def _buttons(rng: Rng, x: float, top: float, bottom: float) -> Strokes:
    size = rng.uniform(0.01, 0.04)
    rows = np.linspace(top, bottom, int(rng.integers(3, 6)))
    return [arc(x, float(y), size, size, 0, 1) for y in rows]


def shirt(rng: Rng) -> Strokes:
    sleeve = (0.22, 0.45) if rng.random() < 0.4 else (0.75, 1.2)
    strokes, at = _top(rng, sleeve, (0.55, 0.95), neck="none")
    c, low = at["collar"], -0.95 + rng.uniform(0.2, 0.34)
    strokes += _mirrored([[(-c, -0.95), (-c - 0.06, low + 0.02), (0, low - 0.06), (-c, -0.95)]])
    strokes.append([(0, low), (0, at["hem"])])
    x = rng.choice([0.0, 0.06])
    strokes += _buttons(rng, float(x), low + 0.12, at["hem"] - 0.12)
    if rng.random() < 0.5:
        strokes.append(box(0.14, -0.35, 0.34, -0.08))
    return strokes


def coat(rng: Rng) -> Strokes:
    if rng.random() < 0.25:  # many draw no more than the outline, or a few buttons
        strokes, at = _top(rng, (0.75, 1.25), (0.4, 1.0))
        return strokes + (_buttons(rng, 0.0, -0.5, at["hem"] - 0.2) if rng.random() < 0.4 else [])
    strokes, at = _top(rng, (0.75, 1.25), (0.6, 1.0), neck="none")
    c, hem = at["collar"], at["hem"]
    style = rng.integers(4)
    if style == 0:  # closed, with a zip
        strokes.append([(0, -0.9), (0, hem)])
        strokes.append(arc(0, -0.95, c, 0.12, 0.5, 0.0))
    elif style == 1:
        low = rng.uniform(-0.4, 0.0)  # of the lapels
        strokes += _mirrored([[(-c, -0.95), (-c - 0.12, -0.6), (0, low)], [(-c, -0.95), (0, low)]])
        strokes.append([(0, low), (0, hem)])
        strokes += _buttons(rng, 0.08, low + 0.12, hem - 0.3)
    elif style == 2:  # open
        gap = rng.uniform(0.04, 0.18)
        strokes += _mirrored([[(-c, -0.95), (-gap, -0.6), (-gap, hem)]])
    else:  # a hood
        strokes.append(arc(0, -0.9, c * 1.2, 0.3, 0.5, 1.0))
        strokes.append(arc(0, -0.95, c, 0.16, 0.5, 0.0))
        strokes.append([(0, -0.8), (0, hem)])
    if rng.random() < 0.6:  # pockets
        y = hem - rng.uniform(0.25, 0.5)
        strokes += _mirrored([[(-0.32, y), (-0.14, y + rng.uniform(-0.05, 0.1))]])
    if rng.random() < 0.2:  # a belt
        strokes += [[(-at["hem_x"], y), (at["hem_x"], y)] for y in (0.1, 0.2)]
    return strokes


def dress(rng: Rng) -> Strokes:
    waist_y, waist_x = rng.uniform(-0.3, 0.05), rng.uniform(0.16, 0.3)
    hem_x = rng.uniform(0.3, 0.8)
    chest = waist_x + rng.uniform(0.02, 0.14)
    style = rng.integers(3)
    if style == 0:  # straps
        side = [[(-chest * 0.6, -1.0), (-chest * 0.7, -0.72), (-chest, -0.62)]]
        neck = [(-chest * 0.7, -0.72), (0, -0.66 + rng.uniform(-0.05, 0.12)), (chest * 0.7, -0.72)]
    elif style == 1:  # no sleeves
        side = [[(-0.16, -0.98), (-chest - 0.02, -0.93), (-chest * 0.9, -0.55)]]
        neck = arc(0, -0.98, 0.16, rng.uniform(0.06, 0.3), 0.5, 0.0)
    else:
        out = chest + rng.uniform(0.15, 0.5)
        end = -0.9 + (out - chest) * rng.uniform(0.5, 1.3)
        side = [
            [(-0.16, -0.98), (-chest - 0.04, -0.92), (-out, end)],
            [(-out, end), (-out + 0.1, end + 0.16), (-chest, -0.55)],
        ]
        neck = arc(0, -0.98, 0.16, rng.uniform(0.06, 0.25), 0.5, 0.0)
    flare = [side[-1][-1], (-waist_x, waist_y), (-hem_x, 0.98)]
    strokes = _mirrored([*side, flare])
    strokes += [neck, [(-hem_x, 0.98), (0, 0.98 + rng.uniform(-0.03, 0.08)), (hem_x, 0.98)]]
    if rng.random() < 0.5:
        strokes.append([(-waist_x, waist_y), (waist_x, waist_y)])
    for _ in range(int(rng.integers(0, 4))):  # folds
        x = rng.uniform(-0.8, 0.8)
        strokes.append([(x * waist_x, waist_y + 0.2), (x * hem_x, 0.9)])
    return strokes


def trouser(rng: Rng) -> Strokes:
    waist, hip = rng.uniform(0.28, 0.48), rng.uniform(0.36, 0.56)
    leg, gap = rng.uniform(0.2, 0.42), rng.uniform(0.02, 0.3)
    crotch = rng.uniform(-0.45, -0.1)
    outer, inner = (-gap - leg, 1.0), (-gap, 1.0)
    strokes = _mirrored(
        [[(-waist, -1.0), (-hip, crotch), outer], [outer, inner], [inner, (0, crotch)]]
    )
    strokes.append([(-waist, -1.0), (waist, -1.0)])
    if rng.random() < 0.6:
        y = -1 + rng.uniform(0.1, 0.2)
        strokes.append([(-waist - 0.02, y), (waist + 0.02, y)])
    if rng.random() < 0.4:
        strokes.append([(0, -0.9), (0, crotch)])
    if rng.random() < 0.3:
        strokes += _mirrored([[(-waist, -0.75), (-waist + 0.15, -0.8), (-waist + 0.18, -0.95)]])
    return strokes


def bag(rng: Rng) -> Strokes:
    wide, narrow = rng.uniform(0.6, 1.0), rng.uniform(0.5, 1.0)
    top, bottom = rng.uniform(-0.3, 0.0), rng.uniform(0.5, 0.95)
    body: list[Point] = [(-narrow, top), (-wide, bottom), (wide, bottom), (narrow, top)]
    strokes: Strokes = [[*body, (-narrow, top)]]
    reach, rise = rng.uniform(0.25, 0.6) * narrow * 1.4, rng.uniform(0.3, 0.9)
    strokes.append(arc(0, top, reach, rise, 0.5, 1.0))
    if rng.random() < 0.4:
        strokes.append(arc(0, top, reach * 0.8, rise * 0.8, 0.5, 1.0))
    style = rng.integers(4)
    if style == 0:  # a flap
        low = top + (bottom - top) * rng.uniform(0.3, 0.6)
        strokes.append([(-narrow, top), (-narrow * 0.5, low), (narrow * 0.5, low), (narrow, top)])
    elif style == 1:
        strokes.append([(-narrow, top + 0.15), (narrow, top + 0.15)])
    elif style == 2:
        strokes.append([(-narrow, top), (0, top + 0.4), (narrow, top)])
    if rng.random() < 0.4:
        strokes.append(arc(0, top + 0.3, 0.07, 0.07, 0, 1))
    return strokes


# In the order of networks.CLASSES
GARMENTS: tuple[Callable[[Rng], Strokes], ...] = (
    *(t_shirt, trouser, pullover, dress, coat),
    *(sandal, shirt, sneaker, bag, boot),
)
