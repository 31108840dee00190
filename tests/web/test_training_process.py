"""A training in a process of its own: what it says, and that it ends."""

import io
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict

import pytest
import torch

from fashion_model import InputError, tutorial
from fashion_model.web import training_process
from fashion_model.web.training_process import NICE, train

OPTIONS = tutorial.Options(epochs=1, optimizer="Adam", batch_size=250)


class Started(list):
    """The processes that train has started. Where there is code, they run that instead."""

    code = ""


@pytest.fixture
def started(monkeypatch):
    found = Started()

    class Popen(subprocess.Popen):
        def __init__(self, command, **options):
            instead = [sys.executable, "-c", found.code]
            super().__init__(instead if found.code else command, **options)
            found.append(self)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    return found


@pytest.fixture
def whole(tmp_path):
    """Code that writes a point, but for its last parenthesis."""
    point = tutorial.Progress(0, 0, 9, 2.3, 0.1, False, tutorial.untrained())
    with open(tmp_path / "point", "wb") as file:
        training_process.write_progress(file, point)
    read = f"open({str(tmp_path / 'point')!r}, 'rb').read()"
    return f"import sys; sys.stdin.read(); sys.stdout.buffer.write({read}"


def test_its_points_and_its_last_weights_are_those_of_the_training(started):
    points = train(OPTIONS)
    found = [next(points)]
    assert os.getpriority(os.PRIO_PROCESS, started[0].pid) >= NICE  # answers go first
    found += points
    *_, last = tutorial.train(OPTIONS)
    assert (found[0].step, found[-1].step, found[-1].ended) == (0, 10, True)
    assert found[-1].accuracy == pytest.approx(last.accuracy, abs=0.02)
    first, untrained = found[0].network.state_dict(), tutorial.untrained().state_dict()
    for key, tensor in last.network.state_dict().items():
        assert torch.equal(first[key], untrained[key])
        assert torch.allclose(found[-1].network.state_dict()[key], tensor, atol=1e-4)


def test_who_stops_it_waits_for_nothing(started, whole):
    started.code = f"{whole}); sys.stdout.flush(); import time; time.sleep(60)"
    points = train(OPTIONS)
    assert next(points).step == 0
    (process,) = started
    before = time.monotonic()
    points.close()
    assert time.monotonic() - before < 10
    assert process.returncode is not None


def test_it_says_what_went_wrong(monkeypatch):
    """What its process does, in this one."""
    asked = asdict(tutorial.Options(learning_rate=10.0, epochs=3))
    told = io.TextIOWrapper(io.BytesIO(), write_through=True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(asked)))
    monkeypatch.setattr(sys, "stdout", told)
    monkeypatch.setattr(os, "nice", lambda _: None)
    training_process.main()
    told.seek(0)
    assert training_process.read_progress(told.buffer).step == 0
    with pytest.raises(InputError) as caught:
        list(iter(lambda: training_process.read_progress(told.buffer), None))
    assert caught.value.key == "diverged"


def test_a_process_that_breaks_off_says_nothing_more(started, whole, monkeypatch):
    def points_of(code):
        started.code = code
        return list(train(OPTIONS))

    (found,) = points_of(f"{whole})")
    assert (found.step, found.loss) == (0, 2.3)
    assert points_of(f"{whole}[:-1])") == []
    assert points_of(f"{whole}[:20])") == []
    assert points_of("input()") == []
    monkeypatch.setattr(training_process, "HANG_SECONDS", 0.5)
    assert points_of("import time; time.sleep(60)") == []
