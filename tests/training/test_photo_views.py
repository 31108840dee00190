"""Training views of photos: their shape and range, and what they vary in."""

import numpy as np
import pytest

from fashion_model.training import photo_views
from fashion_model.training.photo_views import (
    inpaint,
    occlude,
    paste,
    random_crop,
    recompress,
    relight,
    view,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def photo():
    """A red square on a white photo of 60x90 pixels."""
    picture = np.full((90, 60, 3), 255, np.uint8)
    picture[25:65, 15:45] = (200, 20, 20)
    return picture


def red_pixels(picture):
    return (picture[..., 0] > 130) & (picture[..., 1] < 90)


def red(picture):
    return red_pixels(picture).mean()


def test_views_are_squares_that_differ_and_leave_the_photo_alone(rng, photo):
    before = photo.copy()
    views = [view(rng, photo, 48, photo, drawn=i % 2 == 0) for i in range(40)]
    assert {(each.shape, each.dtype) for each in views} == {((48, 48, 3), np.dtype(np.uint8))}
    assert len({each.tobytes() for each in views}) == 40
    assert np.array_equal(photo, before)
    again = np.random.default_rng(0)
    assert np.array_equal(view(again, photo, 48, photo, drawn=True), views[0])


def test_the_garment_is_cropped_and_made_small(rng, photo):
    shares = [red(random_crop(rng, photo, 64)) for _ in range(100)]
    assert min(shares) < 0.06  # the square is 0.15 of the photo padded to a square
    assert max(shares) > 0.3
    assert np.mean(np.array(shares) > 0.01) > 0.95


def test_mild_views_show_the_whole_picture_upright(rng, photo, monkeypatch):
    shares = [red(random_crop(rng, photo, 64, strong=False)) for _ in range(100)]
    assert min(shares) > 0.06
    assert max(shares) < 0.25
    monkeypatch.setattr(photo_views, "occlude", lambda *_: "occluded")
    assert view(rng, photo, 64, photo) == "occluded"
    assert view(rng, photo, 64, photo, strong=False).shape == (64, 64, 3)


def test_drawings_are_never_nearly_black(rng):
    white = np.full((20, 20, 3), 255, np.uint8)
    assert min(relight(rng, white).mean() for _ in range(200)) < 80
    assert min(relight(rng, white, dark=False).mean() for _ in range(200)) > 80


def test_files_keep_the_shape_and_about_the_colors(rng, photo):
    square = photo[:60]
    for _ in range(20):
        assert abs(recompress(rng, square).astype(int) - square).mean() < 12


def test_what_hides_a_part_covers_a_box(rng, photo):
    square = photo[:60]
    changed = [(occlude(rng, square.copy()) != square).any(2) for _ in range(100)]
    some = [each for each in changed if each.any()]
    assert 8 < len(some) < 30  # 18 of a hundred
    for each in some:
        rows, columns = np.flatnonzero(each.any(1)), np.flatnonzero(each.any(0))
        assert max(np.ptp(rows), np.ptp(columns)) < 0.45 * 60


def test_what_is_painted_over_looks_like_what_is_around_it(photo):
    mask = red_pixels(photo).astype(np.float32)
    assert (inpaint(photo, mask) == 255).all()
    assert np.array_equal(inpaint(photo, 0 * mask), photo)


def test_a_cut_out_is_laid_in_the_middle(rng):
    rgba = np.zeros((30, 20, 4), np.uint8)
    rgba[..., 2:] = 255  # blue
    ground = np.full((50, 50, 3), (0, 255, 0), np.uint8)
    sheets = [paste(rng, rgba, ground) for _ in range(40)]
    for sheet in sheets:
        assert sheet.shape == (144, 144, 3)
        assert sheet[72, 72].tolist() == [0, 0, 255]
    grounds = {tuple(sheet[0, 0]) for sheet in sheets}
    assert {(255, 255, 255), (0, 255, 0)} < grounds
