"""Figures from answers and confidences: per class, reliability bins, calibration error, AUROC."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fashion_model.networks import CLASSES

BINS = 15  # of equal width, as in Guo et al. 2017, arXiv 1706.04599


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence is above low and at most high."""

    low: float
    high: float
    count: int
    confidence: float  # mean; 0 in an empty bin
    accuracy: float  # 0 in an empty bin


@dataclass(frozen=True)
class ClassScore:
    """One class of the test set. Precision and F1 are 0 where the class is never the answer."""

    label: str
    count: int
    recall: float
    precision: float
    f1: float


@dataclass(frozen=True)
class DatasetScore:
    """A Classifier on Fashion-MNIST. confusion[truth][answer] counts, in the order of CLASSES."""

    count: int
    accuracy: float
    ece: float
    classes: list[ClassScore]
    confusion: list[list[int]]
    bins: list[Bin]


def reliability(confidences: Sequence[float], right: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """bins Bins over (0, 1], from the confidence of each answer and whether it was right."""
    confidence = np.asarray(confidences, dtype=np.float64)
    correct = np.asarray(right, dtype=np.float64)
    edges = np.linspace(0, 1, bins + 1)
    where = np.digitize(confidence, edges[1:-1], right=True)
    made = []
    for i in range(bins):
        inside = where == i
        count = int(inside.sum())
        total = float(confidence[inside].sum()), float(correct[inside].sum())
        mean, accuracy = (t / max(count, 1) for t in total)
        made.append(Bin(float(edges[i]), float(edges[i + 1]), count, mean, accuracy))
    return made


def expected_calibration_error(bins: Sequence[Bin]) -> float | None:
    """The mean over answers of |accuracy - confidence| of their bins; None without an answer."""
    count = sum(b.count for b in bins)
    if count == 0:
        return None
    return sum(b.count * abs(b.accuracy - b.confidence) for b in bins) / count


def ece_by_chance(confidences: Sequence[float], draws: int = 200) -> float | None:
    """The calibration error that honest confidences show on so few answers; None without any.

    The mean over draws of who is right, each answer with the chance that its confidence says.
    Of 73 answers with confidences around 0.8 it is about a tenth.
    """
    chances = np.asarray(confidences, dtype=np.float64)
    if not len(chances):
        return None
    draws_of = np.random.default_rng(0).random((draws, len(chances))) < chances
    errors = [expected_calibration_error(reliability(confidences, r.tolist())) for r in draws_of]
    return float(np.mean([error for error in errors if error is not None]))


def auroc(known: Sequence[float], other: Sequence[float]) -> float | None:
    """The chance that one of known is above one of other, ties counting half; None if either
    is empty.

    It is the rank statistic of Mann and Whitney (1947), the area under the ROC curve.
    """
    if not len(known) or not len(other):
        return None
    both = np.concatenate([np.asarray(known, np.float64), np.asarray(other, np.float64)])
    _, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2  # from 1; equal values share their mean rank
    above = rank[place[: len(known)]].sum() - len(known) * (len(known) + 1) / 2
    return float(above / (len(known) * len(other)))


def score_answers(
    answers: Sequence[int], confidences: Sequence[float], labels: Sequence[int]
) -> DatasetScore:
    """The figures from the class that was answered, its confidence, and the true class."""
    size = len(CLASSES)
    counts = Counter(zip(labels, answers, strict=True))
    confusion = [[counts[truth, answer] for answer in range(size)] for truth in range(size)]
    classes = []
    for i, label in enumerate(CLASSES):
        hits, there = confusion[i][i], sum(confusion[i])
        answered = sum(row[i] for row in confusion)
        recall, precision = _ratio(hits, there), _ratio(hits, answered)
        classes.append(
            ClassScore(label, there, recall, precision, _ratio(2 * hits, there + answered))
        )
    right = [answer == label for answer, label in zip(answers, labels, strict=True)]
    bins = reliability(confidences, right)
    ece = expected_calibration_error(bins)
    return DatasetScore(
        len(right), _ratio(sum(right), len(right)), ece or 0.0, classes, confusion, bins
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
