"""The networks that visitors train: each by an unguessable name, in memory, for an hour.

The methods that take a question are the page's, and answer in JSON, or {"error": ...}.
"""

import base64
import logging
import os
import secrets
import subprocess
import tempfile
import threading
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from fashion_model import InputError, NeuralNetwork, checkpoint, tutorial
from fashion_model.web import training_process
from fashion_model.web.serialization import forget_upload, or_error, uploaded_file

PREFIX = "yours-"
UNTRAINED = "untrained"  # the name of what every training begins with, the same for everybody
KEEP_SECONDS = 3600  # from the last training of a network, or from when it was brought back
MAX_NETWORKS = 48  # 2.7 MB each; then the oldest is forgotten sooner
MAX_WAITING = 20
POLL_SECONDS = 60  # a page that waits asks four times a second; silent for so long, it is gone
# One a core at a time; where there are several cores, one stays free for answers
AT_A_TIME = max(1, (os.cpu_count() or 1) - 1)
Reply = dict[str, Any]


@dataclass(eq=False)
class VisitorNetwork:
    """A visitor's network, and its training: state is "waiting", "training", or how it ended:
    "trained", "stopped", "failed"; "brought" of one that came as a file. points: of its curve, as
    training_process.messages gives them. failure: why it failed, an error for the page."""

    network: NeuralNetwork
    card: dict[str, Any]
    state: str
    options: tutorial.Options | None = None
    points: list[Reply] = field(default_factory=list)
    failure: Reply | None = None
    process: subprocess.Popen[bytes] | None = None
    since: float = field(default_factory=time.monotonic)
    polled: float = field(default_factory=time.monotonic)


class VisitorNetworks:
    """All of them, and the queue of their trainings."""

    def __init__(self, at_a_time: int = AT_A_TIME) -> None:
        self._at_a_time = at_a_time
        self._untrained = tutorial.untrained()
        self._entries: OrderedDict[str, VisitorNetwork] = OrderedDict()  # the oldest first
        self._waiting: list[VisitorNetwork] = []
        self._threads = 0
        self._lock = threading.RLock()

    @staticmethod
    def is_name(name: Any) -> bool:
        return isinstance(name, str) and (name.startswith(PREFIX) or name == UNTRAINED)

    def find(self, name: str) -> tuple[NeuralNetwork, dict[str, Any]]:
        """The network and its card. Raises InputError where it is forgotten."""
        if name == UNTRAINED:
            return self._untrained, card("It has random weights: nothing was trained yet.")
        entry = self._entry(name)
        return entry.network, entry.card

    def _entry(self, name: Any) -> VisitorNetwork:
        with self._lock:
            self._forget_old()
            entry = self._entries.get(name) if isinstance(name, str) else None
        if entry is None:
            raise InputError(
                "Your network was forgotten: the server keeps it for an hour. Train it again, or "
                "bring back the file that you took along.",
                key="forgotten network",
            )
        return entry

    def _forget_old(self) -> None:
        oldest = time.monotonic() - KEEP_SECONDS
        while self._entries:
            name, entry = next(iter(self._entries.items()))
            if entry.since >= oldest and len(self._entries) <= MAX_NETWORKS:
                return
            self._stop(entry)
            del self._entries[name]

    def _add(self, entry: VisitorNetwork, earlier: Any) -> str:
        """A name for entry; earlier: that of the network whose place it takes."""
        with self._lock:
            replaced = self._entries.pop(earlier, None) if isinstance(earlier, str) else None
            if replaced is not None:
                self._stop(replaced)
            name = PREFIX + secrets.token_urlsafe(16)
            self._entries[name] = entry
            self._forget_old()
        return name

    def start_training(self, question: Any) -> Reply:
        """{"options", "network": the visitor's earlier one} -> what ask_training says."""

        def answer() -> Reply:
            options, earlier = fields(question, "options", "network")
            try:
                chosen = tutorial.Options(**options)
            except TypeError:  # no dict, or with unknown names
                raise InputError("These are no options of a training.") from None
            about = f"{chosen.images} training images of Fashion-MNIST, by a visitor of the page"
            with self._lock:
                if len(self._waiting) >= MAX_WAITING:
                    raise InputError(
                        "Too many are waiting to train. Try again in a minute.", key="many train"
                    )
                entry = VisitorNetwork(self._untrained, card(about, chosen), "waiting", chosen)
                name = self._add(entry, earlier)
                if self._threads < self._at_a_time:
                    self._threads += 1
                    entry.state = "training"
                    threading.Thread(target=self._work, args=[entry], daemon=True).start()
                else:
                    self._waiting.append(entry)
            return self._report(name)

        return or_error(answer)

    def ask_training(self, question: Any) -> Reply:
        """{"network"} -> {"network", "state", "place" (in the queue, 1 is next), "points", and the
        "error" of a training that failed}."""
        return or_error(lambda: self._report(fields(question, "network")[0]))

    def stop_training(self, question: Any) -> Reply:
        """As ask_training; the network stays as it was at the last point with weights."""

        def answer() -> Reply:
            (name,) = fields(question, "network")
            with self._lock:
                self._stop(self._entry(name))
            return self._report(name)

        return or_error(answer)

    def take_network(self, question: Any) -> Reply:
        """{"network"} -> {"file": the checkpoint, base64}, which fashion_model.load reads."""

        def answer() -> Reply:
            network, about = self.find(str(fields(question, "network")[0]))
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "network.safetensors"
                checkpoint.save(path, network, about)
                return {"file": base64.b64encode(path.read_bytes()).decode()}

        return or_error(answer)

    def bring_network(self, question: Any) -> Reply:
        """{"file": an upload, "network": the earlier one} -> what ask_training says."""

        def answer() -> Reply:
            file, earlier = fields(question, "file", "network")
            path = uploaded_file(str(file.get("path")) if isinstance(file, dict) else "")
            try:
                network = tutorial.load_network(path)
            finally:
                forget_upload(file)
            entry = VisitorNetwork(network, card("unknown: it was brought as a file"), "brought")
            return self._report(self._add(entry, earlier))

        return or_error(answer)

    def _report(self, name: Any) -> Reply:
        with self._lock:
            entry = self._entry(name)
            entry.polled = time.monotonic()
            place = self._waiting.index(entry) + 1 if entry in self._waiting else 0
            report = {"network": name, "state": entry.state, "place": place}
            report["options"] = entry.options and asdict(entry.options)
            return {**report, "points": list(entry.points), "failure": entry.failure}

    def _stop(self, entry: VisitorNetwork) -> None:
        with self._lock:
            if entry in self._waiting:
                self._waiting.remove(entry)
            if entry.state in ("waiting", "training"):
                entry.state = "stopped"
            if entry.process is not None:
                entry.process.kill()

    def _work(self, entry: VisitorNetwork | None) -> None:
        """The training of entry, and then those of all who wait, one after the other."""
        while entry is not None:
            try:
                self._train(entry)
            except Exception:  # those who wait have their turn all the same
                logging.getLogger("uvicorn.error").exception("a visitor's training failed")
            entry = self._finish(entry)

    def _train(self, entry: VisitorNetwork) -> None:
        with self._lock:
            if entry.state != "training":
                return  # stopped before it began
            entry.process = process = training_process.start(entry.options)
        for message, weights in training_process.messages(process):
            if "error" in message:
                entry.failure = message["error"]
                continue
            if weights is not None:
                with torch.device("meta"):  # no random weights, which would be replaced at once
                    network = NeuralNetwork()
                network.load_state_dict(weights, assign=True)
                entry.network = network.eval()
            entry.points.append(message)

    def _finish(self, entry: VisitorNetwork) -> VisitorNetwork | None:
        """Note how a training ended. The next one that waits; None: the thread ends."""
        with self._lock:
            if entry.state == "training":
                ended = entry.points and entry.points[-1]["ended"]
                entry.state = "trained" if ended else "failed"
            entry.process, entry.since = None, time.monotonic()
            for name in [name for name, each in self._entries.items() if each is entry]:
                self._entries.move_to_end(name)
            oldest = time.monotonic() - POLL_SECONDS
            for gone in [each for each in self._waiting if each.polled < oldest]:
                self._stop(gone)
            if not self._waiting:
                self._threads -= 1
                return None
            following = self._waiting.pop(0)
            following.state = "training"
            return following


def fields(question: Any, *names: str) -> list[Any]:
    if not isinstance(question, dict):
        raise InputError("This is no question.")
    return [question.get(name) for name in names]


def card(data: str, options: tutorial.Options | None = None) -> dict[str, Any]:
    """The card of a network of the tutorial's, for its checkpoint and for the page."""
    about = {"architecture": "mlp", "data": [data]}
    return about if options is None else {**about, "options": asdict(options)}
