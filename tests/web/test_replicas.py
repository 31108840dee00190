"""Two replicas behind the app: one is killed while many ask, and nobody loses an answer."""

import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

import serving
import soaking
from fashion_model import FashionModelError
from fashion_model.web import server

TOP = Path(__file__).resolve().parents[2]
CLIENTS = 6


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(server, "REPLICAS", 2)
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it was not there
    monkeypatch.delitem(sys.modules, "fashion_model.web.replicas", raising=False)
    monkeypatch.delattr("fashion_model.web.replicas", raising=False)
    says = "FASHION_REPLICAS needs ray: pip install -r fashion_model/web/replicas.txt."
    with pytest.raises(FashionModelError, match=re.escape(says)):
        server.start_replicas(["cnn"])


@pytest.fixture(scope="module")
def ray():
    """Ray in a folder of its own, with the versions of everything else as they are here."""
    with tempfile.TemporaryDirectory(prefix="replicas-") as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        freeze = subprocess.run([*pip, "freeze"], capture_output=True, text=True, check=True)
        pinned = Path(folder, "constraints.txt")
        pinned.write_text(freeze.stdout)
        target = Path(folder, "packages")
        wanted = [
            "--target",
            target,
            "--constraint",
            pinned,
            "-r",
            TOP / "fashion_model" / "web" / "replicas.txt",
        ]
        installed = subprocess.run(
            [*pip, "install", "--quiet", "--no-compile", *wanted], capture_output=True, text=True
        )
        if "NewConnectionError" in installed.stderr or "ReadTimeoutError" in installed.stderr:
            pytest.skip("the package registry does not answer")
        assert installed.returncode == 0, installed.stderr
        yield target


def replicas(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes that read pictures, of the Ray that process started."""
    table = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()[1:]]
    parents = {int(pid): int(parent) for pid, parent, _ in rows}

    def ours(pid: int) -> bool:
        while pid in parents and pid != process.pid:
            pid = parents[pid]
        return pid == process.pid

    return [
        int(pid)
        for pid, _, args in rows
        if "ServeReplica:fashion:Replica" in args and ours(int(pid))
    ]


def wait_until(true) -> None:
    give_up = time.monotonic() + 120
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.network
def test_killing_one_of_two_replicas_loses_no_request(ray):
    over = threading.Event()
    with tempfile.TemporaryDirectory(prefix="r-") as uploads:  # sockets want a short path
        more = {"PYTHONPATH": str(ray), "FASHION_REPLICAS": "2", "RAY_TMPDIR": uploads}
        process, address = serving.run(uploads, **more)
        try:
            serving.wait_for(process, address)
            both = replicas(process)
            assert len(both) == 2
            failed: list[str] = []
            answered = [0] * CLIENTS

            def ask(number: int) -> None:
                client = soaking.Client(address)
                while not over.is_set():
                    try:
                        client.good(soaking.pictures()[number % 3], network="mlp")
                    except (OSError, RuntimeError, http.client.HTTPException) as error:
                        failed.append(repr(error))
                        return
                    answered[number] += 1
                client.close()

            threads = [threading.Thread(target=ask, args=(i,), daemon=True) for i in range(CLIENTS)]
            for thread in threads:
                thread.start()
            wait_until(lambda: failed or min(answered) >= 5)
            before = sum(answered)
            os.kill(both[0], signal.SIGKILL)
            wait_until(lambda: failed or sum(answered) >= before + 200)
            over.set()
            for thread in threads:
                thread.join()
            assert failed == []  # not even those in it: they were asked once more
            wait_until(lambda: len(set(replicas(process)) - {both[0]}) == 2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            over.set()
            process.kill()
            process.wait()
