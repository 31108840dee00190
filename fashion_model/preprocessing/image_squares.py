"""Squares in a picture that may be an image of Fashion-MNIST: in a plot, with a border, or all."""

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
PixelBox = tuple[float, float, float, float]  # left, top, right, bottom in pixels

SIDE = 28

MIN_PLAIN_BORDER = 0.8  # share of the border in one tone, where the image is a part of the picture
TOLERANCE = 24  # of 255: JPEG's noise on paper of one tone
STEP = 20  # of 255: between neighboring pixels, where an edge is


def whole_square(gray: Pixels) -> list[PixelBox]:
    """The whole picture, if it is as wide as high."""
    height, width = gray.shape
    return [(0, 0, width, height)] if abs(width - height) <= 0.02 * width else []


def framed_squares(gray: Pixels) -> list[PixelBox]:
    """At most five squares with an edge, or the picture's border, along their sides."""
    if _paper(gray)[1] < MIN_PLAIN_BORDER:
        return []
    shortest = max(SIDE, min(gray.shape) // 2)  # smaller ones are one of a grid
    xs, along_x = _long_edges(gray, shortest // 2)
    ys, along_y = _long_edges(np.ascontiguousarray(gray.T), shortest // 2)
    i, j = np.triu_indices(len(xs), 1)
    k, m = np.triu_indices(len(ys), 1)
    width, height = (xs[j] - xs[i])[:, None], (ys[m] - ys[k])[None]
    square = (abs(width - height) <= np.maximum(1.5, 0.02 * width)) & (width >= shortest)
    a, b = np.nonzero(square)
    i, j, k, m = i[a], j[a], k[b], m[b]
    left, top, right, bottom = xs[i], ys[k], xs[j], ys[m]
    share = np.stack(  # of each side along which there is an edge
        [(along_x[bottom, n] - along_x[top, n]) / (bottom - top) for n in (i, j)]
        + [(along_y[right, n] - along_y[left, n]) / (right - left) for n in (k, m)]
    )
    cut = (i == 0) | (k == 0) | (j == len(xs) - 1) | (m == len(ys) - 1)  # off at the border
    large = right - left >= 0.8 * max(gray.shape)
    framed = np.flatnonzero((share.min(0) >= 0.3) & (share.mean(0) >= 0.7) & (large | ~cut))
    framed = framed[np.argsort(-share.mean(0)[framed], kind="stable")][:5]
    return [(left[n], top[n], right[n], bottom[n]) for n in framed]


def _long_edges(gray: Pixels, shortest: int) -> tuple[Integers, Integers]:
    """Columns (E,) with an edge on their left, and how many rows above y have it (H + 1, E)."""
    edge = _difference(gray[:, :-1], gray[:, 1:]) > STEP
    count = np.add.reduce(edge, axis=0, dtype=np.int32)
    longest = np.max([np.roll(count, shift) for shift in (-2, -1, 0, 1, 2)], 0)
    at = np.flatnonzero((count >= shortest) & (count == longest))
    at = np.sort(at[np.argsort(-count[at])][:14])
    rows = np.ones((len(gray), len(at) + 2), np.int64)  # the picture's own border on both sides
    rows[:, 1:-1] = edge[:, at]
    above = np.concatenate([np.zeros_like(rows[:1]), rows.cumsum(0)])
    return np.array([0, *(at + 1), gray.shape[1]]), above


def squares_on_paper(gray: Pixels) -> list[PixelBox]:
    """Squares around what stands on paper of the ground's tone: the frame, which it touches."""
    paper, plain = _paper(gray)
    if plain < 1:
        return []
    ink = _difference(gray, paper) > TOLERANCE
    top, bottom = _longest_run(np.any(ink, 1))  # a title above it is left out
    left, right = _longest_run(np.any(ink[top:bottom], 0))
    if ink[top:bottom, left:right].sum() < 0.5 * ink.sum():
        return []  # one of a grid
    longest = max(right - left, bottom - top)
    boxes: list[PixelBox] = []
    for cells in (28, 27, 26) if longest >= SIDE else ():
        cell = longest / cells
        x = left - (SIDE + 1 - round((right - left) / cell)) // 2 * cell
        y = top - (SIDE + 1 - round((bottom - top) / cell)) // 2 * cell
        boxes.append((x, y, x + SIDE * cell, y + SIDE * cell))
    return boxes


def _paper(gray: Pixels) -> tuple[np.uint8, float]:
    """The tone along the picture's border, and the share of the border that has it."""
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    tone = np.uint8(np.median(border))
    return tone, float((_difference(border, tone) <= TOLERANCE).mean())


def _longest_run(marked: Any) -> tuple[int, int]:
    """Where the longest run of True in marked (N,) starts and ends; (0, 0) if there is none."""
    ends = np.flatnonzero(np.diff(marked, prepend=False, append=False)).reshape(-1, 2)
    if len(ends) == 0:
        return 0, 0
    start, end = ends[np.argmax(ends[:, 1] - ends[:, 0])].tolist()
    return start, end


def _difference(one: Pixels, other: Pixels | np.uint8) -> Pixels:
    """The absolute difference, in uint8 for speed."""
    return np.maximum(one, other) - np.minimum(one, other)
