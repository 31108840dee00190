"""Training the segmenter: where the garment is, and what tells drawings from photos.

Nobody has drawn masks for the photos, so it learns from sources that are wrong in different ways:
GrabCut's masks of them, of which the worst fits of each batch are left out; made-up photos, whose
masks are exact; and scenes, in which something that GrabCut cut out lies on another photo, small,
and what that photo showed is painted over. In cluttered scenes other things stand around, and the
mask is the garment's. It learns to tell drawings too, so that its layers serve that;
drawing_detection then fits the last layer of that anew.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model.datasets import LabeledPicture, Pairs
from fashion_model.errors import DataError
from fashion_model.preprocessing.decode import decode
from fashion_model.preprocessing.photo import SIDE
from fashion_model.training.augment import RandomAffine
from fashion_model.training.synthesis.garments import Array, Cutout, Garments, Rng, trim
from fashion_model.training.synthesis.photos import scene, snapshot
from fashion_model.training.synthesis.sketches import draw_with_pen, scribbles, sketch
from fashion_model.training.trainer import TrainConfig

CONFIG = TrainConfig(
    epochs=40, batch_size=48, learning_rate=3e-3, weight_decay=0.02, ema=0.998, bfloat16=True
)
SNAPSHOTS, SCENES, SKETCHES = 12_000, 12_000, 4_000  # made up once
CLUTTERED, CLUTTER = 0.5, 4  # share of the scenes, and at most so many other things in each
EPOCH = 9_600  # pictures of an epoch, besides a third as many drawings
PLAUSIBLE = (0.17, 0.65)  # share of the photo: GrabCut's masks outside it are mostly failures
WORST = 0.08  # share of each batch that is left out
CUTOUTS = {"T-Shirt": 0, "Pants": 1, "Hoodie": 2, "Longsleeve": 2, "Dress": 3} | {
    "Outwear": 4,
    "Shirt": 6,
    "Shoes": 7,
}
PHOTO_AFFINE = RandomAffine(degrees=12, scale=0.1, shift=7, shear=0, sizes=(0.75, 1.35))
DRAWING_AFFINE = RandomAffine(degrees=0, scale=0.15, shift=8, shear=0, sizes=(0.45, 1.25))

# Photos (N, 3, 96, 96) and their masks (N, 1, 96, 96), and drawings (M, 3, 96, 96)
MaskBatch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class MaskTask:
    """Batches of photos with their masks, and of drawings, and their loss."""

    def __init__(
        self,
        labeled: Sequence[LabeledPicture],
        fashion_mnist: Pairs,
        config: TrainConfig,
        seed: int = 0,
    ) -> None:
        """labeled: photos and drawings by people; fashion_mnist: images to make up more of."""
        made = _material(labeled, fashion_mnist, seed)
        self.photos, self.masks, self.drawings = made
        self.batch, self.steps = config.batch_size, EPOCH // config.batch_size

    def batches(self, generator: torch.Generator) -> Iterator[MaskBatch]:
        device, size = generator.device, self.batch
        order = torch.randperm(len(self.photos), generator=generator, device=device).cpu()
        for step in range(self.steps):
            index = order[torch.arange(step * size, (step + 1) * size) % len(order)]
            x = self.photos[index].to(device).permute(0, 3, 1, 2).float() / 255
            x, y = augment_photos(x, self.masks[index, None].to(device).float() / 255, generator)
            few = (size // 3,)
            some = torch.randint(len(self.drawings), few, generator=generator, device=device)
            yield x, y, render_drawings(self.drawings[some.cpu()].to(device).float(), generator)

    def loss(self, network: nn.Module, batch: MaskBatch) -> torch.Tensor:
        """Cross-entropy and Dice of the masks, and cross-entropy of drawing or photo."""
        x, y, drawings = batch
        n = len(x)
        logits, drawing = network(torch.cat([x, drawings]))
        logits, drawing = logits[:n].float(), drawing.float()
        p = logits.sigmoid()
        every = (1, 2, 3)
        entropy = F.binary_cross_entropy_with_logits(logits, y, reduction="none").mean(every)
        dice = 1 - (2 * (p * y).sum(every) + 50) / (p.sum(every) + y.sum(every) + 50)
        fits = (entropy + 0.5 * dice).sort().values[: round((1 - WORST) * n)]
        is_drawing = torch.zeros_like(drawing)
        is_drawing[n:] = 1
        kind = F.binary_cross_entropy_with_logits(drawing, 0.01 + 0.98 * is_drawing)
        return fits.mean() + 0.2 * kind


def grabcut(picture: Image.Image) -> Array:
    """GrabCut's mask of a photo, uint8 (h, w) of 0 or 1 (Rother et al. 2004), longest edge 128.

    What is near the border is taken for ground. Raises DataError where OpenCV is missing.
    """
    try:
        import cv2
    except ImportError as error:
        raise DataError(
            "training the segmenter needs OpenCV for its GrabCut: install tests/requirements.txt."
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
    except cv2.error:  # one color all over: no two models to fit
        return np.zeros_like(mask)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def _material(
    labeled: Sequence[LabeledPicture], fashion_mnist: Pairs, seed: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Photos uint8 (N, 96, 96, 3), masks uint8 (N, 96, 96), drawings bool (M, 1, 112, 112)."""
    from fashion_model.training.photo_views import inpaint  # needs OpenCV

    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    photos, masks, sheets = [], [], []
    things, clothes, backgrounds = [], [], []  # of scenes
    cutouts: dict[int, list[Cutout]] = {}
    for item in tqdm(labeled, desc="photos", mininterval=5.0):
        picture = decode(item.path)
        if item.kind == "drawing":
            sheets.append(255 - np.asarray(picture.convert("L").resize((112, 112))))
            continue
        picture = picture.convert("RGB")
        mask = grabcut(picture)
        if not PLAUSIBLE[0] < mask.mean() < PLAUSIBLE[1]:
            continue
        photos.append(np.asarray(picture.resize((SIDE, SIDE))))
        masks.append(np.asarray(Image.fromarray(255 * mask).resize((SIDE, SIDE))))
        small = np.asarray(picture.resize(mask.shape[::-1]))
        cutout = trim(Cutout(small.astype(np.float32) / 255, mask.astype(np.float32)))
        (clothes if item.targets or item.vague else things).append(cutout)
        backgrounds.append(inpaint(small, mask))
        if item.label in CUTOUTS:
            cutouts.setdefault(CUTOUTS[item.label], []).append(cutout)
    photos, masks = 2 * photos, 2 * masks  # real ones count twice
    garments = Garments.sample(*fashion_mnist, SNAPSHOTS, rng, cutouts)
    for _ in tqdm(range(SNAPSHOTS), desc="made up", mininterval=5.0):
        made_up, exact, _ = snapshot(rng, garments)
        photos.append(made_up)
        masks.append(exact)
    for _ in range(SCENES if backgrounds else 0):
        made_up, exact = _random_scene(rng, backgrounds, clothes, things)
        photos.append(made_up)
        masks.append(exact)
    drawings = _drawings(garments, sheets, generator)
    return torch.from_numpy(np.stack(photos)), torch.from_numpy(np.stack(masks)), drawings


def _random_scene(
    rng: Rng, backgrounds: Sequence[Array], clothes: Sequence[Cutout], things: Sequence[Cutout]
) -> tuple[Array, Array]:
    """One garment among things, or whatever stands alone: uint8 (96, 96, 3), its mask (96, 96)."""
    background = backgrounds[int(rng.integers(len(backgrounds)))]
    if clothes and things and rng.random() < CLUTTERED:
        some = rng.integers(len(things), size=rng.integers(1, CLUTTER + 1))
        clutter = [things[i] for i in some]
        return scene(rng, background, clothes[int(rng.integers(len(clothes)))], clutter)
    alone = [*clothes, *things]
    return scene(rng, background, alone[int(rng.integers(len(alone)))])


def _drawings(
    garments: Garments, sheets: Sequence[Array], generator: torch.Generator
) -> torch.Tensor:
    """Garments as lines and as flat shapes, scribbles, and sheets, ink uint8, with other pens."""
    pixels = torch.from_numpy(garments.pixels[:SKETCHES])
    masks = torch.from_numpy(garments.masks[:SKETCHES])
    lines = sketch(pixels, masks, generator)
    flat = F.interpolate(masks[: SKETCHES // 6, None].float(), (112, 112), mode="bilinear")
    drawings = [lines > 0.5, flat > 0.5, scribbles(SKETCHES // 6, generator) > 0.5]
    if sheets:
        real = torch.from_numpy(np.stack(sheets))[:, None] > 90
        drawings += [real, draw_with_pen(real.float(), generator) > 0.5]
    return torch.cat(drawings)


def augment_photos(
    x: torch.Tensor, mask: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Photos x (N, 3, H, W) and their masks (N, 1, H, W), turned, scaled and lit at random."""

    def rand(channels: int) -> torch.Tensor:
        return torch.rand(len(x), channels, 1, 1, generator=generator, device=x.device)

    grid = PHOTO_AFFINE.grid(x.shape, generator)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    mask = F.grid_sample(mask, grid, padding_mode="zeros", align_corners=False)
    x = x * (0.85 + 0.3 * rand(3)) * (0.75 + 0.45 * rand(1)) + 0.16 * rand(1) - 0.08
    gray = x.mean(1, keepdim=True)
    return (gray + (x - gray) * (0.3 + 1.1 * rand(1))).clamp(0, 1), mask


def render_drawings(lines: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Drawings (N, 3, 96, 96) of lines (N, 1, H, W): any ink on any paper, some photographed, and
    half of them soft: else softness alone would tell a photo."""
    n, device = len(lines), lines.device

    def rand(channels: int = 1) -> torch.Tensor:
        return torch.rand(n, channels, 1, 1, generator=generator, device=device)

    def randn(channels: int = 1, side: int = 1) -> torch.Tensor:
        return torch.randn(n, channels, side, side, generator=generator, device=device)

    grid = DRAWING_AFFINE.grid((n, 1, SIDE, SIDE), generator)
    a = F.grid_sample(lines, grid, align_corners=False) * (0.5 + 0.5 * rand())
    paper = torch.where(
        rand() < 0.5, torch.ones_like(rand(3)), 0.5 + 0.5 * rand() + randn(3) * 0.05
    )
    ink = torch.where(rand() < 0.5, torch.zeros_like(paper), rand(3) * 0.6)
    swapped = rand() < 0.2
    paper, ink = torch.where(swapped, ink, paper), torch.where(swapped, paper, ink)
    x = paper * (1 - a) + ink * a
    light = F.interpolate(randn(1, 3) * 0.08, (SIDE, SIDE), mode="bicubic")
    x = x + (light + randn(1, SIDE) * rand() * 0.05) * (rand() < 0.5)
    # a thumbnail, made large again
    side = int(torch.randint(20, 80, (), generator=generator, device=device))
    soft = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
    soft = F.interpolate(soft, (SIDE, SIDE), mode="bicubic")
    return torch.where(rand() < 0.5, soft, x).clamp(0, 1)
