"""What made-up pictures are put together from: garments in color, grounds, shadows, a camera.

Fashion-MNIST has no color and no background; these add them, and know which pixels are the
garment. Arrays are float32 RGB (H, W, 3) in [0, 1], masks (H, W) in [0, 1].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter
from scipy import ndimage

Rng = np.random.Generator
Array = npt.NDArray[Any]

SKIN = np.array([[255, 224, 196], [234, 192, 158], [198, 140, 100], [141, 85, 54], [84, 52, 36]])
T_SHIRT, TROUSER, PULLOVER, DRESS, COAT, SHIRT = 0, 1, 2, 3, 4, 6
UPPER = (T_SHIRT, PULLOVER, COAT, SHIRT)


def as_bytes(picture: Array) -> Array:
    """picture, in about [0, 1], as uint8."""
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


@dataclass(frozen=True)
class Cutout:
    """A garment without its ground: color float32 (h, w, 3), mask float32 (h, w)."""

    color: Array
    mask: Array


@dataclass(frozen=True)
class Garments:
    """Fashion-MNIST's garments to dress made-up pictures with.

    pixels and masks: uint8 (N, 28, 28); labels: (N,). real: cut-outs of real photos by class,
    which mix in where there are some.
    """

    pixels: Array
    masks: Array
    labels: Array
    real: Mapping[int, Sequence[Cutout]] = field(default_factory=dict)

    @staticmethod
    def from_images(
        pixels: Array, labels: Array, real: Mapping[int, Sequence[Cutout]] | None = None
    ) -> "Garments":
        """pixels uint8 (N, 28, 28); the masks are what is not black, without its holes."""
        closed = ndimage.binary_closing(pixels > 10, np.ones((1, 3, 3)))
        masks = np.stack([ndimage.binary_fill_holes(mask) for mask in closed]).astype(np.uint8)
        return Garments(pixels, masks, labels, real or {})

    @staticmethod
    def sample(
        images: torch.Tensor,
        labels: torch.Tensor,
        count: int,
        rng: Rng,
        real: Mapping[int, Sequence[Cutout]] | None = None,
    ) -> "Garments":
        """of so many of images uint8 (N, 28, 28) and their labels (N,), drawn by rng."""
        some = rng.permutation(len(images))[:count]
        return Garments.from_images(images[some].numpy(), labels[some].numpy(), real)

    def choose(self, rng: Rng, label: int, share_real: float = 0.3) -> Cutout:
        """A garment of class label, trimmed to its mask; share_real of them from real photos."""
        cutouts = self.real.get(label, ())
        if cutouts and rng.random() < share_real:
            return cutouts[int(rng.integers(len(cutouts)))]
        i = rng.choice(np.flatnonzero(self.labels == label))
        return trim(dye(rng, self.pixels[i], self.masks[i]))


def trim(cutout: Cutout) -> Cutout:
    """cutout without the empty rows and columns around its mask."""
    rows = np.flatnonzero((cutout.mask > 0.5).any(1))
    columns = np.flatnonzero((cutout.mask > 0.5).any(0))
    if len(rows) < 3 or len(columns) < 3:
        return cutout
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Cutout(cutout.color[box], cutout.mask[box])


def noise(rng: Rng, size: int, cells: int) -> Array:
    """Smooth noise (size, size) in [0, 1] with about cells bumps a side."""
    small = (rng.random((cells + 1, cells + 1)) * 255).astype(np.uint8)
    image = Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32) / 255


def color(rng: Rng, dull: float = 0.5) -> Array:
    """An RGB color (3,); the share dull of them is nearly gray."""
    value = rng.random()
    tint = rng.normal(0, 0.04 if rng.random() < dull else 0.25, 3)
    return np.clip(value + tint, 0, 1).astype(np.float32)


def pattern(rng: Rng, size: int) -> Array:
    """A texture (size, size, 3) to lay over a color, around 0: stripes, checks, prints, weave."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    angle = rng.choice([0, np.pi / 2, rng.random() * np.pi])
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    period = rng.uniform(3, 18)
    kind = rng.integers(6)
    if kind == 0:
        field = np.sign(np.sin(along * period * 2 * np.pi + rng.random() * 6))
    elif kind == 1:
        field = np.sign(np.sin(along * period * 6.28)) + np.sign(np.sin(across * period * 6.28))
    elif kind == 2:
        field = 2 * (noise(rng, size, int(rng.integers(4, 14))) > rng.uniform(0.4, 0.7)) - 1.0
    elif kind == 3:
        field = 4 * noise(rng, size, int(rng.integers(8, 40))) - 2
    elif kind == 4:
        field = 2.0 * (np.maximum((along * period) % 1, (across * period) % 1) > 0.93)
    else:
        field = rng.normal(0, 1, (size, size))
    strength = rng.normal(0, 0.1, 3) + rng.normal(0, 0.12)
    return (field[..., None] * strength).astype(np.float32)


def ground(rng: Rng, size: int) -> Array:
    """A background (size, size, 3): wood, tiles, carpet, cloth or wall, with light falling off."""
    base = np.ones((size, size, 3), np.float32) * color(rng, 0.7)
    for _ in range(int(rng.integers(0, 3))):
        base += pattern(rng, size) * rng.uniform(0.2, 1)
    if rng.random() < 0.25:  # two surfaces meet: a wall and a floor, the edge of a bed
        y, x = np.mgrid[:size, :size] / size
        angle, offset = rng.random() * 2 * np.pi, rng.uniform(0.25, 0.5)
        side = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) > offset * 0.9
        base = np.where(side[..., None], color(rng, 0.7) + pattern(rng, size) * 0.5, base)
    return np.clip(base, 0, 1)


def paper(rng: Rng, size: int) -> Array:
    """A shop's background: white or light gray, perhaps a little darker to one side."""
    level = rng.choice([1.0, rng.uniform(0.85, 1.0)])
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    slope = (x * rng.normal(0, 0.04) + y * rng.normal(0, 0.06))[..., None]
    return np.clip(np.ones((size, size, 3), np.float32) * level + slope, 0, 1)


def dye(rng: Rng, pixels: Array, mask: Array) -> Cutout:
    """A Fashion-MNIST image (28, 28) and its mask in color, at 84x84, with a texture."""
    size = 84
    big = Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC)
    shade = 1 - np.asarray(big, np.float32) / 255  # the originals' negative: dark cloth is bright
    shape = Image.fromarray(as_bytes(mask)).resize((size, size), Image.Resampling.BICUBIC)
    inside = np.clip((np.asarray(shape, np.float32) / 255 - 0.35) / 0.3, 0, 1)
    mean = (shade * inside).sum() / max(inside.sum(), 1)
    sign = 1 if rng.random() < 0.85 else -1
    relief = (shade - mean) * sign * rng.uniform(0.5, 1.2)
    cloth = color(rng, 0.4) + relief[..., None]
    if rng.random() < 0.5:
        cloth = cloth + pattern(rng, size) * rng.uniform(0.3, 1)
    return Cutout(np.clip(cloth, 0, 1).astype(np.float32), inside.astype(np.float32))


def place(
    canvas: Array, cutout: Cutout, box: tuple[float, float, float, float], degrees: float = 0
) -> Array:
    """Paint cutout into canvas (changed in place) at box (x0, y0, x1, y1); its mask there."""
    size = canvas.shape[0]
    x0, y0, x1, y1 = box
    width, height = max(2, round(x1 - x0)), max(2, round(y1 - y0))
    rgba = np.dstack([cutout.color, cutout.mask[..., None]])
    image = Image.fromarray(as_bytes(rgba)).resize((width, height), Image.Resampling.BILINEAR)
    if degrees:
        image = image.rotate(degrees, Image.Resampling.BILINEAR, expand=True)
    layer = Image.new("RGBA", (size, size))
    layer.paste(image, (round((x0 + x1 - image.width) / 2), round((y0 + y1 - image.height) / 2)))
    array = np.asarray(layer, np.float32) / 255
    alpha = array[..., 3:]
    canvas *= 1 - alpha
    canvas += array[..., :3] * alpha
    return alpha[..., 0]


def shadow(rng: Rng, canvas: Array, mask: Array) -> None:
    """Darken the ground beside the mask, as a thing that lies on it would."""
    size = canvas.shape[0]
    image = Image.fromarray(as_bytes(mask))
    soft = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 4) * size / 96))
    moved = np.roll(np.asarray(soft, np.float32) / 255, rng.integers(-4, 5, 2), (0, 1))
    canvas *= 1 - (moved * (1 - mask) * rng.uniform(0, 0.5))[..., None]


def camera_effects(rng: Rng, canvas: Array) -> Array:
    """Light, white balance, blur and sensor noise of a real camera."""
    size = canvas.shape[0]
    light = 1 + (noise(rng, size, int(rng.integers(1, 4))) - 0.5)[..., None] * rng.uniform(0, 0.6)
    out = canvas * light * rng.normal(1, 0.06, 3)
    out = np.clip(out * rng.uniform(0.75, 1.15), 0, 1) ** rng.uniform(0.7, 1.4)
    image = Image.fromarray(as_bytes(out))
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    out = np.asarray(image, np.float32) / 255
    return np.clip(out + rng.normal(0, rng.uniform(0, 0.04), out.shape), 0, 1).astype(np.float32)
