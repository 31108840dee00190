"""Drawings of what is taken for garments: within their plane, never twice the same."""

import numpy as np
import pytest

from fashion_model.training.synthesis.lookalikes import LOOKALIKES, lookalike
from fashion_model.training.synthesis.sketches import drawn


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("make", sorted(set(LOOKALIKES), key=lambda each: each.__name__))
def test_each_lies_about_in_the_unit_square(make):
    for seed in range(30):
        points = np.concatenate([np.array(stroke, float) for stroke in make(rng(seed))])
        assert points.shape[1] == 2
        assert 0.4 < abs(points).max() < 2


def test_they_are_drawn_as_lines_on_white_that_the_seed_decides():
    pictures = [np.asarray(drawn(rng(seed), lookalike(rng(seed)))) for seed in range(60)]
    shares = [(picture < 128).mean() for picture in pictures]
    assert 0.001 < min(shares) < max(shares) < 0.6
    assert len({picture.tobytes() for picture in pictures}) == 60
    assert lookalike(rng(3)) == lookalike(rng(3))
