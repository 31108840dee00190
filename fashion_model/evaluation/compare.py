"""Several networks on the same picture."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

from fashion_model.classifier import Classifier
from fashion_model.evaluation import model_card
from fashion_model.preprocessing import ModelInput
from fashion_model.preprocessing.decode import Source

RUNS = 5  # whose median is the time


@dataclass(frozen=True)
class Comparison:
    """A classifier's answer, and the network that gave it: the one for pictures of this kind.

    kind: as which the picture was read. confidences: by label, most confident first. milliseconds:
    of the network alone, from its input on. accuracy: on held-out pictures of this kind, as the
    checkpoint's card says; None if it does not.
    """

    network: str
    architecture: str
    kind: str
    confidences: dict[str, float]
    parameters: int
    milliseconds: float
    accuracy: float | None


def compare(
    classifiers: Mapping[str, Classifier],
    image: Source,
    kind: str = "auto",
    point: tuple[float, float] | None = None,
) -> list[Comparison]:
    """The answer of each of classifiers, by name, to one picture; see Classifier.classify."""
    return [
        _comparison(name, each, each.preprocess(image, kind, point))
        for name, each in classifiers.items()
    ]


def _comparison(name: str, classifier: Classifier, model_input: ModelInput) -> Comparison:
    prediction = classifier.prediction(model_input)  # the first pass is slower, and not timed
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        classifier.probabilities([model_input])
        times.append(time.perf_counter() - start)
    network, card = classifier.networks[model_input.kind], classifier.cards[model_input.kind]
    return Comparison(
        network=name,
        architecture=type(network).__name__,
        kind=model_input.kind,
        confidences=prediction.confidences,
        parameters=model_card.parameter_count(network),
        milliseconds=statistics.median(times) * 1000,
        accuracy=model_card.accuracy(card, model_input.kind),
    )
