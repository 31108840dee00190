"""An upload is read as soon as it is here: while its sender still asks, the answer is on its way.

Scripts upload a picture, then ask what it shows, then fetch the answer. The process beside this
one (page/beside.py) is idle meanwhile, and what will be asked is most often what was asked last.
"""

import asyncio
import hashlib
import sys
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import Any

import gradio as gr
from anyio import to_thread
from gradio.processing_utils import hash_seed
from gradio_client.utils import is_file_obj_with_meta

from fashion_model import InputError
from fashion_model.web.beside import Beside, unpickled
from fashion_model.web.limits import BUSY
from fashion_model.web.payloads import from_api, uploaded

MOST = 64  # uploads read ahead that nobody asked about yet; beyond, the oldest are forgotten
AT_ONCE = 8  # being read ahead; beyond, an upload waits until somebody asks
TOGETHER = 4  # files in one upload, at most, for any to be read ahead
SMALL = 32 * 1024  # bytes of an upload that is read while Gradio still writes it to its file
Wish = tuple[str, str]  # the kind to read a picture as, and the network that is to answer
Uploaded = tuple[list[str], list[str], list[str]]  # the files, and those yet to be copied, to where


class Ahead:
    """What was read ahead, and how /predict is answered with it."""

    def __init__(self, beside: Beside, network: str) -> None:
        self.beside = beside
        self.wish: Wish = ("auto", network)  # of whom asked last
        # by path, which Gradio makes from the content: twice the same is there twice
        self.begun: OrderedDict[str, deque[tuple[Wish, Future[bytes]]]] = OrderedDict()
        self.count = 0
        self.reading = 0
        self.lock = Lock()

    def begin(self, path: str) -> None:
        """Have the upload at path read as the last caller asked, if there is time for that."""
        path = str(Path(path).resolve())
        told = self.asked(path)
        if told is not None:
            self.keep(path, told)

    def asked(self, picture: str | bytes) -> tuple[Wish, Future[bytes]] | None:
        """What will be told of an upload, a path or its bytes, if there is time for that."""
        kind, network = wish = self.wish
        if self.reading >= AT_ONCE:
            return None
        told = self.beside.put_now((network, "predict", (picture, kind)))
        if told is None:
            return None
        with self.lock:
            self.reading += 1
        told.add_done_callback(self._read)
        return wish, told

    def keep(self, path: str, told: tuple[Wish, Future[bytes]]) -> None:
        """Keep what will be told of the upload at path, which is resolved, until somebody asks."""
        with self.lock:
            while self.count >= MOST:
                _, oldest = self.begun.popitem(last=False)
                self.count -= len(oldest)
            self.begun.setdefault(path, deque()).append(told)
            self.count += 1

    def _read(self, _told: Future[bytes]) -> None:
        with self.lock:
            self.reading -= 1

    def taken(self, image: Any, kind: str, network: str) -> Future[bytes] | None:
        """What will be told of a caller's picture, if it was asked ahead; it is forgotten here."""
        if not is_upload(image):
            return None
        path = str(Path(image["path"]).resolve())
        self.wish = wish = (kind, network)
        with self.lock:
            line = self.begun.get(path)
            if not line:
                return None
            asked, told = line.popleft()
            self.count -= 1
            if not line:
                del self.begun[path]
        return told if asked == wish else None

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
    """gradio.route_utils.upload_fn, which has the files that it takes in read ahead."""

    async def upload_fn(
        request: Any, folder: str, most: float, upload_id: str | None, **options: Any
    ) -> Uploaded:
        # The page gives its uploads an id, and asks otherwise; the rest are by scripts. Beside
        # Linux, a line that is empty does not take as much at once.
        early = upload_id is None and sys.platform == "linux"
        picture = await alone(request) if early else None
        told = None if picture is None else ahead.asked(picture)
        taken = await upload(request, folder, most, upload_id, **options)
        files, to_copy, _ = taken
        if upload_id is not None or to_copy or len(files) > TOGETHER:
            return taken
        for path in (str(Path(file).resolve()) for file in files):
            # Gradio keeps a file in a folder that is named after what is in it
            if told is None or picture is None or named_after(picture) != Path(path).parent.name:
                ahead.begin(path)
            else:
                ahead.keep(path, told)
        return taken

    return upload_fn


async def alone(request: Any) -> bytes | None:
    """The one file in an upload that is SMALL, which the request can be asked for again."""
    size = request.headers.get("content-length", "")
    _, _, boundary = request.headers.get("content-type", "").partition("boundary=")
    if "transfer-encoding" in request.headers:  # that counts, whatever length is named beside it
        return None
    if not boundary or not (size.isascii() and size.isdigit()) or int(size) > SMALL:
        return None
    line = b"--" + boundary.strip('"').encode("latin-1")
    head, blank, rest = (await request.body()).partition(b"\r\n\r\n")
    picture, end, after = rest.partition(b"\r\n" + line)
    whole = head.startswith(line) and blank and end and after.startswith(b"--")
    return picture if whole else None


def named_after(picture: bytes) -> str:
    """The name of the folder that Gradio gives a file with this in it."""
    return hashlib.sha256(hash_seed + picture).hexdigest()
