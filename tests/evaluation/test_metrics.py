"""Figures against hand-worked cases and brute force."""

import math
import random
from itertools import product

import numpy as np
import pytest

from fashion_model.evaluation.metrics import (
    auroc,
    coverage,
    ece_noise_floor,
    expected_calibration_error,
    false_positive_rate,
    macro_accuracy,
    negative_log_likelihood,
    reliability,
)


def test_ece_by_hand():
    # with 5 bins: (0.4, 0.6] holds 0.5, 0.6 (one right), (0.8, 1] holds 0.9, 1, 1 (two right)
    bins = reliability([0.5, 0.6, 0.9, 1.0, 1.0], [True, False, True, False, True], bins=5)
    assert [b.count for b in bins] == [0, 0, 2, 0, 3]
    assert (bins[2].confidence, bins[2].accuracy) == pytest.approx((0.55, 0.5))
    assert (bins[4].confidence, bins[4].accuracy) == pytest.approx((2.9 / 3, 2 / 3))
    # 2/5 * |0.5 - 0.55| + 3/5 * |2/3 - 2.9/3| = 0.02 + 0.18
    assert expected_calibration_error(bins) == pytest.approx(0.2)


def test_ece_has_15_bins_that_include_their_upper_edge():
    bins = reliability([0.0, 1 / 15, 1 / 15 + 1e-9, 1.0], [False, False, True, True])
    assert [(b.low, b.high) for b in bins] == [
        pytest.approx((i / 15, (i + 1) / 15)) for i in range(15)
    ]
    assert [b.count for b in bins] == [2, 1] + [0] * 12 + [1]


def test_ece_of_honest_answers_is_0_and_of_no_answers_none():
    bins = reliability([0.75] * 4, [True, True, True, False])
    assert expected_calibration_error(bins) == pytest.approx(0)
    assert expected_calibration_error(reliability([], [])) is None


def test_ece_noise_floor():
    """One answer at 0.7 errs by 0.3 or, three times of ten, by 0.7; many such hardly err."""
    assert ece_noise_floor([0.7]) == pytest.approx(0.7 * 0.3 + 0.3 * 0.7, abs=0.04)
    assert ece_noise_floor([0.7] * 3_000) < 0.01
    assert ece_noise_floor([1.0] * 10) == 0
    assert ece_noise_floor([]) is None


def test_macro_accuracy_by_hand():
    # class 1: two pictures, one right; class 3: one and a half, one right and half of the other
    right, targets = [True, False, True, True], [(1,), (1,), (3,), (3, 5)]
    assert macro_accuracy(right, targets) == pytest.approx((1 / 2 + 1 + 1) / 3)
    # halves: class 3 has 1 + 1/2 pictures, of which 1 is right; class 5 has 1/2, wrong
    assert macro_accuracy([True, False], [(3,), (3, 5)]) == pytest.approx((1 / 1.5 + 0) / 2)
    assert macro_accuracy([], []) is None


def test_nll_by_hand():
    assert negative_log_likelihood([0.5, 0.25]) == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert math.isfinite(negative_log_likelihood([0.0]))
    assert negative_log_likelihood([]) is None


def test_coverage_by_hand():
    # 19 right and one wrong are 95 %: the next wrong one is too many, however many follow
    right = [True] * 19 + [False] + [False] * 5
    confidence = np.linspace(0.99, 0.2, len(right))
    assert coverage(confidence, right) == pytest.approx(20 / 25)
    assert coverage(confidence[::-1], right[::-1]) == pytest.approx(20 / 25)
    assert coverage([0.9, 0.8, 0.7], [False, True, True]) == 0  # the surest is wrong
    assert coverage([0.9, 0.8, 0.7], [False, True, True], precision=0.66) == 1
    assert coverage([], []) is None


def test_coverage_answers_equal_confidences_together():
    assert coverage([0.9, 0.5, 0.5], [True, True, False]) == pytest.approx(1 / 3)
    assert coverage([0.5, 0.5], [True, False]) == 0
    assert coverage([1.0, 1.0], [True, True]) == 1


def test_auroc_by_hand():
    assert auroc([0.9, 0.8], [0.1, 0.2]) == 1
    assert auroc([0.1], [0.2, 0.3]) == 0
    # pairs: .9>.5, .9>.9 half, .5>.5 half, .5>.9 not
    assert auroc([0.9, 0.5], [0.5, 0.9]) == pytest.approx(2 / 4)
    assert auroc([0.9, 0.7, 0.5], [0.5, 0.6]) == pytest.approx((2 + 2 + 0.5) / 6)
    assert auroc([0.5], [0.5]) == 0.5
    assert auroc([], [0.5]) is None
    assert auroc([0.5], []) is None


@pytest.mark.parametrize("seed", range(20))
def test_auroc_against_counting_every_pair(seed):
    chance = random.Random(seed)
    known, other = (
        [chance.randint(0, 12) / 12 for _ in range(chance.randint(1, 60))] for _ in range(2)
    )
    pairs = [(a > b) + (a == b) / 2 for a, b in product(known, other)]
    assert auroc(known, other) == pytest.approx(sum(pairs) / len(pairs))


def test_false_positive_rate_by_hand():
    # 19 of 20 garments are at 0.6 or above: of the things, two of four are
    known = [0.1] + [0.6 + 0.01 * i for i in range(19)]
    assert false_positive_rate(known, [0.59, 0.6, 0.99, 0.0]) == pytest.approx(2 / 4)
    # of ten garments, 95 % are all ten
    assert false_positive_rate([0.2] + [0.9] * 9, [0.3, 0.1]) == pytest.approx(1 / 2)
    assert false_positive_rate([0.5], [0.5]) == 1
    assert false_positive_rate([], [0.5]) is None
    assert false_positive_rate([0.5], []) is None


@pytest.mark.parametrize("seed", range(10))
def test_false_positive_rate_against_every_threshold(seed):
    chance = np.random.default_rng(seed)
    known, other = chance.integers(0, 40, 70) / 40, chance.integers(0, 40, 30) / 40
    rates = [(other >= t).mean() for t in known if (known >= t).mean() >= 0.95]
    assert false_positive_rate(known, other) == pytest.approx(min(rates))
