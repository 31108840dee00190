"""Garments drawn by rule: every class, always on the sheet, never twice the same."""

import numpy as np
import pytest

from fashion_model.networks import CLASSES
from fashion_model.training.synthesis.outlines import GARMENTS, garment_drawing
from fashion_model.training.synthesis.sketches import SHEET


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ink(picture) -> np.ndarray:
    return np.asarray(picture) < 128


def test_there_are_strokes_for_each_class():
    assert len(GARMENTS) == len(CLASSES)


@pytest.mark.parametrize("label", range(10), ids=CLASSES)
def test_strokes_lie_about_in_the_unit_square(label):
    for seed in range(60):
        strokes = GARMENTS[label](rng(seed))
        assert min(map(len, strokes)) >= 2
        points = np.concatenate([np.array(stroke) for stroke in strokes])
        assert points.shape[1] == 2
        assert abs(points).max() < 2
        assert np.ptp(points, axis=0).max() > 1.2  # it fills its place


@pytest.mark.parametrize("label", range(10), ids=CLASSES)
def test_drawings_are_lines_on_white_that_the_seed_decides(label):
    pictures = [garment_drawing(rng(seed), label) for seed in range(30)]
    assert {picture.mode for picture in pictures} == {"L"}
    assert max(max(picture.size) for picture in pictures) == SHEET
    whole = [picture for picture in pictures if picture.size == (SHEET, SHEET)]
    assert 15 < len(whole) <= 30  # of the others, a side is cut off
    shares = [ink(picture).mean() for picture in whole]
    assert 0.001 < min(shares) < max(shares) < 0.45
    assert len({picture.tobytes() for picture in pictures}) == 30
    assert garment_drawing(rng(3), label).tobytes() == pictures[3].tobytes()
    marks = np.stack([ink(picture) for picture in whole])  # little is cut off by the sheet's edge
    assert marks[:, [0, -1]].mean() + marks[:, :, [0, -1]].mean() < 0.08


def test_shapes_are_those_of_the_classes():
    """Trousers are tall, and sneakers, drawn from the side, wide."""

    def shape(label: int) -> float:
        ratios = []
        for seed in range(20):
            rows, columns = np.nonzero(ink(garment_drawing(rng(seed), label)))
            ratios.append(np.ptp(rows) / np.ptp(columns))
        return float(np.median(ratios))

    assert shape(CLASSES.index("Trouser")) > 1.2
    assert shape(CLASSES.index("Dress")) > 1.1
    assert shape(CLASSES.index("Sneaker")) < 0.8
