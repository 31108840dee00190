"""Made-up photos: garments laid down, on white and worn, and where their masks say."""

import numpy as np
import pytest
from scipy import ndimage

from fashion_model.training.synthesis import photos as snapshots
from fashion_model.training.synthesis.garments import Cutout
from fashion_model.training.synthesis.photos import scene, snapshot, worn


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def block(height: int, width: int, tone: float = 0.2) -> Cutout:
    """A garment that fills its picture, in one gray."""
    return Cutout(
        np.full((height, width, 3), tone, np.float32), np.ones((height, width), np.float32)
    )


def gray(size: int = 96, tone: float = 0.8) -> np.ndarray:
    return np.full((size, size, 3), tone, np.float32)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_laid_down_lies_where_its_mask_says(seed, monkeypatch):
    monkeypatch.setattr(snapshots, "shadow", lambda *_: None)
    canvas = gray()
    mask = snapshots._lay(rng(seed), canvas, block(40, 30), 0.45 + seed / 22)
    assert mask.shape == (96, 96)
    assert 0 <= mask.min() <= mask.max() == 1
    assert np.array_equal(canvas[mask == 0], gray()[mask == 0])
    np.testing.assert_allclose(canvas[mask == 1], 0.2, atol=1 / 255)
    assert (ndimage.label(mask > 0.5)[1]) == 1
    assert 0.08 < mask.mean() < 0.85


def test_a_shadow_falls_outside_of_the_mask():
    darker = 0
    for seed in range(12):
        canvas = gray()
        mask = snapshots._lay(rng(seed), canvas, block(40, 30), 0.45 + seed / 22)
        np.testing.assert_allclose(canvas[mask == 1], 0.2, atol=1 / 255)
        darker += canvas[mask == 0].min() < 0.75
    assert 4 <= darker < 12  # of seven in ten


def test_in_a_scene_something_lies_anywhere_most_often_small(monkeypatch):
    monkeypatch.setattr(snapshots, "shadow", lambda *_: None)
    background = np.full((120, 160, 3), 200, np.uint8)
    middles, areas = [], []
    for seed in range(30):
        picture, mask = scene(rng(seed), background, block(40, 40))
        assert (picture.shape, picture.dtype) == ((96, 96, 3), np.uint8)
        assert (mask.shape, mask.dtype) == ((96, 96), np.uint8)
        assert (picture[mask == 0] == 200).all()
        assert (picture[mask == 255] == 51).all()
        middles.append(np.argwhere(mask == 255).mean(0))
        areas.append((mask > 127).mean())
    assert np.std(middles, 0).min() > 12  # of 96
    assert min(areas) < 0.1 < 0.3 < max(areas)
    assert np.median(areas) < 0.25


def test_clutter_stands_behind_the_garment_and_in_no_mask(monkeypatch):
    monkeypatch.setattr(snapshots, "shadow", lambda *_: None)
    background = np.full((120, 160, 3), 200, np.uint8)
    cut, shares = 0, []
    for seed in range(30):
        picture, mask = scene(rng(seed), background, block(40, 40), [block(40, 40, 0.6)] * 2)
        assert (picture[mask == 255] == 51).all()
        behind = np.abs(picture[..., 0].astype(int) - 153) < 3
        assert not behind[mask == 255].any()
        shares.append(behind.mean())
        cut += behind[[0, -1]].any() or behind[:, [0, -1]].any()
    assert min(shares) > 0.01
    assert np.mean(shares) > 0.1
    assert 15 < cut < 30  # by the edge


# Wearers.


@pytest.mark.parametrize("label", snapshots.WORN)
def test_a_worn_garment_is_where_its_mask_says(garments, label):
    green = Cutout(
        np.array([[[0, 1, 0]]], np.float32).repeat(30, 0).repeat(20, 1), block(30, 20).mask
    )
    for seed in range(8):
        canvas = gray()
        mask = worn(rng(seed), canvas, green, label, block(30, 20))
        assert mask.shape == (96, 96)
        assert 0 <= mask.min() <= mask.max() <= 1
        assert 0.05 < mask.mean() < 0.95
        # no skin, hair or other garment is as green
        seen = canvas[..., 1] - canvas[..., [0, 2]].max(2)
        assert seen[mask > 0.98].min() > 0.9
        assert seen[mask < 0.02].max() < 0.5
        outside = canvas[mask == 0]
        assert (outside != gray()[0, 0]).any()  # the wearer


def test_a_top_is_worn_above_trousers_and_trousers_below_a_top():
    red = Cutout(
        np.array([[[1, 0, 0]]], np.float32).repeat(30, 0).repeat(20, 1), block(30, 20).mask
    )
    for label, above in ((0, True), (1, False)):
        rows = []
        for seed in range(8):
            canvas = gray()
            mask = worn(rng(seed), canvas, block(30, 20), label, red)
            other = (canvas[..., 0] > 0.9) & (canvas[..., 1] < 0.1)
            if other.any():
                rows.append(np.nonzero(other)[0].mean() - np.nonzero(mask > 0.5)[0].mean())
        assert rows
        assert all(row > 0 for row in rows) == above


# Whole photos.


def test_snapshots_keep_their_promise(garments):
    labels = []
    for seed in range(40):
        picture, mask, label = snapshot(rng(seed), garments)
        assert (picture.shape, picture.dtype) == ((96, 96, 3), np.uint8)
        assert (mask.shape, mask.dtype) == ((96, 96), np.uint8)
        assert 0.02 < (mask > 127).mean() < 0.95
        assert np.ptp(picture) > 20
        labels.append(label)
    assert set(labels) == set(range(10))


def test_snapshots_are_seeded(garments):
    one, same, other = (snapshot(rng(seed), garments) for seed in (5, 5, 6))
    assert np.array_equal(one[0], same[0])
    assert np.array_equal(one[1], same[1])
    assert one[2] == same[2]
    assert not np.array_equal(one[0], other[0])


def test_a_product_is_whole_and_on_white(garments):
    sizes = set()
    for seed in range(20):
        picture = snapshots.product(np.random.default_rng(seed), garments)
        sizes.add(picture.size)
        array = np.asarray(picture)
        assert 60 <= picture.width <= 120
        assert picture.height == picture.width * 4 // 3
        assert min(array[0].min(), array[-1].min(), array[:, 0].min(), array[:, -1].min()) > 220
        assert (np.abs(array.astype(int) - array[0, 0]).max(2) > 12).mean() > 0.03
    assert len(sizes) > 5
