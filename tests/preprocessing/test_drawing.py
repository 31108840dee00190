"""What is ink and what is paper, in any light; what networks read of drawings, by hand."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

from data.pictures import rectangle
from fashion_model.errors import InputError
from fashion_model.preprocessing.drawing import (
    FAINTEST,
    SIDE,
    Strokes,
    as_fashion_mnist,
    enclosed,
    filled,
    ink,
    lines_and_inside,
    one_tone,
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


def test_lines_and_inside_are_the_lines_and_what_they_enclose():
    """A thin box: its lines are thickened, its inside is full; an arch has none."""
    line = torch.zeros(1, 1, SIDE, SIDE)
    line[..., 8:104, 8] = line[..., 8:104, 103] = line[..., 8, 8:104] = 1
    arch = lines_and_inside(Strokes(line, (0, 0, 1, 1), 1.0))
    assert arch.shape == (1, 2, SIDE, SIDE)
    assert torch.equal(arch[:, :1], thickened(Strokes(line, (0, 0, 1, 1), 1.0)))
    assert arch[0, 1, 40:80, 40:80].max() == 0
    line[..., 103, 8:104] = 1
    box = lines_and_inside(Strokes(line, (0, 0, 1, 1), 1.0))
    assert box[0, 1, 8:104, 8:104].min() == 1
    assert box[0, 1].sum() < 100**2
    both = enclosed(torch.cat([arch[:, :1], box[:, :1]]))
    assert torch.equal(both, torch.cat([arch[:, 1:], box[:, 1:]]))


def sheet(paper: float, tone: float, size=(100, 120)) -> np.ndarray:
    """Paper with a filled square of 20 x 20 pixels in another tone."""
    array = np.full(size, paper)
    array[40:60, 50:70] = tone
    return array.astype(np.uint8)


@pytest.mark.parametrize("colors", [1, 3])
@pytest.mark.parametrize(("paper", "tone"), [(255, 0), (0, 255), (200, 160), (90, 130)])
def test_full_ink_is_1_and_paper_0(paper, tone, colors):
    array = sheet(paper, tone)
    marks = ink(array if colors == 1 else np.dstack([array] * 3))
    assert (marks.shape, marks.dtype) == ((1, 1, 100, 120), torch.float32)
    assert torch.equal(marks[0, 0], torch.from_numpy(array == tone).float())


def test_half_tones_by_hand():
    """Ink is what makes more than a quarter of the full difference, all of it from 0.65 on."""
    array = sheet(255, 55)
    array[10, 10:14] = [255 - 40, 255 - 60, 255 - 90, 255 - 140]
    expected = [0, (0.3 - 0.25) / 0.4, (0.45 - 0.25) / 0.4, 1]
    assert ink(array)[0, 0, 10, 10:14].tolist() == pytest.approx(expected, abs=1e-5)


def test_a_few_darker_pixels_are_not_what_full_ink_is_measured_by():
    """Of 12,000 pixels the strongest 24 say what full ink is."""
    faint = sheet(255, 155)
    faint[5, 5:28] = 0  # 23
    assert ink(faint)[0, 0, 45, 55] == 1
    faint[5, 5:29] = 0  # 24: now the square makes 0.39 of what full ink does
    assert ink(faint)[0, 0, 45, 55] == pytest.approx((100 / 255 - 0.25) / 0.4, abs=1e-5)


def test_what_is_too_faint_to_see_is_nothing_drawn():
    step = round(FAINTEST * 255)  # 15
    assert ink(sheet(200, 200 - step - 1)).max() == 1
    with pytest.raises(InputError, match="nothing drawn") as caught:
        ink(sheet(200, 200 - step + 1))
    assert caught.value.key == "nothing"


def test_light_that_falls_off_evenly_is_no_ink():
    shade = np.linspace(255, 190, 120)[None, :].repeat(100, 0)
    tilted = shade - np.linspace(0, 40, 100)[:, None]
    for paper in (shade, tilted):
        array = paper.astype(np.uint8)
        array[40:60, 50:70] = 20
        expected = torch.from_numpy(sheet(255, 0) == 0).float()
        assert torch.equal(ink(array)[0, 0], expected)


def test_ink_that_crosses_the_border_is_no_paper():
    array = np.full((100, 120), 240, np.uint8)
    array[30:40] = 10
    for picture in (array, np.dstack([array] * 3)):
        marks = ink(picture)[0, 0]
        assert marks[30:40].min() == 1
        assert marks[:30].max() == marks[40:].max() == 0


def test_a_pale_shape_on_noisy_paper_is_still_there():
    """All of it differs by less than light may: it is not taken for nothing drawn."""
    row, column = np.mgrid[:280, :280] - 140
    shape = 23 * (row**2 + column**2 < 80**2)
    noisy = 230 - shape + np.random.default_rng(0).normal(0, 2, (280, 280))
    assert (ink(noisy.astype(np.uint8)) > 0.5).float().mean() > 0.05


@pytest.mark.parametrize("tone", [0, 40, 200])
def test_paper_of_one_tone_is_read_as_uneven_paper_is(tone):
    """The short way, by tone, against the plane that is fitted to the border."""
    picture = Image.effect_noise((90, 70), 30).point(lambda value: tone if value > 150 else 230)
    array = np.asarray(ImageOps.expand(picture, 12, 230))
    assert one_tone(array) == 230
    by_plane = ink(np.dstack([array] * 3))
    torch.testing.assert_close(ink(array), by_plane, rtol=0, atol=1e-5)


def test_one_tone_of_the_border():
    array = np.full((70, 90), 100, np.uint8)
    array[12:-12, 12:-12] = 0  # the border is all of one tone, whatever lies in it
    assert one_tone(array) == 100
    array[:] = 230
    array[0, :40] = 229  # most of the border, and of the picture
    assert one_tone(array) == 230
    array[12:-12, 12:-12] = np.arange(66, dtype=np.uint8)  # of the picture less than MOST
    assert one_tone(array) == 230
    array[2:, 2:-2] = 60 + np.arange(86, dtype=np.uint8)
    assert one_tone(array) is None
    array[:] = np.linspace(200, 230, 90).astype(np.uint8)
    assert one_tone(array) is None
    assert one_tone(np.full((8, 90), 100, np.uint8)) is None  # all border
    assert one_tone(np.full((70, 90, 3), 100, np.uint8)) is None
