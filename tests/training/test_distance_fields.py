"""Drawings as distance fields, by hand, and drawn anew from them."""

import pytest
import torch

from fashion_model.preprocessing.drawing import SIDE, enclosed
from fashion_model.training.distance_fields import MARGIN, UNIT, Variation, distance_field, redraw

STILL = Variation(
    **dict.fromkeys(("degrees", "stretch", "shear", "bend", "shake"), 0.0),
    **dict.fromkeys(("filled", "hatched", "gaps", "cut", "coarse"), 0.0),
    thinnest=4.0,
    thickest=4.0,
)


@pytest.fixture
def box():
    """A box with lines of 4 pixels, as large as can be."""
    line = torch.zeros(1, 1, SIDE, SIDE)
    for part in (line[..., :4, :], line[..., -4:, :], line[..., :4], line[..., -4:]):
        part.fill_(1)
    return line


def drawn_anew(line, how, n=1, thickness=4.0, seed=0):
    fields = distance_field(line).expand(n, -1, -1)
    generator = torch.Generator().manual_seed(seed)
    return redraw(fields, torch.full((n,), thickness), how, generator)


def test_a_field_says_how_far_the_line_is(box):
    found = distance_field(box)
    assert found.shape == (SIDE + 2 * MARGIN,) * 2
    distance = (found.float() - 128) / UNIT
    middle = SIDE // 2 + MARGIN
    assert distance[middle, MARGIN - 1] == 1  # beside the line
    assert distance[middle, MARGIN] == -1  # on its rim
    assert distance[middle, MARGIN + 1] == -2
    assert distance[middle, MARGIN + 7] == 4


def test_without_variation_it_is_as_it_was_or_its_mirror_image(box):
    box[..., 40:44, :56] = 1
    line, inside = drawn_anew(box, STILL, 8).split(1, 1)
    assert line.shape == inside.shape == (8, 1, SIDE, SIDE)
    for each in line:
        kept = min((each - box[0]).abs().mean(), (each - box[0].flip(2)).abs().mean())
        assert kept < 0.03
    assert inside.mean() > 0.97  # a box is full


def test_pens_are_as_thick_as_is_asked_for(box):
    """Of 10 pixels, 3 more on each side: inwards 2 pixels are nearer than that, outwards is cut."""
    thick = drawn_anew(box, Variation(**{**vars(STILL), "thinnest": 10.0, "thickest": 10.0}))
    assert thick[0, 0].sum() == SIDE**2 - (SIDE - 2 * (4 + 2)) ** 2


def test_some_are_filled_hatched_cut_and_have_gaps(box):
    def share(**more):
        return drawn_anew(box, Variation(**{**vars(STILL), **more}), 8)[:, 0].mean((1, 2))

    plain = share()
    assert (share(filled=1.0) > 0.95).all()
    hatched = share(hatched=1.0)
    assert ((hatched > plain + 0.1) & (hatched < 0.9)).all()
    assert (share(gaps=1.0) < plain).any()


def test_they_vary_within_their_square_and_the_generator_decides(box):
    one, same, other = (drawn_anew(box, Variation(), 16, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert set(one.unique().tolist()) == {0.0, 1.0}
    assert len({each.numpy().tobytes() for each in one}) == 16
    assert (one.amax((2, 3)) == 1).all()
    plain = drawn_anew(box, Variation(filled=0, hatched=0), 16)
    assert torch.equal(plain[:, 1:], enclosed(plain[:, :1]))  # as it is read in use
