"""Drawings of no garment: lines on white, never twice the same."""

import numpy as np

from fashion_model.training.synthesis.sketches import SHEET
from fashion_model.training.synthesis.things import nonsense, thing


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_things_lie_about_in_the_unit_square():
    sizes = []
    for seed in range(200):
        points = np.concatenate([np.array(stroke) for stroke in thing(rng(seed))])
        sizes.append(abs(points).max())
    assert np.median(sizes) < 1.2
    assert max(sizes) < 4


def test_nonsense_is_lines_on_white_that_the_seed_decides():
    pictures = [nonsense(rng(seed)) for seed in range(60)]
    assert {picture.mode for picture in pictures} == {"L"}
    whole = [np.asarray(picture) for picture in pictures if picture.size == (SHEET, SHEET)]
    assert len(whole) > 30  # of the others, a side is cut off
    shares = [(array < 128).mean() for array in whole]
    assert 0.001 < min(shares) < max(shares) < 0.5
    assert len({picture.tobytes() for picture in pictures}) == 60
    assert nonsense(rng(3)).tobytes() == pictures[3].tobytes()
