"""What networks read of drawings, on some that were worked out by hand."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from data.pictures import rectangle
from fashion_model.errors import InputError
from fashion_model.preprocessing.drawing import (
    SIDE,
    Strokes,
    as_fashion_mnist,
    enclosed,
    filled,
    in_detail,
    strokes,
    thickened,
)


def network_input(picture: Image.Image) -> torch.Tensor:
    """(28, 28), after a look at what as_fashion_mnist promises."""
    pixels = as_fashion_mnist(strokes(np.asarray(picture)))
    assert (pixels.shape, pixels.dtype) == ((1, 1, 28, 28), torch.float32)
    assert 0 <= pixels.min() <= pixels.max() <= 1
    return pixels[0, 0]


def test_a_filled_rectangle_by_hand():
    """100 wide and 50 high -> 28 wide and 14 high, in the middle, bright on black."""
    pixels = network_input(rectangle((40, 100, 140, 150)))
    expected = torch.zeros(28, 28)
    expected[7:21] = 1
    torch.testing.assert_close(pixels, expected, rtol=0, atol=0.05)


def test_its_box_by_hand():
    """The square around it has sides of 100 pixels and its middle at (90, 125)."""
    box = strokes(np.asarray(rectangle((40, 100, 140, 150)))).box
    assert box == pytest.approx((40 / 280, 75 / 280, 140 / 280, 175 / 280), abs=0.005)


def test_a_box_may_reach_past_the_picture():
    left, top, right, bottom = strokes(np.asarray(rectangle((0, 0, 280, 40)))).box
    assert (left, right) == pytest.approx((0, 1), abs=0.01)
    assert top < -0.3
    assert bottom > 0.5


SAME = {
    "elsewhere": rectangle((150, 220, 250, 270)),
    "in a corner": rectangle((0, 0, 100, 50)),
    "smaller": rectangle((10, 10, 50, 30)),
    "larger": rectangle((300, 100, 900, 400), size=(1000, 700)),
    "tiny": rectangle((6, 10, 22, 18), size=(28, 28)),
    "on a wide sheet": rectangle((300, 30, 400, 80), size=(800, 100)),
    "light on dark": rectangle((40, 100, 140, 150), ink="white", paper="black"),
    "pale ink": rectangle((40, 100, 140, 150), ink=(210, 210, 210)),
    "color on color": rectangle((40, 100, 140, 150), ink="navy", paper="khaki"),
    "same brightness, other hue": rectangle(
        (40, 100, 140, 150), ink=(200, 80, 80), paper=(75, 140, 75)
    ),
    "gray": rectangle((40, 100, 140, 150)).convert("L"),
}


@pytest.mark.parametrize("picture", SAME.values(), ids=SAME)
def test_place_size_and_color_do_not_matter(picture):
    expected = network_input(rectangle((40, 100, 140, 150)))
    assert (network_input(picture) - expected).abs().mean() < 0.02


def test_uneven_light_on_the_paper_is_not_ink():
    shade = np.linspace(255, 190, 280)[None, :, None].repeat(280, 0).repeat(3, 2)
    picture = shade.astype(np.uint8)
    picture[100:150, 40:140] = 20
    expected = network_input(rectangle((40, 100, 140, 150)))
    assert (network_input(Image.fromarray(picture)) - expected).abs().mean() < 0.02


@pytest.mark.parametrize("fill", [None, 60], ids=["lines", "filled"])
def test_a_shadow_on_the_paper_is_not_ink(fill):
    """A round one on a noisy sheet, which no plane fits. What is filled stays so."""
    row, column = np.mgrid[:280, :280]
    shadow = 75 * np.exp(-((row - 230) ** 2 + (column - 250) ** 2) / 60**2)
    sheet = 205 - shadow + np.random.default_rng(0).normal(0, 2, (280, 280))
    lines = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(lines).rectangle((60, 40, 200, 220), outline=60, width=8, fill=fill)
    expected = network_input(lines)
    picture = np.where(np.asarray(lines) < 255, 60, sheet).astype(np.uint8)
    pixels = network_input(Image.fromarray(picture).convert("RGB"))
    assert (pixels - expected).abs().mean() < 0.02
    assert pixels[14, 14] == (fill is not None)


def test_what_lines_enclose_stays_dark():
    pixels = network_input(rectangle((40, 40, 240, 240), width=8))
    assert pixels[0].min() > 0.9  # the line along the top
    assert pixels[14, 0] > 0.9
    assert pixels[2:26, 2:26].max() == 0


def test_thin_lines_are_thick_enough_to_see():
    thin = network_input(rectangle((40, 40, 240, 240), width=1))
    for edge in (thin[:, 0], thin[:, -1], thin[0], thin[-1]):
        assert edge.mean() > 0.5
    assert thin[2:26, 2:26].max() == 0


@pytest.mark.parametrize(("width", "pixels"), [(8, 8 / 200 * SIDE), (16, 16 / 200 * SIDE)])
def test_the_thickness_is_that_of_the_pen(width, pixels):
    """A square of 200 pixels becomes one of 112."""
    drawn = strokes(np.asarray(rectangle((40, 40, 240, 240), width=width)))
    assert drawn.line.shape == (1, 1, SIDE, SIDE)
    assert set(drawn.line.unique().tolist()) == {0, 1}
    assert drawn.thickness == pytest.approx(pixels, rel=0.15)


def test_only_lines_thinner_than_the_thinnest_are_thickened():
    line = torch.zeros(1, 1, SIDE, SIDE)
    line[..., 50, 20:90] = 1
    box = (0.0, 0.0, 1.0, 1.0)
    grown = thickened(Strokes(line, box, 1.0))  # by round((3.5 - 1) / 2) on each side
    assert grown[0, 0, :, 50].nonzero().flatten().tolist() == [49, 50, 51]
    assert grown[0, 0, 50].sum() == 72
    for thickness in (3.5, 20.0):
        assert torch.equal(thickened(Strokes(line, box, thickness)), line)


def test_nearly_blank_is_an_input_error():
    noise = np.random.default_rng(0).integers(250, 256, (90, 90), dtype=np.uint8)
    with pytest.raises(InputError, match="nothing drawn"):
        strokes(noise)


def test_enclosed_is_the_inside_across_small_gaps():
    line = np.zeros((30, 30), bool)
    line[5, 5:25] = line[24, 5:25] = line[5:25, 5] = line[5:25, 24] = True
    whole = np.zeros((30, 30), bool)
    whole[5:25, 5:25] = True
    np.testing.assert_array_equal(filled(line), whole)
    line[5, 12:14] = False  # two pixels: closed
    assert filled(line)[7:23, 7:23].all()
    line[5, 12:17] = False  # five: open
    assert not filled(line)[10:20, 10:20].any()
    assert (filled(line) >= line).all()


def test_what_reaches_the_rim_encloses_nothing_outside():
    line = np.zeros((30, 30), bool)
    line[10] = line[20] = True  # two lines from rim to rim: open on both sides
    np.testing.assert_array_equal(filled(line), line)


def test_in_detail_are_the_lines_and_what_they_enclose():
    """A thin box: its lines are thickened, its inside is full; an arch has none."""
    line = torch.zeros(1, 1, SIDE, SIDE)
    line[..., 8:104, 8] = line[..., 8:104, 103] = line[..., 8, 8:104] = 1
    arch = in_detail(Strokes(line, (0, 0, 1, 1), 1.0))
    assert arch.shape == (1, 2, SIDE, SIDE)
    assert torch.equal(arch[:, :1], thickened(Strokes(line, (0, 0, 1, 1), 1.0)))
    assert arch[0, 1, 40:80, 40:80].max() == 0
    line[..., 103, 8:104] = 1
    box = in_detail(Strokes(line, (0, 0, 1, 1), 1.0))
    assert box[0, 1, 8:104, 8:104].min() == 1
    assert box[0, 1].sum() < 100**2
    both = enclosed(torch.cat([arch[:, :1], box[:, :1]]))
    assert torch.equal(both, torch.cat([arch[:, 1:], box[:, 1:]]))
