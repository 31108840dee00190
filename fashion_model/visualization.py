"""Pictures of what explain found: where the decisive pixels lie, and what layers put out;
and pictures as data URLs."""

import base64
import io
import math
from typing import Any

import numpy as np
from PIL import Image

MARK = (255, 92, 0)  # orange: far from the grays below it, and seen by the color-blind
BELOW = (70, 130, 255)  # the color of negative numbers
MAP_PIXELS = 360  # longest side of a picture that is marked


def overlay(
    picture: Image.Image, box: tuple[float, float, float, float], marks: np.ndarray
) -> Image.Image:
    """picture, grayed, with marks (S, S) in [0, 1] in color where they lie: RGB of its size.

    box: where the marks lie, (left, top, right, bottom) in shares of the picture's width and
    height, as ModelInput has it; it may reach past the picture.
    """
    left, right = box[0] * picture.width, box[2] * picture.width
    top, bottom = box[1] * picture.height, box[3] * picture.height
    side = len(marks)
    x, y = side / max(right - left, 1e-6), side / max(bottom - top, 1e-6)  # marks for each pixel
    # A ring of zeros, so that nothing is smeared outwards from the box's rim
    framed = Image.fromarray(np.pad(marks.astype(np.float32), 1))
    there = (x, 0, 1 - left * x, 0, y, 1 - top * y)
    placed = framed.transform(
        picture.size, Image.Transform.AFFINE, there, Image.Resampling.BILINEAR, fillcolor=0
    )
    strength = np.asarray(placed)[..., None].clip(0, 1) ** 0.7  # lifts the faint marks into view
    gray = np.asarray(picture.convert("L"), dtype=np.float32)[..., None]
    calm = 0.55 * gray + 0.45 * 220
    return Image.fromarray((calm * (1 - strength) + np.array(MARK) * strength).astype(np.uint8))


def at_map_size(picture: Image.Image) -> Image.Image:
    """picture with MAP_PIXELS on its longest side; a 28x28 original by whole pixels, larger."""
    if max(picture.size) > MAP_PIXELS:
        picture = picture.copy()
        picture.thumbnail((MAP_PIXELS, MAP_PIXELS))
    elif max(picture.size) < MAP_PIXELS / 2:
        times = MAP_PIXELS // max(picture.size)
        size = (picture.width * times, picture.height * times)
        picture = picture.resize(size, Image.Resampling.NEAREST)
    return picture


def tones(values: np.ndarray) -> Image.Image:
    """values (rows, columns) as a picture: 0 is black, more is whiter, less is bluer."""
    largest = max(float(np.abs(values).max()), 1e-9)
    above, below = ((sign * values).clip(min=0) / largest for sign in (1, -1))
    colors = above[..., None] ** 0.6 * np.array([255, 255, 255])
    colors = colors + below[..., None] ** 0.6 * np.array(BELOW)
    return Image.fromarray(colors.astype(np.uint8))


def tiled(activations: np.ndarray) -> np.ndarray:
    """activations (1, N) or (1, C, H, W) laid out as one picture (rows, columns).

    784 numbers become 28x28 again, as they lay; other lists become the squarest rectangle, ten a
    row. Maps lie side by side with a column and a row of zeros between them.
    """
    array = np.atleast_2d(activations)[0]
    if array.ndim < 3:
        flat = array.reshape(-1)
        rows = 1 if flat.size <= 10 else _squarest(flat.size)
        return np.reshape(flat, (rows, -1))
    count, height, width = array.shape
    rows = _squarest(count)
    room = np.pad(array, ((0, 0), (0, 1), (0, 1)))
    grid = room.reshape(rows, -1, height + 1, width + 1).swapaxes(1, 2)
    sheet: np.ndarray = grid.reshape(rows * (height + 1), -1)
    return sheet[:-1, :-1]


def _squarest(count: int) -> int:
    return next(rows for rows in range(math.isqrt(count), 0, -1) if count % rows == 0)


def data_url(picture: Image.Image, **options: Any) -> str:
    """picture as a data URL; options: of its save, as PNG where they name no format."""
    file, options = io.BytesIO(), {"format": "PNG", **options}
    picture.save(file, **options)
    body = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{options['format'].lower()};base64,{body}"
