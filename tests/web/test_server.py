"""How the app starts, where uploads go, what it forgets; and what is replaced in Gradio: each test
on Gradio itself fails as soon as it has mended it."""

import asyncio
import importlib
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import warnings
from contextvars import ContextVar
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio import http_server
from gradio.components.api_component import Api
from gradio.context import LocalContext
from gradio.state_holder import SessionState, StateHolder

import serving
from conftest import TOP
from data.pictures import shirt
from fashion_model import checkpoint
from fashion_model.web import make_upload_folder, server
from fashion_model.web.server import Blocks, _unfetched, describe_endpoint, lighten_sessions

META = {"_type": "gradio.FileData"}


def double(number: int, times: int = 2) -> int:
    """Multiply.

    Args:
        number: what to multiply
    """
    return number * times


@pytest.mark.parametrize("value", ["two", "-1", "²", "1.5"])
def test_a_setting_that_is_no_whole_number_ends_the_app_with_a_sentence(monkeypatch, value):
    monkeypatch.setenv("FASHION_MAX_WAITING", value)
    with pytest.raises(SystemExit) as caught:
        server.whole_number("FASHION_MAX_WAITING", 128)
    says = f"FASHION_MAX_WAITING must be a whole number such as 128, not {value!r}."
    assert caught.value.code == f"app.py: {says}"


def page(blocks, function=double):
    async def made():  # outside of a loop, Gradio makes loops that nobody closes
        with blocks(analytics_enabled=False) as demo:
            gr.api(function)
        return demo

    return asyncio.run(made())


def call(demo, *inputs, function=None):
    function = function or next(iter(demo.fns.values()))
    return asyncio.run(demo.process_api(function, list(inputs)))["data"]


def test_options_have_defaults():
    with pytest.raises(ValueError, match="enough input values"):
        call(page(gr.Blocks), 3)  # Gradio's own
    assert call(page(Blocks), 3) == call(page(Blocks), 3, None) == [6]
    with pytest.raises(gr.Error, match="takes 2 values"):
        call(page(Blocks), 1, 2, 3)


@pytest.mark.parametrize(
    ("error", "told"), [(RuntimeError, "server failed"), (ValueError, "cannot be read")]
)
def test_a_failure_of_the_server_is_not_blamed_on_the_picture(error, told):
    def fail(image: str) -> str:
        raise error("/a/path/of/the/server")

    with pytest.raises(gr.Error, match=told) as caught:
        call(page(Blocks, fail), "a picture")
    assert "/a/path" not in str(caught.value)


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


def test_sessions_that_nobody_waits_for_are_forgotten():
    queue = SimpleNamespace(
        pending_event_ids_session={"told": set(), "asks": {"1"}, "gone": {"2"}, "late": {"3"}},
        pending_messages_per_session={"asks": []},
        event_ids_to_events={"3": object()},
    )
    server.forget_sessions(SimpleNamespace(_queue=queue))
    assert list(queue.pending_event_ids_session) == ["asks", "late"]


def test_they_are_forgotten_now_and_then(monkeypatch):
    forgotten = []
    monkeypatch.setattr(server, "TIDY_CALLS", 3)
    monkeypatch.setattr(server, "forget_sessions", forgotten.append)
    demo = page(Blocks)
    for _ in range(7):
        call(demo, 3)
    assert forgotten == [demo, demo]


def test_names_of_files_that_are_gone_are_forgotten(tmp_path):
    here = tmp_path / "here.png"
    here.touch()
    names = {str(here), str(tmp_path / "gone.png")}
    server.forget_files(SimpleNamespace(temp_file_sets=[names, set()]))
    assert names == {str(here)}


def test_each_start_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "new"))
    first = make_upload_folder()
    assert os.environ["GRADIO_TEMP_DIR"] == str(first)
    assert first.parent == tmp_path / "new"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADIO_TEMP_DIR", "new")
    second = make_upload_folder()
    assert second != first
    assert second.parent == tmp_path / "new"  # whatever folder the process is in later


def test_an_empty_setting_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert make_upload_folder().parent == tmp_path


def test_the_folder_goes_with_its_process(tmp_path):
    code = "import sys; web = {}; exec(open(sys.argv[1]).read(), web)\n"  # without all of torch
    code += "print(web['make_upload_folder']()); assert 'gradio' not in sys.modules"
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path)}
    ran = [sys.executable, "-c", code, TOP / "fashion_model" / "web" / "__init__.py"]
    folder = subprocess.run(ran, env=environment, capture_output=True, text=True, check=True).stdout
    assert folder.startswith(str(tmp_path / "fashion-"))
    assert list(tmp_path.iterdir()) == []
    app = serving.APP.read_text()  # Gradio notes where uploads go as it is imported
    assert app.index("\nmake_upload_folder()") < app.index("import gradio")


def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file"))
    with pytest.raises(SystemExit, match="Set GRADIO_TEMP_DIR"):
        make_upload_folder()


def told_at_its_start() -> str:
    """With what `python app.py` ends, in this process: Python prints it, with status 1."""

    async def started():  # in a loop, as in page
        with pytest.raises(SystemExit) as caught:
            runpy.run_path(str(serving.APP), run_name="__main__")
        return caught.value.code

    told = asyncio.run(started())
    assert "\n" not in told
    return told


def test_the_start_says_so_in_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file"))
    assert told_at_its_start().startswith("app.py: cannot write to")


def test_a_broken_checkpoint_stops_the_start(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    for file in checkpoint.FOLDER.glob("*.safetensors"):
        size = 1000 if file.stem == "mlp" else None
        (tmp_path / file.name).write_bytes(file.read_bytes()[:size])
    monkeypatch.setattr(checkpoint, "FOLDER", tmp_path)
    told = told_at_its_start()
    assert told.startswith("app.py: ")
    assert "mlp.safetensors" in told


def test_a_taken_port_is_told_in_a_line(tmp_path, monkeypatch):
    """What Gradio raises for one, and what becomes of that."""
    with socket.socket() as other, warnings.catch_warnings():
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        warnings.simplefilter("ignore", ResourceWarning)  # Gradio leaves its own socket open
        with pytest.raises(OSError, match=str(port)) as caught:
            http_server.start_server(None, "127.0.0.1", port)
        says = str(caught.value)
        del caught

    def launch(*_, **__):
        raise OSError(says)

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setattr(server, "launch", launch)
    assert told_at_its_start() == f"app.py: {says}"
