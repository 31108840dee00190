"""The process that reads pictures beside the page: together, alone, dying, and at the end."""

import asyncio
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import fashion_model
import serving
import soaking
from conftest import TOP
from fashion_model import InputError
from fashion_model.web import beside
from fashion_model.web.elsewhere import Elsewhere, Reader

DRAWING, DATASET, PHOTO = soaking.pictures()


@pytest.fixture(scope="module")
def reader():
    return Reader(["cnn", "mlp"])


@pytest.fixture(scope="module")
def process():
    started = beside.Beside()
    started.load(["mlp"])
    yield started
    started.process.kill()


@pytest.fixture(scope="module")
def mlp():
    return fashion_model.load("mlp")


CORES = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux has this")


@CORES
def test_two_cores_are_told(monkeypatch):
    for cores, told in (({3, 5}, (3, 5)), ({0}, None), ({1, 2, 3}, None)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: cores)
        assert beside.two_cores() == told
    monkeypatch.delattr(os, "sched_getaffinity")
    assert beside.two_cores() is None


@CORES
def test_the_processes_keep_to_their_cores():
    """Also one that replaces another. In a process of its own, which is no use afterwards."""
    code = """if True:
        import os, threading, time
        from fashion_model.web.beside import Beside
        first, *_, last = sorted(os.sched_getaffinity(0)) * 2
        other = Beside((first, last))
        other.load(["mlp"])
        bad = ("mlp", "predict", (b"no picture", "auto"))
        assert not other.ask(bad)[0]
        assert os.sched_getaffinity(other.process.pid) == {last}
        other.settle()
        for thread in threading.enumerate():
            assert os.sched_getaffinity(thread.native_id) == {first}, thread
        before = other.process
        before.kill()
        before.wait()
        while other.alive:
            time.sleep(0.01)
        assert not other.ask(bad)[0]
        assert other.process.pid != before.pid
        assert os.sched_getaffinity(other.process.pid) == {last}
        other.process.kill()
    """
    subprocess.run([sys.executable, "-c", code], cwd=TOP, check=True)


def test_together_each_is_told_what_it_is_told_alone(reader):
    questions = [
        ("mlp", "predict", (DRAWING, "auto")),
        ("cnn", "predict", (PHOTO, "photo")),
        ("mlp", "predict", (b"no picture", "auto")),
        ("mlp", "answer", (DATASET, "auto")),
        ("mlp", "predict", (PHOTO, "auto")),
        ("cnn", "predict", (DATASET, "auto")),
    ]
    told = reader.all(questions)
    assert [well for well, _ in told] == [True, True, False, True, True, True]
    assert told[2][1].startswith("this is no picture")
    assert told[2] == reader(questions[2])
    for number in (0, 1, 4, 5):
        alone = reader(questions[number])[1]
        assert list(told[number][1]) == list(alone)
        assert told[number][1] == pytest.approx(alone, abs=1e-6)
    assert told[3][1].confidences == reader(questions[3])[1].confidences


def test_it_says_what_a_classifier_here_says(process, mlp):
    there = Elsewhere("mlp", mlp, process.ask)
    assert there.predict(PHOTO) == pytest.approx(mlp.predict(PHOTO), abs=1e-6)
    answer, wanted = (
        there.answer(PHOTO, "photo", (0.5, 0.5)),
        mlp.answer(PHOTO, "photo", (0.5, 0.5)),
    )
    assert (answer.kind, answer.sentence) == (wanted.kind, wanted.sentence)
    assert answer.sentence.key == wanted.sentence.key
    assert answer.cutout.tobytes() == wanted.cutout.tobytes()
    picture, prepared = there.prepare(DRAWING)
    assert picture.size == (280, 280)
    assert (prepared.pixels == mlp.prepare(DRAWING)[1].pixels).all()
    with pytest.raises(InputError, match="no picture"):
        there.predict(b"nonsense")


def test_who_goes_away_while_waiting_disturbs_nobody(process, mlp):
    async def leave():
        waiting = asyncio.wrap_future(process.put(("mlp", "predict", (PHOTO, "auto"))))
        waiting.cancel()

    for _ in range(3):
        asyncio.run(leave())
    there = Elsewhere("mlp", mlp, process.ask)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(there.predict, DRAWING).result(timeout=60)
    assert not process.sent


def test_who_may_not_wait_does_not(process, mlp):
    """While the process is stopped, its line fills; questions that were sent are answered later."""
    small = ("mlp", "predict", (DRAWING, "auto"))
    large = ("mlp", "predict", (bytes(150_000), "auto"))
    assert process.put_now(small).result(timeout=60)
    os.kill(process.process.pid, signal.SIGSTOP)
    try:
        sent = [process.put(large)]
        started = time.monotonic()
        assert process.put_now(small) is None
        assert time.monotonic() - started < 1
    finally:
        os.kill(process.process.pid, signal.SIGCONT)
    for each in sent:
        assert not beside.unpickled(each.result(timeout=60))[0]
    os.kill(process.process.pid, signal.SIGSTOP)
    try:
        some = [process.put_now(small) for _ in range(beside.MANY + 9)]
        assert None in some
        assert not process.crowded() or some.count(None) == 9
    finally:
        os.kill(process.process.pid, signal.SIGCONT)
    answers = {each.result(timeout=60) for each in some if each is not None}
    assert len({next(iter(beside.unpickled(told)[1])) for told in answers}) == 1


def test_where_no_process_can_be_had_it_says_so(monkeypatch):
    started = beside.Beside()
    started.load(["mlp"])
    assert started.ask(("mlp", "predict", (DRAWING, "auto")))[0]

    def none(*_, **__):
        raise OSError("too many")

    monkeypatch.setattr(beside.subprocess, "Popen", none)
    waiting = started.put(("mlp", "predict", (Ending(), "auto")))
    with pytest.raises(beside.ReaderError, match="too many"):
        waiting.result(timeout=60)
    with pytest.raises(OSError, match="too many"):
        started.put(("mlp", "predict", (DRAWING, "auto")))
    assert started.put_now(("mlp", "predict", (DRAWING, "auto"))) is None
    monkeypatch.undo()
    assert started.ask(("mlp", "predict", (DRAWING, "auto")))[0]
    started.process.kill()


def test_a_failure_ends_neither_it_nor_what_was_asked_beside(process, mlp):
    there = Elsewhere("mlp", mlp, process.ask)
    with ThreadPoolExecutor(9) as pool:
        good = [pool.submit(there.predict, DRAWING) for _ in range(8)]
        failed = pool.submit(process.ask, ("no such network", "predict", (DRAWING, "auto")))
        with pytest.raises(beside.ReaderError, match="KeyError"):
            failed.result()
        assert len({next(iter(each.result())) for each in good}) == 1


def test_what_kills_it_fails_and_nothing_else(process, mlp):
    """A question that ends the process each time, among others that have to be answered."""
    there = Elsewhere("mlp", mlp, process.ask)
    first = process.process.pid
    with ThreadPoolExecutor(9) as pool:
        poison = pool.submit(process.ask, ("mlp", "predict", (Ending(), "auto")))
        good = [pool.submit(there.predict, DRAWING) for _ in range(8)]
        assert all(sum(each.result().values()) == pytest.approx(1) for each in good)
        with pytest.raises(beside.ReaderError, match="died"):
            poison.result()
    assert process.process.pid != first
    assert there.predict(DRAWING)


class Ending:
    """Ends the process that takes it out of its pickle."""

    def __reduce__(self):
        return os._exit, (3,)


def test_one_that_dies_at_rest_is_replaced_when_it_is_needed(process, mlp):
    there = Elsewhere("mlp", mlp, process.ask)
    assert there.predict(DRAWING)
    process.process.kill()
    give_up = time.monotonic() + 60
    while process.alive and time.monotonic() < give_up:
        time.sleep(0.01)
    assert not process.alive  # nobody asks, nobody starts
    assert there.predict(DRAWING)


def test_it_ends_with_the_app():
    code = """if True:
        from fashion_model.web.beside import Beside
        beside = Beside()
        print(beside.process.pid, flush=True)
        input()
    """
    app = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with app:
        child = int(app.stdout.readline())
        app.kill()
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("it outlived the app")


def test_replicas_or_one_process_need_none(monkeypatch):
    monkeypatch.delenv("FASHION_REPLICAS", raising=False)
    assert beside.wanted() == (sys.platform != "win32")
    monkeypatch.setenv("FASHION_REPLICAS", "0")
    assert not beside.wanted()


def test_killing_it_loses_no_request(server):
    app, address = serving.running()
    before = serving.family(app.pid)
    assert len(before) == 2
    failed, answered = [], [0] * 6

    def ask(number):
        client = soaking.Client(address)
        try:
            for _ in range(8):
                client.good(soaking.pictures()[number % 3], network="mlp")
                answered[number] += 1
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            failed.append(repr(error))
        client.close()

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    while min(answered) < 3 and not failed:
        time.sleep(0.01)
    os.kill(before[1], signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert failed == []  # not even those in it
    assert answered == [8] * 6
    after = serving.family(app.pid)
    assert len(after) == 2
    assert after != before
