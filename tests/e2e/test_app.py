"""The API as scripts use it, and the ways in which nobody should get in."""

import base64
import io
import json
import os
import shutil
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image, ImageDraw

import fashion_model
import serving
from fashion_model import retrieval

TOP = Path(__file__).resolve().parents[2]
META = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def client(server):
    return Client(server, verbose=False)


@pytest.fixture
def tee(tmp_path):
    """A drawn T-shirt, as PNG."""
    picture = Image.new("RGB", (200, 200), "white")
    outline = [(70, 30), (130, 30), (185, 70), (165, 100), (140, 85), (140, 175), (60, 175)]
    ImageDraw.Draw(picture).polygon([*outline, (60, 85), (35, 100), (15, 70)], fill="black")
    path = tmp_path / "tee.png"
    picture.save(path)
    return path


def as_data_url(path):
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def check_answer(answer):
    assert set(answer) == set(fashion_model.CLASSES)
    shares = list(answer.values())
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp"])
def test_a_script_gets_ten_labels_most_confident_first(client, tee, suffix):
    path = tee.with_suffix(f".{suffix}")
    Image.open(tee).save(path)
    check_answer(client.predict(handle_file(path), api_name="/predict"))


def test_the_api_says_what_python_says(client, sheet, tmp_path):
    picture, _ = sheet[0]
    picture.save(tmp_path / "one.png")
    answer = client.predict(handle_file(tmp_path / "one.png"), api_name="/predict")
    assert answer == pytest.approx(fashion_model.load().predict(picture), abs=1e-5)


def test_many_pictures_in_one_call(client, sheet, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, (picture, _) in zip(paths, sheet, strict=False):
        picture.save(path)
    answers = client.predict([handle_file(path) for path in paths], api_name="/predict_many")
    assert len(answers) == 3
    for path, answer in zip(paths, answers, strict=True):
        check_answer(answer)
        alone = client.predict(handle_file(path), api_name="/predict")
        assert answer == pytest.approx(alone, abs=1e-5)


def test_a_data_url_is_a_picture_too(server, tee):
    for image in (as_data_url(tee), {"url": as_data_url(tee)}):
        kind, data = serving.call(server, "predict", image, "drawing")
        assert kind == "complete", data
        check_answer(data[0])


def test_kind_reaches_the_network(client, tee):
    drawing, photo = (
        client.predict(handle_file(tee), kind=kind, api_name="/predict")
        for kind in ("drawing", "photo")
    )
    assert drawing != photo


def test_a_script_asks_why(client, tee):
    options = {"kind": "drawing", "network": "mlp"}
    confidences = client.predict(handle_file(tee), **options, api_name="/predict")
    why = client.predict(handle_file(tee), **options, label="Bag", api_name="/explain")
    assert (why["label"], why["kind"]) == ("Bag", "drawing")
    assert [len(row) for row in why["map"]] == [28] * 28
    assert max(map(max, why["map"])) == 1
    shown = {term["label"]: term["confidence"] for term in why["softmax"]}
    assert shown == pytest.approx(confidences, abs=1e-5)
    assert [step["shape"] for step in why["steps"]][:2] == [
        "torch.Size([1, 1, 28, 28])",
        "torch.Size([1, 784])",
    ]
    first = client.predict(handle_file(tee), **options, api_name="/explain")
    assert first["label"] == next(iter(confidences))
    with pytest.raises(AppError, match="no such label"):
        client.predict(handle_file(tee), label="Hat", api_name="/explain")


def test_a_script_asks_for_what_the_panels_show(client, sheet, tmp_path):
    path = tmp_path / "one.png"
    sheet[0][0].save(path)
    found = client.predict(handle_file(path), count=7, api_name="/similar")
    assert len(found) == 7
    classifier = fashion_model.load(device="cpu")
    expected = retrieval.nearest(classifier.network, classifier.preprocess(path).tensor, 7)
    for one, neighbor in zip(found, expected, strict=True):
        assert (one["index"], one["label"]) == (neighbor.index, neighbor.label)
        assert one["distance"] == pytest.approx(neighbor.distance, abs=1e-5)
    with pytest.raises(AppError, match="1 to 50"):
        client.predict(handle_file(path), count=51, api_name="/similar")
    both = client.predict(handle_file(path), api_name="/compare")
    for one in both:
        alone = client.predict(handle_file(path), network=one["network"], api_name="/predict")
        assert one["confidences"] == pytest.approx(alone, abs=1e-5)
    card = client.predict("mlp", api_name="/model_card")["networks"][0]
    assert card["print"] == str(fashion_model.NeuralNetwork())
    assert card["parameters"] == 669_706
    assert sum(map(sum, card["results"]["dataset"]["confusion"])) == 10_000
    with pytest.raises(AppError, match="no such network"):
        client.predict("gpt", api_name="/model_card")


@pytest.mark.parametrize(
    ("options", "says"),
    [({"kind": "cartoon"}, "must be one of"), ({"network": "gpt"}, "no such network")],
)
def test_a_wrong_option_is_named(client, tee, options, says):
    with pytest.raises(AppError, match=says):
        client.predict(handle_file(tee), api_name="/predict", **options)


def test_a_text_file_named_png_gets_a_message_and_the_server_lives(client, tee, tmp_path):
    wrong = tmp_path / "not-a-picture.png"
    wrong.write_text("I am a text file.")
    with pytest.raises(AppError) as caught:
        client.predict(handle_file(wrong), api_name="/predict")
    message = str(caught.value)
    assert "picture" in message
    assert "/" not in message.replace("and/or", "")  # no path of the server
    assert "Traceback" not in message
    check_answer(client.predict(handle_file(tee), api_name="/predict"))


def test_a_blank_picture_is_no_prediction(client, tmp_path):
    Image.new("RGB", (280, 280), "white").save(tmp_path / "blank.png")
    with pytest.raises(AppError, match="blank"):
        client.predict(handle_file(tmp_path / "blank.png"), api_name="/predict")


def test_pictures_that_are_not_a_list_or_too_many(server, tee):
    for images in ([], [as_data_url(tee)] * 65, "x", None):
        kind, data = serving.call(server, "predict_many", images)
        assert kind == "error"
        assert "1 to 64" in str(data)


# Nobody reads the server's files.


def ways_to_a_file(path):
    """Payloads that name a file of the server which nobody uploaded."""
    return [
        {"path": str(path)},
        {"path": str(path), "url": None},
        {"path": str(path), "url": "http://example.org/x.png"},
        {"path": str(path), "meta": {}},
        {"path": str(path), "meta": {"_type": "other"}},
        {"path": str(path), "meta": META},
        {"path": str(path), "meta": META, "is_stream": True},
        {"path": f"file://{path}", "meta": META},
        {"path": f"{serving.UPLOADS.name}/../..{path}", "meta": META},
        {"url": f"file://{path}"},
        {"url": str(path)},
        str(path),
        f"file://{path}",
    ]


@pytest.fixture
def secret(tee):
    """A picture that would be answered if it were read, where nobody uploads to."""
    folder = TOP / "tests" / "__pycache__" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    yield Path(shutil.copy(tee, folder / "secret.png"))
    shutil.rmtree(folder)


def test_no_endpoint_opens_a_file_of_the_server(server, secret):
    for image in ways_to_a_file(secret):
        kind, data = serving.call(server, "predict", image)
        assert kind == "error", (image, data)
        kind, data = serving.call(server, "predict_many", [image])
        assert kind == "error", (image, data)
        for name in ("explain", "similar", "compare"):
            kind, data = serving.call(server, name, image)
            assert kind == "error", (name, image, data)


def test_the_page_s_own_listeners_open_no_file_either(server, secret):
    config = json.load(urllib.request.urlopen(f"{server}/config"))
    kinds = {component["id"]: component["type"] for component in config["components"]}
    for image in ways_to_a_file(secret):
        for function in config["dependencies"]:
            if not function["backend_fn"]:
                continue
            types = [kinds[i] for i in function["inputs"]]
            if "image" not in types:
                continue
            session = uuid.uuid4().hex
            body = {
                "data": [image, "auto", "mlp", None],
                "fn_index": function["id"],
                "session_hash": session,
                "trigger_id": function["targets"][0][0],
                "event_data": None,
            }
            status, text = serving.post(f"{server}/gradio_api/queue/join", body)
            if status == 200:
                stream = f"{server}/gradio_api/queue/data?session_hash={session}"
                text = urllib.request.urlopen(stream, timeout=30).read().decode()
            assert "confidences" not in text, (image, text)
            assert str(secret) not in text.replace(str(image), "")
        for component in config["components"]:
            for name in component["props"].get("server_fns") or []:
                if name == "ask_card":
                    continue  # it reads no picture
                body = {
                    "data": {"image": image, "file": image, "network": "mlp", "labels": ["Bag"]},
                    "component_id": component["id"],
                    "fn_name": name,
                    "session_hash": "x",
                }
                status, text = serving.post(f"{server}/gradio_api/component_server", body)
                assert status == 400 or "error" in text, (name, image, text)
                told = ("confidences", "maps", "steps", "similar")
                assert not any(word in text for word in told), text


def test_a_fifo_does_not_hang_the_server(server, tmp_path, tee):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    started = time.monotonic()
    for image in ({"path": str(fifo)}, {"path": str(fifo), "meta": META}):
        assert serving.call(server, "predict", image)[0] == "error"
    assert serving.call(server, "predict", as_data_url(tee))[0] == "complete"
    assert time.monotonic() - started < 10


def test_an_address_inside_the_network_is_not_fetched(server):
    image = {"path": f"{server}/favicon.ico", "meta": META}
    assert serving.call(server, "predict", image)[0] == "error"


# Limits.


def draw(server, data):
    """What the Draw tab's question gets."""
    config = json.load(urllib.request.urlopen(f"{server}/config"))
    component, _ = [  # of the Draw tab, and of the Upload tab
        c for c in config["components"] if "read_picture" in (c["props"].get("server_fns") or [])
    ]
    body = {
        "data": {**data, "kind": "drawing"} if isinstance(data, dict) else data,
        "component_id": component["id"],
        "fn_name": "read_picture",
        "session_hash": "x",
    }
    status, text = serving.post(f"{server}/gradio_api/component_server", body)
    assert status == 200
    return json.loads(text)


def test_a_drawing_is_answered_with_all_that_the_page_shows(server, tee):
    answer = draw(server, {"image": as_data_url(tee), "network": "mlp"})
    check_answer(dict(answer["confidences"]))
    assert answer["kind"] == "drawing"
    assert answer["segmented"] is None
    assert answer["in_distribution"] is True
    for network, side in (("mlp", 28), ("cnn", 112)):
        answer = draw(server, {"image": as_data_url(tee), "network": network})
        content = base64.b64decode(answer["network_input"].partition(",")[2])
        network_input = Image.open(io.BytesIO(content))
        assert (network_input.mode, network_input.size) == ("L", (side, side))


@pytest.mark.parametrize(
    ("drawing", "says"),
    [
        (None, "picture is missing"),
        ({}, "picture is missing"),
        ({"image": 7}, "handle_file"),
        ({"image": "data:image/png;base64,%%%", "network": "mlp"}, "base64"),
        ({"image": "data:image/png;base64,QUJD", "network": "mlp"}, "picture"),
        ({"image": "data:image/png;base64,QUJD", "network": ["mlp"]}, "no such network"),
    ],
)
def test_what_is_no_drawing_gets_a_message(server, drawing, says):
    assert says in draw(server, drawing)["error"]["text"]


def test_a_file_beyond_the_limit_is_refused(server):
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    body = head.encode() + bytes(21 * 1024 * 1024) + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(
        f"{server}/gradio_api/upload",
        body,
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with pytest.raises(urllib.error.HTTPError, match="413") as caught:
        urllib.request.urlopen(request, timeout=30)
    caught.value.close()


def test_the_queue_cannot_be_passed_by(server, tee):
    body = {"data": [as_data_url(tee), "auto", "mlp"]}
    status, text = serving.post(f"{server}/gradio_api/run/predict", body)
    assert status in (401, 403, 404), text


def test_only_the_documented_endpoints_are_public(client):
    described = client.view_api(return_format="dict", print_info=False)
    assert set(described["named_endpoints"]) == {
        "/predict",
        "/predict_many",
        "/explain",
        "/similar",
        "/compare",
        "/model_card",
    }
    assert described["unnamed_endpoints"] == {}
    for endpoint in described["named_endpoints"].values():
        assert endpoint["description"]
