"""What the page asks: an answer to a picture, and by its id all that the panels show."""

import ast
import base64
import json
import os
import subprocess
import sys

import pytest

from conftest import TOP
from data.pictures import png, shirt
from fashion_model import CLASSES
from fashion_model.web import inference
from fashion_model.web.panels import VISITORS_FILE, server_functions
from fashion_model.web.serialization import data_url

META = {"_type": "gradio.FileData"}


@pytest.fixture
def drawn(panels):
    """The answer to a drawing."""
    url = data_url(shirt(), format="PNG")
    return panels.read_drawing({"image": url, "network": "cnn"})


def picture(url: str) -> bool:
    return url.startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))


def error_of(reply) -> str:
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
    plain = panels.read_upload({"image": image, "kind": "drawing", "network": "cnn"})
    assert (plain["kind"], plain["segmented"]) == ("drawing", None)
    tap = {"x": 0.5, "y": 0.3, "of": f"http://host/gradio_api/file={file}"}
    photo = panels.read_upload({"image": image, "kind": "auto", "network": "cnn", "tap": tap})
    assert photo["kind"] == "photo"
    assert picture(photo["segmented"])
    assert "maps" in panels.ask_maps({"id": photo["id"], "labels": ["Coat"]})
    file.unlink()
    assert error_of(panels.ask_inside({"id": photo["id"]})) == "gone"


def test_maps_of_one_or_two_labels(panels, drawn):
    reply = panels.ask_maps({"id": drawn["id"], "labels": ["Coat", "Bag"]})
    assert list(reply["maps"]) == ["Coat", "Bag"]
    assert all(map(picture, reply["maps"].values()))
    assert reply["maps"]["Coat"] != reply["maps"]["Bag"]
    for labels in ([], ["Coat"] * 3, "Coat", None):
        assert error_of(panels.ask_maps({"id": drawn["id"], "labels": labels})) == ""
    for labels in (["Hat"], [5]):
        assert error_of(panels.ask_maps({"id": drawn["id"], "labels": labels})) == "label"


def test_the_steps_end_at_the_answer(panels, drawn):
    reply = panels.ask_inside({"id": drawn["id"]})
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
    reply = panels.ask_similar({"id": drawn["id"]})
    distances = [each["distance"] for each in reply["similar"]]
    assert len(distances) == 5
    assert distances == sorted(distances)
    assert all(picture(each["picture"]) for each in reply["similar"])
    assert reply["network_input"] == drawn["network_input"]
    assert reply["about"]["size"] == 512
    json.dumps(reply)


def test_all_networks_answer_the_same_picture(panels, drawn):
    (network,) = panels.ask_compare({"id": drawn["id"]})["networks"]
    assert (network["network"], network["architecture"]) == ("cnn", "NeuralNetwork")
    labels = [label for label, _ in network["confidences"]]
    assert labels == [label for label, _ in drawn["confidences"]]
    json.dumps(network)


def test_the_card_is_asked_by_the_network_s_name(panels):
    (network,) = panels.ask_card({"network": "cnn"})["networks"]
    assert network["kinds"] == ["dataset", "drawing", "photo"]
    assert network["parameters"] == sum(layer["parameters"] for layer in network["layers"])
    for question in ({"network": "vgg"}, {"network": None}, None):
        assert error_of(panels.ask_card(question)) == "network"


ASK = ("ask_maps", "ask_inside", "ask_similar", "ask_compare")


@pytest.mark.parametrize("name", ASK)
def test_an_id_that_is_unknown_or_too_old_is_expired(panels, drawn, name, monkeypatch):
    ask = getattr(panels, name)
    for unknown in ("other", None, 5):
        assert error_of(ask({"id": unknown, "labels": ["Coat"]})) == "expired"
    assert error_of(ask("no question")) == ""
    monkeypatch.setattr(inference, "CACHE_SECONDS", -1)
    assert error_of(ask({"id": drawn["id"], "labels": ["Coat"]})) == "expired"


def test_what_is_no_picture_is_told_by_its_key(panels, uploads, tmp_path):
    blank = data_url(shirt(ink="white"), format="PNG")
    assert error_of(panels.read_drawing({"image": blank, "network": "cnn"})) == "blank"
    assert error_of(panels.read_drawing({"image": "x", "network": "cnn"})) == "data url"
    assert error_of(panels.read_drawing({"image": blank, "network": "vgg"})) == "network"
    for drawing in (None, {}, {"image": 5}):
        assert error_of(panels.read_drawing(drawing)) == "no picture"
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(shirt()))
    bare = {"path": str(secret)}
    for image in (bare, {**bare, "meta": META}, str(secret), None):
        upload = {"image": image, "kind": "auto", "network": "cnn"}
        assert error_of(panels.read_upload(upload)) == "upload"
    assert error_of(panels.read_upload("no upload")) == "upload"


def test_gradio_may_mark_each_server_function(panels):
    (function,) = server_functions(panels.ask_card)
    function._marked = True
    assert function.__name__ == "ask_card"
    assert "networks" in function({"network": "cnn"})


def test_the_script_of_a_visitors_network_reads_the_file_that_was_downloaded(panels, tmp_path):
    url = data_url(shirt(), format="PNG")
    answer = panels.read_drawing({"image": url, "network": "untrained"})
    script = panels.ask_inside({"id": answer["id"]})["script"]
    taken = panels.inference.visitors.take_network({"network": "untrained"})
    (tmp_path / VISITORS_FILE).write_bytes(base64.b64decode(taken["file"]))
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    printed = dict(ast.literal_eval(line) for line in run.stdout.splitlines())
    assert printed == pytest.approx(dict(answer["confidences"]), abs=1e-5)
