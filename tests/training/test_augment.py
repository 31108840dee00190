"""Random changes: what they do by hand, and that the seed decides."""

import math

import pytest
import torch
from torch.nn import functional as F

from fashion_model.training.augment import Augmentation, RandomAffine, erase, mix, shift_and_flip

STILL = {"degrees": 0.0, "scale": 0.0, "shift": 0.0, "shear": 0.0}


def affine(x: torch.Tensor, generator: torch.Generator, **how) -> torch.Tensor:
    return F.grid_sample(x, RandomAffine(**how).grid(x.shape, generator), align_corners=False)


def test_shifts_move_whole_pixels_and_flip_at_most():
    x = torch.zeros(200, 1, 28, 28)
    x[:, 0, 10, 20] = 1
    moved = shift_and_flip(x, torch.Generator().manual_seed(0), shift=2)
    assert torch.equal(moved.sum((1, 2, 3)), torch.ones(200))
    places = moved[:, 0].nonzero()[:, 1:]
    assert set(places[:, 0].tolist()) == {8, 9, 10, 11, 12}
    assert set(places[:, 1].tolist()) == {*range(18, 23), *range(5, 10)}  # flipped: 27 - 20 = 7


@pytest.mark.parametrize(
    "change", [affine, shift_and_flip, erase, mix, Augmentation(erase_chance=0.5)]
)
def test_augmentation_is_seeded_keeps_the_shape_and_the_range(change):
    x = torch.rand(20, 1, 28, 28)
    before = x.clone()
    one = change(x, torch.Generator().manual_seed(1))
    same = change(x, torch.Generator().manual_seed(1))
    other = change(x, torch.Generator().manual_seed(2))
    assert one.shape == x.shape
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(x, before)
    assert one.min() >= 0
    assert one.max() <= 1 + 1e-5


def test_affine_with_nothing_to_change_only_flips():
    x = torch.rand(40, 1, 28, 28)
    moved = affine(x, torch.Generator().manual_seed(0), **STILL)
    straight = (moved - x).abs().amax((1, 2, 3)) < 1e-4
    flipped = (moved - x.flip(3)).abs().amax((1, 2, 3)) < 1e-4
    assert (straight ^ flipped).all()
    assert 8 < flipped.sum() < 32


def test_mixtures_are_of_two_pictures_in_any_proportion():
    x = torch.eye(400).view(400, 1, 20, 20)  # each has a pixel of its own
    mixed = mix(x, torch.Generator().manual_seed(0), 0.5).flatten(1)
    torch.testing.assert_close(mixed.sum(1), torch.ones(400))
    parts = (mixed > 0).sum(1)
    assert set(parts.tolist()) <= {1, 2}
    assert 150 < (parts == 2).sum() < 250
    own = mixed.diagonal()
    assert torch.equal(own[parts == 1], torch.ones(int((parts == 1).sum())))
    assert own[parts == 2].min() < 0.1
    assert 0.9 < own[parts == 2].max() < 1


def test_affine_sizes_and_turns_by_hand():
    """A square of 20 pixels; where it is turned, its corner's direction tells by how much."""
    x = torch.zeros(60, 1, 80, 80)
    x[:, :, 30:50, 30:50] = 1
    sized = affine(x, torch.Generator().manual_seed(0), **STILL | {"sizes": (0.5, 2.0)})
    sides = sized.sum((1, 2, 3)).sqrt() / 20
    assert 0.5 <= sides.min() < 0.6
    assert 1.9 < sides.max() <= 2.01
    turned = affine(x, torch.Generator().manual_seed(0), **STILL | {"degrees": 20.0})
    torch.testing.assert_close(turned.sum((1, 2, 3)), x.sum((1, 2, 3)), rtol=0.03, atol=0)
    reach = (turned[:, 0].amax(1) > 0.5).sum(1)  # a square by an angle is cos + sin as wide
    assert reach.max() <= math.ceil(20 * (math.cos(0.35) + math.sin(0.35)))
    assert reach.max() > 20 * (math.cos(0.25) + math.sin(0.25))


def test_pictures_are_bent_or_moved_by_whole_pixels():
    x = torch.zeros(400, 1, 28, 28)
    x[:, :, 10:18, 10:18] = 1
    moved = Augmentation(affine_chance=0.25)(x, torch.Generator().manual_seed(0))
    sharp = ((moved == 0) | (moved == 1)).all(3).all(2).all(1)
    assert 270 < sharp.sum() < 330
