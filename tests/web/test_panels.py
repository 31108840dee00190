"""Several pictures in one pass; and what the page asks: an answer, and all that the panels show."""

import ast
import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from PIL import Image

from data.pictures import png, shirt
from fashion_model import CLASSES, InputError
from fashion_model.preprocessing import ModelInput
from fashion_model.preprocessing.geometry import WHOLE
from fashion_model.visualization import data_url
from fashion_model.web.panels import VISITORS_FILE, Inference
from fashion_model.web.serialization import server_function

META = {"_type": "gradio.FileData"}


PICTURE = Image.new("L", (1, 1))


class FakeClassifier:
    """Reads digits; anything else is no picture."""

    passes = 0

    def preprocess(self, image, kind):
        if not image.isdigit():
            raise InputError("no picture.", key="no picture")
        return ModelInput(kind, torch.tensor(int(image)), PICTURE, WHOLE)

    def confidences(self, inputs):
        self.passes += 1
        return [{"Bag": each.tensor.item()} for each in inputs]


@pytest.fixture
def fake():
    made = Inference([])
    made.classifiers = {"cnn": FakeClassifier()}
    return made


def answers_of(inference, *images):
    """What predict says of each, asked at the same time: its answer, or the key of its error."""

    def ask(image):
        try:
            return inference.predict("cnn", image, "auto")
        except InputError as error:
            return error.key

    with ThreadPoolExecutor(len(images)) as threads:
        return list(threads.map(ask, images))


def test_one_bad_picture_does_not_spoil_the_pass_of_the_others(fake, monkeypatch):
    first_began, go_on = threading.Event(), threading.Event()
    preprocess = fake.classifiers["cnn"].preprocess

    def slow(image, kind):
        first_began.set()
        go_on.wait(5)
        return preprocess(image, kind)

    monkeypatch.setattr(fake.classifiers["cnn"], "preprocess", slow)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(answers_of, fake, b"0")
        assert first_began.wait(5)  # the others wait together
        others = threads.submit(answers_of, fake, b"1", b"x", b"3")
        while fake._waiting.qsize() < 3:
            time.sleep(0.01)
        go_on.set()
        assert first.result(5) == [{"Bag": 0}]
        assert others.result(5) == [{"Bag": 1}, "no picture", {"Bag": 3}]
    assert fake.classifiers["cnn"].passes == 2


def test_a_failure_of_the_network_is_told_to_all_and_the_next_are_answered(fake, monkeypatch):
    def fail(_inputs):
        raise RuntimeError("no memory")

    with monkeypatch.context() as broken:
        broken.setattr(fake.classifiers["cnn"], "confidences", fail)
        with pytest.raises(RuntimeError, match="no memory"):
            fake.predict("cnn", b"1", "auto")
    assert fake.predict("cnn", b"1", "auto") == {"Bag": 1}
    for name in ("vgg", None, {}):
        with pytest.raises(InputError, match="no such network"):
            fake.predict(name, b"1", "auto")


def test_replicas_are_asked_instead(fake):
    asked = []
    fake.remote = lambda *question: asked.append(question) or {"kind": "photo"}
    assert fake.classify("cnn", b"1", "auto", None) == {"kind": "photo"}
    assert fake.predict("cnn", b"1", "auto") == {"kind": "photo"}
    assert asked == [("classify", "cnn", b"1", "auto", None), ("predict", "cnn", b"1", "auto")]


# What the page asks

DRAWING = {"image": data_url(shirt(), format="PNG"), "network": "cnn", "kind": "drawing"}


@pytest.fixture
def drawn(panels):
    """The answer to DRAWING."""
    return panels.read_picture(DRAWING)


def picture(url: str) -> bool:
    return url.startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))


def error_of(method, question) -> str:
    """The key of the error that the page gets."""
    function = server_function(method)
    reply = function(question)
    assert reply.keys() == {"error"}
    assert reply["error"]["text"]
    return reply["error"]["key"]


def test_a_drawing_is_answered(drawn):
    labels = [label for label, _ in drawn["confidences"]]
    assert sorted(labels) == sorted(CLASSES)
    assert sum(p for _, p in drawn["confidences"]) == pytest.approx(1)
    assert drawn["kind"] == "drawing"
    assert drawn["message"]["key"].startswith("says.")
    assert picture(drawn["network_input"])
    json.dumps(drawn)


def test_an_upload_is_answered_where_it_was_tapped(panels, uploads):
    file = uploads / "a.png"
    file.write_bytes(png(shirt(ink="navy", paper="beige")))
    image = {"path": str(file), "meta": META}
    question = {"image": image, "kind": "drawing", "network": "cnn"}
    plain = panels.read_picture(question)
    assert (plain["kind"], plain["segmented"]) == ("drawing", None)
    question |= {"kind": "auto", "tap": {"x": 0.5, "y": 0.3}}
    photo = panels.read_picture(question)
    assert photo["kind"] == "photo"
    assert picture(photo["segmented"])
    assert "maps" in panels.ask_maps({**question, "labels": ["Coat"]})
    file.unlink()
    assert error_of(panels.ask_inside, question) == "gone"


def test_maps_of_one_or_two_labels(panels, drawn):
    reply = panels.ask_maps({**DRAWING, "labels": ["Coat", "Bag"]})
    assert list(reply["maps"]) == ["Coat", "Bag"]
    assert all(map(picture, reply["maps"].values()))
    assert reply["maps"]["Coat"] != reply["maps"]["Bag"]
    assert reply == panels.ask_maps({**DRAWING, "labels": ["Coat", "Bag", "Dress"]})
    for labels in (["Hat"], [5]):
        assert error_of(panels.ask_maps, {**DRAWING, "labels": labels}) == "label"


def test_the_steps_end_at_the_answer(panels, drawn):
    reply = panels.ask_inside(DRAWING)
    names = [step["name"] for step in reply["steps"]]
    assert (names[0], names[-1]) == ("input", "argmax")
    assert all(picture(step["picture"]) for step in reply["steps"])
    assert {step["message"]["key"] for step in reply["steps"]} >= {"says.flatten", "says.relu"}
    confidences = [(term["label"], term["confidence"]) for term in reply["softmax"]]
    assert [label for label, _ in confidences] == [label for label, _ in drawn["confidences"]]
    assert dict(confidences) == pytest.approx(dict(drawn["confidences"]), abs=1e-5)
    assert reply["steps"][2]["code"] == "x = network.linear_relu_stack[0](x)"
    assert "class NeuralNetwork(nn.Module):" in reply["script"]
    assert reply["input"] is None  # 28x28 numbers stand in the script
    assert reply["weights"] is True
    assert len(reply["units"]) == 8
    json.dumps(reply)


def test_the_similar_images_lie_closest(panels, drawn):
    reply = panels.ask_similar(DRAWING)
    distances = [each["distance"] for each in reply["similar"]]
    assert len(distances) == 5
    assert distances == sorted(distances)
    assert all(picture(each["pixels"]) for each in reply["similar"])
    assert reply["about"]["size"] == 512
    json.dumps(reply)


def test_all_networks_answer_the_same_picture(panels, drawn):
    (network,) = panels.ask_compare(DRAWING)["networks"]
    assert (network["network"], network["architecture"]) == ("cnn", "NeuralNetwork")
    labels = list(network["confidences"])
    assert labels == [label for label, _ in drawn["confidences"]]
    json.dumps(network)


def test_the_card_is_asked_by_the_network_s_name(panels):
    (network,) = panels.ask_card({"network": "cnn"})["networks"]
    assert network["kinds"] == ["dataset", "drawing", "photo"]
    assert network["parameters"] == sum(layer["parameters"] for layer in network["layers"])
    for question in ({"network": "vgg"}, {"network": None}, None):
        assert error_of(panels.ask_card, question) == "network"


@pytest.mark.parametrize("name", ["ask_maps", "ask_inside", "ask_similar", "ask_compare"])
def test_a_question_without_a_picture_is_refused(panels, name):
    ask = getattr(panels, name)
    for image in ("other", None, 5, {"path": "/etc/passwd"}):
        assert error_of(ask, {"image": image, "network": "cnn", "labels": ["Coat"]}) == "upload"
    for question in ("no question", None, [], {}):
        assert error_of(ask, question) in ("", "network", "upload")


def test_what_is_no_picture_is_told_by_its_key(panels, uploads, tmp_path):
    blank = data_url(shirt(ink="white"), format="PNG")
    assert error_of(panels.read_picture, {**DRAWING, "image": blank}) == "blank"
    assert error_of(panels.read_picture, {**DRAWING, "image": "data:x"}) == "data url"
    assert error_of(panels.read_picture, {**DRAWING, "network": "vgg"}) == "network"
    assert error_of(panels.read_picture, {**DRAWING, "kind": None}) == "kind"
    for drawing in (None, {}, {"image": 5}):
        assert error_of(panels.read_picture, drawing) == "upload"
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(shirt()))
    bare = {"path": str(secret)}
    for image in (bare, {**bare, "meta": META}, str(secret), None):
        upload = {"image": image, "kind": "auto", "network": "cnn"}
        assert error_of(panels.read_picture, upload) == "upload"
    assert error_of(panels.read_picture, "no upload") == "upload"


def test_the_script_of_a_visitors_network_reads_the_file_that_was_downloaded(
    panels, tmp_path, monkeypatch, capsys
):
    question = {**DRAWING, "network": "untrained"}
    answer = panels.read_picture(question)
    script = panels.ask_inside(question)["script"]
    taken = panels.inference.visitors.download_network({"network": "untrained"})
    (tmp_path / VISITORS_FILE).write_bytes(base64.b64decode(taken["file"]))
    monkeypatch.chdir(tmp_path)
    exec(script, {})  # noqa: S102
    printed = dict(ast.literal_eval(line) for line in capsys.readouterr().out.splitlines())
    assert printed == pytest.approx(dict(answer["confidences"]), abs=1e-5)
