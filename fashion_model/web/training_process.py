"""A training of the tutorial's network in a process of its own, so that no answer waits for it.

The process reads tutorial.Options as JSON, and writes for each point of the curve a line of JSON,
the fields of tutorial.Progress with "bytes", and so many bytes of safetensors: the network. The
InputError that ends it, if one does, is a line {"error", "key"} with its values.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors.torch import load, save

from fashion_model import InputError, NeuralNetwork, tutorial

MAX_SECONDS = 20.0  # of training, from the first step
HANG_SECONDS = 180.0  # then the process is ended: its start takes a minute on a busy machine
NICE = 15  # where both want the same core, an answer gets thirty times as much of it
TOP = Path(__file__).resolve().parents[2]


def train(options: tutorial.Options) -> Iterator[tutorial.Progress]:
    """tutorial.train, to its end, or until the process breaks off. Closed, it ends the process."""
    with subprocess.Popen(
        [sys.executable, "-m", "fashion_model.web.training_process"],
        cwd=TOP,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        timer = threading.Timer(HANG_SECONDS, process.kill)
        timer.start()
        try:
            with process.stdin as stdin:
                stdin.write(json.dumps(asdict(options)).encode())
            while point := read_progress(process.stdout):
                yield point
                if point.ended:
                    return
        finally:
            timer.cancel()
            process.kill()  # to go away by itself takes it a second


def read_progress(stream: BinaryIO) -> tutorial.Progress | None:
    """The next point of stream; None where it breaks off. Raises the InputError that it tells."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    message = json.loads(line)
    if "error" in message:
        raise InputError(message.pop("error"), **message)
    body = stream.read(count := message.pop("bytes"))
    if len(body) < count:
        return None
    with torch.device("meta"):  # no random weights, which would be replaced at once
        network = NeuralNetwork()
    network.load_state_dict(load(body), assign=True)
    return tutorial.Progress(**message, network=network)


def write_progress(stream: BinaryIO, point: tutorial.Progress) -> None:
    body = save(point.network.state_dict())
    message = {key: value for key, value in vars(point).items() if key != "network"}
    stream.write(json.dumps({**message, "bytes": len(body)}).encode() + b"\n" + body)
    stream.flush()


def main() -> None:
    torch.set_num_threads(1)
    os.nice(NICE)  # only now: on a busy machine all that was imported would take a minute
    try:
        for point in tutorial.train(tutorial.Options(**json.load(sys.stdin)), MAX_SECONDS):
            write_progress(sys.stdout.buffer, point)
    except InputError as error:
        sys.stdout.write(json.dumps({"error": str(error), "key": error.key, **error.values}) + "\n")
    except BrokenPipeError:
        os._exit(0)  # nobody reads


if __name__ == "__main__":
    main()
