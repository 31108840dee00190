"""Where the garment is, with a segmenter that finds what is dark; what networks read of photos."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from data.pictures import rectangle
from fashion_model.errors import InputError
from fashion_model.preprocessing import photo
from fashion_model.preprocessing.geometry import as_rgb
from fashion_model.preprocessing.photo import (
    COLOR_SIDE,
    CONTEXT,
    GAIN,
    MARGIN,
    REACH,
    SIDE,
    SPREAD,
    TONE,
    as_fashion_mnist,
    coarse_mask,
    in_color,
    mask_logits,
    segment,
    small,
)
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


class WholesOnly(DarkSegmenter):
    """Finds nothing that the edge of the picture cuts."""

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mask, drawing = super().forward(pictures)
        cut = (mask[..., [0, -1], :] > 0).any() or (mask[..., [0, -1]] > 0).any()
        return mask - 100 * cut, drawing


def test_a_garment_that_reaches_beyond_what_is_near_the_tap_is_found():
    box = (20, 100, 260, 150)
    mask = segment(rgb(box), WholesOnly(), (0.15, 0.45))
    assert (mask - expected(box)).abs().mean() < 0.02
    with pytest.raises(InputError, match="No garment stands out"):
        segment(rgb(), WholesOnly(), (0.15, 0.45))


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
    found = photo._with_colors(logits, as_rgb(array)) > 0
    assert (found[0, 0, 22:38, 62:78]).all()
    assert not found[0, 0, 87:93, 42:58].any()
    assert found[0, 0, 22:78, 22:58].all()
    assert not found[0, 0, :18].any()


def test_where_all_has_one_color_the_segmenter_alone_decides():
    logits = torch.full((1, 1, 96, 96), -3.0)
    logits[..., 20:80, 20:60] = 3
    moved = photo._with_colors(logits, torch.full((1, 3, 50, 40), 0.5))
    torch.testing.assert_close(moved, logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("logit", [3.0, -3.0, 0.1])
def test_without_two_sides_to_compare_colors_say_nothing(logit):
    logits = torch.full((1, 1, 96, 96), logit)
    assert torch.equal(photo._with_colors(logits, torch.rand(1, 3, 96, 96)), logits)


def half_mask() -> torch.Tensor:
    """The middle half of the picture's width, all of its height."""
    mask = torch.zeros(1, 1, 96, 96)
    mask[..., 24:72] = 1
    return mask


def test_the_masked_part_is_fitted_and_has_its_box():
    """A picture of 80 x 40, of which the middle 40 x 40 are garment."""
    pixels, box = as_fashion_mnist(torch.full((1, 3, 40, 80), 0.3), half_mask())
    assert (pixels.shape, pixels.dtype) == ((1, 1, 28, 28), torch.float32)
    assert box == pytest.approx((0.25, 0, 0.75, 1))
    torch.testing.assert_close(pixels, torch.full((1, 1, 28, 28), TONE), atol=1e-4, rtol=0)


def test_what_the_mask_leaves_out_is_black():
    mask = half_mask()
    mask[..., :48, 48:] = 0  # an L
    pixels = as_fashion_mnist(torch.rand(1, 3, 56, 112), mask)[0][0, 0]
    assert pixels[:13, 15:].max() == 0
    assert pixels[15:].min() > 0.05
    assert pixels[:, :13].min() > 0.05


@pytest.mark.parametrize("contrast", [0.02, 0.15, 0.45])
def test_tones_are_negated_and_get_the_spread_of_the_data_set_within_limits(contrast):
    """Cloth of two halves, contrast above and below the middle tone; spread as it is wanted."""
    rgb = torch.full((1, 3, 56, 112), 0.5 - contrast)
    rgb[..., 28:, :] = 0.5 + contrast
    pixels = as_fashion_mnist(rgb, half_mask())[0][0, 0]
    gain = min(max(SPREAD / contrast, GAIN[0]), GAIN[1])
    top, bottom = pixels[2:12, 2:26], pixels[16:26, 2:26]
    assert top.mean().item() == pytest.approx(TONE + gain * contrast, abs=0.01)  # the darker half
    assert bottom.mean().item() == pytest.approx(TONE - gain * contrast, abs=0.01)


def test_color_counts_as_its_brightness():
    rgb = torch.zeros(1, 3, 56, 112)
    rgb[:, 0, :28], rgb[:, 1, 28:] = 1, 0.299 / 0.587  # red above, as dark a green below
    pixels = as_fashion_mnist(rgb, half_mask())[0]
    torch.testing.assert_close(pixels, torch.full((1, 1, 28, 28), TONE), atol=1e-3, rtol=0)


def test_an_empty_mask_is_an_input_error():
    with pytest.raises(InputError, match="too little"):
        as_fashion_mnist(torch.rand(1, 3, 40, 80), torch.zeros(1, 1, 96, 96))


def test_a_photo_in_color_is_padded_with_its_edge_and_loses_nothing():
    """40 wide and 20 high -> as wide as can be, a quarter of padding above and below."""
    array = np.full((20, 40, 3), (200, 100, 50), np.uint8)
    array[5:15, 10:30] = (0, 60, 120)
    tensor, box = in_color(Image.fromarray(array))
    assert (tensor.shape, tensor.dtype) == ((1, 3, COLOR_SIDE, COLOR_SIDE), torch.float32)
    assert box == pytest.approx((0, -0.5, 1, 1.5))
    edge, garment, side = as_rgb(array[:1, :1]), as_rgb(array[5:6, 10:11]), COLOR_SIDE
    for rows in (tensor[..., : side // 4, :], tensor[..., -side // 4 :, :]):
        torch.testing.assert_close(rows, edge.expand_as(rows))
    torch.testing.assert_close(tensor[..., side // 2, side // 2], garment[..., 0, 0])
    torch.testing.assert_close(tensor[..., side // 4 + 6, 6], edge[..., 0, 0])


def test_a_gray_photo_has_three_equal_channels():
    tensor, _ = in_color(Image.linear_gradient("L"), side=64)
    assert tensor.shape == (1, 3, 64, 64)
    assert torch.equal(tensor[:, 0], tensor[:, 1])
    assert torch.equal(tensor[:, 0], tensor[:, 2])
    assert tensor[0, 0, 0].mean() < 0.05 < 0.95 < tensor[0, 0, -1].mean()


def test_a_tap_shows_the_garment_with_a_margin():
    """A mask of 25 x 50 pixels of 100 x 100: a margin of 0.15 * 50 around a square of 50."""
    mask = torch.zeros(1, 1, 96, 96)
    mask[..., 24:72, 36:60] = 1
    _, box = in_color(Image.new("RGB", (100, 100)), (0.5, 0.5), mask)
    half = (0.5 + MARGIN) * 0.5
    assert box == pytest.approx((0.5 - half, 0.5 - half, 0.5 + half, 0.5 + half), abs=0.011)


def test_without_a_tap_there_is_more_around_the_garment():
    mask = torch.zeros(1, 1, 96, 96)
    mask[..., 36:60, 42:54] = 1
    _, box = in_color(Image.new("RGB", (100, 100)), mask=mask)
    half = (0.5 + CONTEXT) * 0.25
    assert box == pytest.approx((0.5 - half, 0.5 - half, 0.5 + half, 0.5 + half), abs=0.011)
    mask[..., 2:94, 42:54] = 1  # as high as the picture: nothing is cut off
    assert in_color(Image.new("RGB", (100, 100)), mask=mask)[1] == pytest.approx((0, 0, 1, 1))


def test_the_coarse_mask_is_where_the_segmenter_says():
    picture = rgb((40, 100, 140, 150))
    mask = coarse_mask(mask_logits(picture, DarkSegmenter())[0])
    assert (mask - expected((40, 100, 140, 150))).abs().mean() < 0.02
    assert coarse_mask(mask_logits(picture, DarkSegmenter(threshold=-1.0))[0]) is None


def test_a_tap_on_nothing_shows_what_is_around_it():
    picture = Image.new("RGB", (200, 100))
    left, top, right, bottom = in_color(picture, (0.5, 0.5))[1]
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((0.5, 0.5), abs=0.01)
    assert ((right - left) * 200, (bottom - top) * 100) == pytest.approx([REACH * 100] * 2, abs=2)


def test_a_tap_in_the_corner_stays_in_the_picture():
    picture = Image.new("RGB", (200, 100), "red")
    tensor, box = in_color(picture, (1.0, 1.0), side=32)
    assert box == pytest.approx((1 - 0.15, 0.7, 1, 1), abs=0.011)
    torch.testing.assert_close(tensor[0, :, 0, 0], torch.tensor([1.0, 0.0, 0.0]))
