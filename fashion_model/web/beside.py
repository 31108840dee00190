"""One process beside the page's own reads the pictures: so both of two cores work.

It is started before PyTorch and Gradio are imported here, and imports PyTorch meanwhile. Pictures
that come while it reads wait, and go through the network together. If it dies it is replaced, and
what it had not answered is asked again, one question at a time.
"""

import contextlib
import os
import pickle
import select
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fashion_model.web.elsewhere import Question, Told

TRIES = 2  # it may die under a question, once
TOGETHER = 16  # questions that it answers at the same time, at most
MANY = 64  # questions without an answer: more than the queue lets through at the same time


class ReaderError(RuntimeError):
    """It died under a question TRIES times, or failed at it."""


def wanted() -> bool:
    """Whether there should be one: not with replicas (0: all in one process), nor on Windows,
    where a process cannot be given one end of a socket."""
    return not os.environ.get("FASHION_REPLICAS") and sys.platform != "win32"


def two_cores() -> tuple[int, int] | None:
    """Where this process may use two cores, these: one for the page and one for the reader.

    Left to itself, Linux puts both on one now and then, where one waits for milliseconds, as it
    does not interrupt who computes at once. With more cores there always is a free one.
    """
    try:
        cores = sorted(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not Linux, or not allowed
        return None
    return (cores[0], cores[1]) if len(cores) == 2 else None


def keep_to(core: int) -> None:
    """Have this process run on this core alone, where that is allowed: its threads, and those
    that they will start."""
    with contextlib.suppress(OSError):
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


@dataclass
class Asked:
    """A question that is not answered yet."""

    number: int
    question: "Question"
    tries: int = 0
    told: Future[bytes] = field(default_factory=Future)  # pickled


class Line:
    """A connection that many threads may send on; to a process that died, in vain."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.lock = threading.Lock()

    def send(self, message: Any) -> None:
        with self.lock:
            self.send_held(message)

    def send_held(self, message: Any) -> None:
        """send, for who holds the lock."""
        with contextlib.suppress(OSError):
            self.connection.send(message)

    def empty(self) -> bool:
        """Whether so little is under way that a small message passes without waiting (Linux: a
        socket takes more when less than a quarter of it is unread)."""
        poll = select.poll()
        poll.register(self.connection, select.POLLOUT)
        return bool(poll.poll(0))


class Beside:
    """The process, from this side."""

    def __init__(self, cores: tuple[int, int] | None = None) -> None:
        """cores: see two_cores. The other process takes its own once it has loaded, this one at
        settle(): until then, who has more to do may have both."""
        self.cores = cores
        # Held while what is below changes, and never while sending: that may have to wait until
        # the process has got rid of an answer, which takes this lock. Who holds a line's may take
        # this one too, and not the other way round.
        self.lock = threading.Lock()
        self.names: list[str] = []
        self.count = 0
        self.sent: dict[int, Asked] = {}  # by number
        self.suspects: deque[Asked] = deque()  # one of which the process before died of
        self.alive = False
        self._start()

    def load(self, names: Sequence[str]) -> None:
        """Have it load the networks of these names, which it waits for."""
        with self.lock:
            self.names, line = list(names), self.line
        line.send(self.names)

    def settle(self) -> None:
        """Keep this process to its own core from now on."""
        if self.cores is not None:
            keep_to(self.cores[0])

    def ask(self, question: "Question") -> "Told":
        """What elsewhere.Reader tells of it. Raises ReaderError."""
        return unpickled(self.put(question).result())

    def put(self, question: "Question") -> Future[bytes]:
        """What will be told, pickled; or the ReaderError. Sent it is when this returns."""
        with self.lock:
            if not self.alive:
                self._start()
            asked = self._asked(question)
            line = self._note(asked)
        line.send((asked.number, question))
        return asked.told

    def put_now(self, question: "Question") -> Future[bytes] | None:
        """put, for a small question of who may not wait; None if it would have to."""
        line = self.line
        if not line.lock.acquire(blocking=False):
            return None
        try:
            with self.lock:
                if not self.alive or line is not self.line or self.crowded() or not line.empty():
                    return None
                asked = self._asked(question)
                self._note(asked)
            line.send_held((asked.number, question))
        finally:
            line.lock.release()
        return asked.told

    def crowded(self) -> bool:
        """Whether MANY wait: some of those who asked have gone away since."""
        return len(self.sent) + len(self.suspects) >= MANY

    def _asked(self, question: "Question") -> Asked:
        self.count += 1
        asked = Asked(self.count, question)
        asked.told.set_running_or_notify_cancel()  # who waits may go: it is told all the same
        return asked

    def _start(self) -> None:
        here, there = socket.socketpair()
        cores = [] if self.cores is None else list(map(str, self.cores))
        here.setblocking(True)  # whatever socket.setdefaulttimeout says
        there.setblocking(True)
        with there, contextlib.ExitStack() as undo:
            undo.callback(here.close)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fashion_model.web.reading", str(there.fileno()), *cores],
                cwd=Path(__file__).resolve().parents[2],  # where it finds these modules
                pass_fds=[there.fileno()],
            )
            undo.pop_all()
        line = Line(Connection(here.detach()))
        if self.names:
            line.send(self.names)  # which nobody else has yet
        threading.Thread(target=self._receive, args=[line], daemon=True).start()
        self.line, self.alive = line, True

    def _note(self, asked: Asked) -> Line:
        """Write down that asked is being sent, by the line that this returns."""
        asked.tries += 1
        self.sent[asked.number] = asked
        return self.line

    def _suspect(self) -> None:
        """Ask the next question that may have killed, from a thread, for it may have to wait."""
        if self.suspects:
            asked = self.suspects.popleft()
            message = (asked.number, asked.question)
            threading.Thread(target=self._note(asked).send, args=[message], daemon=True).start()

    def _receive(self, line: Line) -> None:
        try:
            with contextlib.suppress(EOFError, OSError):
                while True:
                    number, told, failure = line.connection.recv()
                    with self.lock:
                        asked = self.sent.pop(number)
                        if asked.tries > 1:
                            self._suspect()
                    if failure:
                        asked.told.set_exception(ReaderError(failure))
                    else:
                        asked.told.set_result(told)
        finally:  # whatever happened, nobody hears this process any more
            with self.lock:
                self._bury()

    def _bury(self) -> None:
        self.process.kill()
        status = self.process.wait()
        self.alive = False
        for asked in self.sent.values():
            if asked.tries < TRIES:
                self.suspects.append(asked)
            else:
                asked.told.set_exception(ReaderError(f"the reader died: status {status}"))
        self.sent = {}
        if not self.suspects:
            return
        try:
            self._start()
        except (OSError, RuntimeError) as error:  # no process, or no thread, to be had
            for asked in self.suspects:
                asked.told.set_exception(ReaderError(f"no reader can be started: {error}"))
            self.suspects.clear()
        else:
            self._suspect()


def unpickled(told: bytes) -> "Told":
    """What Beside.put promised."""
    result: Told = pickle.loads(told)
    return result
