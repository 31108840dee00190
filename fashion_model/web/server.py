"""How the app starts, forgets the pictures it was sent, and ends without dropping a request.

Below: all that is replaced in Gradio's private parts. A test fails as soon as it has mended one.
"""

import gc
import inspect
import logging
import os
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio.exceptions import InvalidPathError
from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj_with_meta

from fashion_model import FashionModelError
from fashion_model.web.middleware import APP_OPTIONS
from fashion_model.web.panels import Remote
from fashion_model.web.serialization import web_address


def whole_number(name: str, default: int) -> int:
    """A whole number from the environment; anything else there ends the app with a sentence."""
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit()):
        sys.exit(f"app.py: {name} must be a whole number such as {default}, not {text!r}.")
    return int(text)


MAX_WAITING = whole_number("FASHION_MAX_WAITING", 128)  # requests in the queue
REPLICAS = whole_number("FASHION_REPLICAS", 0)  # processes that predict; 0: this one
KEEP_SECONDS = whole_number("FASHION_KEEP_SECONDS", 3600)  # uploads are deleted after
MAX_UPLOADS_BYTES = 2 * 1024**3  # then the oldest are deleted sooner
MAX_UPLOADS = 20_000  # files: a disk may run out of names before it runs out of room
BROKEN_SECONDS = 120  # an upload that was not written to for so long is given up
END_SECONDS = 25  # for what is under way at SIGTERM
IDLE_SECONDS = 1  # then nothing is under way: an answer is fetched by then
SESSIONS = 1000  # whose state Gradio keeps
TIDY_CALLS = 1000  # between two times that the queue's sessions are forgotten
log = logging.getLogger("uvicorn.error")


def start_replicas(names: list[str]) -> Remote | None:
    """Those that FASHION_REPLICAS asks for; None: this process predicts."""
    if not REPLICAS:
        return None
    try:
        from fashion_model.web import replicas
    except ModuleNotFoundError as error:
        raise FashionModelError(
            f"FASHION_REPLICAS needs {error.name}: pip install -r fashion_model/web/replicas.txt."
        ) from error
    return replicas.start(names, REPLICAS)


def sweep(folder: Path, now: float) -> None:
    """Delete uploads that are old, too many or broken, and the folders they leave empty.

    An upload is HASH/NAME, and tmpNAME while it comes in, which Gradio never deletes.
    """
    files = []
    for path in folder.rglob("*"):
        with suppress(OSError):  # gone by now, or a folder with something in it
            written, size = path.stat().st_mtime, path.stat().st_size
            if path.is_file():
                files.append((written, size, path))
            elif now - written > BROKEN_SECONDS:
                path.rmdir()
    total = 0
    for count, (written, size, file) in enumerate(sorted(files, reverse=True), start=1):
        total += size
        seconds = min(BROKEN_SECONDS, KEEP_SECONDS) if file.parent == folder else KEEP_SECONDS
        if now - written > seconds or total > MAX_UPLOADS_BYTES or count > MAX_UPLOADS:
            with suppress(OSError):  # gone by now, or not ours: the next ones are still to go
                file.unlink()


def forget_files(demo: gr.Blocks) -> None:
    """Drop the names of files that are gone, which Gradio would keep, and adds to meanwhile."""
    for names in demo.temp_file_sets:
        names.difference_update([name for name in list(names) if not Path(name).exists()])


def _sweep_forever(demo: gr.Blocks) -> None:
    while True:
        sweep(Path(get_upload_folder()), time.time())
        forget_files(demo)
        time.sleep(max(1.0, min(60.0, KEEP_SECONDS / 4)))


def launch(demo: gr.Blocks, **options: Any) -> None:
    """Serve demo until SIGTERM or Ctrl-C, then finish what is under way and end the process.

    GRADIO_SERVER_NAME and GRADIO_SERVER_PORT choose where. OSError: the port is taken.
    """
    if os.environ.get("GRADIO_SERVER_PORT"):  # else Gradio takes the first free one from 7860 on
        options["server_port"] = whole_number("GRADIO_SERVER_PORT", 7860)
    ending = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ending.set())
    threading.Thread(target=_sweep_forever, args=[demo], daemon=True).start()
    off = dict.fromkeys(("ssr_mode", "pwa", "enable_monitoring", "run_history", "share"), False)
    demo.launch(
        app_kwargs=APP_OPTIONS,
        state_session_capacity=SESSIONS,
        mcp_server=find_spec("mcp") is not None,  # requirements.txt has it, but all else works
        prevent_thread_lock=True,
        **off,
        **options,
    )
    lighten_sessions(demo)
    gc.freeze()  # what is loaded stays: looking through it would hold up answers
    ending.wait()
    finish(demo)
    sys.stdout.flush()
    shutil.rmtree(get_upload_folder(), ignore_errors=True)
    os._exit(0)  # taking down an interpreter with PyTorch in it needs seconds, and does no good


def finish(demo: gr.Blocks) -> None:
    """Answer what was asked, within END_SECONDS; then close."""
    now = busy = time.monotonic()
    give_up = now + END_SECONDS
    while now < min(give_up, busy + IDLE_SECONDS):
        time.sleep(0.1)
        now = time.monotonic()
        if len(demo._queue) or demo._queue.get_active_worker_count():
            busy = now
    demo.close(verbose=False)
    if REPLICAS:
        from fashion_model.web import replicas

        replicas.stop()


class Blocks(gr.Blocks):
    """1. Blocks.process_api. Upstream: "/call without its optional values fails, failures outside
    of one's function are told as nothing or with server paths, and whatever component gets a file
    with an address fetches it, without a limit on its size or time"."""

    calls = 0

    async def process_api(self, block_fn: Any, inputs: list[Any], *args: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls % TIDY_CALLS == 0:
            forget_sessions(self)
        try:
            inputs = [_unfetched(value) for value in fill_defaults(block_fn, inputs)]
            return await super().process_api(block_fn, inputs, *args, **named)
        except gr.Error:
            raise
        except Exception as error:
            expected = isinstance(error, InvalidPathError)  # a file that nobody uploaded
            log.warning("/%s failed", block_fn.api_name, exc_info=not expected)
            text = "The server failed, and its log says why. Try again, or another picture."
            if isinstance(error, ValueError):  # of Gradio's or pydantic's, about what was sent
                text = "The picture cannot be read here. Send the file itself, or a data URL."
            raise gr.Error(text, print_exception=False) from None


def fill_defaults(block_fn: Any, inputs: list[Any]) -> list[Any]:
    """inputs, with the defaults of the options that a caller left out, or gave as None."""
    wanted = block_fn.inputs
    if len(inputs) > len(wanted):
        names = ", ".join(str(component.label).lower() for component in wanted)
        text = f"/{block_fn.api_name} takes {len(wanted)} values: {names}."
        raise gr.Error(text, print_exception=False)
    given = zip_longest(wanted, inputs)
    return [component.value if value is None else value for component, value in given]


def _unfetched(value: Any) -> Any:
    """value, with no address on the web that Gradio would fetch: our own function does."""
    if isinstance(value, dict):
        named = is_file_obj_with_meta(value) and web_address(value)
        return {k: _unfetched(each) for k, each in value.items() if not (named and k == "meta")}
    return [_unfetched(each) for each in value] if isinstance(value, list) else value


def describe_endpoint(function: Any, texts: dict[str, str], examples: dict[str, Any]) -> None:
    """2. Api._api_info and example_payload. Upstream: "gr.api tells nothing of a parameter but its
    type, though its docstring does, and its example is '...'"."""
    names = inspect.signature(function.fn).parameters
    for component, name in zip(function.inputs, names, strict=True):
        component.label = name.capitalize()  # the page would look "image" up as a text's key
        component._api_info = {**component._api_info, "additional_description": texts[name]}
        if name in examples:
            component.example_payload = partial(dict.get, examples, name)


def lighten_sessions(demo: gr.Blocks) -> None:
    """3. StateHolder.blocks. Upstream: "each call by a script is a session, for which every
    component is described anew for deep links": 5 ms a call here. Without components, none."""
    demo.state_holder.blocks = SimpleNamespace(default_config=demo.default_config, blocks=())


def forget_sessions(demo: gr.Blocks) -> None:
    """4. Queue.pending_event_ids_session. Upstream: "each call by a script is a session, which is
    kept for ever, and all are looked through". Drops those without a question or a message; it
    belongs in the event loop's thread."""
    queue, sessions = demo._queue, demo._queue.pending_event_ids_session
    for session, ids in list(sessions.items()):
        gone = queue.event_ids_to_events.keys().isdisjoint(ids)
        if not ids or (gone and session not in queue.pending_messages_per_session):
            del sessions[session]
