"""The networks that visitors train: each by an unguessable name, in memory, for an hour."""

import base64
import logging
import os
import secrets
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fashion_model import InputError, NeuralNetwork, checkpoint, tutorial
from fashion_model.web import training_process
from fashion_model.web.serialization import Reply, error_to_json, forget_upload, uploaded_file

PREFIX = "yours-"
UNTRAINED = "untrained"  # the name of what every training begins with, the same for everybody
KEEP_SECONDS = 3600  # from the last training of a network, or from when it was brought back
MAX_NETWORKS = 48  # 2.7 MB each; then the oldest is forgotten sooner
MAX_WAITING = 20
POLL_SECONDS = 60  # a page that waits asks four times a second; silent for so long, it is gone
# One a core at a time; where there are several cores, one stays free for answers
AT_A_TIME = max(1, (os.cpu_count() or 1) - 1)


@dataclass(eq=False)
class VisitorNetwork:
    """A visitor's network, and its training: state is "waiting", "training", "trained", "stopped"
    or "failed"; "brought" of one that came as a file. points: of its curve. failure: as JSON."""

    network: NeuralNetwork
    card: dict[str, Any]
    state: str
    points: list[Reply] = field(default_factory=list)
    failure: Reply | None = None
    since: float = field(default_factory=time.monotonic)
    polled: float = field(default_factory=time.monotonic)

    def stop(self) -> None:
        """End its training, if it is not over; the network stays as it was at the last point."""
        if self.state in ("waiting", "training"):
            self.state = "stopped"


class VisitorNetworks:
    """All of them, and the queue of their trainings. What takes a question answers in JSON."""

    def __init__(self) -> None:
        self._untrained = tutorial.untrained()
        self._entries: dict[str, VisitorNetwork] = {}  # in the order in which they were added
        self._threads = ThreadPoolExecutor(AT_A_TIME)
        self._lock = threading.RLock()

    @staticmethod
    def is_name(name: Any) -> bool:
        return isinstance(name, str) and name.startswith((PREFIX, UNTRAINED))

    def get(self, name: str) -> tuple[NeuralNetwork, dict[str, Any]]:
        """The network and its card. Raises InputError where it is forgotten."""
        if name == UNTRAINED:
            return self._untrained, card("It has random weights: nothing was trained yet.")
        entry = self._entry(name)
        return entry.network, entry.card

    def start_training(self, question: Reply) -> Reply:
        """{"options", "network": the visitor's earlier one} -> what ask_training says."""
        options = tutorial.Options(**question["options"])
        about = f"{options.images} training images of Fashion-MNIST, by a visitor of the page"
        with self._lock:
            if len(self._waiting()) >= MAX_WAITING:
                text = "Too many are waiting to train. Try again in a minute."
                raise InputError(text, key="many train")
            entry = VisitorNetwork(self._untrained, card(about, options), "waiting")
            name = self._add(entry, question.get("network"))
            if sum(each.state == "training" for each in self._entries.values()) < AT_A_TIME:
                entry.state = "training"
            self._threads.submit(self._train, entry, options)
        return self._report(name)

    def ask_training(self, question: Reply) -> Reply:
        """{"network"} -> {"network", "state", "place" (in the queue, 1 is next), "options",
        "points", and the "failure" of a training that failed}."""
        return self._report(question.get("network"))

    def stop_training(self, question: Reply) -> Reply:
        """As ask_training."""
        with self._lock:
            self._entry(question.get("network")).stop()
        return self._report(question.get("network"))

    def download_network(self, question: Reply) -> Reply:
        """{"network"} -> {"file": the checkpoint, base64}, which fashion_model.load reads."""
        network, about = self.get(str(question.get("network")))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.safetensors"
            checkpoint.save(path, network, about)
            return {"file": base64.b64encode(path.read_bytes()).decode()}

    def upload_network(self, question: Reply) -> Reply:
        """{"file": an upload, "network": the earlier one} -> what ask_training says."""
        file = question.get("file")
        try:
            network = tutorial.load_network(uploaded_file(file))
        finally:
            forget_upload(file)
        entry = VisitorNetwork(network, card("unknown: it was brought as a file"), "brought")
        return self._report(self._add(entry, question.get("network")))

    def _entry(self, name: Any) -> VisitorNetwork:
        with self._lock:
            self._forget_old()
            if isinstance(name, str) and name in self._entries:
                return self._entries[name]
        raise InputError(
            "Your network was forgotten: the server keeps it for an hour. Train it again, or bring "
            "back the file that you took along.",
            key="forgotten network",
        )

    def _forget_old(self) -> None:
        newest_first = sorted(self._entries.items(), key=lambda item: -item[1].since)
        for count, (name, entry) in enumerate(newest_first, start=1):
            if count > MAX_NETWORKS or entry.since < time.monotonic() - KEEP_SECONDS:
                self._entries.pop(name).stop()

    def _add(self, entry: VisitorNetwork, earlier: Any) -> str:
        """A name for entry; earlier: that of the network whose place it takes."""
        with self._lock:
            if isinstance(earlier, str) and earlier in self._entries:
                self._entries.pop(earlier).stop()
            name = PREFIX + secrets.token_urlsafe(16)
            self._entries[name] = entry
            self._forget_old()
        return name

    def _waiting(self) -> list[VisitorNetwork]:
        """Those whose page still asks, in the order in which they will train."""
        oldest = time.monotonic() - POLL_SECONDS
        entries = self._entries.values()
        return [each for each in entries if each.state == "waiting" and each.polled >= oldest]

    def _report(self, name: Any) -> Reply:
        with self._lock:
            entry = self._entry(name)
            entry.polled = time.monotonic()
            waiting = self._waiting()
            place = waiting.index(entry) + 1 if entry in waiting else 0
            curve = {"options": entry.card.get("options"), "points": list(entry.points)}
            state = {"state": entry.state, "place": place, "failure": entry.failure}
            return {"network": name, **state, **curve}

    def _train(self, entry: VisitorNetwork, options: tutorial.Options) -> None:
        try:
            with self._lock:
                if entry.polled < time.monotonic() - POLL_SECONDS:
                    entry.stop()
                if entry.state == "stopped":
                    return
                entry.state = "training"
            for point in training_process.train(options):
                if entry.state == "stopped":
                    return
                entry.network = point.network.eval()
                entry.points.append({k: v for k, v in vars(point).items() if k != "network"})
        except InputError as error:
            entry.failure = error_to_json(error)
        except Exception:
            logging.getLogger("uvicorn.error").exception("a visitor's training failed")
        with self._lock:
            if entry.state == "training":
                ended = entry.points and entry.points[-1]["ended"]
                entry.state = "trained" if ended else "failed"
            entry.since = time.monotonic()


def card(data: str, options: tutorial.Options | None = None) -> dict[str, Any]:
    """The card of a network of the tutorial's, for its checkpoint and for the page."""
    chosen = {} if options is None else {"options": asdict(options)}
    return {"architecture": "mlp", "data": [data], **chosen}
