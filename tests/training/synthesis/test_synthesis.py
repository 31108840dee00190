"""Made-up photos and drawings: masks lie where the garments are, and the seed decides."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from fashion_model.training.synthesis import photos as snapshots
from fashion_model.training.synthesis.garments import (
    Cutout,
    Wardrobe,
    colour,
    dyed,
    ground,
    noise,
    paper,
    pattern,
    place,
    shadow,
    spoil,
    trimmed,
)
from fashion_model.training.synthesis.people import worn
from fashion_model.training.synthesis.photos import snapshot
from fashion_model.training.synthesis.sketches import penned, scribbles, sketched, warped


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def wardrobe(sheet):
    """Four real garments of each class."""
    return Wardrobe.of(
        np.stack([np.array(picture) for picture, _ in sheet]),
        np.array([label for _, label in sheet]),
    )


def block(height: int, width: int, tone: float = 0.2) -> Cutout:
    """A garment that fills its picture, in one grey."""
    return Cutout(
        np.full((height, width, 3), tone, np.float32), np.ones((height, width), np.float32)
    )


def grey(size: int = 96, tone: float = 0.8) -> np.ndarray:
    return np.full((size, size, 3), tone, np.float32)


# Garments.


def test_a_wardrobes_masks_by_hand():
    """A ring with a gap one pixel wide, with dust beside it: full, and without the dust."""
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 4:24, 6:22] = 200
    image[0, 8:20, 10:18] = 0  # a hole
    image[0, 4:8, 13] = 0  # the gap
    image[0, 1, 1] = 9
    (mask,) = Wardrobe.of(image, np.array([3])).masks
    expected = np.zeros((28, 28))
    expected[4:24, 6:22] = 1
    expected[4, 13] = mask[4, 13]  # whether the gap's very mouth is closed does not matter
    assert np.array_equal(mask, expected)


def test_a_wardrobe_gives_garments_of_the_class_asked_for(wardrobe):
    marked = block(5, 5, 0.123)
    for label in range(10):
        mixed = Wardrobe(wardrobe.pixels, wardrobe.masks, wardrobe.labels, {label: [marked]})
        assert mixed.garment(rng(), label, 1.0) is marked
        assert mixed.garment(rng(), (label + 1) % 10, 1.0) is not marked
        assert mixed.garment(rng(), label, 0.0) is not marked
    trousers, bag = wardrobe.garment(rng(), 1), wardrobe.garment(rng(), 8)
    assert trousers.mask.shape[0] > 1.5 * trousers.mask.shape[1]  # tall
    assert bag.mask.shape[1] > 0.7 * bag.mask.shape[0]


def test_trimming_by_hand():
    mask = np.zeros((20, 30), np.float32)
    mask[3:10, 8:25] = 1
    mask[2, 8:25] = 0.4  # less than half
    tones = np.arange(20 * 30 * 3, dtype=np.float32).reshape(20, 30, 3)
    small = trimmed(Cutout(tones, mask))
    assert np.array_equal(small.mask, np.ones((7, 17)))
    assert np.array_equal(small.colour, tones[3:10, 8:25])
    empty = Cutout(tones, np.zeros((20, 30), np.float32))
    assert trimmed(empty) is empty


def test_dyeing_keeps_the_shape(wardrobe):
    for i in range(0, 40, 4):
        cutout = dyed(rng(i), wardrobe.pixels[i], wardrobe.masks[i])
        large = np.kron(wardrobe.masks[i], np.ones((3, 3)))
        assert ((cutout.mask > 0.5) == large).mean() > 0.97
        assert 0 <= cutout.colour.min() <= cutout.colour.max() <= 1


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


def test_noise_patterns_and_colours_stay_within_their_ranges():
    assert {noise(rng(), 40, cells).shape for cells in (1, 5, 40)} == {(40, 40)}
    assert 0 <= noise(rng(), 40, 5).min() < noise(rng(), 40, 5).max() <= 1
    textures = [pattern(rng(seed), 48) for seed in range(40)]
    assert {texture.shape for texture in textures} == {(48, 48, 3)}
    assert max(abs(texture).max() for texture in textures) < 2
    drab = np.stack([colour(rng(seed), 1.0) for seed in range(40)])
    bright = np.stack([colour(rng(seed), 0.0) for seed in range(40)])
    assert np.ptp(drab, axis=1).mean() < 0.2 < np.ptp(bright, axis=1).mean()


def test_shadows_darken_beside_the_garment_only():
    mask = np.zeros((96, 96), np.float32)
    mask[30:60, 30:60] = 1
    for seed in range(10):
        canvas = grey()
        shadow(rng(seed), canvas, mask)
        assert np.array_equal(canvas[mask == 1], grey()[mask == 1])
        assert (canvas <= grey()).all()
        assert canvas[mask == 0].min() < 0.8
        assert (canvas[:8] == grey()[:8]).all()  # far away


def test_spoiling_keeps_what_there_is_to_see():
    picture = grey(tone=0.75)
    picture[30:60, 30:60] = 0.2
    for seed in range(20):
        spoilt = spoil(rng(seed), picture)
        assert spoilt.shape == picture.shape
        assert 0 <= spoilt.min() <= spoilt.max() <= 1
        assert spoilt[34:56, 34:56].mean() < 0.6 * spoilt[:25].mean()
    assert picture[0, 0, 0] == np.float32(0.75)  # not in place


# Placing.


def test_placing_by_hand():
    canvas = grey()
    mask = place(canvas, block(10, 10), (20, 30, 50, 70))
    expected = np.zeros((96, 96))
    expected[30:70, 20:50] = 1
    assert np.array_equal(mask, expected)
    np.testing.assert_allclose(canvas[mask == 1], 0.2, atol=1 / 255)
    assert np.array_equal(canvas[mask == 0], grey()[mask == 0])


def test_placing_past_the_border_and_turned():
    mask = place(grey(), block(10, 10), (-20, -20, 20, 20))
    assert mask.sum() == 20 * 20
    turned = place(grey(), block(10, 10), (20, 40, 80, 50), degrees=90)
    assert turned.sum() == pytest.approx(600, rel=0.1)
    rows, columns = np.nonzero(turned > 0.5)
    assert np.ptp(rows) > 50  # it stands
    assert np.ptp(columns) < 12


@pytest.mark.parametrize("seed", range(12))
def test_what_is_laid_down_lies_where_its_mask_says(seed, monkeypatch):
    monkeypatch.setattr(snapshots, "shadow", lambda *_: None)
    canvas = grey()
    mask = snapshots._laid(rng(seed), canvas, block(40, 30))
    assert mask.shape == (96, 96)
    assert 0 <= mask.min() <= mask.max() == 1
    assert np.array_equal(canvas[mask == 0], grey()[mask == 0])
    np.testing.assert_allclose(canvas[mask == 1], 0.2, atol=1 / 255)
    assert (ndimage.label(mask > 0.5)[1]) == 1
    assert 0.08 < mask.mean() < 0.85


def test_a_shadow_falls_outside_of_the_mask():
    darker = 0
    for seed in range(12):
        canvas = grey()
        mask = snapshots._laid(rng(seed), canvas, block(40, 30))
        np.testing.assert_allclose(canvas[mask == 1], 0.2, atol=1 / 255)
        darker += canvas[mask == 0].min() < 0.75
    assert 4 <= darker < 12  # of seven in ten


# Wearers.


@pytest.mark.parametrize("label", snapshots.WORN)
def test_a_worn_garment_is_where_its_mask_says(wardrobe, label):
    green = Cutout(
        np.array([[[0, 1, 0]]], np.float32).repeat(30, 0).repeat(20, 1), block(30, 20).mask
    )
    for seed in range(8):
        canvas = grey()
        mask = worn(rng(seed), canvas, green, label, block(30, 20))
        assert mask.shape == (96, 96)
        assert 0 <= mask.min() <= mask.max() <= 1
        assert 0.05 < mask.mean() < 0.95
        # no skin, hair or other garment is as green
        seen = canvas[..., 1] - canvas[..., [0, 2]].max(2)
        assert seen[mask > 0.98].min() > 0.9
        assert seen[mask < 0.02].max() < 0.5
        outside = canvas[mask == 0]
        assert (outside != grey()[0, 0]).any()  # the wearer


def test_a_top_is_worn_above_trousers_and_trousers_below_a_top():
    red = Cutout(
        np.array([[[1, 0, 0]]], np.float32).repeat(30, 0).repeat(20, 1), block(30, 20).mask
    )
    for label, above in ((0, True), (1, False)):
        rows = []
        for seed in range(8):
            canvas = grey()
            mask = worn(rng(seed), canvas, block(30, 20), label, red)
            other = (canvas[..., 0] > 0.9) & (canvas[..., 1] < 0.1)
            if other.any():
                rows.append(np.nonzero(other)[0].mean() - np.nonzero(mask > 0.5)[0].mean())
        assert rows
        assert all(row > 0 for row in rows) == above


# Whole photos.


def test_snapshots_keep_their_promise(wardrobe):
    labels = []
    for seed in range(40):
        picture, mask, label = snapshot(rng(seed), wardrobe)
        assert (picture.shape, picture.dtype) == ((96, 96, 3), np.uint8)
        assert (mask.shape, mask.dtype) == ((96, 96), np.uint8)
        assert 0.02 < (mask > 127).mean() < 0.95
        assert np.ptp(picture) > 20
        labels.append(label)
    assert set(labels) == set(range(10))


def test_snapshots_are_seeded(wardrobe):
    one, same, other = (snapshot(rng(seed), wardrobe) for seed in (5, 5, 6))
    assert np.array_equal(one[0], same[0])
    assert np.array_equal(one[1], same[1])
    assert one[2] == same[2]
    assert not np.array_equal(one[0], other[0])


# Drawings.


def test_sketches_run_along_the_garments_edge(wardrobe):
    """A square, drawn: all ink is near its outline, and the outline is mostly inked."""
    pixels = torch.zeros(24, 28, 28, dtype=torch.uint8)
    pixels[:, 6:22, 6:22] = 180
    lines = sketched(pixels, (pixels > 0).byte(), seeded())
    assert lines.shape == (24, 1, 112, 112)
    assert set(lines.unique().tolist()) == {0.0, 1.0}
    inked = lines.mean((1, 2, 3))
    assert 0.01 < inked.min() < inked.max() < 0.25
    assert lines[:, :, 50:62, 50:62].sum() == 0  # inside there is no edge
    assert lines[:, :, :8].sum() == 0
    for line in lines:
        rows, columns = line[0].nonzero().T
        assert 40 < rows.max() - rows.min() < 90
        assert 40 < columns.max() - columns.min() < 90


def test_some_sketches_show_inner_edges():
    pixels = torch.full((24, 28, 28), 0, dtype=torch.uint8)
    pixels[:, 4:24, 4:24] = 40
    pixels[:, 4:24, 14:24] = 250
    lines = sketched(pixels, (pixels > 0).byte(), seeded())
    middle = lines[:, 0, 40:72, 40:72].sum((1, 2))
    assert 4 < (middle > 10).sum() < 22  # six in ten
    assert (middle == 0).any()


@pytest.mark.parametrize(
    "make",
    [
        lambda generator: scribbles(6, generator),
        lambda generator: warped(torch.eye(112).expand(6, 1, -1, -1), generator),
        lambda generator: penned(torch.eye(112).expand(6, 1, -1, -1), generator),
    ],
    ids=["scribbles", "warped", "penned"],
)
def test_drawings_are_seeded(make):
    one, same, other = make(seeded(1)), make(seeded(1)), make(seeded(2))
    assert one.shape == (6, 1, 112, 112)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert 0 <= one.min() < one.max() <= 1 + 1e-6


def test_the_three_pens_by_hand():
    """A dot becomes a square of 2, 3 or 5 pixels a side."""
    dots = torch.zeros(60, 1, 20, 20)
    dots[:, 0, 10, 10] = 1
    drawn = penned(dots, seeded())
    assert set(drawn.sum((1, 2, 3)).tolist()) == {4.0, 9.0, 25.0}
    assert (drawn[:, 0, 10, 10] == 1).all()
    assert dots.sum() == 60  # not in place


def test_warping_moves_by_little():
    spot = torch.zeros(40, 1, 112, 112)
    spot[:, 0, 50:62, 50:62] = 1
    moved = warped(spot, seeded())
    for picture in moved:
        row, column = (picture[0] > 0.5).nonzero().float().mean(0).tolist()
        assert abs(row - 55.5) < 8
        assert abs(column - 55.5) < 8


def test_scribbles_differ_and_have_ink():
    lines = scribbles(12, seeded())
    assert set(lines.unique().tolist()) == {0.0, 1.0}
    assert lines.mean((1, 2, 3)).min() > 0.01
    assert len({tuple(line.flatten().tolist()) for line in lines}) == 12
