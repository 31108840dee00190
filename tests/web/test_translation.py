"""The page's texts: complete in both languages, and none asked for that is not there."""

import ast
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import TOP
from fashion_model import CLASSES, NETWORKS, InputError, explain
from fashion_model.classifier import KINDS
from fashion_model.networks import CLASSIFIERS, READ_28X28
from fashion_model.preprocessing import image_file
from fashion_model.preprocessing.decode import decode
from fashion_model.sentences import ENGLISH
from fashion_model.web.serialization import sentence
from fashion_model.web.translation import script, texts, translations

PACKAGE = TOP / "fashion_model"
PAGE = PACKAGE / "web" / "static"
PLACE = re.compile(r"\{(\w+)\}")
SAME = {"title.Softmax"}  # in both languages


def places(text: str) -> set[str]:
    return set(PLACE.findall(text))


def test_every_text_is_there_in_both_languages_with_the_same_places():
    english, chinese = (texts()[language] for language in ("en", "zh"))
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert text, key
        assert chinese[key], key
        assert places(text) == places(chinese[key]), key
        assert (text == chinese[key]) == (key in SAME), key
        assert not re.search(r"colour|centre|grey|favour|metre|isation|ise\b", text), key


def test_all_that_the_network_says_has_its_chinese():
    said = {key.removeprefix("says.") for key in texts()["zh"] if key.startswith("says.")}
    assert said == ENGLISH.keys()
    for key, text in ENGLISH.items():
        assert texts()["en"][f"says.{key}"] == text
        assert places(texts()["zh"][f"says.{key}"]) == places(text), key


def test_labels_and_networks_have_their_names():
    assert {f"label.{name}": name for name in CLASSES}.items() <= texts()["en"].items()
    assert {f"network.{name}" for name in NETWORKS} <= texts()["zh"].keys()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_step_has_a_title(name):
    network = CLASSIFIERS[name]().eval()
    channels = 2 if name == "drawing" else 3
    shape = (1, 28, 28) if isinstance(network, READ_28X28) else (channels, 112, 112)
    steps = explain.layers(network, torch.zeros(1, *shape))
    assert {f"title.{step.title}" for step in steps} <= texts()["zh"].keys()


def test_templates_and_scripts_ask_for_texts_that_exist():
    asked = {f"card.is.{name}" for name in CLASSIFIERS}
    parts = ("card.kind", "card.right", "card.fails", "compare.accuracy")
    asked |= {f"{part}.{kind}" for part in parts for kind in KINDS}
    for path in (*PAGE.glob("*.html"), *PAGE.glob("*.js")):
        text = path.read_text(encoding="utf-8")
        asked |= set(re.findall(r'data-say(?:-label|-title)?="([^"{]+)"', text))
        asked |= set(re.findall(r'\bsay\("([^"]+)"', text))
        asked |= set(re.findall(r'"(card\.[\w.]+)"', text))
        asked |= {f"error.{key}" for key in re.findall(r'error: \{ key: "([^"]+)"', text)}
    asked |= {"examples", *(f"example.{path.stem}" for path in PAGE.glob("examples/*.png"))}
    app = (TOP / "app.py").read_text()
    asked |= set(re.findall(r'\bTEXTS\("([^"]+)"\)', app))
    assert len(asked) > 60
    assert asked <= texts()["en"].keys()


def raised() -> list[tuple[str, set[str]]]:
    """The keys of all InputErrors in fashion_model, each with the names of its values."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "InputError":
                values = {keyword.arg: keyword.value for keyword in call.keywords}
                key = values.pop("key", call.args[1] if len(call.args) > 1 else None)
                if key is not None:
                    found.append((ast.literal_eval(key), set(values)))
    return found


def test_every_error_with_a_key_has_its_words_and_their_values():
    """The page looks for error.KEY."""
    found = raised()
    keys = {key for key, _ in found}
    assert keys >= {"nothing", "little", "blank", "garment", "large", "gone", "damaged"}
    for key, values in found:
        assert f"error.{key}" in texts()["zh"], key
        assert places(texts()["zh"][f"error.{key}"]) <= values, key
    assert "say(`error.${key}`" in (PAGE / "words.js").read_text(encoding="utf-8")


def encoded(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def test_what_is_wrong_with_a_file_is_said_in_english_as_in_python(monkeypatch):
    monkeypatch.setattr(image_file, "MAX_BYTES", 2_000_000)
    monkeypatch.setattr(image_file, "MAX_PIXELS_OF", {"PNG": 5_000_000})
    gray = Image.new("L", (64, 64), 99)
    files = {
        "empty": b"",
        "large": bytes(2_000_001),
        "no picture": b"some text, and no picture",
        "format": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "damaged": encoded(Image.effect_noise((64, 64), 50), "PNG")[:-300],
        "pixels": encoded(Image.new("1", (3000, 2000)), "PNG"),
        "transparent": encoded(Image.new("RGBA", (8, 8)), "PNG"),
        "parts": encoded(gray, "JPEG") + b"\xff\xda" * 300_000,
        "no pixels": Image.new("L", (0, 3)),
        "brightness": Image.new("F", (3, 3), -9.5),
        "not finite": Image.fromarray(np.array([[0, np.nan]], np.float32)),
    }
    for key, file in files.items():
        with pytest.raises(InputError) as caught:
            decode(file)
        error = caught.value
        assert error.key == key
        assert sentence(error) == texts()["en"][f"error.{key}"].format(**error.values)
        assert not PLACE.search(texts()["zh"][f"error.{key}"].format(**error.values))


def test_the_words_travel_to_the_browser():
    code = script("say();")
    assert "</script>" not in code.removesuffix("</script>")
    assert texts()["zh"]["title"] in code
    assert code.index("const WORDS") < code.index("say();")
    gradio = translations().translations
    assert gradio["zh-CN"]["tab.draw"] == texts()["zh"]["tab.draw"]
    assert "title" not in gradio["en"]
