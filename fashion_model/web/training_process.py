"""A training of the tutorial's network in a process of its own, so that no answer waits for it.

The process reads tutorial.Options as JSON, and writes pickles: a tutorial.Progress for each point
of the curve, and the InputError that ended it, if one did.
"""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import torch

from fashion_model import InputError, tutorial

MAX_SECONDS = 20.0  # of training, from the first step
NICE = 10  # where both want the same core, an answer gets ten times as much of it
TOP = Path(__file__).resolve().parents[2]


def train(options: tutorial.Options) -> Iterator[tutorial.Progress]:
    """tutorial.train, to its end, or until the process breaks off. Closed, it ends the process."""
    with subprocess.Popen(
        [sys.executable, "-m", "fashion_model.web.training_process"],
        cwd=TOP,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            with process.stdin as stdin:
                stdin.write(json.dumps(asdict(options)).encode())
            with suppress(EOFError, pickle.UnpicklingError):
                while True:
                    point = pickle.load(process.stdout)  # noqa: S301 - by main, below
                    if isinstance(point, InputError):
                        raise point
                    yield point
                    if point.ended:
                        return
        finally:
            process.kill()  # to go away by itself takes it a second


def main() -> None:
    torch.set_num_threads(1)
    os.nice(NICE)  # only now: on a busy machine all that was imported would take a minute
    try:
        for point in tutorial.train(tutorial.Options(**json.load(sys.stdin)), MAX_SECONDS):
            pickle.dump(point, sys.stdout.buffer)
            sys.stdout.flush()
    except InputError as error:
        pickle.dump(error, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)  # nobody reads


if __name__ == "__main__":
    main()
