"""How right a Classifier is and how honest its confidence, on Fashion-MNIST and on folders; and
what it takes for what, with pictures of that."""

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from fashion_model.classifier import Classifier
from fashion_model.datasets import LabeledPicture
from fashion_model.errors import InputError
from fashion_model.evaluation import metrics
from fashion_model.evaluation.metrics import Bin
from fashion_model.evaluation.scores import Outcome
from fashion_model.networks import CLASSES
from fashion_model.preprocessing import ModelInput
from fashion_model.preprocessing.geometry import WHOLE
from fashion_model.visualization import data_url

NO_PICTURE = Image.new("L", (28, 28))  # where a network is asked about tensors
CONFUSIONS = 6  # pairs of classes that are listed
EXAMPLES = 2  # pictures of each


@dataclass(frozen=True)
class Confusion:
    """A class that was taken for another, count times of the times that it was there."""

    truth: str
    answer: str
    count: int
    of: int
    examples: tuple[str, ...] = ()  # data URLs of pictures, the surest mistakes first


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


def evaluate_images(
    classifier: Classifier, images: torch.Tensor, labels: torch.Tensor, batch: int = 1000
) -> DatasetScore:
    """One pass over Fashion-MNIST images, uint8 (N, 28, 28), with labels int64 (N,)."""
    parts = []
    for part in images.split(batch):
        pixels = (part.float() / 255).view(-1, 1, 1, 28, 28)
        inputs = [ModelInput("dataset", p, NO_PICTURE, WHOLE) for p in pixels]
        parts.append(classifier.probabilities(inputs)[0])
    return score_dataset(torch.cat(parts).double().numpy(), labels.numpy(), images.numpy())


def answer_pictures(classifier: Classifier, pictures: Sequence[LabeledPicture]) -> list[Outcome]:
    """Each picture from its path, as an upload; one that cannot be read is an Outcome as well. It
    shows a bar on standard error where that is a terminal."""
    bar = tqdm(pictures, unit="picture", disable=None, mininterval=1.0)
    return [_outcome(classifier, picture) for picture in bar]


def _outcome(classifier: Classifier, picture: LabeledPicture) -> Outcome:
    try:
        prediction = classifier.classify(picture.path)
    except InputError as error:
        return Outcome(picture, {}, "", str(error))
    probability = prediction.out_of_distribution or None  # 0 where none was fit
    return Outcome(picture, prediction.confidences, prediction.kind, probability=probability)


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


def most_frequent(counts: Counter[tuple[str, str]]) -> list[Confusion]:
    """The most frequent mistakes in counts; the order of CLASSES decides between equals."""
    of: Counter[str] = Counter()
    for (truth, _), count in counts.items():
        of[truth] += count
    pairs = [(truth, answer) for truth in CLASSES for answer in CLASSES if truth != answer]
    pairs = sorted((pair for pair in pairs if counts[pair]), key=lambda pair: -counts[pair])
    return [Confusion(*pair, counts[pair], of[pair[0]]) for pair in pairs[:CONFUSIONS]]


def confusions_of(outcomes: Sequence[Outcome]) -> list[Confusion]:
    """The most frequent mistakes about labeled pictures that have one target."""
    some = [o for o in outcomes if len(o.picture.targets) == 1 and o.confidences]
    return most_frequent(Counter((CLASSES[o.picture.targets[0]], o.answer) for o in some))


def with_examples(
    confusions: Sequence[Confusion],
    classifier: Classifier,
    kind: str,
    pictures: Iterable[tuple[Image.Image, int]],
) -> list[Confusion]:
    """confusions with those of pictures, each with its class, that classifier confuses likewise.

    kind: of the pictures, see Classifier.predict. A confusion that none of them shows has none.
    """
    found = defaultdict(list)
    for picture, truth in pictures:
        url = compact_data_url(picture)
        shown = base64.b64decode(url.partition(",")[2])  # what the page will show, not the original
        with suppress(InputError):  # in one of a thousand nothing stands out
            answer, confidence = next(iter(classifier.predict(shown, kind).items()))
            found[CLASSES[truth], answer].append((confidence, url))

    def surest(each: Confusion) -> tuple[str, ...]:
        some = sorted(found[each.truth, each.answer], reverse=True)
        return tuple(url for _, url in some[:EXAMPLES])

    return [replace(each, examples=surest(each)) for each in confusions]


def compact_data_url(picture: Image.Image) -> str:
    """The data URL of picture: a PNG of a gray one, a WebP of one in color."""
    if picture.mode == "L":
        return data_url(picture, format="PNG", optimize=True)
    return data_url(picture, format="WEBP", quality=80)
