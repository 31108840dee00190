"""What is taken for what: the most frequent confusions of two classes, with pictures of them."""

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from fashion_model.classifier import Classifier
from fashion_model.evaluation.scores import Outcome
from fashion_model.networks import CLASSES
from fashion_model.visualization import data_url

CONFUSIONS = 6  # pairs of classes that are listed
EXAMPLES = 2  # pictures of each

Counts = Counter[tuple[str, str]]  # of (truth, answer)


@dataclass(frozen=True)
class Confusion:
    """A class that was taken for another, count times of the times that it was there."""

    truth: str
    answer: str
    count: int
    of: int
    examples: tuple[str, ...] = ()  # data URLs of pictures, the surest mistakes first


def most_frequent(counts: Counts) -> list[Confusion]:
    """The most frequent mistakes in counts; the order of CLASSES decides between equals."""
    of: Counter[str] = Counter()
    for (truth, _), count in counts.items():
        of[truth] += count
    pairs = [(truth, answer) for truth in CLASSES for answer in CLASSES if truth != answer]
    pairs = sorted((pair for pair in pairs if counts[pair]), key=lambda pair: -counts[pair])
    return [Confusion(*pair, counts[pair], of[pair[0]]) for pair in pairs[:CONFUSIONS]]


def of_outcomes(outcomes: Sequence[Outcome]) -> list[Confusion]:
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
