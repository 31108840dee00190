"""What is said of networks, their steps and their answers."""

import copy
import string

import pytest
import torch
from torch import nn

from fashion_model import sentences
from fashion_model.efficientnet import Convolution, Normalize, Stage, StageConfig
from fashion_model.networks import Residual


def of(module: nn.Module, *shape: int, last: bool = False) -> sentences.Sentence:
    before = torch.zeros(1, *shape)
    with torch.inference_mode():
        return sentences.of_module(module, before, module(before), last)


def test_a_sentence_is_a_str_with_what_it_is_made_from():
    sentence = sentences.say("unshuffle", side=2, square=4)
    assert isinstance(sentence, str)
    assert sentence.startswith("Each 2x2 square of pixels becomes one place with 4 numbers.")
    assert sentence.key == "unshuffle"
    assert sentence.values == {"side": "2", "square": "4"}
    twin = copy.deepcopy({"message": sentence})["message"]
    assert (twin, twin.key, twin.values) == (sentence, sentence.key, sentence.values)


def test_whole_numbers_have_their_thousands_separated_and_text_stays():
    sentence = sentences.say("linear", outputs="1280", inputs="512", learned=1_234_567)
    assert "1,234,567 numbers" in sentence
    assert "Each of 1280 units" in sentence
    assert sentence.values == {"outputs": "1280", "inputs": "512", "learned": "1,234,567"}


@pytest.mark.parametrize("key", sentences.ENGLISH)
def test_every_text_takes_its_values_and_ends(key):
    text = sentences.ENGLISH[key]
    names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    sentence = sentences.say(key, **dict.fromkeys(names, "7"))
    assert sentence.count("7") >= len(names)
    assert not set("{}") & set(sentence)
    assert sentence.endswith(".")


MODULES = {
    "flatten": (nn.Flatten(), (1, 4, 5), {"count": "20"}),
    "linear": (nn.Linear(3, 7), (3,), {"outputs": "7", "inputs": "3", "learned": "28"}),
    "relu": (nn.ReLU(), (4,), {"off": "100%"}),
    "unshuffle": (nn.PixelUnshuffle(3), (1, 6, 6), {"side": "3", "square": "9"}),
    "convolution": (
        nn.Conv2d(2, 5, (3, 1)),
        (2, 9, 9),
        {"outputs": "5", "inputs": "2", "size": "3x1", "learned": "35"},
    ),
    "strided": (nn.Conv2d(2, 5, 3, 2), (2, 9, 9), {"step": "2", "inputs": "2", "learned": "95"}),
    "grouped": (
        nn.Conv2d(4, 6, 3, groups=2),
        (4, 9, 9),
        {"groups": "2", "outputs": "6", "inputs": "2"},
    ),
    "grouped strided": (nn.Conv2d(4, 6, 3, 3, groups=2), (4, 9, 9), {"step": "3", "inputs": "2"}),
    "residual": (Residual(2), (2, 5, 5), {"inputs": "2", "learned": "76"}),
    "pool": (nn.AdaptiveMaxPool2d(1), (6, 5, 5), {"outputs": "6"}),
    "average": (nn.AdaptiveAvgPool2d(1), (6, 5, 5), {"outputs": "6"}),
    "normalize": (Normalize(), (3, 5, 5), {}),
    "stem": (
        Convolution(3, 8, 3, stride=2),
        (3, 8, 8),
        {"outputs": "8", "inputs": "3", "step": "2", "size": "3x3", "learned": "224"},
    ),
    "head": (Convolution(3, 8), (3, 8, 8), {"outputs": "8", "inputs": "3", "learned": "32"}),
    "stage": (
        Stage(4, StageConfig(6, 8, 2, 2, 3)),
        (4, 8, 8),
        {"blocks": "2", "inputs": "4", "outputs": "8"},
    ),
    "other": (nn.Upsample(scale_factor=2), (1, 2, 2), {"inputs": "4", "outputs": "16"}),
}


@pytest.mark.parametrize(("module", "shape", "values"), MODULES.values(), ids=MODULES)
def test_of_module_says_what_it_did(request, module, shape, values):
    sentence = of(module, *shape)
    assert sentence.key == request.node.callspec.id
    assert values.items() <= sentence.values.items()


def test_the_last_linear_layer_gives_the_logits():
    sentence = of(nn.Linear(512, 10), 512, last=True)
    assert sentence.key == "logits"
    assert sentence.values == {"inputs": "512"}


@pytest.mark.parametrize(
    ("channels", "key"), [(1, "input"), (2, "input lines"), (3, "input color")]
)
def test_of_input_knows_what_is_read(channels, key):
    sentence = sentences.of_input(torch.zeros(1, channels, 64, 64))
    assert sentence.key == key
    assert ("64 rows of 64" in sentence) == (channels > 1)


def test_a_temperature_is_mentioned_where_there_is_one():
    assert sentences.softmax(1.0).key == "softmax"
    sentence = sentences.softmax(0.76543)
    assert "divided by 0.7654, the temperature" in sentence


def test_off_is_the_share_of_zeros():
    assert sentences.off(torch.tensor([[0.0, 1.0, 0.0, 0.5, 2.0]])) == pytest.approx(0.4)


def confidences(first: float, second: float) -> dict[str, float]:
    return {"Shirt": first, "Coat": second, "Bag": 1 - first - second}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (0.994, 0.004, "Shirt, with over 99% confidence."),
        (0.87, 0.1, "Shirt, with 87% confidence."),
        (0.52, 0.25, "Shirt, with 52% confidence."),
        (0.58, 0.41, "Perhaps Shirt (58%), or else Coat (41%)."),
        (0.48, 0.05, "Perhaps Shirt (48%), or else Coat (5%)."),
    ],
)
def test_the_answer_is_as_sure_as_its_confidences(first, second, expected):
    assert sentences.answer(confidences(first, second), 0.1) == expected


def test_out_of_distribution_is_said_first():
    for first, second in ((0.3, 0.2), (0.995, 0.003)):
        sentence = sentences.answer(confidences(first, second), 0.71)
        assert sentence == "None of these (71%). The closest of the ten classes is Shirt."
        assert sentence.values == {"first": "Shirt", "none": "71%"}
