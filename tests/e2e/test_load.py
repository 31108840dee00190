"""Many at once, clients that go away, a full queue, and the end."""

import http.client
import json
import os
import signal
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import pytest

import hostile
import serving
import soaking
from fashion_model.web import middleware
from fashion_model.web import server as app

BUSY_MANY = [hostile.data_url(soaking.pictures()[0])] * 64


def test_a_short_soak(server):
    process, _ = serving.running()
    report = soaking.soak(server, process.pid, Path(serving.UPLOADS.name), clients=12, seconds=5)
    assert not report.failed
    assert len(report.good) > 5
    assert report.bad["refused"] > 0
    assert report.memory[-1][1] < report.memory[0][1] + 200  # MB
    assert report.files[-1][0] < 100


def test_clients_that_go_away_block_nothing(server):
    import random

    chance = random.Random(0)
    for _ in range(30):
        soaking.break_off(server, chance)
    client = soaking.Client(server)
    for picture in soaking.pictures():
        client.good(picture)
    client.close()


def test_old_uploads_are_swept(tmp_path):
    now = time.time()
    names = ["a" * 64 + "/new.png", "b" * 64 + "/old.png", "tmpnew", "tmpold"]
    for name in names:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x")
        if "old" in name:
            os.utime(file, (now - 2 * app.KEEP_SECONDS,) * 2)
    (tmp_path / ("c" * 64)).mkdir()
    os.utime(tmp_path / ("c" * 64), (now - 999_999,) * 2)
    app.sweep(tmp_path, now)
    left = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {"a" * 64 + "/new.png", "tmpnew"}
    assert not (tmp_path / ("c" * 64)).exists()


@pytest.mark.parametrize(("limit", "most"), [("MAX_UPLOADS_BYTES", 2500), ("MAX_UPLOADS", 2)])
def test_too_many_uploads_are_swept_before_their_time(tmp_path, monkeypatch, limit, most):
    monkeypatch.setattr(app, limit, most)
    now = time.time()
    for i in range(4):
        file = tmp_path / (str(i) * 64) / "a.png"
        file.parent.mkdir()
        file.write_bytes(bytes(1000))
        os.utime(file, (now - i,) * 2)
    app.sweep(tmp_path, now)
    assert sorted(file.parent.name[0] for file in tmp_path.rglob("*.png")) == ["0", "1"]


@pytest.fixture(scope="module")
def spare():
    """A second app, with a short memory and a short queue: (process, address, its uploads)."""
    with tempfile.TemporaryDirectory(prefix="uploads-") as folder:
        process, address = serving.run(folder, FASHION_KEEP_SECONDS="6", FASHION_MAX_WAITING="4")
        try:
            address = serving.wait_for(process, address)
            (own,) = Path(folder).glob("fashion-*")
            yield process, address, own
        finally:
            process.kill()
            process.wait()


def test_uploads_are_deleted(spare, tmp_path):
    _, address, folder = spare
    client = soaking.Client(address)
    path = Path(client.upload(soaking.pictures()[0]))
    (folder / "tmpbroken").write_bytes(b"half an upload")
    assert path.is_file()
    give_up = time.monotonic() + 40
    while time.monotonic() < give_up and (path.exists() or (folder / "tmpbroken").exists()):
        time.sleep(0.2)
    assert soaking.kept(folder)[0] == 0
    image = {"path": str(path), "meta": hostile.META}
    said = client.call("predict", image, "auto", "mlp")
    assert "event: error" in said
    assert "upload it again" in said
    client.close()


def test_a_full_queue_says_busy(spare):
    _, address, _ = spare
    url = f"{address}/gradio_api/call/predict_many"
    events, refused = [], []
    for _ in range(20):
        status, text = serving.post(url, {"data": [BUSY_MANY[:16], "drawing", "mlp"]})
        if status == 200:
            events.append(json.loads(text)["event_id"])
        else:
            refused.append((status, json.loads(text)["detail"]))
    assert set(refused) == {(503, middleware.BUSY)}
    for event in events:  # those that were taken are answered
        with urllib.request.urlopen(f"{url}/{event}", timeout=60) as response:
            assert "event: complete" in response.read().decode()


def test_sigterm_finishes_what_is_under_way(spare):
    """Last in this module: it ends the spare app."""
    process, address, _ = spare
    url = f"{address}/gradio_api/call/predict_many"
    answers = {}

    def wait_for_answer(event):
        with urllib.request.urlopen(f"{url}/{event}", timeout=60) as response:
            answers[event] = response.read().decode()

    events = []
    for _ in range(4):  # as many as may wait
        status, text = serving.post(url, {"data": [BUSY_MANY[:4], "drawing", "mlp"]})
        assert status == 200, text
        events.append(json.loads(text)["event_id"])
    threads = [threading.Thread(target=wait_for_answer, args=(event,)) for event in events]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all("event: complete" in answer for answer in answers.values())
    assert process.wait(timeout=30) == 0
    with pytest.raises((OSError, http.client.HTTPException)):
        urllib.request.urlopen(f"{address}/config", timeout=5)
