"""Where in a picture an image of Fashion-MNIST may be: squares, drawn by rule; and matplotlib's
color maps, undone, against matplotlib itself."""

import matplotlib as mpl
import numpy as np
import pytest

from fashion_model.preprocessing.plots import (
    _COLOR_MAPS,
    framed_squares,
    squares_on_paper,
    values_of,
    whole_square,
)

NAMES = [line.split()[0] for line in _COLOR_MAPS.strip().splitlines()]
VALUES = np.linspace(0, 255, 28 * 28).reshape(28, 28).round().astype(np.uint8)


def sheet(height: int, width: int, tone: int = 255) -> np.ndarray:
    return np.full((height, width), tone, np.uint8)


def near(box, expected, within: float = 1.0) -> bool:
    return bool(np.abs(np.subtract(box, expected)).max() <= within)


@pytest.mark.parametrize(("size", "count"), [((28, 28), 1), ((100, 101), 1), ((100, 110), 0)])
def test_the_whole_picture_where_it_is_square(size, count):
    assert whole_square(sheet(*size)) == [(0, 0, size[1], size[0])] * count


@pytest.mark.parametrize("ground", [0, 90])
def test_a_square_with_an_edge_around_it_is_framed(ground):
    picture = sheet(300, 400)
    picture[50:250, 120:320] = ground
    assert any(near(box, (120, 50, 320, 250)) for box in framed_squares(picture))
    assert len(framed_squares(picture)) <= 5


def test_two_squares_are_both_framed():
    picture = sheet(400, 600)
    picture[60:340, 40:320] = 0
    picture[100:300, 360:560] = 0
    found = framed_squares(picture)
    assert any(near(box, (40, 60, 320, 340)) for box in found)
    assert any(near(box, (360, 100, 560, 300)) for box in found)


def test_what_is_small_no_square_or_on_a_wild_ground_is_not_framed():
    small, oblong = sheet(300, 300), sheet(300, 400)
    small[100:150, 100:150] = 0
    oblong[100:200, 50:350] = 0
    wild = np.random.default_rng(0).integers(0, 256, (300, 300), dtype=np.uint8)
    wild[50:250, 50:250] = 0
    for picture in (small, oblong, wild):
        boxes = [tuple(map(int, box)) for box in framed_squares(picture)]
        assert all(box == (0, 0, 300, 300) for box in boxes)  # the picture's own border


@pytest.mark.parametrize("paper", [255, 0])
def test_what_stands_on_paper_fills_its_square_from_side_to_side(paper):
    """28 cells high or nearly so, as the images of the data set are; it stands in the middle."""
    picture = sheet(400, 500, paper)
    picture[60:340, 200:300] = 255 - paper
    found = squares_on_paper(picture)
    assert near(found[0], (110, 60, 390, 340))
    sides = [right - left for left, _, right, _ in found]
    assert sides == pytest.approx([280, 280 * 28 / 27, 280 * 28 / 26])
    for left, top, right, bottom in found:
        assert left <= 200
        assert right >= 300
        assert top <= 60
        assert bottom >= 340


def test_a_title_above_is_left_out():
    picture = sheet(400, 500)
    picture[20:30, 230:270] = 0
    picture[60:340, 200:300] = 0
    assert near(squares_on_paper(picture)[0], (110, 60, 390, 340))


def test_on_blank_paper_in_a_grid_or_on_another_ground_there_is_none():
    grid, edge = sheet(400, 400), sheet(400, 400)
    for y in (20, 150, 280):
        for x in (20, 150, 280):
            grid[y : y + 100, x : x + 100] = 0
    edge[:, :200] = 0
    for picture in (sheet(300, 300), grid, edge):
        assert squares_on_paper(picture) == []


def shown(name: str) -> np.ndarray:
    return mpl.colormaps[name](VALUES, bytes=True)[..., :3].astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_each_map_gives_its_values_back(name):
    found = values_of(shown(name))
    assert found.shape == (28, 28)
    assert np.abs(found - VALUES).mean() < 4


@pytest.mark.parametrize("name", ["viridis", "Blues", "hot"])
def test_a_reversed_map_is_the_same_line_run_backwards(name):
    assert np.abs(255 - values_of(shown(f"{name}_r")) - VALUES).mean() < 4


@pytest.mark.parametrize("name", ["viridis", "magma", "jet"])
def test_noise_of_jpeg_is_borne(name):
    noise = np.random.default_rng(0).normal(0, 4, (28, 28, 3)).astype(np.float32)
    found = values_of((shown(name) + noise).clip(0, 255))
    assert np.abs(found - VALUES).mean() < 8


def test_gray_pictures_are_their_tones():
    tones = VALUES.astype(np.float32)
    assert values_of(tones) is tones
    assert np.allclose(values_of(np.stack([tones, tones + 2, tones - 2], -1)), tones, atol=0.01)


def test_colors_of_no_known_map_are_none():
    assert values_of(shown("hsv")) is None


def test_colors_of_a_photo_are_none():
    assert values_of(np.random.default_rng(0).uniform(0, 255, (28, 28, 3)).astype("f4")) is None
