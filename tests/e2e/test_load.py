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
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

import browsing
import hostile
import serving
import soaking
from browsing import CHROMIUM, TEE
from fashion_model.web import middleware
from fashion_model.web import server as app

SHORT = {"FASHION_KEEP_SECONDS": "4", "FASHION_MAX_WAITING": "4"}
BUSY_MANY = [hostile.data_url(soaking.pictures()[0])] * 64


def test_a_short_soak(server):
    process, _ = serving.running()
    report = soaking.soak(server, process.pid, Path(serving.UPLOADS.name), clients=12, seconds=3)
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


def test_an_upload_that_cannot_be_deleted_leaves_the_others_to_go(tmp_path, monkeypatch):
    def unlink(path, **options):
        if path.parent.name.startswith("a"):
            raise PermissionError(path)
        os.unlink(path)

    monkeypatch.setattr(Path, "unlink", unlink)
    for name in "abc":
        file = tmp_path / (name * 64) / "old.png"
        file.parent.mkdir()
        file.write_bytes(b"x")
    app.sweep(tmp_path, time.time() + 2 * app.KEEP_SECONDS)
    assert [file.parent.name[0] for file in tmp_path.rglob("*.png")] == ["a"]


@pytest.fixture(scope="module")
def spare():
    """A second app, with a short memory and a short queue: its process, its address, and the folder
    in which it makes one for its uploads."""
    with tempfile.TemporaryDirectory(prefix="uploads-") as folder:
        process, address = serving.run(folder, **SHORT)
        made = SimpleNamespace(process=process, address=address, uploads=Path(folder))
        try:
            serving.wait_for(process, address)
            yield made
        finally:
            made.process.kill()
            made.process.wait()


def test_uploads_are_deleted(spare):
    (folder,) = spare.uploads.glob("fashion-*")
    client = soaking.Client(spare.address)
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
    url = f"{spare.address}/gradio_api/call/predict_many"
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


@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium-headless-shell"
)
def test_after_a_restart_the_picture_is_still_there_and_is_asked_about_again(
    spare, context_for, photo
):
    page = browsing.Page(context_for(), spare.address)
    page.draw(TEE)
    page.tab("Upload")
    page.upload(photo)
    page.expect_answer()
    spare.process.send_signal(signal.SIGTERM)
    spare.process.wait()
    assert list(spare.uploads.glob("fashion-*")) == []  # its uploads have gone with it
    page.page.get_by_label("Drawing", exact=True).check()
    page.expect_state("error")  # said, while nobody answers
    expect(page.sentence).to_contain_text("did not answer")
    port = spare.address.rpartition(":")[2]
    spare.process, _ = serving.run(str(spare.uploads), GRADIO_SERVER_PORT=port, **SHORT)
    serving.wait_for(spare.process, spare.address)
    page.page.get_by_label("Photo", exact=True).check()
    page.expect_answer()
    expect(page.page.locator(".how")).to_contain_text("photo")
    expect(page.page.locator("#picture .preview")).to_be_visible()
    page.tab("Draw")
    assert page.ink() > 0
    page.page.close()


def test_sigterm_finishes_what_is_under_way(spare):
    """Last in this module: it ends the spare app."""
    process, address = spare.process, spare.address
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
