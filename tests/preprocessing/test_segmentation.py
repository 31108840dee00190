"""Where the garment is, with a segmenter that finds what is dark."""

import numpy as np
import pytest
import torch
from PIL import ImageDraw

from data.pictures import rectangle
from fashion_model.errors import InputError
from fashion_model.preprocessing import segmentation
from fashion_model.preprocessing.geometry import as_rgb
from fashion_model.preprocessing.segmentation import SIDE, mask_logits, segment, small
from stubs import DarkSegmenter


def rgb(*boxes, paper=(200, 180, 160)) -> torch.Tensor:
    """(1, 3, 280, 280) with dark rectangles (left, top, right, bottom)."""
    picture = rectangle((0, 0, 1, 1), ink=paper, paper=paper)
    for left, top, right, bottom in boxes:
        ImageDraw.Draw(picture).rectangle((left, top, right - 1, bottom - 1), fill=(30, 60, 90))
    return as_rgb(np.asarray(picture))


def expected(*boxes) -> torch.Tensor:
    mask = torch.zeros(1, 1, SIDE, SIDE)
    for box in boxes:
        left, top, right, bottom = (round(edge * SIDE / 280) for edge in box)
        mask[..., top:bottom, left:right] = 1
    return mask


def test_the_mask_lies_on_the_garment():
    box = (40, 100, 140, 150)
    mask = segment(rgb(box), DarkSegmenter())
    assert (mask.shape, mask.dtype) == ((1, 1, SIDE, SIDE), torch.float32)
    assert 0 <= mask.min() <= mask.max() <= 1
    assert (mask - expected(box)).abs().mean() < 0.02


def test_logits_that_are_known_need_no_first_pass():
    calls = []

    class Counting(DarkSegmenter):
        def forward(self, pictures):
            calls.append(pictures.shape)
            return super().forward(pictures)

    picture = rgb((40, 100, 140, 150))
    logits, _ = mask_logits(picture, DarkSegmenter())
    mask = segment(picture, Counting(), logits=logits)
    assert calls == [(1, 3, SIDE, SIDE)]  # the second look, at the garment's surroundings
    assert torch.equal(mask, segment(picture, Counting()))
    assert len(calls) == 3


def test_both_shoes_of_a_pair_and_no_crumb():
    pair, crumb = ((20, 100, 110, 180), (160, 100, 250, 180)), (130, 30, 150, 45)
    mask = segment(rgb(*pair, crumb), DarkSegmenter())
    assert (mask - expected(*pair)).abs().mean() < 0.02


def test_where_nothing_stands_out():
    with pytest.raises(InputError, match="No garment stands out") as caught:
        segment(rgb(), DarkSegmenter())
    assert caught.value.key == "garment"


@pytest.mark.parametrize("x", [0.2, 0.8])
def test_a_point_chooses_between_two(x):
    boxes = {0.2: (20, 40, 100, 240), 0.8: (180, 60, 260, 200)}
    mask = segment(rgb(*boxes.values()), DarkSegmenter(), (x, 0.5))
    assert (mask - expected(boxes[x])).abs().mean() < 0.02


def test_mask_logits_and_the_logit_of_a_drawing():
    picture = rgb((40, 100, 140, 150))
    logits, drawing = mask_logits(picture, DarkSegmenter(drawing=3.0))
    assert drawing == 3
    assert isinstance(drawing, float)
    torch.testing.assert_close(logits, 40 * (0.5 - small(picture).mean(1, keepdim=True)))


def test_small_averages_to_the_segmenters_size():
    large = small(torch.eye(2 * SIDE).expand(1, 3, -1, -1))
    assert large.shape == (1, 3, SIDE, SIDE)
    assert large.mean().item() == pytest.approx(1 / (2 * SIDE), rel=0.02)
    assert small(torch.ones(1, 3, 3, 500)).shape == (1, 3, SIDE, SIDE)


def test_a_sleeve_that_the_segmenter_missed_is_known_by_its_color():
    """A red garment on a gray floor, of whose right part the segmenter is not sure."""
    array = np.full((96, 96, 3), (120, 122, 125), np.uint8)
    array[20:80, 20:60] = (170, 40, 40)
    array[20:40, 60:80] = (172, 42, 38)  # the sleeve
    logits = torch.full((1, 1, 96, 96), -3.0)
    logits[..., 20:80, 20:60] = 3
    logits[..., 20:40, 60:80] = -1
    logits[..., 85:95, 40:60] = 1  # floor, of which it is not sure either
    found = segmentation._with_colors(logits, as_rgb(array)) > 0
    assert (found[0, 0, 22:38, 62:78]).all()
    assert not found[0, 0, 87:93, 42:58].any()
    assert found[0, 0, 22:78, 22:58].all()
    assert not found[0, 0, :18].any()


def test_where_all_has_one_color_the_segmenter_alone_decides():
    logits = torch.full((1, 1, 96, 96), -3.0)
    logits[..., 20:80, 20:60] = 3
    moved = segmentation._with_colors(logits, torch.full((1, 3, 50, 40), 0.5))
    torch.testing.assert_close(moved, logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("logit", [3.0, -3.0, 0.1])
def test_without_two_sides_to_compare_colors_say_nothing(logit):
    logits = torch.full((1, 1, 96, 96), logit)
    assert torch.equal(segmentation._with_colors(logits, torch.rand(1, 3, 96, 96)), logits)
