"""Shoes drawn by rule: wider than high from the side, and boots higher than sneakers."""

import numpy as np
import pytest

from fashion_model.training.synthesis.shoes import boot, sandal, sneaker


def extents(make) -> np.ndarray:
    """Width and height of a hundred of them, (100, 2)."""
    found = []
    for seed in range(100):
        points = np.concatenate([np.array(stroke) for stroke in make(np.random.default_rng(seed))])
        found.append(np.ptp(points, axis=0))
    return np.array(found)


@pytest.mark.parametrize("make", [boot, sneaker])
def test_from_the_side_they_are_as_long_as_the_plane(make):
    width, _ = extents(make).T
    assert width.min() == pytest.approx(1.96)
    assert width.max() < 2.1


def test_boots_are_higher_than_sneakers():
    assert extents(boot)[:, 1].min() > extents(sneaker)[:, 1].max()


def test_sandals_are_drawn_from_the_side_or_from_above():
    width, height = extents(sandal).T
    assert (width > 1.9).any()
    assert ((width < 1) & (height > 1.8)).any()
