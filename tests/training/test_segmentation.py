"""Training the segmenter: GrabCut on a made-up photo, its variations, and a whole tiny run."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fashion_model import datasets as data
from fashion_model.errors import DataError
from fashion_model.training import segmentation
from fashion_model.training.segmentation import MaskTask, augment_photos, grabcut, render_drawings
from fashion_model.training.synthesis import photos
from fashion_model.training.synthesis.garments import Cutout
from fashion_model.training.trainer import TrainConfig


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
    photos, moved = augment_photos((1 - mask).expand(-1, 3, -1, -1), mask, seeded())
    assert 0 <= photos.min() <= photos.max() <= 1
    for photo, where in zip(photos.mean(1), moved[:, 0], strict=True):
        assert photo[where > 0.99].max() < photo[where < 0.01].min()
    areas = moved.sum((1, 2, 3)) / 1600
    assert areas.min() < 0.9  # from far and from near
    assert areas.max() > 1.3
    again, _ = augment_photos((1 - mask).expand(-1, 3, -1, -1), mask, seeded())
    assert torch.equal(again, photos)


def test_drawings_are_inked_in_any_color_on_any_paper():
    lines = torch.zeros(40, 1, 112, 112)
    lines[..., 30:80, 50:56] = 1
    drawings = render_drawings(lines, seeded())
    assert drawings.shape == (40, 3, 96, 96)
    assert 0 <= drawings.min() <= drawings.max() <= 1
    paper = drawings.flatten(2).median(2).values.mean(1)
    assert (paper > 0.9).sum() > 10  # white sheets, and others, some of them dark
    assert (paper < 0.4).any()
    contrast = drawings.flatten(1).amax(1) - drawings.flatten(1).amin(1)
    assert contrast.min() > 0.02


# A whole run.


@pytest.fixture
def labeled(tmp_path):
    """Three photos, one of them useless, and a drawing."""
    names = {"photo.jpg": "Pants", "other.jpg": "Hat", "plain.jpg": "Pants", "drawing.png": "shoe"}
    for name in ("photo.jpg", "other.jpg"):
        disc_on_noise(radius=45)[0].save(tmp_path / name)
    Image.new("RGB", (90, 90), "red").save(tmp_path / "plain.jpg")
    drawing = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(drawing).ellipse((60, 80, 220, 200), outline=0, width=6)
    drawing.save(tmp_path / "drawing.png")
    return [
        data.LabeledPicture(tmp_path / name, "", label, (), "") for name, label in names.items()
    ]


@pytest.fixture
def small(monkeypatch, sheet):
    """Forty images and labels of Fashion-MNIST, and few pictures made up of them."""
    monkeypatch.setattr(segmentation, "SNAPSHOTS", 40)
    monkeypatch.setattr(segmentation, "SCENES", 10)
    monkeypatch.setattr(segmentation, "SKETCHES", 12)
    monkeypatch.setattr(segmentation, "EPOCH", 12)
    images = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    return images, torch.tensor([label for _, label in sheet])


def test_what_the_segmenter_learns_from(labeled, small):
    pictures, masks, drawings = segmentation._material(labeled, small, 0)
    assert pictures.shape == (2 * 2 + 40 + 10, 96, 96, 3)  # useful photos twice, and the made-up
    assert masks.shape == (54, 96, 96)
    assert torch.equal(pictures[0], pictures[2])
    assert torch.equal(masks[0], masks[2])
    inside, outside = pictures[0][masks[0] == 255], pictures[0][masks[0] == 0]
    assert inside.float().mean() < 60
    assert outside.float().mean() > 190
    for picture, mask in zip(pictures[-10:], masks[-10:], strict=True):  # discs in scenes
        assert picture[mask == 255].float().mean() < 60
        assert picture[mask == 0].float().mean() > 150  # but for a shadow
    assert drawings.shape == (12 + 2 + 2 + 1 + 1, 1, 112, 112)
    assert drawings.dtype == torch.bool
    assert 0.01 < drawings[-2].float().mean() < 0.2  # the ellipse's line
    assert not drawings[-2, 0, 56, 56]


def test_in_a_cluttered_scene_the_mask_is_the_garments(monkeypatch):
    monkeypatch.setattr(photos, "shadow", lambda *_: None)
    garment, thing = (
        Cutout(np.full((30, 30, 3), tone, np.float32), np.ones((30, 30), np.float32))
        for tone in (0.2, 0.6)
    )
    background = np.full((96, 96, 3), 220, np.uint8)
    rng, masked, cluttered = np.random.default_rng(0), [], []
    for _ in range(40):
        picture, mask = segmentation._random_scene(rng, [background], [garment], [thing])
        masked.append(round(picture[mask == 255].mean() / 255, 1))
        cluttered.append((np.abs(picture[mask == 0] / 255.0 - 0.6) < 0.01).any())
    shown = list(zip(masked, cluttered, strict=True))
    assert set(shown) == {(0.2, True), (0.2, False), (0.6, False)}  # the thing only where alone
    assert 10 < sum(cluttered) < 30


def test_batches_are_so_many_photos_and_a_third_as_many_drawings(labeled, small):
    config = TrainConfig(epochs=1, batch_size=6, learning_rate=1e-3)
    masks = MaskTask(labeled, small, config)
    batches = list(masks.batches(seeded()))
    assert len(batches) == masks.steps == 2
    assert {tuple(map(len, batch)) for batch in batches} == {(6, 6, 2)}
    again = list(masks.batches(seeded()))
    assert all(torch.equal(*pair) for pair in zip(batches[1], again[1], strict=True))


class Says(torch.nn.Module):
    """A segmenter that says these logits of any pictures."""

    def __init__(self, mask: torch.Tensor, drawing: torch.Tensor) -> None:
        super().__init__()
        self.mask, self.drawing = mask, drawing

    def forward(self, _: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.mask, self.drawing


def test_the_loss_by_hand(labeled, small):
    """Of masks all right, it is what is left of doubt; the worst of a dozen does not count."""
    config = TrainConfig(epochs=1, batch_size=6, learning_rate=1e-3)
    masks = MaskTask(labeled, small, config)
    y = torch.zeros(12, 1, 96, 96)
    y[..., 20:60, 20:60] = 1
    right = 40 * (y - 0.5)
    drawing = torch.tensor([-4.6] * 12 + [4.6] * 2)  # 1 and 99 %, which is asked for
    doubt = -0.2 * (0.99 * np.log(0.99) + 0.01 * np.log(0.01))
    batch = torch.zeros(12, 3, 96, 96), y, torch.zeros(2, 3, 96, 96)
    both = torch.cat([right, torch.zeros(2, 1, 96, 96)])
    assert masks.loss(Says(both, drawing), batch).item() == pytest.approx(doubt, abs=1e-3)
    wrong = both.clone()
    wrong[0] *= -1
    assert masks.loss(Says(wrong, drawing), batch).item() == pytest.approx(doubt, abs=1e-3)
    wrong[1] *= -1
    assert masks.loss(Says(wrong, drawing), batch).item() > 1
