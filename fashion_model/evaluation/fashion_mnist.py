"""Figures for Fashion-MNIST's test images: by class, and what is taken for what."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fashion_model.evaluation import metrics
from fashion_model.evaluation.metrics import Bin
from fashion_model.networks import CLASSES

CONFUSIONS = 6  # pairs of classes that are listed
EXAMPLES = 2  # pictures of each


@dataclass(frozen=True)
class ClassScore:
    """One class of the test set. Precision and F1 are 0 where the class is never the answer."""

    label: str
    count: int
    recall: float
    precision: float
    f1: float


@dataclass(frozen=True)
class Confusion:
    """A class that was taken for another, count times of the times that it was there."""

    truth: str
    answer: str
    count: int
    of: int
    examples: list[str]  # data URLs of PNG files, the surest mistakes first


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
    confused = []
    for truth, answer in _most_confused(confusion):
        mistakes = ((labels == truth) & (answers == answer)).nonzero()[0]
        surest = mistakes[np.argsort(-confidence[mistakes], kind="stable")][:EXAMPLES]
        shown = [] if images is None else [_data_url(images[i]) for i in surest]
        count, of = int(confusion[truth, answer]), int(confusion[truth].sum())
        confused.append(Confusion(CLASSES[truth], CLASSES[answer], count, of, shown))
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


def _most_confused(confusion: np.ndarray) -> Sequence[tuple[int, int]]:
    """(truth, answer) of the most frequent mistakes."""
    mistakes = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:CONFUSIONS].tolist()
    pairs = [divmod(place, len(CLASSES)) for place in order]
    return [pair for pair in pairs if mistakes[pair]]


def _class_score(confusion: np.ndarray, i: int) -> ClassScore:
    hits, count, answered = (int(n) for n in (confusion[i, i], *_sums(confusion, i)))
    return ClassScore(
        label=CLASSES[i],
        count=count,
        recall=hits / max(count, 1),
        precision=hits / max(answered, 1),
        f1=2 * hits / max(count + answered, 1),
    )


def _sums(confusion: np.ndarray, i: int) -> tuple[int, int]:
    """How often the class is there, and how often it is the answer."""
    return confusion[i].sum(), confusion[:, i].sum()


def _data_url(image: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
