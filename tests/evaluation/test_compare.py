"""Networks side by side answer as they do alone, with the figures of those that answer."""

import pytest

import fashion_model
from fashion_model import CLASSES, checkpoint
from fashion_model.evaluation.compare import compare
from fashion_model.networks import NETWORKS

NAMES = [name for name in NETWORKS if checkpoint.resolve(name).is_file()]


def test_networks_side_by_side_answer_as_they_do_alone(sheet):
    classifiers = {name: fashion_model.load(name, "cpu") for name in NAMES}
    picture, _ = sheet[0]
    both = compare(classifiers, picture)
    assert [each.network for each in both] == NAMES
    for each, classifier in zip(both, classifiers.values(), strict=True):
        assert each.confidences == pytest.approx(classifier.predict(picture), abs=1e-6)
        assert next(iter(each.confidences)) in CLASSES
        assert (each.architecture, each.kind) == (type(classifier.network).__name__, "dataset")
        assert each.parameters == classifier.card["parameters"]
        assert each.accuracy == pytest.approx(classifier.card["accuracy"]["test"], abs=1e-5)
        assert 0 < each.milliseconds < 10_000


def test_a_drawing_has_the_figures_of_the_network_that_answers_it(sheet):
    classifier = fashion_model.load("mlp", "cpu")
    (one,) = compare({"mlp": classifier}, sheet[0][0].resize((200, 200)), "drawing")
    network = classifier.networks["drawing"]
    assert (one.architecture, one.kind) == (type(network).__name__, "drawing")
    assert one.parameters == sum(p.numel() for p in network.parameters())
    scores = classifier.cards["drawing"]["results"]["drawing"]["scores"]
    assert one.accuracy == scores[0]["accuracy"] != classifier.card["accuracy"]["test"]
