"""A training in a process of its own: what it says, and that it ends."""

import io
import json
import os
import subprocess
import sys
import time

import pytest
import safetensors.torch
import torch

from fashion_model import tutorial
from fashion_model.web import training_process
from fashion_model.web.training_process import NICE, messages, run, start

OPTIONS = tutorial.Options(epochs=1, optimizer="Adam", batch_size=250)


def said(code: str) -> subprocess.Popen:
    """A process that says something else."""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)


def lines(options):
    """The lines of JSON that run writes."""
    output = io.BytesIO()
    run(options, output)
    output.seek(0)
    found = []
    while line := output.readline():
        found.append(json.loads(line))
        assert len(output.read(found[-1]["bytes"])) == found[-1]["bytes"]
    return found


def test_its_last_weights_are_those_of_the_training():
    process = start(OPTIONS)
    found = list(messages(process))
    assert process.returncode is not None  # it is gone
    *_, last = tutorial.train(OPTIONS)
    first_point, first_weights = found[0]
    last_point, last_weights = found[-1]
    assert (first_point["step"], last_point["step"], last_point["ended"]) == (0, 10, True)
    assert last_point["accuracy"] == pytest.approx(last.accuracy, abs=0.02)
    untrained = tutorial.untrained().state_dict()
    for key, tensor in last.network.state_dict().items():
        assert torch.equal(first_weights[key], untrained[key])
        assert torch.allclose(last_weights[key], tensor, atol=1e-4)


def test_who_stops_it_waits_for_nothing():
    process = start(tutorial.Options(epochs=100, optimizer="Adam"))
    found = messages(process)
    assert next(found)[0]["step"] == 0
    assert os.getpriority(os.PRIO_PROCESS, process.pid) >= NICE  # answers go first
    process.kill()
    started = time.monotonic()
    list(found)
    assert time.monotonic() - started < 10
    assert process.returncode is not None


def test_it_says_what_went_wrong():
    first, *_, last = lines({"learning_rate": 10.0, "epochs": 3})
    assert first["step"] == 0
    assert last["error"]["key"] == "diverged"
    assert last["bytes"] == 0


def test_weights_come_with_the_first_and_the_last_point(monkeypatch):
    monkeypatch.setattr(training_process, "WEIGHTS_SECONDS", 1000)
    sizes = [line["bytes"] for line in lines({"epochs": 1, "batch_size": 250})]
    assert sizes[0] == sizes[-1] > 2_600_000
    assert set(sizes[1:-1]) <= {0}


def test_a_process_that_breaks_off_says_nothing_more():
    weights = safetensors.torch.save({"x": torch.ones(2)})
    line = json.dumps({"step": 0, "ended": False, "bytes": len(weights)})
    whole = f"import sys; sys.stdout.buffer.write({line!r}.encode() + b'\\n' + {weights!r}"
    ((message, tensors),) = messages(said(f"{whole})"))
    assert message == {"step": 0, "ended": False}
    assert torch.equal(tensors["x"], torch.ones(2))
    assert list(messages(said(f"{whole}[:-1])"))) == []
    assert list(messages(said("print('{', end='')"))) == []


def test_one_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(training_process, "START_SECONDS", 0.1)
    monkeypatch.setattr(training_process, "MAX_SECONDS", 0.1)
    process = said("import time; time.sleep(600)")
    assert list(messages(process)) == []
    assert process.returncode is not None
