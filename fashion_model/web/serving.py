"""How the app starts, forgets the pictures it was sent, and ends without dropping a request."""

import contextlib
import gc
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fastapi.dependencies.utils
import gradio as gr
import gradio.routes
import starlette.datastructures
from gradio.route_utils import delete_files_created_by_app
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from fashion_model.web.ahead import Ahead, reading_ahead
from fashion_model.web.limits import Limits, busy
from fashion_model.web.queued import bound, forget_files


def number(name: str, default: int) -> int:
    """A whole number from the environment; anything else there ends the app with a sentence."""
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit()):
        sys.exit(f"app.py: {name} must be a whole number such as {default}, not {text!r}.")
    return int(text)


MAX_WAITING = number("FASHION_MAX_WAITING", 128)  # requests in the queue
REPLICAS = number("FASHION_REPLICAS", 0)  # processes that read; 0: this one
KEPT_SECONDS = number("FASHION_KEEP_SECONDS", 3600)  # uploads are deleted after
MAX_KEPT_BYTES = 2 * 1024**3  # then the oldest are deleted sooner
MAX_KEPT = 20_000  # files: a disk may run out of names before it runs out of room
BROKEN_SECONDS = 120  # an upload that was not written to for so long is given up
END_SECONDS = 25  # for what is under way at SIGTERM; nothing under way, it takes half a second
STOP_SECONDS = 15  # for the replicas after that
SESSIONS = 1000  # whose state Gradio keeps


def sweep(folder: Path, now: float) -> None:
    """Delete uploads that are old, too many or broken, and the folders they leave empty.

    Gradio's own deletion forgets uploads that broke off, and files that its MCP server made.
    Only what is shaped like an upload is touched: HASH/NAME, and tmpNAME while it comes in.
    """
    files = []
    for entry in folder.glob("*"):
        try:
            if entry.is_dir() and re.fullmatch("[0-9a-f]{16,128}", entry.name):
                files += [(file, KEPT_SECONDS) for file in entry.iterdir()]
                if now - entry.stat().st_mtime > BROKEN_SECONDS:
                    entry.rmdir()  # fails where there is something in it
            elif entry.is_file() and entry.name.startswith("tmp"):
                files.append((entry, min(BROKEN_SECONDS, KEPT_SECONDS)))
        except OSError:
            continue
    total = 0
    dated = []
    for file, kept in files:
        try:
            dated.append((file.stat().st_mtime, file.stat().st_size, file, kept))
        except FileNotFoundError:
            continue
    for count, (written, size, file, kept) in enumerate(sorted(dated, reverse=True), start=1):
        total += size
        if now - written > kept or total > MAX_KEPT_BYTES or count > MAX_KEPT:
            file.unlink(missing_ok=True)


def _sweep_forever(demo: gr.Blocks) -> None:
    while True:
        sweep(Path(get_upload_folder()), time.time())
        forget_files(demo)
        time.sleep(max(1.0, min(60.0, KEPT_SECONDS / 4)))


def launch(demo: gr.Blocks, ahead: Ahead | None = None, **options: Any) -> None:
    """Serve demo until SIGTERM or Ctrl-C, then finish what is under way and end the process.

    GRADIO_SERVER_NAME and GRADIO_SERVER_PORT choose where. ahead: see page/ahead.py. OSError: the
    port is taken.
    """
    if ahead is not None:
        gradio.routes.upload_fn = reading_ahead(gradio.routes.upload_fn, ahead)
    if os.environ.get("GRADIO_SERVER_PORT"):  # else Gradio takes the first free one from 7860 on
        options.setdefault("server_port", number("GRADIO_SERVER_PORT", 7860))
    told = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: told.set())
    threading.Thread(target=_sweep_forever, args=[demo], daemon=True).start()
    without_threads()
    bound(demo._queue)
    demo.launch(
        app_kwargs={"middleware": [Middleware(Limits)], "exception_handlers": {503: busy}},
        state_session_capacity=SESSIONS,
        ssr_mode=False,
        pwa=False,
        enable_monitoring=False,
        run_history=False,
        share=False,
        mcp_server=find_spec("mcp") is not None,  # requirements.txt has it, but all else works
        prevent_thread_lock=True,
        **options,
    )
    # Gradio describes every component anew for each new session, for deep links, which are closed
    # here: 5 ms of a script's call, which is a session of its own. Without components, none.
    demo.state_holder.blocks = SimpleNamespace(default_config=demo.default_config, blocks=())
    gc.freeze()  # what is loaded stays: looking through it would hold up answers
    told.wait()
    finish(demo)
    if REPLICAS:
        _stop_replicas()
    sys.stdout.flush()
    os._exit(0)  # taking down an interpreter with PyTorch in it needs seconds, and does no good


async def _here(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return function(*args, **options)


def without_threads() -> None:
    """Have two kinds of Gradio's small jobs done where they arise, not each in another thread.

    Who calls (a look into a dict, before each request) and the parts of an upload (a write of what
    one read of the socket brought): several times a picture, and each time the interpreter's lock
    goes there and back.
    """
    fastapi.dependencies.utils.run_in_threadpool = _here
    starlette.datastructures.run_in_threadpool = _here


def _stop_replicas() -> None:
    """In a thread, for Ray waits without an end for a cluster that is gone."""
    from fashion_model.web.replicas import stop

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    stopping.join(STOP_SECONDS)


def finish(demo: gr.Blocks) -> None:
    """Take no more uploads, answer what was asked, within END_SECONDS; then close."""
    Limits.ending = True
    queue = demo._queue
    give_up = time.monotonic() + END_SECONDS
    idle = 0  # tenths of a second without work; answers that nobody fetched get two seconds
    while time.monotonic() < give_up:
        undelivered = any(
            queue.pending_event_ids_session.get(session) and not messages.empty()
            for session, messages in list(queue.pending_messages_per_session.items())
        )
        idle = 0 if len(queue) or queue.get_active_worker_count() else idle + 1
        if idle > (20 if undelivered else 5):
            break
        time.sleep(0.1)
    demo.close(verbose=False)
    with contextlib.suppress(RuntimeError):  # where a file is noted just now
        delete_files_created_by_app(demo, None)  # if a stream kept the server from ending in time
