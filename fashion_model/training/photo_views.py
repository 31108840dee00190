"""A picture -> a training view: another crop, size, turn, ground, light, and file each time.

Pictures are uint8 RGB (H, W, 3); views are squares. They vary in what photos by other people vary
in: garments cut off, small, on their side, in the dark, shrunk to a thumbnail, half hidden.
"""

import math

import numpy as np

from fashion_model.errors import DataError
from fashion_model.preprocessing.geometry import border
from fashion_model.training.synthesis.garments import Array, Rng

try:
    import cv2
except ImportError as error:
    raise DataError(
        "training the photo network needs OpenCV: install tests/requirements.txt."
    ) from error

cv2.setNumThreads(1)


def view(
    rng: Rng,
    picture: Array,
    side: int,
    other: Array | None = None,
    drawn: bool = False,
    strong: bool = True,
) -> Array:
    """picture as a square of side pixels; other is a picture to hide a part of it with.

    Not strong: it is shown whole and about upright, and nothing hides it.
    """
    square = random_crop(rng, picture, side, strong)
    photo = np.ascontiguousarray(recompress(rng, relight(rng, square, dark=not drawn)))
    return occlude(rng, photo, other) if strong else photo


def random_crop(rng: Rng, picture: Array, side: int, strong: bool = True) -> Array:
    """picture turned, mirrored and stretched, with some ground around; strong: many are cropped
    or made small besides, or lie on their side."""
    height, width = picture.shape[:2]
    degrees, size = rng.normal(0, 6), rng.uniform(0.8, 1.1)
    if strong and rng.random() > 0.42:
        size = math.exp(rng.uniform(math.log(0.55), math.log(1.7)))
        kind = rng.random()
        if kind > 0.86:
            degrees += 90 * rng.integers(1, 4)
        elif kind > 0.72:
            degrees = rng.uniform(-45, 45)
    scale = side / max(height, width) * size
    if scale < 0.7:  # without this, fine patterns would alias
        small = (max(2, round(width * scale)), max(2, round(height * scale)))
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        height, width = picture.shape[:2]
        scale = side / max(height, width) * size
    angle, mirror = math.radians(degrees), -1 if rng.random() < 0.5 else 1
    stretch = math.exp(rng.normal(0, 0.1))
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    turn = np.array(
        [[cos * mirror * stretch, -sin / stretch], [sin * mirror * stretch, cos / stretch]]
    )
    reach = np.array([width, height]) * scale
    if abs(degrees) > 45:
        reach = reach[::-1]
    shift = rng.normal(0, 0.03 * side, 2)
    if rng.random() < 0.7:  # anywhere that shows most of it, or nothing else
        shift = rng.uniform(-0.9, 0.9, 2) * np.abs(reach - side) / 2
    move = side / 2 + shift - turn @ np.array([width / 2, height / 2])
    mode, ground = _ground(rng, picture)
    matrix = np.hstack([turn, move[:, None]])
    return cv2.warpAffine(
        picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=ground
    )


def relight(rng: Rng, picture: Array, dark: bool = True) -> Array:
    """picture in another light and by another camera; dark: some of them nearly black."""
    x: Array = picture.astype(np.float32)
    if rng.random() < 0.8:
        mean = x.mean()
        x = (x - mean) * rng.uniform(0.65, 1.35) + mean * rng.uniform(0.7, 1.3)
        gray = x.mean(2, keepdims=True)
        x = gray + (x - gray) * (0 if rng.random() < 0.1 else rng.uniform(0.4, 1.6))
        x = x * rng.normal(1, 0.06, 3).astype(np.float32)
    if rng.random() < 0.1:
        x = x[..., rng.permutation(3)]
    chance = rng.random()
    if chance < 0.25:
        x = 255 * (x.clip(0, 255) / 255) ** math.exp(rng.normal(0, 0.35))
    elif chance < 0.31 and dark:
        x = x * rng.uniform(0.06, 0.35)
    if rng.random() < 0.2:
        x = x + rng.normal(0, rng.uniform(2, 12), x.shape)
    return x.clip(0, 255).astype(np.uint8)


def recompress(rng: Rng, picture: Array) -> Array:
    """picture as files have it: a thumbnail made large again, a JPEG, blurred."""
    side = picture.shape[0]
    if rng.random() < 0.3:
        small = int(rng.integers(30, 84))
        thumbnail = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
        filters = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)
        picture = cv2.resize(thumbnail, (side, side), interpolation=filters[rng.integers(2)])
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))]
        coded = cv2.imencode(".jpg", picture, quality)[1]
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    elif rng.random() < 0.1:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.5))
    return picture


def occlude(rng: Rng, picture: Array, other: Array | None = None) -> Array:
    """picture, sometimes with a box of a color or of other before it: a phone, a price tag."""
    if rng.random() < 0.18:
        side = picture.shape[0]
        height, width = (rng.uniform(0.12, 0.45, 2) * side).astype(int)
        top, left = rng.integers(0, side - height), rng.integers(0, side - width)
        part = picture[top : top + height, left : left + width]
        if other is not None and rng.random() < 0.3:
            part[:] = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA)
        else:
            part[:] = any_color(rng)
    return picture


def paste(rng: Rng, cutout: Array, ground: Array, side: int = 144) -> Array:
    """cutout, RGBA, on white, light gray, a color, or ground, as shops show garments."""
    kind = rng.random()
    canvas: Array = np.full((side, side, 3), 255, np.uint8)
    if kind > 0.65:
        canvas = cv2.resize(ground, (side, side))
    elif kind > 0.55:
        canvas[:] = any_color(rng)
    elif kind > 0.45:
        canvas[:] = rng.integers(215, 255)
    height, width = cutout.shape[:2]
    scale = side * rng.uniform(0.6, 0.97) / max(height, width)
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cutout = cv2.resize(cutout, size, interpolation=how)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    part = canvas[top : top + size[1], left : left + size[0]]
    alpha = cutout[..., 3:].astype(np.float32) / 255
    part[:] = (cutout[..., :3] * alpha + part * (1 - alpha)).astype(np.uint8)
    return canvas


def inpaint(picture: Array, mask: Array) -> Array:
    """picture, uint8 (H, W, 3), without what mask, (H, W) in [0, 1], shows: filled from around."""
    hole = cv2.dilate((mask > 0.2).astype(np.uint8), np.ones((9, 9), np.uint8))
    return np.asarray(cv2.inpaint(picture, hole, 3, cv2.INPAINT_TELEA))


def any_color(rng: Rng) -> tuple[float, float, float]:
    """A color, more often dull than bright."""
    red, green, blue = np.clip(rng.uniform(0, 255) + rng.normal(0, 30, 3), 0, 255)
    return float(red), float(green), float(blue)


def _ground(rng: Rng, picture: Array) -> tuple[int, tuple[float, float, float]]:
    """How OpenCV is to fill what lies outside of picture: a way, and a color."""
    kind = rng.random()
    if kind < 0.3:
        rim = border(picture).mean(0)
        return cv2.BORDER_CONSTANT, (float(rim[0]), float(rim[1]), float(rim[2]))
    for below, tone in ((0.55, 255.0), (0.63, 0.0), (0.71, 128.0)):
        if kind < below:
            return cv2.BORDER_CONSTANT, (tone, tone, tone)
    if kind < 0.8:
        return cv2.BORDER_CONSTANT, any_color(rng)
    return (cv2.BORDER_REPLICATE if kind < 0.9 else cv2.BORDER_REFLECT_101), (0.0, 0.0, 0.0)
