"""The process beside the page, from its own side: it reads pictures, and says what they show."""

import contextlib
import gc
import logging
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from fashion_model.web.beside import TOGETHER, keep_to

if TYPE_CHECKING:
    from fashion_model.web.elsewhere import Question, Reader


def main(handle: int, *cores: int) -> None:
    """The process itself; it ends when the other end of the socket is closed."""
    if cores:  # those of a page that has settled are one
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cores)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # meant for the app, which has yet to finish
    from fashion_model.web.elsewhere import Reader

    connection = Connection(handle)
    with contextlib.suppress(EOFError, ConnectionError):
        reader = Reader(connection.recv())
        if cores:
            keep_to(cores[-1])
        gc.freeze()  # what is loaded stays: looking through it would hold up an answer
        while True:
            asked = [connection.recv()]
            while len(asked) < TOGETHER and connection.poll():
                asked.append(connection.recv())
            told = all_told(reader, [question for _, question in asked])
            for (number, _), (each, failure) in zip(asked, told, strict=True):
                connection.send((number, each, failure))


def all_told(reader: "Reader", questions: "Sequence[Question]") -> list[tuple[bytes, str]]:
    """What reader tells of all, pickled, or of each on its own if one fails; of that, why."""
    try:
        return [(pickle.dumps(told), "") for told in reader.all(questions)]
    except Exception as error:
        if len(questions) > 1:
            return [told for each in questions for told in all_told(reader, [each])]
        logging.getLogger(__name__).exception("failed")
        return [(b"", repr(error))]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
