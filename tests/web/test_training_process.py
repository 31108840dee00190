"""A training in a process of its own: what it says, and that it ends."""

import os
import subprocess
import sys
import time

import pytest
import torch

from fashion_model import InputError, tutorial
from fashion_model.web import training_process
from fashion_model.web.training_process import NICE, train

OPTIONS = tutorial.Options(epochs=1, optimizer="Adam", batch_size=250)


def test_its_points_and_its_last_weights_are_those_of_the_training():
    found = list(train(OPTIONS))
    *_, last = tutorial.train(OPTIONS)
    assert (found[0].step, found[-1].step, found[-1].ended) == (0, 10, True)
    assert found[-1].accuracy == pytest.approx(last.accuracy, abs=0.02)
    first, untrained = found[0].network.state_dict(), tutorial.untrained().state_dict()
    for key, tensor in last.network.state_dict().items():
        assert torch.equal(first[key], untrained[key])
        assert torch.allclose(found[-1].network.state_dict()[key], tensor, atol=1e-4)


def test_who_stops_it_waits_for_nothing(monkeypatch):
    started = []

    class Popen(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    points = train(tutorial.Options(epochs=100, optimizer="Adam"))
    assert next(points).step == 0
    (process,) = started
    assert os.getpriority(os.PRIO_PROCESS, process.pid) >= NICE  # answers go first
    before = time.monotonic()
    points.close()
    assert time.monotonic() - before < 10
    assert process.returncode is not None


def test_it_says_what_went_wrong():
    found = train(tutorial.Options(learning_rate=10.0, epochs=3))
    assert next(found).step == 0
    with pytest.raises(InputError) as caught:
        list(found)
    assert caught.value.key == "diverged"


def test_a_process_that_breaks_off_says_nothing_more(tmp_path, monkeypatch):
    point = tutorial.Progress(0, 0, 9, 2.3, 0.1, False, tutorial.untrained())
    with open(tmp_path / "point", "wb") as file:
        training_process.write_progress(file, point)
    read = f"open({str(tmp_path / 'point')!r}, 'rb').read()"
    whole = f"import sys; sys.stdin.read(); sys.stdout.buffer.write({read}"

    def points_of(code):
        class Popen(subprocess.Popen):
            def __init__(self, _command, **options):
                super().__init__([sys.executable, "-c", code], **options)

        with monkeypatch.context() as patched:
            patched.setattr(training_process.subprocess, "Popen", Popen)
            return list(train(OPTIONS))

    (found,) = points_of(f"{whole})")
    assert (found.step, found.loss) == (0, 2.3)
    assert points_of(f"{whole}[:-1])") == []
    assert points_of(f"{whole}[:20])") == []
    assert points_of("input()") == []
    monkeypatch.setattr(training_process, "HANG_SECONDS", 0.5)
    assert points_of("import time; time.sleep(60)") == []
