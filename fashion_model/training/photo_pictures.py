"""What the photo network learns from: people's photos, cut-outs of them, and what is made up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model.datasets import LabeledPicture, Pairs
from fashion_model.preprocessing.decode import decode
from fashion_model.preprocessing.geometry import as_rgb
from fashion_model.preprocessing.photo import mask_logits
from fashion_model.training.photo_views import inpaint
from fashion_model.training.pictures import NONE, sampling_weights, with_targets
from fashion_model.training.synthesis.garments import (
    TROUSER,
    Array,
    Cutout,
    Garments,
    Rng,
    as_bytes,
    camera_effects,
    dye,
    ground,
    paper,
    trim,
)
from fashion_model.training.synthesis.photos import worn

# Each pool of pictures, its share of all views, and how much it makes up for rare targets: at 0
# each picture is shown as often, at 1 each target. "home", "worn" and "things" are people's photos
# by origin; "cutouts" are what these show, without its ground: bags that nobody carries, shoes
# without feet, fruit; "rooms" are "home" without its garments, which are shown behind cut-outs
# alone; "dyed" are Fashion-MNIST's images in color; "people" are made up, and wear both; "drawn"
# and "none drawn" are drawings.
POOLS = {
    "home": (0.25, 0.5),
    "worn": (0.18, 0.5),
    "things": (0.10, 0.0),
    "cutouts": (0.21, 0.5),
    "rooms": (0.0, 0.0),
    "people": (0.06, 0.0),
    "dyed": (0.12, 0.0),
    "drawn": (0.04, 0.7),
    "none drawn": (0.02, 0.0),
    "grounds": (0.02, 0.0),
}
PHOTOS = "home", "worn", "things"
LONGEST = 192  # pixels of a picture's longest edge
SIDE = 112  # pixels a side of what is made up
# How many images of each class are dyed: more of what photos lack
DYED = (250, 150, 220, 320, 320, 420, 320, 280, 1100, 300)
PEOPLE, GROUNDS = 1400, 400
WORN = {0: 0.36, 2: 0.1, 4: 0.12, 6: 0.17, 3: 0.17, 1: 0.08}  # share of each class among people
CLEAR = (0.1, 0.9)  # of [0, 1]: a mask's values between these are in doubt
CERTAIN = 0.8  # at least this share of a mask must not be
PLAUSIBLE = (0.1, 0.8)  # share of a photo that its garment covers
ROOMS = 0.3  # share of the home photos with a clear mask that are shown without their garment too

# uint8 RGB, or a cut-out's RGBA, (H, W, C), and its targets
PhotoExample = tuple[Array, tuple[int, ...]]


@dataclass(frozen=True)
class Pool:
    """Pictures of one kind, and how often each is shown, float64 (N,), which sums to 1."""

    items: Sequence[PhotoExample]
    weights: Array

    @staticmethod
    def of(name: str, items: Sequence[PhotoExample]) -> "Pool":
        _, power = POOLS[name]
        return Pool(items, sampling_weights([targets for _, targets in items], power).numpy())

    def draw(self, rng: Rng) -> PhotoExample:
        return self.items[rng.choice(len(self.items), p=self.weights)]


def pools(
    labeled: Sequence[LabeledPicture], fashion_mnist: Pairs, segmenter: nn.Module, seed: int
) -> dict[str, Pool]:
    """All that is learned from, by the names of POOLS; those that stay empty are left out."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[PhotoExample]] = {name: [] for name in POOLS}
    every = list(with_targets(labeled))
    for picture, targets in tqdm(every, desc="photos", mininterval=5.0):
        array, name = _array(picture), _pool(picture, targets)
        found[name].append((array, targets))
        if name not in PHOTOS or (mask := clear_mask(array, segmenter)) is None:
            continue
        if (cutout := cut_out(array, mask)) is not None:
            found["cutouts"].append((cutout, targets))
        if name == "home" and rng.random() < ROOMS:
            found["rooms"].append((inpaint(array, mask), (NONE,)))
    garments = _garments(rng, fashion_mnist, found["cutouts"])
    found["dyed"] = list(_dyed(rng, garments))
    found["people"] = [_person(rng, garments) for _ in range(PEOPLE)]
    for _ in range(GROUNDS):
        canvas = paper(rng, SIDE) if rng.random() < 0.3 else ground(rng, SIDE)
        found["grounds"].append((as_bytes(camera_effects(rng, canvas)), (NONE,)))
    return {name: Pool.of(name, items) for name, items in found.items() if items}


def _array(picture: LabeledPicture) -> Array:
    whole = decode(picture.path).convert("RGB")
    whole.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return np.array(whole)


def _pool(picture: LabeledPicture, targets: tuple[int, ...]) -> str:
    if picture.kind == "drawing":
        return "none drawn" if targets == (NONE,) else "drawn"
    return picture.origin if picture.origin in PHOTOS else "home"


def clear_mask(picture: Array, segmenter: nn.Module) -> Array | None:
    """Where the garment in picture, uint8 (H, W, 3), is: (H, W) in [0, 1]; None where its outline
    is in doubt, or it covers next to nothing or nearly all."""
    logits, _ = mask_logits(as_rgb(picture), segmenter)
    size = list(picture.shape[:2])
    mask: Array = F.interpolate(logits.sigmoid(), size, mode="bilinear")[0, 0].numpy()
    certain = ((mask < CLEAR[0]) | (mask > CLEAR[1])).mean() >= CERTAIN
    return mask if certain and PLAUSIBLE[0] < (mask > 0.5).mean() < PLAUSIBLE[1] else None


def cut_out(picture: Array, mask: Array) -> Array | None:
    """What of picture, uint8 (H, W, 3), mask shows, as RGBA; None where that is too small."""
    parts, count = ndimage.label(mask > 0.5)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    specks = 1 + np.flatnonzero(sizes < 0.2 * sizes.max())
    alpha = np.clip((np.where(np.isin(parts, specks), 0, mask) - 0.4) / 0.2, 0, 1)
    rows, columns = (np.flatnonzero((alpha > 0.5).any(axis)) for axis in (1, 0))
    if len(rows) < 20 or len(columns) < 20:
        return None
    box = np.s_[max(rows[0] - 2, 0) : rows[-1] + 3, max(columns[0] - 2, 0) : columns[-1] + 3]
    return np.dstack([picture, as_bytes(alpha)])[box].copy()


def _garments(rng: Rng, fashion_mnist: Pairs, cutouts: Sequence[PhotoExample]) -> Garments:
    images, labels = (tensor.numpy() for tensor in fashion_mnist)
    chosen = [rng.permutation(np.flatnonzero(labels == k))[:n] for k, n in enumerate(DYED)]
    real: dict[int, list[Cutout]] = {}
    for rgba, (label, *others) in cutouts:
        if others or label == NONE:
            continue
        part = rgba.astype(np.float32) / 255
        real.setdefault(label, []).append(Cutout(part[..., :3], part[..., 3]))
    every = np.concatenate(chosen)
    return Garments.from_images(images[every], labels[every], real)


def _dyed(rng: Rng, garments: Garments) -> Iterator[PhotoExample]:
    for pixels, mask, label in zip(garments.pixels, garments.masks, garments.labels, strict=True):
        garment = trim(dye(rng, pixels, mask))
        soft = 0.8 if rng.random() < 0.5 else 0.0
        color = ndimage.gaussian_filter(garment.color, (soft, soft, 0), mode="mirror")
        yield as_bytes(np.dstack([color, garment.mask])), (int(label),)


def _person(rng: Rng, garments: Garments) -> PhotoExample:
    label = int(rng.choice(list(WORN), p=list(WORN.values())))
    canvas = paper(rng, SIDE) if rng.random() < 0.7 else ground(rng, SIDE)
    other = garments.choose(rng, 0 if label == TROUSER else TROUSER, 0.7)
    worn(rng, canvas, garments.choose(rng, label, 0.7), label, other)
    return as_bytes(canvas), (label,)
