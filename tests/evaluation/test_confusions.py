"""What is taken for what, worked out by hand; and the pictures of it in the committed cards."""

import base64
import io
from collections import Counter
from dataclasses import replace

import pytest
from PIL import Image

import fashion_model
from fashion_model import CLASSES, checkpoint
from fashion_model.evaluation import confusions
from fashion_model.evaluation.confusions import Confusion


def test_the_most_frequent_mistakes_come_first():
    counts = Counter({("Shirt", "Coat"): 2, ("Shirt", "Shirt"): 5, ("Bag", "Coat"): 3})
    assert confusions.most_frequent(counts) == [
        Confusion("Bag", "Coat", 3, 3),
        Confusion("Shirt", "Coat", 2, 7),
    ]


def test_pictures_with_two_targets_and_without_an_answer_count_nowhere(outcome):
    outcomes = [outcome("Coat", 0.5, 3), outcome("Coat", 0.5, 3, 2), outcome("Dress", 0.5, 3)]
    outcomes += [replace(outcomes[0], confidences={}), outcome("Bag", 0.2, 4), outcome("Bag", 0.9)]
    assert confusions.of_outcomes(outcomes) == [
        Confusion("Dress", "Coat", 1, 2),
        Confusion("Coat", "Bag", 1, 1),
    ]


def opened(file: bytes) -> Image.Image:
    return Image.open(io.BytesIO(file))


def decoded(url: str) -> bytes:
    return base64.b64decode(url.partition("base64,")[2])


class Answers:
    """A classifier that says of a gray square as many percent "Coat" as it is bright."""

    def predict(self, picture, kind):
        assert kind == "photo"
        return {"Coat": opened(picture).getpixel((0, 0)) / 100}


def test_examples_are_the_surest_of_the_same_mistake():
    pictures = [(Image.new("L", (8, 8), share), 3) for share in (40, 90, 70)]
    pictures += [(Image.new("L", (8, 8), 99), 4)]  # no mistake
    given = [Confusion("Dress", "Coat", 1, 2), Confusion("Shirt", "Coat", 1, 2)]
    dress, shirt = confusions.with_examples(given, Answers(), "photo", pictures)
    assert [opened(decoded(url)).getpixel((0, 0)) for url in dress.examples] == [90, 70]
    assert shirt == given[1]


@pytest.mark.parametrize("kind", ["drawing", "photo"])
def test_the_committed_network_confuses_the_examples_of_its_card(kind):
    _, card = checkpoint.load(kind, "cpu")
    classifier = fashion_model.load(device="cpu")
    confused = card["results"][kind]["confused"]
    examples = [(each, url) for each in confused for url in each["examples"]]
    assert len(examples) >= len(confused)  # one each, on average
    for each, url in examples:
        assert {each["truth"], each["answer"]} <= set(CLASSES)
        answer = next(iter(classifier.predict(decoded(url), kind)))
        assert answer == each["answer"], each
