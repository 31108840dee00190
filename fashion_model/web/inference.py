"""The loaded networks and all that the web asks of them: the only caller of Classifier."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

import fashion_model
from fashion_model import CLASSES, DEFAULT, NETWORKS, Classifier, InputError
from fashion_model.checkpoint import resolve
from fashion_model.classifier import KINDS
from fashion_model.preprocessing import ModelInput
from fashion_model.web.serialization import prediction_to_json
from fashion_model.web.visitor_networks import VisitorNetworks

BATCH = 16  # pictures in one pass, at most
MAX_CPU_SECONDS = 20  # in one call: 64 photos of 12 megapixels take 7
MAX_SECONDS = 60  # in one call where replicas compute
MAX_CACHE_BYTES = 32 * 1024**2
CACHE_SECONDS = 600  # then a drawing is forgotten
Point = tuple[float, float] | None
# A method of Inference, a network's name and the rest of its arguments -> what it returns
Remote = Callable[[str, str, tuple[Any, ...]], Any]


class Inference:
    """The networks by name. remote: who predicts and answers instead, see replicas."""

    def __init__(self, names: Sequence[str], remote: Remote | None = None) -> None:
        self.classifiers = {name: fashion_model.load(name) for name in names}
        self.remote = remote
        self.visitors = VisitorNetworks()
        self._waiting: SimpleQueue[Any] = SimpleQueue()
        threading.Thread(target=self._predict_forever, daemon=True).start()

    def find(self, network: Any) -> Classifier:
        """That of a name, or of a visitor: the same preprocessing, and no calibration."""
        if self.visitors.is_name(network):
            found, card = self.visitors.find(network)
            detectors = next(iter(self.classifiers.values())).detectors
            return Classifier(dict.fromkeys(KINDS, found), dict.fromkeys(KINDS, card), detectors)
        if not isinstance(network, str) or network not in self.classifiers:
            raise InputError(
                f"There is no such network here. Choose: {', '.join(self.classifiers)}.",
                key="network",
                names=", ".join(self.classifiers),
            )
        return self.classifiers[network]

    def _remote(self, network: str) -> Remote | None:
        """Who computes instead: nobody else knows the visitors' networks."""
        return None if self.visitors.is_name(network) else self.remote

    def predict(self, network: str, image: bytes, kind: str) -> Future[dict[str, float]]:
        """Classifier.predict, in one pass with what others ask at the same time."""
        future: Future[dict[str, float]] = Future()
        self._waiting.put((network, image, kind, future))
        return future

    def _predict_forever(self) -> None:
        while True:
            waiting = [self._waiting.get()]
            with suppress(Empty):
                while len(waiting) < BATCH:
                    waiting.append(self._waiting.get_nowait())
            # Who asked may have gone away; from here on, nobody can.
            waiting = [entry for entry in waiting if entry[3].set_running_or_notify_cancel()]
            for network in dict.fromkeys(entry[0] for entry in waiting):
                entries = [entry for entry in waiting if entry[0] == network]
                futures = [future for *_, future in entries]
                try:
                    pictures = [(image, kind) for _, image, kind, _ in entries]
                    results = self.predict_each(network, pictures)
                except Exception as error:  # noqa: BLE001 - who waits is told
                    results = [error] * len(futures)
                for future, result in zip(futures, results, strict=True):
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)

    def predict_each(
        self, network: str, pictures: Sequence[tuple[bytes, str]]
    ) -> list[dict[str, float] | InputError]:
        """Classifier.predict of several pictures and their kinds, in one pass; or why not."""
        if (remote := self._remote(network)) is not None:
            results: list[dict[str, float] | InputError]
            results = remote("predict_each", network, (pictures,))
            return results
        classifier = self.find(network)
        inputs: list[ModelInput | InputError] = []
        for image, kind in pictures:
            try:
                inputs.append(classifier.preprocess(image, kind))
            except InputError as error:
                inputs.append(error)
        found = iter(classifier.confidences([i for i in inputs if isinstance(i, ModelInput)]))
        return [each if isinstance(each, InputError) else next(found) for each in inputs]

    def answer(self, network: str, image: bytes, kind: str, point: Point = None) -> dict[str, Any]:
        """What the page shows of a picture, as JSON. point: where its garment was tapped."""
        if (remote := self._remote(network)) is not None:
            found: dict[str, Any] = remote("answer", network, (image, kind, point))
            return found
        return prediction_to_json(self.find(network).classify(image, kind=kind, point=point))

    def predict_many(
        self, network: str, images: Sequence[Callable[[], bytes]], kind: str
    ) -> list[dict[str, float]]:
        """predict of each. images are read a few at a time, within the time of a call."""
        # Where others compute, this thread only waits.
        limits = (time.thread_time, MAX_CPU_SECONDS)
        clock, limit = limits if self._remote(network) is None else (time.monotonic, MAX_SECONDS)
        start = clock()
        found: list[dict[str, float]] = []
        while len(found) < len(images):
            number = len(found) + 1
            try:
                pictures = []
                for image in images[len(found) : len(found) + BATCH]:
                    pictures.append((image(), kind))
                    number += 1
                number = len(found) + 1
                for result in self.predict_each(network, pictures):
                    if isinstance(result, InputError):
                        raise result
                    found.append(result)
                    number += 1
                if clock() - start > limit:
                    raise InputError("all this takes too long. Send fewer or smaller pictures.")
            except InputError as error:
                raise PictureError(min(number, len(images)), len(images), error) from error
        return found


class PictureError(InputError):
    """One of several pictures cannot be read. number: which, from 1."""

    def __init__(self, number: int, count: int, error: InputError) -> None:
        super().__init__(f"Picture {number} of {count}: {error}", error.key, **error.values)
        self.number = number


class Pictures:
    """The questions that the page asked lately, by id, so that its panels send no picture again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()
        self._bytes = 0

    def add(self, **question: Any) -> str:
        """question: network, image (its bytes, or an upload), kind and point. An id for get."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._entries[name] = (time.monotonic(), question)
            self._bytes += _size(question)
            while self._bytes > MAX_CACHE_BYTES:
                self._drop_oldest()
        self.forget_old()
        return name

    def get(self, name: Any) -> dict[str, Any]:
        """The question. Raises InputError, key "expired", where it is forgotten."""
        with self._lock:
            entry = self._entries.get(name) if isinstance(name, str) else None
        if entry is None or time.monotonic() - entry[0] > CACHE_SECONDS:
            raise InputError("This picture was forgotten: send it again.", key="expired")
        return entry[1]

    def forget_old(self) -> None:
        oldest = time.monotonic() - CACHE_SECONDS
        with self._lock:
            while self._entries and next(iter(self._entries.values()))[0] < oldest:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, (_, question) = self._entries.popitem(last=False)
        self._bytes -= _size(question)


def _size(question: dict[str, Any]) -> int:
    image = question["image"]
    return 1000 + (len(image) if isinstance(image, bytes) else len(str(image)))


def available_networks() -> list[str]:
    """The names of all that have a checkpoint, the default one first."""
    names = [name for name in NETWORKS if name != DEFAULT and resolve(name).exists()]
    return [DEFAULT, *names]


def label_index(label: Any) -> int:
    if not isinstance(label, str) or label not in CLASSES:
        raise InputError(
            f"There is no such label. Choose one of: {', '.join(CLASSES)}.", key="label"
        )
    return CLASSES.index(label)
