"""matplotlib's color maps, undone, against matplotlib itself."""

import matplotlib as mpl
import numpy as np
import pytest

from fashion_model.preprocessing.color_maps import _COLOR_MAPS, values_of

NAMES = [line.split()[0] for line in _COLOR_MAPS.strip().splitlines()]
VALUES = np.linspace(0, 255, 28 * 28).reshape(28, 28).round().astype(np.uint8)


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
