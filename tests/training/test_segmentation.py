"""Training the finder: GrabCut on a made-up photo, its variations, and a whole tiny run."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fashion_model import checkpoint
from fashion_model import datasets as data
from fashion_model.errors import DataError
from fashion_model.training import segmentation as finding
from fashion_model.training.segmentation import grabcut, inked, varied
from fashion_model.training.trainer import Recipe


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def disc_on_noise(size: int = 128, radius: float = 36) -> tuple[Image.Image, np.ndarray]:
    """A dark disc in the middle of light noise, and where it is."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:size, :size] - size // 2
    disc = row**2 + column**2 < radius**2
    light = rng.integers(190, 256, (size, size, 3))
    dark = rng.integers(20, 60, (size, size, 3))
    return Image.fromarray(np.where(disc[..., None], dark, light).astype(np.uint8)), disc


# GrabCut.


def test_grabcut_finds_a_disc_to_the_pixel():
    picture, disc = disc_on_noise()
    mask = grabcut(picture)
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, disc)
    assert np.array_equal(grabcut(picture), mask)


def test_grabcuts_mask_is_128_long():
    picture, _ = disc_on_noise()
    assert grabcut(picture.resize((300, 450))).shape == (128, 85)
    assert grabcut(picture.resize((60, 30))).shape == (64, 128)


@pytest.mark.parametrize("size", [(100, 80), (500, 20)], ids=["plain", "a strip"])
def test_grabcut_of_what_has_no_two_parts_is_empty(size):
    assert not grabcut(Image.new("RGB", size, "red")).any()


def test_without_opencv_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(DataError, match=r"install tests/requirements\.txt"):
        grabcut(disc_on_noise()[0])


# Variations.


def test_a_photo_and_its_mask_are_moved_together():
    """Black garments on white: wherever the mask says garment, the picture stays the darker."""
    mask = torch.zeros(16, 1, 96, 96)
    mask[..., 30:70, 20:60] = 1
    photos, moved = varied((1 - mask).expand(-1, 3, -1, -1), mask, seeded())
    assert 0 <= photos.min() <= photos.max() <= 1
    for photo, where in zip(photos.mean(1), moved[:, 0], strict=True):
        assert photo[where > 0.99].max() < photo[where < 0.01].min()
    areas = moved.sum((1, 2, 3)) / 1600
    assert areas.min() < 0.9  # from far and from near
    assert areas.max() > 1.3
    again, _ = varied((1 - mask).expand(-1, 3, -1, -1), mask, seeded())
    assert torch.equal(again, photos)


def test_drawings_are_inked_in_any_colour_on_any_paper():
    lines = torch.zeros(40, 1, 112, 112)
    lines[..., 30:80, 50:56] = 1
    drawings = inked(lines, seeded())
    assert drawings.shape == (40, 3, 96, 96)
    assert 0 <= drawings.min() <= drawings.max() <= 1
    paper = drawings.flatten(2).median(2).values.mean(1)
    assert (paper > 0.9).sum() > 10  # white sheets, and others, some of them dark
    assert (paper < 0.4).any()
    contrast = drawings.flatten(1).amax(1) - drawings.flatten(1).amin(1)
    assert contrast.min() > 0.02


# A whole run.


@pytest.fixture
def labelled(tmp_path):
    """Three photos, one of them useless, and a drawing."""
    names = {"photo.jpg": "Pants", "other.jpg": "Hat", "plain.jpg": "Pants", "drawing.png": "shoe"}
    for name in ("photo.jpg", "other.jpg"):
        disc_on_noise(radius=45)[0].save(tmp_path / name)
    Image.new("RGB", (90, 90), "red").save(tmp_path / "plain.jpg")
    drawing = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(drawing).ellipse((60, 80, 220, 200), outline=0, width=6)
    drawing.save(tmp_path / "drawing.png")
    return [data.Labelled(tmp_path / name, "", label, (), "") for name, label in names.items()]


@pytest.fixture
def small(monkeypatch, sheet):
    """Forty images and labels of Fashion-MNIST, and few pictures made up of them."""
    monkeypatch.setattr(finding, "SNAPSHOTS", 40)
    monkeypatch.setattr(finding, "SKETCHES", 12)
    monkeypatch.setattr(finding, "EPOCH", 12)
    images = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    return images, torch.tensor([label for _, label in sheet])


def test_what_the_finder_learns_from(labelled, small):
    pictures, masks, drawings = finding._material(labelled, *small, None, 0, False)
    assert pictures.shape == (2 * 2 + 40, 96, 96, 3)  # the useful photos twice, and the made-up
    assert masks.shape == (44, 96, 96)
    assert torch.equal(pictures[0], pictures[2])
    assert torch.equal(masks[0], masks[2])
    inside, outside = pictures[0][masks[0] == 255], pictures[0][masks[0] == 0]
    assert inside.float().mean() < 60
    assert outside.float().mean() > 190
    assert drawings.shape == (12 + 2 + 2 + 1 + 1, 1, 112, 112)
    assert drawings.dtype == torch.bool
    assert 0.01 < drawings[-2].float().mean() < 0.2  # the ellipse's line
    assert not drawings[-2, 0, 56, 56]


class Says(torch.nn.Module):
    """A finder whose mask is everywhere what where says, of the whole or of a part of a photo."""

    def __init__(self, where):
        super().__init__()
        self.where = where

    def forward(self, x):
        logits = torch.where(self.where(x.mean(1, keepdim=True)), 9.0, -9.0)
        return logits, torch.full((len(x),), -9.0)


def test_a_teacher_has_the_last_word_where_grabcut_says_otherwise():
    picture, disc = disc_on_noise(radius=45)
    alone = finding.masked(picture, None)
    assert alone.dtype == np.uint8
    assert np.array_equal(alone == 255, disc)
    agreed = finding.masked(picture, Says(lambda x: x < 0.5))  # what is dark: the same
    assert ((agreed > 127) == disc).mean() > 0.98
    assert agreed[disc].min() > 100
    half = finding.masked(picture, Says(lambda x: (x < 0.5) & (torch.arange(96) < 48)))
    assert half[:, 90:].max() < 30
    assert half[64, 40] > 240
    assert np.array_equal(finding.masked(picture, Says(lambda x: x > 2)), alone)  # sees nothing
    plain = Image.new("RGB", (90, 90), "red")
    assert finding.masked(plain, None) is None
    assert finding.masked(plain, Says(lambda x: x > 2)) is None
    assert finding.masked(plain, Says(lambda x: x >= 0)).min() > 200


def test_a_run_that_stops_and_goes_on_makes_the_same_finder(
    labelled, small, tmp_path, stopped_once
):
    recipe = Recipe(epochs=2, batch=6)
    options = {"recipe": recipe, "seed": 1, "device": "cpu", "progress": False}
    whole, stopped = tmp_path / "whole.safetensors", tmp_path / "stopped.safetensors"
    finding.train_finder(labelled, *small, out=whole, card={"data": ["tiny"]}, **options)
    network, card = checkpoint.load(whole, "cpu")
    assert (card["architecture"], card["epochs"], card["data"]) == ("finder", 2, ["tiny"])
    assert whole.with_suffix(".training").exists()  # until sheets.teach is done

    stopped_once(lambda: finding.train_finder(labelled, *small, out=stopped, **options), stopped)
    again, _ = checkpoint.load(stopped, "cpu")
    pairs = zip(network.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
