"""A training of the tutorial's network in a process of its own, so that no answer waits for it.

`python -m fashion_model.web.training_process` reads tutorial.Options as JSON, and answers with a
line of JSON for each point of the curve, or {"error": ...}. After a line whose "bytes" are not 0
come so many bytes of safetensors: the weights.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import torch as safetensors

from fashion_model import InputError, tutorial

MAX_SECONDS = 20.0  # of training, from the first step
START_SECONDS = 60  # for a process to come up and read the images, on a busy machine
WEIGHTS_SECONDS = 0.5  # between two points with weights
NICE = 10  # where both want the same core, an answer gets ten times as much of it
TOP = Path(__file__).resolve().parents[2]
Tensors = dict[str, torch.Tensor]


def start(options: tutorial.Options) -> subprocess.Popen[bytes]:
    """The process, at work. It ends with the training, or where nobody reads what it writes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fashion_model.web.training_process"],
        cwd=TOP,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process.stdin as pipe:
        pipe.write(json.dumps(asdict(options)).encode())
    return process


def messages(process: subprocess.Popen[bytes]) -> Iterator[tuple[dict[str, Any], Tensors | None]]:
    """Each line of JSON, and the weights after it; until the training ends or process is killed,
    as it is where it hangs. It is gone afterwards."""
    hangs = threading.Timer(START_SECONDS + 2 * MAX_SECONDS, process.kill)
    hangs.start()
    try:
        for line in process.stdout:
            if not line.endswith(b"\n"):
                return  # killed in the middle of it
            message = json.loads(line)
            count = message.pop("bytes")
            weights = process.stdout.read(count)
            if len(weights) < count:
                return
            yield message, safetensors.load(weights) if count else None
            if message.get("ended", True):
                return  # to go away by itself takes a process a second
    finally:
        hangs.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def run(options: dict[str, Any], output: BinaryIO) -> None:
    """Train, and write to output what messages reads."""
    last = -WEIGHTS_SECONDS
    try:
        for progress in tutorial.train(tutorial.Options(**options), MAX_SECONDS):
            point = {key: getattr(progress, key) for key in ("epoch", "step", "steps")}
            point |= {"loss": progress.loss, "accuracy": progress.accuracy}
            weights = b""
            if progress.ended or time.monotonic() - last > WEIGHTS_SECONDS:
                weights = safetensors.save(progress.network.state_dict())
                last = time.monotonic()
            _write(output, {**point, "ended": progress.ended}, weights)
    except InputError as error:
        failure = {"text": str(error), "key": error.key, "values": error.values}
        _write(output, {"error": failure})


def _write(output: BinaryIO, message: dict[str, Any], weights: bytes = b"") -> None:
    line = json.dumps({**message, "bytes": len(weights)})
    output.write(line.encode() + b"\n" + weights)
    output.flush()


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.nice(NICE)  # only now: on a busy machine all that was imported would take a minute
    try:
        run(json.load(sys.stdin), sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)  # stopped: nobody reads
