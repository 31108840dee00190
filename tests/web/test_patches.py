"""What is replaced in Gradio: each test on Gradio itself fails as soon as it has mended it."""

import asyncio
import importlib
from contextvars import ContextVar

import gradio as gr
import pytest
from gradio.components.api_component import Api
from gradio.context import LocalContext
from gradio.state_holder import SessionState, StateHolder

from data.pictures import shirt
from fashion_model.web.patches import Blocks, _unfetched, describe_endpoint, lighten_sessions

META = {"_type": "gradio.FileData"}


def double(number: int, times: int = 2) -> int:
    """Multiply.

    Args:
        number: what to multiply
    """
    return number * times


def page(blocks):
    async def made():  # outside of a loop, Gradio makes loops that nobody closes
        with blocks(analytics_enabled=False) as demo:
            gr.api(double)
        return demo

    return asyncio.run(made())


def call(demo, *inputs, function=None):
    function = function or next(iter(demo.fns.values()))
    return asyncio.run(demo.process_api(function, list(inputs)))["data"]


def test_options_have_defaults():
    with pytest.raises(ValueError, match="enough input values"):
        call(page(gr.Blocks), 3)  # Gradio's own
    assert call(page(Blocks), 3) == [6]
    with pytest.raises(gr.Error, match="takes 2 values"):
        call(page(Blocks), 1, 2, 3)


def test_no_address_reaches_gradio_s_own_fetch():
    named = {"path": "http://example.org/a.png", "meta": META}
    assert _unfetched([named, {"a": named}]) == [
        {"path": "http://example.org/a.png"},
        {"a": {"path": "http://example.org/a.png"}},
    ]
    upload = {"path": "/uploads/a.png", "meta": META}
    assert _unfetched(upload) == upload


def test_no_endpoint_and_no_listener_opens_a_path_of_the_server(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    secret = tmp_path / "secret.png"
    shirt().save(secret)  # which would be answered

    async def imported():  # in a loop, as in page
        return importlib.import_module("app")

    app = asyncio.run(imported())
    monkeypatch.setattr(app.demo, "has_launched", True)  # before, Gradio checks nothing
    monkeypatch.setattr(LocalContext, "blocks", ContextVar("blocks"))
    LocalContext.blocks.set(app.demo)
    listeners = list(app.demo.fns.values())
    endpoints = [each for each in listeners if each.api_visibility == "public"]
    assert {each.api_name for each in endpoints} > {"predict", "predict_many", "compare"}
    # All else is done in the browser, or asks server functions, see test_panels.py
    assert [each for each in listeners if each.fn is not None] == endpoints
    for each in endpoints:
        if each.api_name == "model_card":
            continue  # takes no picture
        bare = {"path": str(secret)}
        bad = [bare, {**bare, "url": str(secret)}, {**bare, "meta": META}, str(secret)]
        for image in bad:
            value = [image] if each.api_name == "predict_many" else image
            with pytest.raises(gr.Error, match=r"file|picture") as caught:
                call(app.demo, value, function=each)
            assert str(tmp_path) not in str(caught.value)
    assert secret.exists()


def test_gradio_s_api_does_not_tell_what_a_parameter_is():
    (function,) = page(gr.Blocks).fns.values()
    assert isinstance(function.inputs[0], Api)
    assert "what to multiply" not in str(function.inputs[0].api_info())  # Gradio's own
    assert function.inputs[0].example_payload() == "..."
    describe_endpoint(function, {"number": "what to multiply", "times": "how often"}, {"number": 3})
    assert "what to multiply" in str(function.inputs[0].api_info())
    assert function.inputs[0].example_payload() == 3


def test_gradio_describes_every_component_for_each_session():
    demo = page(gr.Blocks)
    assert SessionState(demo).config_values  # Gradio's own
    demo.state_holder = StateHolder()
    demo.state_holder.set_blocks(demo)
    lighten_sessions(demo)
    assert demo.state_holder["session"].config_values == {}
