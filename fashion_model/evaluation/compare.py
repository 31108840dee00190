"""Several networks on the same picture."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

from fashion_model.classifier import Classifier
from fashion_model.preprocessing import Prepared

RUNS = 5  # whose median is the time


@dataclass(frozen=True)
class Compared:
    """One network's answer. confidences: by label, most confident first. milliseconds: of the
    network alone, from the 28x28 pixels on. accuracy: on Fashion-MNIST's test images, as the
    checkpoint's card says; None if it does not."""

    network: str
    architecture: str
    confidences: dict[str, float]
    parameters: int
    milliseconds: float
    accuracy: float | None


def compare(classifiers: Mapping[str, Classifier], prepared: Prepared) -> list[Compared]:
    """What each of classifiers, by name, says of one picture that was prepared once."""
    return [_compared(name, each, prepared) for name, each in classifiers.items()]


def _compared(name: str, classifier: Classifier, prepared: Prepared) -> Compared:
    (confidences,) = classifier.confidences([prepared])  # the first run is slower, and not timed
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        classifier.probabilities([prepared])
        times.append(time.perf_counter() - start)
    return Compared(
        network=name,
        architecture=type(classifier.network).__name__,
        confidences=confidences,
        parameters=sum(p.numel() for p in classifier.network.parameters()),
        milliseconds=statistics.median(times) * 1000,
        accuracy=classifier.card.get("accuracy", {}).get("test"),
    )
