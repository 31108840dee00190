"""An upload is read as soon as it is here: while its sender still asks, the answer is on its way.

Scripts upload a picture, then ask what it shows, then fetch the answer. The process beside this
one (page/beside.py) is idle meanwhile, and what will be asked is nearly always the same.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import Any

import gradio as gr
from anyio import to_thread
from gradio_client.utils import is_file_obj_with_meta

from fashion_model import InputError
from page.beside import Beside, unpickled
from page.limits import BUSY
from page.payloads import from_api, uploaded

MOST = 64  # uploads read ahead that nobody asked about yet; beyond, the oldest are forgotten
AT_ONCE = 8  # being read ahead; beyond, an upload waits until somebody asks
TOGETHER = 4  # files in one upload, at most, for any to be read ahead
KIND = "auto"
Uploaded = tuple[list[str], list[str], list[str]]  # the files, and those yet to be copied, to where


class Ahead:
    """What was read ahead, and how /predict is answered with it."""

    def __init__(self, beside: Beside, network: str) -> None:
        self.beside, self.network = beside, network
        # by path, which Gradio makes from the content: twice the same is there twice
        self.begun: OrderedDict[str, deque[Future[bytes]]] = OrderedDict()
        self.count = 0
        self.reading = 0
        self.lock = Lock()

    def begin(self, path: str) -> None:
        """Have the upload at path read as most will ask for it, if there is time for that."""
        if self.reading >= AT_ONCE:
            return
        path = str(Path(path).resolve())
        told = self.beside.put_now((self.network, "predict", (path, KIND)))
        if told is None:
            return
        with self.lock:
            self.reading += 1
            while self.count >= MOST:
                _, oldest = self.begun.popitem(last=False)
                self.count -= len(oldest)
            self.begun.setdefault(path, deque()).append(told)
            self.count += 1
        told.add_done_callback(self._read)

    def _read(self, _told: Future[bytes]) -> None:
        with self.lock:
            self.reading -= 1

    def taken(self, image: Any, kind: str, network: str) -> Future[bytes] | None:
        """What will be told of a caller's picture, if it was asked ahead; it is forgotten here."""
        if not is_upload(image):
            return None
        path = str(Path(image["path"]).resolve())
        with self.lock:
            line = self.begun.get(path)
            if not line:
                return None
            told = line.popleft()
            self.count -= 1
            if not line:
                del self.begun[path]
        return told if (kind, network) == (KIND, self.network) else None

    async def predict(self, image: Any, kind: str, network: str) -> dict[str, float]:
        """What the network of this name says of a caller's picture; see payloads.from_api."""
        told = self.taken(image, kind, network)
        if told is None and is_upload(image):
            path = str(uploaded(image["path"]))
            told = self.beside.put_now((network, "predict", (path, kind)))
        if told is None:  # it may take a while to be sent, which must not hold up everybody
            if self.beside.crowded():
                raise gr.Error(BUSY, print_exception=False)
            picture = await to_thread.run_sync(from_api, image)
            question = (network, "predict", (picture, kind))
            told = await to_thread.run_sync(self.beside.put, question)
        return confidences(await asyncio.wrap_future(told))


def confidences(told: bytes) -> dict[str, float]:
    """What was told of a picture, unpickled. Raises InputError if it was refused."""
    well, said = unpickled(told)
    if not well:
        raise InputError(said)
    answer: dict[str, float] = said
    return answer


def is_upload(image: Any) -> bool:
    """Whether a caller's picture is a file here, rather than a data URL; see payloads.from_api."""
    inline = isinstance(image, dict) and str(image.get("url")).startswith("data:")
    return is_file_obj_with_meta(image) and not inline


def reading_ahead(upload: Callable[..., Awaitable[Uploaded]], ahead: Ahead) -> Any:
    """gradio.route_utils.upload_fn, which tells ahead of the files that it has taken in."""

    async def upload_fn(
        request: Any, folder: str, most: float, upload_id: str | None, **options: Any
    ) -> Uploaded:
        taken = await upload(request, folder, most, upload_id, **options)
        files, to_copy, _ = taken
        # The page gives its uploads an id, and asks otherwise; the rest are by scripts
        if upload_id is None and not to_copy and len(files) <= TOGETHER:
            for path in files:
                ahead.begin(str(path))
        return taken

    return upload_fn
