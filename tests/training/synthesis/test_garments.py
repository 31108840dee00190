"""Garments, grounds and light: masks lie where the garments are, and the seed decides."""

import numpy as np
import pytest
import torch

from fashion_model.training.synthesis.garments import (
    Cutout,
    Garments,
    camera_effects,
    color,
    dye,
    ground,
    noise,
    paper,
    pattern,
    place,
    shadow,
    trim,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def block(height: int, width: int, tone: float = 0.2) -> Cutout:
    """A garment that fills its picture, in one gray."""
    return Cutout(
        np.full((height, width, 3), tone, np.float32), np.ones((height, width), np.float32)
    )


def gray(size: int = 96, tone: float = 0.8) -> np.ndarray:
    return np.full((size, size, 3), tone, np.float32)


# Garments.


def test_the_masks_of_garments_by_hand():
    """A ring with a gap one pixel wide, with dust beside it: full, and without the dust."""
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 4:24, 6:22] = 200
    image[0, 8:20, 10:18] = 0  # a hole
    image[0, 4:8, 13] = 0  # the gap
    image[0, 1, 1] = 9
    (mask,) = Garments.from_images(image, np.array([3])).masks
    expected = np.zeros((28, 28))
    expected[4:24, 6:22] = 1
    expected[4, 13] = mask[4, 13]  # whether the gap's very mouth is closed does not matter
    assert np.array_equal(mask, expected)


def test_garments_are_chosen_of_the_class_asked_for(garments):
    marked = block(5, 5, 0.123)
    for label in range(10):
        mixed = Garments(garments.pixels, garments.masks, garments.labels, {label: [marked]})
        assert mixed.choose(rng(), label, 1.0) is marked
        assert mixed.choose(rng(), (label + 1) % 10, 1.0) is not marked
        assert mixed.choose(rng(), label, 0.0) is not marked
    trousers, bag = garments.choose(rng(), 1), garments.choose(rng(), 8)
    assert trousers.mask.shape[0] > 1.5 * trousers.mask.shape[1]  # tall
    assert bag.mask.shape[1] > 0.7 * bag.mask.shape[0]


def test_trimming_by_hand():
    mask = np.zeros((20, 30), np.float32)
    mask[3:10, 8:25] = 1
    mask[2, 8:25] = 0.4  # less than half
    tones = np.arange(20 * 30 * 3, dtype=np.float32).reshape(20, 30, 3)
    small = trim(Cutout(tones, mask))
    assert np.array_equal(small.mask, np.ones((7, 17)))
    assert np.array_equal(small.color, tones[3:10, 8:25])
    empty = Cutout(tones, np.zeros((20, 30), np.float32))
    assert trim(empty) is empty


def test_dyeing_keeps_the_shape(garments):
    for i in range(0, 40, 4):
        cutout = dye(rng(i), garments.pixels[i], garments.masks[i])
        large = np.kron(garments.masks[i], np.ones((3, 3)))
        assert ((cutout.mask > 0.5) == large).mean() > 0.97
        assert 0 <= cutout.color.min() <= cutout.color.max() <= 1


# Grounds and light.


@pytest.mark.parametrize("make", [ground, paper])
def test_grounds_are_pictures_that_the_seed_decides(make):
    for seed in range(20):
        picture = make(rng(seed), 96)
        assert picture.shape == (96, 96, 3)
        assert 0 <= picture.min() <= picture.max() <= 1
        assert np.array_equal(make(rng(seed), 96), picture)
        assert not np.array_equal(make(rng(seed + 100), 96), picture)


def test_paper_is_light():
    assert min(paper(rng(seed), 96).min() for seed in range(30)) > 0.6


def test_noise_patterns_and_colors_stay_within_their_ranges():
    assert {noise(rng(), 40, cells).shape for cells in (1, 5, 40)} == {(40, 40)}
    assert 0 <= noise(rng(), 40, 5).min() < noise(rng(), 40, 5).max() <= 1
    textures = [pattern(rng(seed), 48) for seed in range(40)]
    assert {texture.shape for texture in textures} == {(48, 48, 3)}
    assert max(abs(texture).max() for texture in textures) < 2
    drab = np.stack([color(rng(seed), 1.0) for seed in range(40)])
    bright = np.stack([color(rng(seed), 0.0) for seed in range(40)])
    assert np.ptp(drab, axis=1).mean() < 0.2 < np.ptp(bright, axis=1).mean()


def test_shadows_darken_beside_the_garment_only():
    mask = np.zeros((96, 96), np.float32)
    mask[30:60, 30:60] = 1
    for seed in range(10):
        canvas = gray()
        shadow(rng(seed), canvas, mask)
        assert np.array_equal(canvas[mask == 1], gray()[mask == 1])
        assert (canvas <= gray()).all()
        assert canvas[mask == 0].min() < 0.8
        assert (canvas[:8] == gray()[:8]).all()  # far away


def test_spoiling_keeps_what_there_is_to_see():
    picture = gray(tone=0.75)
    picture[30:60, 30:60] = 0.2
    for seed in range(20):
        spoilt = camera_effects(rng(seed), picture)
        assert spoilt.shape == picture.shape
        assert 0 <= spoilt.min() <= spoilt.max() <= 1
        assert spoilt[34:56, 34:56].mean() < 0.6 * spoilt[:25].mean()
    assert picture[0, 0, 0] == np.float32(0.75)  # not in place


# Placing.


def test_placing_by_hand():
    canvas = gray()
    mask = place(canvas, block(10, 10), (20, 30, 50, 70))
    expected = np.zeros((96, 96))
    expected[30:70, 20:50] = 1
    assert np.array_equal(mask, expected)
    np.testing.assert_allclose(canvas[mask == 1], 0.2, atol=1 / 255)
    assert np.array_equal(canvas[mask == 0], gray()[mask == 0])


def test_placing_past_the_border_and_turned():
    mask = place(gray(), block(10, 10), (-20, -20, 20, 20))
    assert mask.sum() == 20 * 20
    turned = place(gray(), block(10, 10), (20, 40, 80, 50), degrees=90)
    assert turned.sum() == pytest.approx(600, rel=0.1)
    rows, columns = np.nonzero(turned > 0.5)
    assert np.ptp(rows) > 50  # it stands
    assert np.ptp(columns) < 12


def test_a_sample_is_of_images_with_their_labels(garments):
    images, labels = torch.from_numpy(garments.pixels), torch.from_numpy(garments.labels)
    few = Garments.sample(images, labels, 15, rng(1))
    assert few.pixels.shape == (15, 28, 28)
    for picture, label in zip(few.pixels, few.labels, strict=True):
        (row,) = np.flatnonzero((garments.pixels == picture).all((1, 2)))
        assert garments.labels[row] == label
