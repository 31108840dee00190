"""Figures from confidences: how often right, how honest, and how well other things are told apart.

Arrays have one entry a picture: confidence is that of the answer, right whether it is a target.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

BINS = 15  # of equal width, as in Guo et al. 2017, arXiv 1706.04599
PRECISION = 0.95  # of the answers that coverage counts
TRUE_POSITIVE_RATE = 0.95  # of garments, as in Liang et al. 2018, arXiv 1706.02690
TINY = 1e-12  # a confidence of 0 in what is right would make the NLL infinite


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence is above low and at most high."""

    low: float
    high: float
    count: int
    confidence: float  # mean; 0 in an empty bin
    accuracy: float  # 0 in an empty bin


def macro_accuracy(right: ArrayLike, targets: Sequence[Sequence[int]]) -> float | None:
    """The mean accuracy over the classes that are targets, each of which counts the same.

    A picture with several targets counts in each of them, with as small a part; None without any.
    """
    hits, counts = dict[int, float](), dict[int, float]()
    for good, classes in zip(np.asarray(right, bool).tolist(), targets, strict=True):
        for i in classes:
            counts[i] = counts.get(i, 0.0) + 1 / len(classes)
            hits[i] = hits.get(i, 0.0) + good / len(classes)
    return float(np.mean([hits[i] / counts[i] for i in counts])) if counts else None


def negative_log_likelihood(confidence_in_targets: ArrayLike) -> float | None:
    """The mean of -log of the confidence in all targets together; None without a picture."""
    summed = np.asarray(confidence_in_targets, np.float64)
    return float(-np.log(summed.clip(TINY, 1)).mean()) if len(summed) else None


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> list[Bin]:
    """bins Bins over (0, 1]."""
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    edges = np.linspace(0, 1, bins + 1)
    place = np.digitize(confidence, edges[1:-1], right=True)
    counts, *sums = (np.bincount(place, each, bins) for each in (None, confidence, right))
    means = [total / np.maximum(counts, 1) for total in sums]
    columns = (edges[:-1], edges[1:], counts, *means)
    return [Bin(*row) for row in zip(*(each.tolist() for each in columns), strict=True)]


def expected_calibration_error(bins: Sequence[Bin]) -> float | None:
    """The mean over answers of |accuracy - confidence| of their bins; None without an answer."""
    count = sum(b.count for b in bins)
    if count == 0:
        return None
    return sum(b.count * abs(b.accuracy - b.confidence) for b in bins) / count


def ece_noise_floor(confidence: ArrayLike, draws: int = 200) -> float | None:
    """The calibration error that honest confidences show on so few answers; None without any.

    The mean over draws of which answers are right, each with the chance that its confidence says:
    of 73 answers with confidences around 0.8 it is about a tenth.
    """
    confidence = np.asarray(confidence, np.float64)
    if not len(confidence):
        return None
    drawn = np.random.default_rng(0).random((draws, len(confidence))) < confidence
    errors = [expected_calibration_error(reliability(confidence, right)) for right in drawn]
    return float(np.mean([error for error in errors if error is not None]))


def coverage(confidence: ArrayLike, right: ArrayLike, precision: float = PRECISION) -> float | None:
    """The largest share of the pictures that can be answered, surest first, with so many right.

    Equal confidences are answered together, for no threshold parts them. None without a picture.
    """
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    if not len(confidence):
        return None
    order = np.argsort(-confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    answered = np.arange(1, len(right) + 1)
    threshold = np.append(confidence[1:] < confidence[:-1], True)  # the next one is less sure
    good = threshold & (np.cumsum(right) >= precision * answered - 1e-9)
    return float((good * answered).max() / len(right))


def auroc(known: ArrayLike, other: ArrayLike) -> float | None:
    """The chance that one of known is above one of other, ties counting half; None if either
    is empty: the rank statistic of Mann and Whitney (1947), the area under the ROC curve."""
    from scipy.stats import mannwhitneyu  # slow to import, and the app shows figures without it

    known, other = np.asarray(known, np.float64), np.asarray(other, np.float64)
    if not len(known) or not len(other):
        return None
    statistic = mannwhitneyu(known, other, method="asymptotic").statistic
    return float(statistic / (len(known) * len(other)))


def false_positive_rate(
    known: ArrayLike, other: ArrayLike, rate: float = TRUE_POSITIVE_RATE
) -> float | None:
    """The share of other that reach the value which this share of known reach; None if either is
    empty."""
    known, other = np.asarray(known, np.float64), np.asarray(other, np.float64)
    if not len(known) or not len(other):
        return None
    least = int(np.ceil(rate * len(known) - 1e-9))  # so many of known must reach it
    threshold = np.sort(known)[::-1][least - 1]
    return float((other >= threshold).mean())
