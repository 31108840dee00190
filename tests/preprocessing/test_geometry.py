"""Boxes and shapes, by hand; dilation and erosion against PyTorch's max-pooling."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fashion_model.errors import InputError
from fashion_model.preprocessing.geometry import as_rgb, bounding_box, dilate, erode, fit, square


def mask(*boxes: tuple[int, int, int, int], size=(20, 30)) -> torch.Tensor:
    """(1, 1, H, W), 1 in boxes (top, bottom, left, right)."""
    shape = torch.zeros(1, 1, *size)
    for top, bottom, left, right in boxes:
        shape[..., top:bottom, left:right] = 1
    return shape


def test_bounds_are_just_around_the_shape():
    assert bounding_box(mask((3, 9, 12, 25))) == (12, 3, 25, 9)
    assert bounding_box(mask((3, 9, 12, 25), (15, 20, 0, 2))) == (0, 3, 25, 20)
    assert bounding_box(0.51 * mask((0, 20, 0, 30))) == (0, 0, 30, 20)


@pytest.mark.parametrize("shape", [mask(), 0.5 * mask((3, 9, 12, 25))])
def test_bounds_of_too_little_are_an_input_error(shape):
    with pytest.raises(InputError, match="too little drawn") as caught:
        bounding_box(shape)
    assert caught.value.key == "little"


def test_fit_centers_what_is_smaller_on_zeros():
    """Twice as wide as high, to a side of 8: 8 wide and 4 high, two rows free on both sides."""
    expected = torch.zeros(1, 1, 8, 8)
    expected[..., 2:6, :] = 1
    for height, width in ((2, 4), (4, 8), (40, 80)):
        torch.testing.assert_close(fit(torch.ones(1, 1, height, width), 8), expected)
        upright = fit(torch.ones(1, 1, width, height), 8)
        torch.testing.assert_close(upright, expected.transpose(2, 3))


def test_fit_puts_an_odd_row_of_zeros_below_and_keeps_one_pixel():
    line = fit(torch.ones(1, 3, 1, 100), 8)
    assert line.shape == (1, 3, 8, 8)
    torch.testing.assert_close(line[:, :, 3], torch.ones(1, 3, 8))
    assert line.sum().item() == pytest.approx(3 * 8)


def test_fit_averages_what_it_shrinks():
    checkers = torch.arange(64).view(1, 1, 8, 8)
    checkers = ((checkers + checkers // 8) % 2).float()
    assert (fit(checkers, 2) - 0.5).abs().max() < 0.1


def test_the_square_around_a_box_is_one_in_pixels():
    # 20 wide and 60 high around (40, 50), of a picture of 100 x 200
    left, top, right, bottom = square((30, 20, 50, 80), 100, 200)
    assert (left, top, right, bottom) == pytest.approx((0.1, 0.1, 0.7, 0.4))
    assert square((0, 0, 100, 50), 100, 50) == pytest.approx((0, -0.5, 1, 1.5))  # past the picture


def test_as_rgb_of_gray_and_of_color():
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    color = as_rgb(array)
    assert (color.shape, color.dtype) == ((1, 3, 2, 4), torch.float32)
    torch.testing.assert_close(color[0, 1, 1, 2], torch.tensor(array[1, 2, 1] / 255).float())
    gray = as_rgb(array[..., 0])
    assert gray.shape == (1, 3, 2, 4)
    for channel in range(3):
        torch.testing.assert_close(gray[:, channel], color[:, 0])


@pytest.mark.parametrize("radius", [1, 2, 3])
@pytest.mark.parametrize("shape", [(2, 1, 9, 12), (1, 1, 7, 7), (3, 1, 8, 30)])
def test_dilate_and_erode_give_the_largest_and_the_smallest_around(shape, radius):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(radius))
    before = x.clone()
    largest = F.max_pool2d(x, 2 * radius + 1, stride=1, padding=radius)
    assert (dilate(x, radius) == largest).all()
    smallest = -F.max_pool2d(-x, 2 * radius + 1, stride=1, padding=radius)
    assert (erode(x, radius) == smallest).all()
    assert (x == before).all()


def test_a_radius_of_nothing_changes_nothing_and_a_large_one_reaches_all():
    x = torch.arange(12.0).view(1, 1, 3, 4)
    assert (dilate(x, 0) == x).all()
    assert (dilate(x, 9) == 11).all()
    assert (erode(x, 9) == 0).all()
