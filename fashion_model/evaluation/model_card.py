"""What a network is, what it was trained on, how good it is and where it fails, as one dict."""

from typing import Any

from fashion_model.classifier import Classifier
from fashion_model.explain import chain, spelled
from fashion_model.networks import CLASSES

CONFUSED = 6  # pairs of classes that are told
HARDEST = 6  # labels of people's pictures that are told
FEWEST = 5  # pictures that a label needs for it


def model_card(classifier: Classifier, found: dict[str, Any]) -> dict[str, Any]:
    """The card of classifier's checkpoint, its modules, and found, what results.load says.

    people_card: that of the network for pictures by people, None where one network reads all;
    closer_cards: those of who takes a closer look beside it.
    parameters: all of them, of one network; layers: of each module that computes. dataset:
    Fashion-MNIST's test images, None if not evaluated: accuracy, ece, classes,
    confusion[truth][answer], bins, and confused, the pairs most often taken for each other.
    people: pictures by people, None if not evaluated: sources, and hardest, the labels that are
    least often right.
    """
    network = classifier.network
    layers = [
        {"name": name, "module": spelled(module), "parameters": _count(module)}
        for name, module in chain(network)
    ]
    closers = classifier.of("photo").closers
    dataset, people = found.get("fashion_mnist"), found.get("images")
    if dataset is not None:
        dataset = {**dataset, "confused": _confused(dataset["confusion"])}
    if people is not None:
        people = {**people, "hardest": _hardest(people["labels"])}
    return {
        "card": classifier.card,
        "people_card": None if classifier.people is None else classifier.people.card,
        "closer_cards": [card for _, card in closers],
        "print": str(network),
        "parameters": _count(network),
        "layers": layers,
        "dataset": dataset,
        "people": people,
    }


def _count(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _confused(confusion: list[list[int]]) -> list[dict[str, Any]]:
    """What was most often taken for something else, and of how many."""
    pairs: list[dict[str, Any]] = [
        {"truth": truth, "answer": answer, "count": count, "of": sum(row)}
        for truth, row in zip(CLASSES, confusion, strict=True)
        for answer, count in zip(CLASSES, row, strict=True)
        if truth != answer and count
    ]
    return sorted(pairs, key=lambda pair: -pair["count"])[:CONFUSED]


def _hardest(labels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The labels with the lowest accuracy, each with the answer it got most often."""
    scored = [s for s in labels if s["role"] == "scored" and s["count"] >= FEWEST]
    worst = sorted((s for s in scored if s["accuracy"] < 1), key=lambda s: s["accuracy"])
    return [{**s, "answer": max(s["answers"], key=s["answers"].get)} for s in worst[:HARDEST]]
