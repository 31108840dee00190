"""The page's texts: complete in both languages, and none asked for that is not there."""

import re

import pytest
import torch
from PIL import Image, ImageDraw

import fashion_model
from conftest import TOP
from fashion_model import CLASSES, NETWORKS, InputError, explain
from fashion_model import sentences as wording
from fashion_model.networks import CLASSIFIERS
from fashion_model.training import closer
from fashion_model.web.payloads import told
from fashion_model.web.words import LANGUAGES, words

PAGE = TOP / "fashion_model" / "web" / "static"
PLACE = re.compile(r"\{(\w+)\}")


def test_every_text_is_there_in_both_languages_with_the_same_places():
    english, chinese = (words()[language] for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert text, key
        assert chinese[key], key
        places = set(PLACE.findall(text)) - {"rest"}
        assert places == set(PLACE.findall(chinese[key])), key
        same = text == chinese[key]
        assert not same or key == "title.Softmax", key


def test_what_the_network_says_has_its_chinese():
    said = {key.removeprefix("says.") for key in words()["zh"] if key.startswith("says.")}
    assert said == set(wording.ENGLISH)
    for key, text in wording.ENGLISH.items():
        assert words()["en"][f"says.{key}"] == text
    for name in CLASSES:
        assert words()["en"][f"label.{name}"] == name
    assert {f"network.{name}" for name in NETWORKS} <= words()["zh"].keys()
    looks = [closer.look_of(name).name for name in closer.RECIPES]
    named = {f"card.{name}" for name in closer.RECIPES} | {f"closer.{name}" for name in looks}
    assert named | {"title.Closer look", "title.Sum"} <= words()["zh"].keys()
    assert {f"closer {name}" for name in looks} <= wording.ENGLISH.keys()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_step_has_a_title(name):
    pixels = torch.zeros(1, 1, 28, 28)
    titles = {f"title.{step.title}" for step in explain.layers(CLASSIFIERS[name]().eval(), pixels)}
    assert titles <= words()["zh"].keys()


def test_templates_and_scripts_ask_for_texts_that_exist():
    asked = set()
    for path in (*PAGE.glob("*.html"), *PAGE.glob("*.js")):
        text = path.read_text(encoding="utf-8")
        asked |= set(re.findall(r'data-say(?:-label|-title)?="([^"{]+)"', text))
        asked |= set(re.findall(r'\bsay\("([^"]+)"', text))
        asked |= {part for key in re.findall(r'"(card\.[\w.]+)"', text) for part in [key]}
    app = (TOP / "app.py").read_text()
    asked |= set(re.findall(r'\btext\("([^"]+)"\)', app))
    assert len(asked) > 60
    assert asked <= words()["en"].keys()


def drawing(*dots):
    picture = Image.new("L", (200, 200), 255)
    for dot in dots:
        ImageDraw.Draw(picture).point(dot, 0)
    return picture


@pytest.mark.parametrize(
    ("picture", "kind", "key"),
    [
        (b"I am a text file.", "auto", "no picture"),
        (b"", "auto", "empty"),
        (drawing(), "auto", "blank"),
        (Image.new("RGBA", (50, 50)), "auto", "transparent"),
    ],
)
def test_an_error_of_the_server_is_found_by_its_pattern(picture, kind, key):
    """As words.js finds it, to say it in the visitor's language."""
    with pytest.raises(InputError) as caught:
        fashion_model.load("mlp", "cpu").predict(picture, kind)
    message = told(caught.value)
    texts = {k: t for k, t in words()["en"].items() if k.startswith("error.")}
    patterns = {k: re.sub(r"\\{\w+\\}", "(.*)", re.escape(t)) for k, t in texts.items()}
    found = [k for k, pattern in patterns.items() if re.fullmatch(pattern, message)]
    assert found == [f"error.{key}"], message


def test_a_sentence_says_what_it_was_made_from():
    said = wording.say("sure", first="Coat", p="80%")
    assert said == "Coat, with 80% confidence."
    assert (said.key, said.values) == ("sure", {"first": "Coat", "p": "80%"})
    assert wording.say("linear", outputs="2", inputs="3", learned=1234).values["learned"] == "1,234"
