"""What a plot does to an image of Fashion-MNIST, undone: where its square is, and of which values
the colors are that matplotlib showed."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_model.preprocessing.geometry import border

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
PixelBox = tuple[float, float, float, float]  # left, top, right, bottom in pixels

SIDE = 28

MIN_PLAIN_BORDER = 0.8  # share of the border in one tone, where the image is a part of the picture
TOLERANCE = 24  # of 255: JPEG's noise on paper of one tone
STEP = 20  # of 255: between neighboring pixels, where an edge is

MAX_GRAY_CHROMA = 12  # of 255, between the channels of a gray picture that was saved as JPEG
MAX_DISTANCE = 9.0  # mean distance from the color map, of 255, chroma counted half

_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.085, -0.166, 0.25], [0.25, -0.21, -0.041]], np.float32
).T  # RGB -> luma and half of the two chromas, which JPEG stores at half of the pixels

# matplotlib's colors at 0, 10, ..., 100 % of each map, as RGB in hexadecimal.
_COLOR_MAPS = """
viridis  440154482374404387345e8d29788e20908c22a78444be7079d151bdde26fde724
plasma   0c078640039c6a00a78f0da3b02a8fcb4777e06461f2844bfca635fcce25eff821
inferno  000003160b394109676a176e932567bb3754dc5039f37719fba40af5d745fcfea4
magma    000003140d353b0f6f63197f8c2980b63679dd4968f6705bfd9f6cfdcf92fbfcbf
cividis  00224d08337035456c4e566c6669707c7b78948e77aea271c8b765e4ce51fde737
turbo    30123b4458cb3e9bfe18d5cc46f783a4fc3be1dc37fda330ef5a11c324027a0402
jet      00007f0000f1004cff00b0ff29ffcd7cff79cdff29ffc400ff6700f107007f0000
hot      0a00004c0000900000d20000ff1700ff5b00ff9d00ffe100ffff36ffff9cffffff
bone     00000015151e2c2c3e42425c595c79707b8f8599a59cb8bcb9d2d2dce9e9ffffff
copper   0000001e130c3e27195d3b257d4f329e633fbc774cdd8b59fb9f65ffb372ffc77e
Blues    f7fbffe3eef8cfe1f2b6d4e993c4de6aadd54a97c92d7dbb1764ab08499108306b
Greens   f7fcf5e8f6e4d3edccb8e2b198d49373c3754bb0612e974e157e3a00642800441b
Reds     fff5f0fee4d8fcc9b4fcab8efb8a6afa6949f14432d82522bb1419970b1367000c
Oranges  fff5ebfee9d4fdd8b3fdc28cfda761fc8c3bf3701be25407c440019d32037f2704
Purples  fcfbfdf1f0f6e2e1efcecee5b6b6d89d99c78682bc7261ab61409b4f1e8b3f007d
YlGnBu   ffffd9f0f9b9d6efb2abdeb672c8bc40b5c32498c02071b1234da01e2f87081d58
"""
_MAPS = np.array([list(bytes.fromhex(line.split()[1])) for line in _COLOR_MAPS.split("\n")[1:-1]])
_KEYS: Floats = _MAPS.reshape(-1, 11, 3).astype(np.float32) @ _YCC  # (maps, 11, 3)


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
    outermost = border(gray)
    tone = np.uint8(np.median(outermost))
    return tone, float((_difference(outermost, tone) <= TOLERANCE).mean())


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


def values_of(colors: Floats) -> Floats | None:
    """Tones (H, W) or RGB (H, W, 3) -> values (H, W), 0 to 255; None if they are of no map.

    Whether low values are dark depends on the map: viridis and Blues start at opposite ends.
    """
    if colors.ndim == 2:
        return colors
    if np.percentile(np.ptp(colors, 2), 98) <= MAX_GRAY_CHROMA:
        return colors.mean(2)
    points = colors.reshape(-1, 3) @ _YCC
    distances = np.square(points[::7, None, None] - _KEYS).sum(3).min(2).mean(0)
    results = [_on_map(points, _KEYS[n]) for n in distances.argsort()[:3]]
    values, distance = min(results, key=lambda result: result[1])
    return values.reshape(colors.shape[:2]) if distance <= MAX_DISTANCE else None


def _on_map(points: Floats, keys: Floats) -> tuple[Floats, float]:
    """Where on the line through keys (11, 3) the points (N, 3) are, 0 to 255; mean distance."""
    start, step = keys[:-1], np.diff(keys, axis=0)
    along = np.einsum("nkc,kc->nk", points[:, None] - start, step) / np.square(step).sum(1)
    along = along.clip(0, 1)
    distance = np.square(start + along[..., None] * step - points[:, None]).sum(2)
    nearest = distance.argmin(1)[:, None]
    values = (nearest + np.take_along_axis(along, nearest, 1))[:, 0] * np.float32(25.5)
    return values, float(np.sqrt(np.take_along_axis(distance, nearest, 1)).mean())
