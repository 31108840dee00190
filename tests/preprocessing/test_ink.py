"""What is ink and what is paper, in any light."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from fashion_model.errors import InputError
from fashion_model.preprocessing.ink import FAINTEST, ink, one_tone


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
    counts = np.bincount(array.ravel(), minlength=256)
    assert torch.equal(ink(array, counts), ink(array))


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
