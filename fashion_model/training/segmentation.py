"""Training the finder: where the garment is, and whether a picture is a drawing.

Nobody has drawn masks for the photos, so it learns from two sources that are wrong in different
ways: made-up photos, whose masks are exact, and GrabCut's masks of the real ones, of which the
worst fits of each batch are left out. A second one learns from the first as well, which errs less
than GrabCut does (the noisy student of Xie et al. 2020, arXiv 1911.04252). What tells drawings is
learnt here for what the layers then see; its last layer is replaced by sheets.teach.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model import checkpoint
from fashion_model.datasets import Labelled
from fashion_model.errors import DataError, InputError
from fashion_model.preprocessing.decode import decode
from fashion_model.preprocessing.drawing import as_rgb
from fashion_model.preprocessing.photo import read_photo
from fashion_model.training.synthesis.garments import Array, Cutout, Wardrobe, trimmed
from fashion_model.training.synthesis.photos import snapshot
from fashion_model.training.synthesis.sketches import penned, scribbles, sketched
from fashion_model.training.trainer import Recipe, Run

SIDE = 96
RECIPE = Recipe(
    epochs=40, batch=48, learning_rate=3e-3, weight_decay=0.02, ema=0.998, bfloat16=True
)
SNAPSHOTS, SKETCHES = 12_000, 4_000  # made up once
EPOCH = 9_600  # pictures of an epoch, besides a third as many drawings
PLAUSIBLE = (0.17, 0.65)  # share of the photo: GrabCut's masks outside it are mostly failures
AGREE = 0.75  # intersection over union from which GrabCut and the teacher both have a say
WORST = 0.08  # share of each batch that is left out
CUTOUTS = {"T-Shirt": 0, "Pants": 1, "Hoodie": 2, "Longsleeve": 2, "Dress": 3} | {
    "Outwear": 4,
    "Shirt": 6,
    "Shoes": 7,
}


def grabcut(picture: Image.Image) -> Array:
    """GrabCut's mask of a photo, uint8 (h, w) of 0 or 1 (Rother et al. 2004), longest edge 128.

    What is near the border is taken for ground. Raises DataError where OpenCV is missing.
    """
    try:
        import cv2
    except ImportError as error:
        raise DataError(
            "training the finder needs OpenCV for its GrabCut: install tests/requirements.txt."
        ) from error
    scale = 128 / max(picture.size)
    width, height = (max(24, round(edge * scale)) for edge in picture.size)
    small = picture.resize((width, height))
    array = np.asarray(small)[:, :, ::-1].copy()
    mask = np.full(array.shape[:2], cv2.GC_BGD, np.uint8)
    mask[5:-5, 5:-5] = cv2.GC_PR_BGD
    mask[15:-15, 15:-15] = cv2.GC_PR_FGD
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(
            *(array, mask, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), 5),
            cv2.GC_INIT_WITH_MASK,
        )
    except cv2.error:  # one colour all over: no two models to fit
        return np.zeros_like(mask)
    found: Array = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return found


def train_finder(
    labelled: Sequence[Labelled],
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    recipe: Recipe = RECIPE,
    seed: int = 0,
    teacher: nn.Module | None = None,
    out: str | Path | None = None,
    device: torch.device | str | None = None,
    card: dict[str, Any] | None = None,
    progress: bool = True,
) -> Path:
    """Train the finder and write its checkpoint; the path of that.

    labelled: real photos and drawings. images uint8 (N, 28, 28), labels (N,): Fashion-MNIST's.
    teacher: an earlier finder, whose masks of the real photos are learnt beside GrabCut's. Goes on
    after an interruption from the end of the last epoch, whose state stays beside out: to delete
    once sheets.teach, which has the last word on drawings, is done.
    """
    out = Path(out) if out is not None else checkpoint.resolve("finder")
    said = f"{len(labelled)} pictures"
    if teacher is not None:
        said += f", taught by {checkpoint.digest(teacher)[:12]}"
    run = Run("finder", recipe, seed, device, said)
    state = run.taken_up(out)
    pictures, masks, drawings = _material(labelled, images, labels, teacher, seed, progress)
    steps = EPOCH // recipe.batch
    bar = tqdm(total=recipe.epochs * steps, initial=run.steps, unit="step", disable=not progress)
    while run.epoch < recipe.epochs:
        order = torch.randperm(len(pictures), generator=run.generator)
        total = 0.0
        for step in range(steps):
            index = order[torch.arange(step * recipe.batch, (step + 1) * recipe.batch) % len(order)]
            x = pictures[index].permute(0, 3, 1, 2).float() / 255
            x, y = varied(x, masks[index, None].float() / 255, run.generator)
            some = torch.randint(0, len(drawings), (recipe.batch // 3,), generator=run.generator)
            z = inked(drawings[some].float(), run.generator)
            total += run.step(
                _Loss(x.to(run.device), y.to(run.device), z.to(run.device)), bar.total
            )
            bar.update()
        run.epoch += 1
        bar.set_postfix(epoch=f"{run.epoch}/{recipe.epochs}", loss=f"{total / steps:.4f}")
        run.save(state)
    bar.close()
    checkpoint.save(out, run.network(), {**run.card(), **(card or {})})
    return out


class _Loss:
    """Cross-entropy and Dice of the masks, and cross-entropy of drawing or photo."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, drawings: torch.Tensor) -> None:
        self.x, self.y, self.drawings = x, y, drawings

    def __call__(self, network: nn.Module) -> torch.Tensor:
        n = len(self.x)
        logits, drawing = network(torch.cat([self.x, self.drawings]))
        logits, drawing = logits[:n].float(), drawing.float()
        p = logits.sigmoid()
        entropy = F.binary_cross_entropy_with_logits(logits, self.y, reduction="none").mean(
            (1, 2, 3)
        )
        overlap = 2 * (p * self.y).sum((1, 2, 3)) + 50
        dice = 1 - overlap / (p.sum((1, 2, 3)) + self.y.sum((1, 2, 3)) + 50)
        fits = (entropy + 0.5 * dice).sort().values[: round((1 - WORST) * n)]
        is_drawing = torch.zeros_like(drawing)
        is_drawing[n:] = 1
        told = F.binary_cross_entropy_with_logits(drawing, 0.01 + 0.98 * is_drawing)
        loss: torch.Tensor = fits.mean() + 0.2 * told
        return loss


def _material(
    labelled: Sequence[Labelled],
    images: torch.Tensor,
    labels: torch.Tensor,
    teacher: nn.Module | None,
    seed: int,
    progress: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures uint8 (N, 96, 96, 3), masks uint8 (N, 96, 96), drawings (M, 1, 112, 112)."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    pictures, masks, sheets = [], [], []
    cutouts: dict[int, list[Cutout]] = {}
    for item in tqdm(labelled, desc="photos", disable=not progress, mininterval=5.0):
        picture = decode(item.path)
        if item.kind == "drawing":
            sheets.append(255 - np.asarray(picture.convert("L").resize((112, 112))))
            continue
        picture = picture.convert("RGB")
        mask = masked(picture, teacher)
        if mask is None:
            continue
        pictures.append(np.asarray(picture.resize((SIDE, SIDE))))
        masks.append(np.asarray(Image.fromarray(mask).resize((SIDE, SIDE))))
        if item.label in CUTOUTS:
            small, mask = picture.resize(mask.shape[::-1]), mask > 127
            colour = np.asarray(small, dtype=np.float32) / 255
            cutout = trimmed(Cutout(colour, mask.astype(np.float32)))
            cutouts.setdefault(CUTOUTS[item.label], []).append(cutout)
    pictures, masks = 2 * pictures, 2 * masks  # real ones count twice
    some = rng.permutation(len(images))[:SNAPSHOTS]
    wardrobe = Wardrobe.of(images[some].numpy(), labels[some].numpy(), cutouts)
    for _ in tqdm(range(SNAPSHOTS), desc="made up", disable=not progress, mininterval=5.0):
        made_up, exact, _ = snapshot(rng, wardrobe)
        pictures.append(made_up)
        masks.append(exact)
    some = some[:SKETCHES]
    lines = sketched(images[some], torch.from_numpy(wardrobe.masks[:SKETCHES]), generator)
    flat = torch.from_numpy(wardrobe.masks[: SKETCHES // 6])[:, None].float()
    flat = F.interpolate(flat, (112, 112), mode="bilinear")
    drawings = [lines > 0.5, flat > 0.5, scribbles(SKETCHES // 6, generator) > 0.5]
    if sheets:
        real = torch.from_numpy(np.stack(sheets))[:, None] > 90
        drawings += [real, penned(real.float(), generator) > 0.5]
    return (
        torch.from_numpy(np.stack(pictures)),
        torch.from_numpy(np.stack(masks)),
        torch.cat(drawings),
    )


def masked(picture: Image.Image, teacher: nn.Module | None) -> Array | None:
    """The mask to learn of a photo, uint8 (h, w) from 0 to 255; None if none can be had.

    GrabCut's; where the teacher's differs much, that alone, and where it does not, their mean,
    which is above a half where GrabCut's is 1.
    """
    mask = grabcut(picture)
    plausible = PLAUSIBLE[0] < mask.mean() < PLAUSIBLE[1]
    if teacher is not None:
        try:
            *_, found = read_photo(as_rgb(np.asarray(picture)), teacher)
        except InputError:
            found = None
        if found is not None:
            whole = Image.fromarray((found.clamp(0, 1) * 255).byte().numpy())
            taught = np.asarray(whole.resize(mask.shape[::-1], Image.Resampling.BILINEAR))
            both, either = (taught > 127) & (mask > 0), (taught > 127) | (mask > 0)
            if not plausible or both.sum() < AGREE * either.sum():
                return taught
            mean: Array = (taught // 2 + mask * 127).astype(np.uint8)
            return mean
    return mask * 255 if plausible else None


def varied(
    x: torch.Tensor, mask: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Photos x (N, 3, H, W) and their masks (N, 1, H, W), turned, scaled and lit at random."""
    n = len(x)

    def rand(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    flip = torch.where(rand(n) < 0.5, -1.0, 1.0)
    angle = torch.randn(n, generator=generator) * 0.12
    zoom = 1 / (0.75 + 0.6 * rand(n))
    squeezed = zoom * torch.exp(torch.randn(n, generator=generator) * 0.08)
    shift = torch.randn(n, 2, generator=generator) * 0.08
    across = torch.stack(
        [flip * squeezed * angle.cos(), -flip * zoom * angle.sin(), shift[:, 0]], 1
    )
    down = torch.stack([squeezed * angle.sin(), zoom * angle.cos(), shift[:, 1]], 1)
    size = [n, 1, x.shape[2], x.shape[3]]
    grid = F.affine_grid(torch.stack([across, down], 1), size, align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    mask = F.grid_sample(mask, grid, padding_mode="zeros", align_corners=False)
    x = x * (0.85 + 0.3 * rand(n, 3, 1, 1)) * (0.75 + 0.45 * rand(n, 1, 1, 1))
    x = x + 0.16 * rand(n, 1, 1, 1) - 0.08
    grey = x.mean(1, keepdim=True)
    return (grey + (x - grey) * (0.3 + 1.1 * rand(n, 1, 1, 1))).clamp(0, 1), mask


def inked(lines: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Drawings (N, 3, 96, 96) of lines (N, 1, H, W): any ink on any paper, some photographed, and
    half of them soft: else softness alone would tell a photo."""
    n = len(lines)

    def rand(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    zoom = 0.8 + 1.4 * rand(n)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = zoom * torch.where(rand(n) < 0.5, -1.0, 1.0)
    theta[:, 1, 1] = zoom * torch.exp(randn(n) * 0.15)
    theta[:, :, 2] = randn(n, 2) * 0.25 * (zoom[:, None] - 0.8)
    grid = F.affine_grid(theta, [n, 1, SIDE, SIDE], align_corners=False)
    a = F.grid_sample(lines, grid, align_corners=False) * (0.5 + 0.5 * rand(n, 1, 1, 1))
    toned = 0.5 + 0.5 * rand(n, 1, 1, 1) + randn(n, 3, 1, 1) * 0.05
    paper = torch.where(rand(n, 1, 1, 1) < 0.5, torch.ones(n, 3, 1, 1), toned)
    ink = torch.where(rand(n, 1, 1, 1) < 0.5, torch.zeros(n, 3, 1, 1), rand(n, 3, 1, 1) * 0.6)
    swapped = rand(n, 1, 1, 1) < 0.2
    paper, ink = torch.where(swapped, ink, paper), torch.where(swapped, paper, ink)
    x = paper * (1 - a) + ink * a
    light = F.interpolate(randn(n, 1, 3, 3) * 0.08, (SIDE, SIDE), mode="bicubic")
    grain = randn(n, 1, SIDE, SIDE) * rand(n, 1, 1, 1) * 0.05
    photographed = rand(n, 1, 1, 1) < 0.5
    x = x + (light + grain) * photographed
    side = int(torch.randint(20, 80, (), generator=generator))  # a thumbnail, made large again
    soft = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
    soft = F.interpolate(soft, (SIDE, SIDE), mode="bicubic")
    return torch.where(rand(n, 1, 1, 1) < 0.5, soft, x).clamp(0, 1)
