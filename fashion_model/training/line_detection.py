"""Training what tells a line drawing from an image of Fashion-MNIST, where both are 28x28.

Drawings shrunk to bitmaps, as Quick, Draw! and MNIST hand them out, are bright on black and have
many tones, as Fashion-MNIST's images are and have; but a network must not read them as those.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model.datasets import LabeledPicture, Pairs
from fashion_model.preprocessing import LINES
from fashion_model.preprocessing.decode import decode
from fashion_model.training.classification import as_input, logits_of
from fashion_model.training.synthesis.garments import Garments, Rng
from fashion_model.training.synthesis.sketches import sketches
from fashion_model.training.trainer import TrainConfig

CONFIG = TrainConfig(epochs=40, batch_size=256, learning_rate=4e-3, weight_decay=0.02, ema=0.998)
COPIES = 4  # bitmaps of each real drawing to learn from
SCORED = 40  # and of each held-out one, which are few
SKETCHES = 12_000  # of Fashion-MNIST's images, as lines
_FILTERS = ("BOX", "BILINEAR", "BICUBIC", "LANCZOS")

LineBatch = tuple[torch.Tensor, int]  # (2n, 1, 28, 28), and n: so many of them are lines, the first


class LineTask:
    """Batches of line drawings and of Fashion-MNIST's images, as many of each, and their loss."""

    def __init__(
        self,
        labeled: Sequence[LabeledPicture],
        fashion_mnist: Pairs,
        config: TrainConfig,
        seed: int = 0,
    ) -> None:
        """labeled: drawings by people, and photos, which are left out."""
        rng = np.random.default_rng(seed)
        drawings = _drawings(labeled)
        garments = Garments.sample(*fashion_mnist, SKETCHES, rng)
        generator = torch.Generator().manual_seed(seed)
        copies = [COPIES] * len(drawings) + [1] * len(garments.labels)
        made_up = tqdm(sketches(garments, generator), desc="sketches", mininterval=5.0)
        drawings += [picture for picture, _ in made_up]
        self.lines = _bitmaps(np.repeat(np.arange(len(drawings)), copies), drawings, rng)
        self.images, self.batch = fashion_mnist[0], config.batch_size
        self.steps = 2 * len(self.lines) // config.batch_size

    def batches(self, generator: torch.Generator) -> Iterator[LineBatch]:
        device, half = generator.device, self.batch // 2
        kinds = [
            each.to(device)[torch.randperm(len(each), generator=generator, device=device)]
            for each in (self.lines, self.images)
        ]
        for step in range(self.steps):
            index = torch.arange(step * half, (step + 1) * half, device=device)
            x = as_input(torch.cat([each[index % len(each)] for each in kinds]))
            yield x.flip(3) if step % 2 else x, half

    def loss(self, network: nn.Module, batch: LineBatch) -> torch.Tensor:
        x, count = batch
        logits = network(x).float()
        is_line = torch.zeros_like(logits)
        is_line[:count] = 1
        return F.binary_cross_entropy_with_logits(logits, is_line)


def accuracies(
    network: nn.Module, held_out: Sequence[LabeledPicture], images: torch.Tensor, seed: int = 0
) -> dict[str, float]:
    """The share of held_out's drawings of clothes, as bitmaps, and of images, told rightly."""
    drawings = _drawings([item for item in held_out if item.targets])
    rows = np.arange(len(drawings)).repeat(SCORED)
    bitmaps = _bitmaps(rows, drawings, np.random.default_rng(seed))
    return {
        name: ((logits_of(network, pixels) > LINES) == are_lines).float().mean().item()
        for name, pixels, are_lines in (
            ("drawings", bitmaps, True),
            ("validation", images, False),
        )
        if len(pixels)
    }


def bitmap(drawing: Image.Image, rng: Rng) -> np.ndarray:
    """drawing, "L" and dark on light, uint8 (28, 28) and bright on black.

    Thin or thick, trimmed or not, stretched or not, 20 to 28 pixels long.
    """
    ink = ImageOps.invert(drawing)
    if rng.random() < 0.5:
        ink = ink.filter(ImageFilter.MaxFilter(int(rng.choice([3, 5, 7]))))
    if rng.random() < 0.6:
        ink = ink.crop(ink.getbbox())
    how = Image.Resampling[rng.choice(_FILTERS)]
    side = int(rng.integers(20, 29)) if rng.random() < 0.6 else 28
    if rng.random() < 0.7:
        ink = ImageOps.contain(ink, (side, side), how)
    else:
        ink = ink.resize((side, side), how)
    sheet = Image.new("L", (28, 28))
    sheet.paste(ink, ((28 - ink.width) // 2, (28 - ink.height) // 2))
    array = np.asarray(sheet, dtype=np.float32)
    if rng.random() < 0.5 and array.max() > 0:
        array = array * (255 / array.max())
    return (array * rng.uniform(0.6, 1)).astype(np.uint8)


def _drawings(labeled: Sequence[LabeledPicture]) -> list[Image.Image]:
    return [decode(item.path).convert("L") for item in labeled if item.kind == "drawing"]


def _bitmaps(which: np.ndarray, drawings: Sequence[Image.Image], rng: Rng) -> torch.Tensor:
    """A bitmap of each of these drawings, uint8 (N, 28, 28)."""
    made = [bitmap(drawings[i], rng) for i in which]
    return torch.from_numpy(np.stack(made)) if made else torch.zeros(0, 28, 28).byte()
