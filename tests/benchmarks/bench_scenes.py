"""How often garments that were cut out of people's photos are right where they are put.

    python tests/benchmarks/bench_scenes.py --pictures FOLDER [--fold K]

Of fold K of FOLDER, that of those who were held out, the garments that somebody wears or carries
are cut out by GrabCut and laid on white, in rooms (that fold's photos at home, their garment
painted over), among things (cut out too), and on shelves (photos of things). Size is of their
longest edge, in shares of the picture's. Prints how many are right where the network sees the whole
picture, as it answers (around what the segmenter finds), and around where they are; and the NLL of
what it answers.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from PIL import Image

from fashion_model import Classifier, load
from fashion_model import datasets as data
from fashion_model.evaluation.metrics import negative_log_likelihood
from fashion_model.preprocessing import ModelInput, photo
from fashion_model.preprocessing.decode import decode
from fashion_model.training.photo_pictures import LONGEST, cut_out
from fashion_model.training.photo_views import inpaint
from fashion_model.training.segmentation import PLAUSIBLE, grabcut

SIDE = 480  # pixels a side of a scene
THINGS = (1, 3)  # so many stand around, each of a size of
THING_SIZES = (0.2, 0.6)
SCENES = [  # ground, size, pixels a side of the file
    ("white", 0.9, SIDE),
    ("white", 0.9, 80),
    ("rooms", 0.8, SIDE),
    ("rooms", 0.5, SIDE),
    ("rooms", 0.3, SIDE),
    ("things", 0.5, SIDE),
    ("shelves", 0.5, SIDE),
]


class Material:
    """Cut-outs with their targets, and what they are laid on."""

    def __init__(self, pictures: Sequence[data.LabeledPicture]) -> None:
        self.garments, self.things, self.rooms, self.shelves = [], [], [], []
        for picture in pictures:
            whole = decode(picture.path).convert("RGB")
            whole.thumbnail((LONGEST, LONGEST))
            array, mask = np.array(whole), grabcut(whole)
            plausible = PLAUSIBLE[0] < mask.mean() < PLAUSIBLE[1]
            soft = Image.fromarray(255 * mask).resize(whole.size, Image.Resampling.BILINEAR)
            mask = np.asarray(soft, np.float32) / 255
            cutout = cut_out(array, mask) if plausible else None
            if picture.origin == "home" and plausible:
                self.rooms.append(Image.fromarray(inpaint(array, mask)))
            elif picture.origin == "things":
                self.shelves.append(Image.fromarray(array))
                if cutout is not None:
                    self.things.append(Image.fromarray(cutout))
            elif cutout is not None and picture.targets:
                self.garments.append((Image.fromarray(cutout), picture.targets))

    def ground(self, rng: np.random.Generator, name: str) -> Image.Image:
        if name == "white":
            return Image.new("RGB", (SIDE, SIDE), "white")
        grounds = self.shelves if name == "shelves" else self.rooms
        canvas = grounds[rng.integers(len(grounds))].resize((SIDE, SIDE))
        for _ in range(rng.integers(THINGS[0], THINGS[1] + 1) if name == "things" else 0):
            thing = self.things[rng.integers(len(self.things))]
            lay(rng, canvas, thing, rng.uniform(*THING_SIZES), cut=0.5)
        return canvas


def lay(
    rng: np.random.Generator, canvas: Image.Image, cutout: Image.Image, size: float, cut: float = 0
) -> tuple[float, float, float, float]:
    """Lay cutout anywhere, of that size; its box in shares. cut: how much the edge may cut off."""
    scale = size * SIDE / max(cutout.size)
    width, height = (max(1, round(edge * scale)) for edge in cutout.size)
    x = int(rng.uniform(-cut * width, SIDE - (1 - cut) * width))
    y = int(rng.uniform(-cut * height, SIDE - (1 - cut) * height))
    small = cutout.resize((width, height))
    canvas.paste(small, (x, y), small)
    return x / SIDE, y / SIDE, (x + width) / SIDE, (y + height) / SIDE


def box_mask(box: tuple[float, float, float, float]) -> torch.Tensor:
    """A mask as the segmenter gives it, 1 in all of box."""
    left, top, right, bottom = (round(edge * photo.SIDE) for edge in box)
    mask = torch.zeros(1, 1, photo.SIDE, photo.SIDE)
    mask[..., top:bottom, left:right] = 1
    return mask


def measure(
    classifier: Classifier, material: Material, ground: str, size: float, side: int
) -> tuple[list[float], float | None]:
    """Shares of the garments that are right: all shown, as answered, around them; NLL as
    answered."""
    rng, right, in_targets = np.random.default_rng(0), [], []
    for cutout, targets in material.garments:
        canvas = material.ground(rng, ground)
        box = lay(rng, canvas, cutout, size)
        picture = canvas.resize((side, side), Image.Resampling.LANCZOS)
        found = classifier.preprocess(picture, "photo")
        around = photo.in_color(picture, mask=box_mask(box))[0]
        tensors = photo.in_color(picture)[0], found.tensor, around
        inputs = [ModelInput("photo", tensor, picture, found.box) for tensor in tensors]
        confidences, _ = classifier.probabilities(inputs)
        right.append([int(answer) in targets for answer in confidences.argmax(1)])
        in_targets.append(float(confidences[1, list(targets)].sum()))
    return np.mean(right, axis=0).tolist(), negative_log_likelihood(in_targets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", required=True, help="a folder with labels.csv")
    parser.add_argument("--fold", type=int, default=3, help="whose pictures, 0 to 4")
    args = parser.parse_args()
    torch.set_num_threads(1)
    classifier = load(device="cpu")
    pictures = [
        picture
        for picture in data.correct_labels(data.load_labeled(args.pictures))
        if picture.kind == "photo" and not picture.vague and data.group_fold(picture) == args.fold
    ]
    material = Material(pictures)
    print(f"{len(material.garments)} garments, {len(material.rooms)} rooms")
    print(f"{'':<24}{'all shown':>12}{'as answered':>14}{'around it':>12}{'NLL':>8}")
    for ground, size, side in SCENES:
        shares, nll = measure(classifier, material, ground, size, side)
        whole, answered, around = (f"{100 * share:.1f} %" for share in shares)
        name = f"{ground}, {size:.0%}" + ("" if side == SIDE else f", {side} pixels")
        print(f"{name:<24}{whole:>12}{answered:>14}{around:>12}{nll:>8.2f}")


if __name__ == "__main__":
    main()
