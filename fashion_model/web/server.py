"""How the app starts, forgets the pictures it was sent, and ends without dropping a request."""

import contextlib
import gc
import os
import re
import shutil
import signal
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.route_utils import delete_files_created_by_app
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from fashion_model import FashionModelError
from fashion_model.web.inference import Remote
from fashion_model.web.limits import RequestLimits, busy
from fashion_model.web.patches import lighten_sessions
from fashion_model.web.proxy import PageAddress


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
END_SECONDS = 25  # for what is under way at SIGTERM; nothing under way, it takes half a second
STOP_SECONDS = 15  # for the replicas after that
SESSIONS = 1000  # whose state Gradio keeps


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

    Gradio's own deletion forgets uploads that broke off.
    Only what is shaped like an upload is touched: HASH/NAME, and tmpNAME while it comes in.
    """
    files = []
    for entry in folder.glob("*"):
        try:
            if entry.is_dir() and re.fullmatch("[0-9a-f]{16,128}", entry.name):
                files += [(file, KEEP_SECONDS) for file in entry.iterdir()]
                if now - entry.stat().st_mtime > BROKEN_SECONDS:
                    entry.rmdir()  # fails where there is something in it
            elif entry.is_file() and entry.name.startswith("tmp"):
                files.append((entry, min(BROKEN_SECONDS, KEEP_SECONDS)))
        except OSError:
            continue
    total = 0
    dated = []
    for file, seconds in files:
        try:
            dated.append((file.stat().st_mtime, file.stat().st_size, file, seconds))
        except FileNotFoundError:
            continue
    for count, (written, size, file, seconds) in enumerate(sorted(dated, reverse=True), start=1):
        total += size
        if now - written > seconds or total > MAX_UPLOADS_BYTES or count > MAX_UPLOADS:
            file.unlink(missing_ok=True)


def forget_files(demo: gr.Blocks) -> None:
    """Drop the names of files that are gone: Gradio drops only those that it deletes itself."""
    for names in demo.temp_file_sets:
        for name in list(names):  # copied in one step: others add to it meanwhile
            if not Path(name).exists():
                names.discard(name)


def forget_sessions(demo: gr.Blocks) -> None:
    """Drop the queue's sessions without a question or a message, in the event loop's thread.

    Each call by a script is one, Gradio keeps them for ever, and looks through all of them.
    """
    queue = demo._queue
    waiting, events = queue.pending_event_ids_session, queue.event_ids_to_events
    messages = queue.pending_messages_per_session  # of the last 2,000
    for session, ids in list(waiting.items()):
        if not ids or (session not in messages and events.keys().isdisjoint(ids)):
            del waiting[session]


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
        options.setdefault("server_port", whole_number("GRADIO_SERVER_PORT", 7860))
    ending = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ending.set())
    threading.Thread(target=_sweep_forever, args=[demo], daemon=True).start()
    limits = Middleware(RequestLimits, tidy=lambda: forget_sessions(demo))
    demo.launch(
        app_kwargs={
            "middleware": [limits, Middleware(PageAddress)],
            "exception_handlers": {503: busy},
        },
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
    lighten_sessions(demo)
    gc.freeze()  # what is loaded stays: looking through it would hold up answers
    ending.wait()
    finish(demo)
    if REPLICAS:
        _stop_replicas()
    sys.stdout.flush()
    shutil.rmtree(get_upload_folder(), ignore_errors=True)
    os._exit(0)  # taking down an interpreter with PyTorch in it needs seconds, and does no good


def _stop_replicas() -> None:
    """In a thread, for Ray waits without an end for a cluster that is gone."""
    from fashion_model.web.replicas import stop

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    stopping.join(STOP_SECONDS)


def finish(demo: gr.Blocks) -> None:
    """Take no more uploads, answer what was asked, within END_SECONDS; then close."""
    RequestLimits.ending = True
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
