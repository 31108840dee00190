"""Pictures of what explain found, with every mark where it belongs."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

import fashion_model
from fashion_model.visualization import (
    BELOW,
    MAP_PIXELS,
    MARK,
    at_map_size,
    overlay,
    tiled,
    tones,
)


def in_color(picture: Image.Image) -> np.ndarray:
    """Where the marks are, bool (H, W)."""
    colors = np.asarray(picture).astype(int)
    return colors[..., 0] - colors[..., 2] > 128


def test_the_map_lies_over_the_picture_where_the_pixels_came_from():
    picture = Image.new("RGB", (300, 200), "white")
    marks = np.zeros((28, 28), dtype=np.float32)
    marks[7, 14:16] = 1
    overlaid = overlay(picture, (0.5, 0.0, 1.0, 0.75), marks)
    assert (overlaid.size, overlaid.mode) == ((300, 200), "RGB")
    marked = in_color(overlaid)
    rows, columns = marked.nonzero()
    # pixels of the 28x28 are 150/28 = 5.36 wide and high, from x = 150 and y = 0 on
    assert abs((rows + 0.5).mean() - 7.5 * 150 / 28) < 1
    assert abs((columns + 0.5).mean() - (150 + 15 * 150 / 28)) < 1
    assert 0 < marked.sum() < 4 * 2 * 5.36**2
    colors = np.asarray(overlaid)
    assert (colors[:, :140] == colors[0, 0]).all()  # no trace elsewhere


@pytest.mark.parametrize("side", [28, 64, 160])
def test_marks_of_any_size_lie_where_they_should(side):
    marks = np.zeros((side, side), dtype=np.float32)
    marks[side // 2 :, side // 4 : side // 2] = 1
    rows, columns = in_color(overlay(Image.new("L", (320, 320)), (0, 0, 1, 1), marks)).nonzero()
    assert (rows.min(), rows.max() + 1) == pytest.approx((160, 320), abs=8)
    assert (columns.min(), columns.max() + 1) == pytest.approx((80, 160), abs=8)


def test_a_box_may_reach_past_the_picture():
    picture = Image.new("L", (60, 120), 40)
    overlaid = overlay(picture, (-0.5, 0.0, 1.5, 1.0), np.ones((28, 28), dtype=np.float32))
    colors = np.asarray(overlaid)
    assert overlaid.size == (60, 120)
    np.testing.assert_array_equal(colors[60, 30], MARK)
    np.testing.assert_array_equal(colors[60, 0], MARK)


def test_without_marks_the_picture_is_gray_and_keeps_its_order():
    colors = np.asarray(overlay(Image.linear_gradient("L"), (0, 0, 1, 1), np.zeros((28, 28))))
    assert (colors[..., 0] == colors[..., 1]).all()
    assert (colors[..., 0] == colors[..., 2]).all()
    assert (np.diff(colors[:, 0, 0].astype(int)) >= 0).all()
    assert colors[0, 0, 0] < colors[-1, 0, 0]


def test_the_picture_of_a_drawing_and_its_map_fit_together():
    """Through the real preprocessing: marks on the 28x28's ink lie on the drawing's ink."""
    picture = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(picture).rectangle((220, 60, 360, 260), fill="black")
    model_input = fashion_model.load("mlp", "cpu").preprocess(picture, "drawing")
    marks = model_input.tensor[0, 0].numpy()
    marked = in_color(overlay(model_input.picture, model_input.box, marks))
    black = np.asarray(model_input.picture.convert("L")) < 128
    assert (marked & black).sum() > 0.95 * black.sum()
    assert (marked & ~black).sum() < 0.1 * black.sum()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 1, 28, 28), (28, 28)),
        ((1, 784), (28, 28)),
        ((1, 512), (16, 32)),
        ((1, 10), (1, 10)),
        ((1, 11), (1, 11)),
        ((1,), (1, 1)),
        ((1, 48, 14, 14), (6 * 15 - 1, 8 * 15 - 1)),
        ((1, 96, 7, 7), (8 * 8 - 1, 12 * 8 - 1)),
        ((1, 1280, 1, 1), (32 * 2 - 1, 40 * 2 - 1)),
    ],
)
def test_activations_as_one_picture(shape, expected):
    values = np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)
    sheet = tiled(values)
    assert sheet.shape == expected
    np.testing.assert_array_equal(np.sort(sheet[sheet > 0]), values.ravel())
    if len(shape) == 4 and shape[1] > 1:
        height, width = shape[2:]
        np.testing.assert_array_equal(sheet[:height, :width], values[0, 0])
        np.testing.assert_array_equal(sheet[:height, width + 1 : 2 * width + 1], values[0, 1])


def test_a_picture_to_be_marked_has_the_size_of_the_map_and_is_left_as_it_was():
    large, small = Image.new("RGB", (800, 400)), Image.new("L", (28, 28))
    assert at_map_size(large).size == (MAP_PIXELS, MAP_PIXELS // 2)
    assert large.size == (800, 400)
    assert at_map_size(small).size == (336, 336)  # twelve pixels for each
    assert at_map_size(Image.new("L", (200, 300))).size == (200, 300)


def test_tones_are_black_for_zero_white_for_the_most_and_blue_below():
    pixels = np.asarray(tones(np.array([[0.0, 2.0], [-2.0, 1.0]])))
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[0, 1].tolist() == [255, 255, 255]
    assert pixels[1, 0].tolist() == list(BELOW)
    assert 0 < pixels[1, 1, 0] < 255
    assert not np.asarray(tones(np.zeros((2, 2)))).any()
