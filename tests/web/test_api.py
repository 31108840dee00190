"""The endpoints: what scripts get, and what they are told of what they did wrong."""

import asyncio
import json

import gradio as gr
import pytest

from data.pictures import png, shirt
from fashion_model import CLASSES
from fashion_model.web import api
from fashion_model.web.api import EXAMPLE, Endpoints, publish

META = {"_type": "gradio.FileData"}


@pytest.fixture
def endpoints(panels):
    return Endpoints(panels.inference)


def told(method, *values) -> str:
    """What the caller of an endpoint that fails is told, a sentence; the log is told nothing."""
    with pytest.raises(gr.Error) as caught:
        method(*values)
    message = caught.value.message
    assert message[0].isupper()
    assert message.endswith(".")
    assert not caught.value.print_exception
    return message


def test_one_picture_and_many(endpoints):
    answer = endpoints.predict(EXAMPLE)
    values = list(answer.values())
    assert set(answer) == set(CLASSES)
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1)
    first, second = endpoints.predict_many([EXAMPLE, EXAMPLE], "drawing")
    assert first == second == pytest.approx(answer, abs=1e-5)


@pytest.mark.parametrize("name", ["predict", "explain", "similar"])
def test_an_unknown_network_is_told_before_a_picture_is_fetched(endpoints, monkeypatch, name):
    monkeypatch.setattr(api, "fetch", lambda *_: pytest.fail("fetched"))
    says = told(getattr(endpoints, name), "https://example.org/shirt.png", "auto", "vgg")
    assert "no such network" in says


def test_an_explanation_is_json_that_fits_the_answer(endpoints):
    found = json.loads(json.dumps(endpoints.explain(EXAMPLE)))
    answer = endpoints.predict(EXAMPLE)
    assert found["label"] == next(iter(answer))
    confidences = {term["label"]: term["confidence"] for term in found["softmax"]}
    assert confidences == pytest.approx(answer, abs=1e-5)
    assert (len(found["pixels"]), len(found["pixels"][0])) == (28, 28)
    assert (len(found["map"]), max(map(max, found["map"]))) == (28, 1)
    assert found["steps"][0]["name"] == "input"
    assert found["steps"][1]["code"] == "x = network.flatten(x)"
    other = endpoints.explain(EXAMPLE, "drawing", "cnn", "Bag")
    assert other["label"] == "Bag"
    assert other["map"] != found["map"]


def test_similar_images_as_many_as_are_asked_for(endpoints):
    found = endpoints.similar(EXAMPLE, "auto", "cnn", 3)
    assert [set(each) for each in found] == [{"index", "label", "distance"}] * 3
    assert found == endpoints.similar(EXAMPLE, "auto", "cnn", 7)[:3]
    json.dumps(found)


BAD = {
    "kind": (
        "predict",
        (EXAMPLE, "sculpture"),
        "Kind must be one of auto, drawing, photo, not 'sculpture'",
    ),
    "network": ("predict", (EXAMPLE, "auto", "vgg"), "There is no such network here. Choose: cnn"),
    "unhashable": ("explain", (EXAMPLE, ["auto"], "cnn"), "Kind must"),
    "no network": ("model_card", ({},), "There is no such network"),
    "no picture": ("predict", (None,), "The picture is missing"),
    "path": ("predict", ({"path": "/etc/passwd"},), 'lacks "meta"'),
    "text": ("similar", ("shirt.png",), "handle_file"),
    "no image": ("compare", ("data:image/png;base64,QUJD",), "This is no picture"),
    "label": ("explain", (EXAMPLE, "auto", "cnn", "Hat"), "There is no such label"),
    "count 0": ("similar", (EXAMPLE, "auto", "cnn", 0), "Ask for 1 to 50"),
    "count 51": ("similar", (EXAMPLE, "auto", "cnn", 51), "Ask for 1 to 50"),
    "count True": ("similar", (EXAMPLE, "auto", "cnn", True), "Ask for 1 to 50"),
    "none": ("predict_many", ([],), "Send a list of 1 to 64"),
    "no list": ("predict_many", (EXAMPLE,), "Send a list"),
    "65": ("predict_many", ([EXAMPLE] * 65,), "Send a list"),
    "second": ("predict_many", ([EXAMPLE, "x", EXAMPLE],), "Picture 2 of 3: "),
}


@pytest.mark.parametrize(("name", "values", "says"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_told_in_a_sentence(endpoints, name, values, says):
    assert says in told(getattr(endpoints, name), *values)


def test_an_upload_that_fails_is_deleted_and_no_other(endpoints, uploads):
    def upload(name, picture):
        folder = uploads / name
        folder.mkdir()
        (folder / "a.png").write_bytes(png(picture))
        return {"path": str(folder / "a.png"), "meta": META}

    good, blank = upload("good", shirt()), upload("blank", shirt(ink="white"))
    said = told(endpoints.predict_many, [good, blank])
    assert said.startswith("Picture 2 of 2: This picture is blank")
    assert [file.parent.name for file in uploads.rglob("*.png")] == ["good"]
    endpoints.predict(good)
    assert (uploads / "good" / "a.png").exists()
    told(endpoints.predict, good, "sculpture")
    assert not (uploads / "good" / "a.png").exists()


def test_the_api_page_tells_of_every_parameter(panels):
    async def made():  # outside of a loop, Gradio makes loops that nobody closes
        with gr.Blocks(analytics_enabled=False) as demo:
            publish(demo, panels.inference, concurrency=7)
        return demo

    functions = {each.api_name: each for each in asyncio.run(made()).fns.values()}
    assert list(functions) == [
        *("predict", "predict_many", "explain", "similar", "compare", "model_card")
    ]
    assert functions["predict"].concurrency_limit == 7
    assert functions["predict"].inputs[0].example_payload() == EXAMPLE
    assert functions["predict_many"].inputs[0].example_payload() == [EXAMPLE]
    for function in functions.values():
        for component in function.inputs:
            assert component.api_info()["additional_description"]
            assert component.label[0].isupper()
