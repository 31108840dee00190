"""Figures by class against a case worked by hand."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from fashion_model.evaluation.fashion_mnist import score_dataset


def certain(answers):
    return np.eye(10)[answers]


def test_classes_by_hand():
    # trousers: three, one of them called a dress; dresses: two; a bag called trousers
    score = score_dataset(certain([1, 1, 3, 3, 3, 1]), np.array([1, 1, 1, 3, 3, 8]))
    assert (score.count, score.accuracy) == (6, pytest.approx(4 / 6))
    assert score.ece == pytest.approx(2 / 6)
    assert score.ece_noise_floor == 0
    trouser, dress, bag, coat = (score.classes[i] for i in (1, 3, 8, 4))
    assert (trouser.label, trouser.count) == ("Trouser", 3)
    assert (trouser.recall, trouser.precision, trouser.f1) == pytest.approx((2 / 3,) * 3)
    assert (dress.recall, dress.precision, dress.f1) == pytest.approx((1, 2 / 3, 4 / 5))
    assert (bag.recall, bag.precision, bag.f1, bag.count) == (0, 0, 0, 1)
    assert (coat.recall, coat.precision, coat.f1, coat.count) == (0, 0, 0, 0)
    assert score.confusion[1] == [0, 2, 0, 1, 0, 0, 0, 0, 0, 0]
    assert score.confusion[8] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_nll_and_coverage_by_hand():
    confidences = np.array([[0.5, 0.5 - 1e-9, *[0.0] * 8], [0.25, 0.75, *[0.0] * 8]])
    score = score_dataset(confidences, np.array([1, 1]))
    assert score.nll == pytest.approx(-np.log([0.5, 0.75]).mean(), abs=1e-6)
    assert score.coverage == 1 / 2  # the surer of the two is right


def test_the_most_frequent_confusions_come_first_with_their_surest_mistakes():
    labels = np.array([6, 6, 6, 6, 9, 9])
    confidences = certain([0, 0, 0, 6, 7, 9])
    confidences[:3] *= np.array([[0.6], [0.9], [0.7]])
    images = np.stack([np.full((28, 28), i, np.uint8) for i in range(6)])
    score = score_dataset(confidences, labels, images)
    listed = [(c.truth, c.answer, c.count, c.of) for c in score.confused]
    assert listed == [("Shirt", "T-shirt/top", 3, 4), ("Ankle boot", "Sneaker", 1, 2)]
    shown = [
        Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
        for url in score.confused[0].examples
    ]
    assert [np.asarray(picture)[0, 0] for picture in shown] == [1, 2]
    assert score_dataset(confidences, labels).confused[0].examples == ()
