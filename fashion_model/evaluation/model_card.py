"""What each network of a classifier is, how good it is and where it fails; several side by side."""

import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from fashion_model import checkpoint
from fashion_model.classifier import DECODING, KINDS, LONGEST, Classifier
from fashion_model.explain import named_layers, summarize
from fashion_model.networks import parameter_count
from fashion_model.preprocessing import ModelInput
from fashion_model.preprocessing.decode import ImageLike, decode

DIGITS = 5  # of each figure in a checkpoint's card
RUNS = 5  # whose median is the time


def model_card(classifier: Classifier) -> dict[str, Any]:
    """{"networks": [...]}: each network of classifier once, that of Fashion-MNIST's images first.

    kinds: of the pictures that it answers. card: its checkpoint's, without the results. print: its
    modules. parameters: all of them; layers: those of each module that computes. results: by kind,
    as save_results wrote them, and None of a kind that was not evaluated: of "dataset" the fields
    of evaluate.DatasetScore; of "drawing" and "photo" scores (those of scores.Score, that of
    the kind first, then its sources), confused (evaluate.Confusion), fold and folds.
    """
    found: dict[nn.Module, dict[str, Any]] = {}
    for kind in KINDS:
        network, card = classifier.networks[kind], classifier.cards[kind]
        entry = found.setdefault(network, {**_about(network, card), "kinds": [], "results": {}})
        entry["kinds"].append(kind)
        entry["results"][kind] = card.get("results", {}).get(kind)
    return {"networks": list(found.values())}


def path_of(name: str | Path, kind: str) -> Path:
    """The file of the checkpoint that answers pictures of this kind beside or as that of name."""
    path = checkpoint.resolve(name)
    other = checkpoint.load(path, "cpu")[1].get("networks", {}).get(kind)
    return path if other is None else checkpoint.resolve(other, path)


def accuracy(card: dict[str, Any], kind: str) -> float | None:
    """Of the network of card on held-out pictures of this kind; None where it was not evaluated."""
    results: dict[str, Any] = card.get("results", {}).get(kind) or {}
    if kind == "dataset":
        return results.get("accuracy", card.get("accuracy", {}).get("test"))
    return results["scores"][0]["accuracy"] if results else None


def save_results(path: str | Path, kind: str, results: dict[str, Any]) -> None:
    """Write results into the card of the checkpoint at path, as its "results" for this kind.

    results: as model_card describes them. New weights get a new card, so that
    results never outlive the weights that they are about.
    """
    _, card = checkpoint.load(path, "cpu")
    rounded = json.loads(json.dumps(results), parse_float=lambda text: round(float(text), DIGITS))
    card["results"] = {**card.get("results", {}), kind: rounded}
    checkpoint.save_card(path, card)


def folder_results(score: dict[str, Any], kind: str) -> dict[str, Any]:
    """The part of asdict(FolderScore) that is about this kind: all that a card holds of it.

    Bins are those of the whole kind; no path of a picture.
    """
    (whole,) = [s for s in score["kinds"] if s["name"] == kind]
    names = {label["source"] for label in score["labels"] if label["kind"] == kind}
    sources = [
        {key: value for key, value in s.items() if key != "bins"}
        for s in score["sources"]
        if s["name"] in names
    ]
    return {"scores": [whole, *sources]}


def _about(network: nn.Module, card: dict[str, Any]) -> dict[str, Any]:
    layers = [
        {"name": name, "module": summarize(module), "parameters": parameter_count(module)}
        for name, module in named_layers(network)
    ]
    return {
        "card": {key: value for key, value in card.items() if key != "results"},
        "print": str(network),
        "parameters": parameter_count(network),
        "layers": layers,
    }


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
    image: ImageLike,
    kind: str = "auto",
    point: tuple[float, float] | None = None,
) -> list[Comparison]:
    """The answer of each of classifiers, by name, to one picture; see Classifier.classify."""
    with DECODING:
        picture = decode(image, longest=LONGEST)
    return [
        _comparison(name, each, each.preprocess(picture, kind, point))
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
        parameters=parameter_count(network),
        milliseconds=statistics.median(times) * 1000,
        accuracy=accuracy(card, model_input.kind),
    )
