"""Figures for Fashion-MNIST's test images: by class, and what is taken for what."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from fashion_model.evaluation import metrics
from fashion_model.evaluation.confusions import EXAMPLES, Confusion, compact_data_url, most_frequent
from fashion_model.evaluation.metrics import Bin
from fashion_model.networks import CLASSES


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
    nll: float
    ece: float
    ece_noise_floor: float
    coverage: float  # with 95 % of the answers right
    classes: list[ClassScore]
    confusion: list[list[int]]
    confused: list[Confusion]  # most frequent first
    bins: list[Bin]


def score_dataset(
    confidences: np.ndarray, labels: np.ndarray, images: np.ndarray | None = None
) -> DatasetScore:
    """The figures of confidences (N, 10), N > 0, for classes labels (N,); images uint8 (N, 28, 28)
    give confusions their examples."""
    answers, confidence = confidences.argmax(1), confidences.max(1)
    right = answers == labels
    confusion = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(confusion, (labels, answers), 1)
    bins = metrics.reliability(confidence, right)
    pairs = zip(labels.tolist(), answers.tolist(), strict=True)
    confused = most_frequent(Counter((CLASSES[truth], CLASSES[answer]) for truth, answer in pairs))
    if images is not None:
        confused = [
            replace(each, examples=_surest(each, images, labels, confidences)) for each in confused
        ]
    in_label = confidences[np.arange(len(labels)), labels]
    return DatasetScore(
        count=len(labels),
        accuracy=float(right.mean()),
        nll=metrics.negative_log_likelihood(in_label) or 0.0,
        ece=metrics.expected_calibration_error(bins) or 0.0,
        ece_noise_floor=metrics.ece_noise_floor(confidence) or 0.0,
        coverage=metrics.coverage(confidence, right) or 0.0,
        classes=[_class_score(confusion, i) for i in range(len(CLASSES))],
        confusion=confusion.tolist(),
        confused=confused,
        bins=bins,
    )


def _surest(
    confusion: Confusion, images: np.ndarray, labels: np.ndarray, confidences: np.ndarray
) -> tuple[str, ...]:
    """Data URLs of the surest mistakes of this kind."""
    truth, answer = CLASSES.index(confusion.truth), CLASSES.index(confusion.answer)
    mistakes = ((labels == truth) & (confidences.argmax(1) == answer)).nonzero()[0]
    order = np.argsort(-confidences[mistakes, answer], kind="stable")
    return tuple(compact_data_url(Image.fromarray(images[i])) for i in mistakes[order[:EXAMPLES]])


def _class_score(confusion: np.ndarray, i: int) -> ClassScore:
    hits, count, answered = map(int, (confusion[i, i], confusion[i].sum(), confusion[:, i].sum()))
    return ClassScore(
        label=CLASSES[i],
        count=count,
        recall=hits / max(count, 1),
        precision=hits / max(answered, 1),
        f1=2 * hits / max(count + answered, 1),
    )
