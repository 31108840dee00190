"""Training what tells a line drawing from an image of Fashion-MNIST, where both are 28x28.

Drawings shrunk to bitmaps, as Quick, Draw! and MNIST hand them out, are bright on black and have
many tones, as Fashion-MNIST's images are and have; but a network must not read them as those.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model import checkpoint
from fashion_model.datasets import Labelled
from fashion_model.networks import CLASSES
from fashion_model.preprocessing import LINES
from fashion_model.preprocessing.decode import decode
from fashion_model.training.synthesis.doodles import doodle, nonsense
from fashion_model.training.train import as_input, logits_of
from fashion_model.training.trainer import Recipe, Run

RECIPE = Recipe(epochs=40, learning_rate=4e-3, weight_decay=0.02, ema=0.998)
COPIES = 4  # bitmaps of each real drawing to learn from
SCORED = 40  # and of each held-out one, which are few
DOODLES = 12_000  # drawings by rule, a third of them of nothing
_FILTERS = ("BOX", "BILINEAR", "BICUBIC", "LANCZOS")


def shrunk(drawing: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """drawing, "L" and dark on light, as a bitmap uint8 (28, 28), bright on black.

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


def train_lines(
    labelled: Sequence[Labelled],
    images: torch.Tensor,
    held_out: Sequence[Labelled],
    validation: torch.Tensor,
    *,
    recipe: Recipe = RECIPE,
    seed: int = 0,
    out: str | Path | None = None,
    device: torch.device | str | None = None,
    card: dict[str, Any] | None = None,
    progress: bool = True,
) -> Path:
    """Train what tells lines from images and write its checkpoint; the path of that.

    labelled and held_out: real drawings, and photos, which are left out. images and validation,
    uint8 (N, 28, 28): Fashion-MNIST's. The card's "accuracy" tells what share of the held-out
    drawings of clothes, and of validation, is told rightly. Goes on after an interruption.
    """
    out = Path(out) if out is not None else checkpoint.resolve("lines")
    run = Run("lines", recipe, seed, device, f"{len(images)} and {len(labelled)} pictures")
    state = run.taken_up(out)
    rng = np.random.default_rng(seed)
    drawings = _drawings(labelled)
    drawings += [
        nonsense(rng) if i % 3 == 0 else doodle(rng, i % len(CLASSES))
        for i in tqdm(range(DOODLES), desc="doodles", disable=not progress, mininterval=5.0)
    ]
    copies = [COPIES] * (len(drawings) - DOODLES) + [1] * DOODLES
    lines = _bitmaps(np.repeat(np.arange(len(drawings)), copies), drawings, rng).to(run.device)
    images = images.to(run.device)
    steps = 2 * len(lines) // recipe.batch
    last = recipe.epochs * steps
    bar = tqdm(total=last, initial=run.steps, unit="step", disable=not progress)
    while run.epoch < recipe.epochs:
        kinds = [
            pixels[torch.randperm(len(pixels), generator=run.generator, device=run.device)]
            for pixels in (lines, images)
        ]
        half, total = recipe.batch // 2, 0.0
        for step in range(steps):
            index = torch.arange(step * half, (step + 1) * half, device=run.device)
            x = as_input(torch.cat([pixels[index % len(pixels)] for pixels in kinds]))
            total += run.step(_Loss(x.flip(3) if step % 2 else x, half), last)
            bar.update()
        run.epoch += 1
        bar.set_postfix(epoch=f"{run.epoch}/{recipe.epochs}", loss=f"{total / steps:.4f}")
        run.save(state)
    bar.close()
    network = run.network()
    garments = _drawings([item for item in held_out if item.accept])
    rng = np.random.default_rng(seed)  # the same bitmaps, whatever was learnt from before
    bitmaps = _bitmaps(np.arange(len(garments)).repeat(SCORED), garments, rng)
    scores = {
        name: _share(network, pixels, are_lines)
        for name, pixels, are_lines in (
            ("drawings", bitmaps, True),
            ("validation", validation, False),
        )
        if len(pixels)
    }
    checkpoint.save(out, network, {**run.card(), "accuracy": scores, **(card or {})})
    state.unlink(missing_ok=True)
    return out


class _Loss:
    """Cross-entropy of x (2n, 1, 28, 28), of which the first n are lines."""

    def __init__(self, x: torch.Tensor, n: int) -> None:
        self.x, self.n = x, n

    def __call__(self, network: nn.Module) -> torch.Tensor:
        logits = network(self.x).float()
        wanted = torch.zeros_like(logits)
        wanted[: self.n] = 1
        return F.binary_cross_entropy_with_logits(logits, wanted)


def _drawings(labelled: Sequence[Labelled]) -> list[Image.Image]:
    return [decode(item.path).convert("L") for item in labelled if item.kind == "drawing"]


def _bitmaps(
    which: np.ndarray, drawings: Sequence[Image.Image], rng: np.random.Generator
) -> torch.Tensor:
    """A bitmap of each of these drawings, uint8 (N, 28, 28)."""
    made = [shrunk(drawings[i], rng) for i in which]
    return torch.from_numpy(np.stack(made)) if made else torch.zeros(0, 28, 28).byte()


def _share(network: nn.Module, pixels: torch.Tensor, are_lines: bool) -> float:
    """The share of pixels uint8 (N, 28, 28) of which network says rightly whether they are."""
    said = logits_of(network, pixels) > LINES
    return (said == are_lines).float().mean().item()
