"""The app as a visitor starts it: `python app.py` on a free port, once for all test modules."""

import atexit
import contextlib
import functools
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

APP = Path(__file__).resolve().parents[2] / "app.py"
START_SECONDS = 300  # a machine that works on something else is slow, not wrong
UPLOADS = tempfile.TemporaryDirectory(prefix="uploads-")  # the app's, removed at the end


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_for(process: subprocess.Popen[bytes], address: str) -> str:
    """address, as soon as the app there answers."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"the app ended with status {process.returncode} at its start")
        try:
            urllib.request.urlopen(f"{address}/config", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return address
    raise RuntimeError(f"the app did not answer within {START_SECONDS} s")


def run(uploads: str, before: str = "", **more: str) -> tuple[subprocess.Popen[bytes], str]:
    """The app as a process on a free port, not yet answering, and its address.

    before: Python that runs in that process before the app does. more: environment variables.
    """
    port = free_port()
    host = more.get("GRADIO_SERVER_NAME", "127.0.0.1")
    by_code = f"{before}\nimport runpy\nrunpy.run_path({str(APP)!r}, run_name='__main__')"
    command = [sys.executable, *(["-c", by_code] if before else [APP])]
    environment = {
        **os.environ,
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": uploads,
        **more,
    }
    process = subprocess.Popen(command, env=environment, cwd=APP.parent, stdout=subprocess.DEVNULL)
    return process, f"http://{host}:{port}"


@functools.cache
def running() -> tuple[subprocess.Popen[bytes], str]:
    process, address = run(UPLOADS.name)
    atexit.register(process.wait)
    atexit.register(process.terminate)  # runs first
    return process, wait_for(process, address)


def uploads() -> Path:
    """The running app's own folder of uploads, in UPLOADS."""
    (folder,) = Path(UPLOADS.name).glob("fashion-*")
    return folder


def start() -> str:
    """The address of the running app, without a slash at its end."""
    return running()[1]


def family(process: int) -> list[int]:
    """A process and those that it started, and they in turn (Linux)."""
    parents = {}
    later = [name for name in os.listdir("/proc") if name.isdigit() and int(name) > process]
    for name in later:  # a child's is higher, until four million begin anew: reading all is slow
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{name}/stat").read_text()
            parents[int(name)] = int(status.rpartition(")")[2].split()[1])
    found = [process]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


def memory(process: int, key: str = "VmRSS", members: Sequence[int] = ()) -> float:
    """MB that a process and those that it started hold, or held at most (VmHWM) (Linux).

    members: all of these, where they are known, for to find them takes longer than all else.
    """
    total = 0
    for each in members or family(process):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{each}/status").read_text()
            total += sum(map(int, re.findall(rf"{key}:\s+(\d+)", status)))  # none of one that ended
    return total / 1024


def computed(process: int, members: Sequence[int] = ()) -> float:
    """Seconds of CPU that a process and those that it started have taken (Linux)."""
    ticks = 0
    for each in members or family(process):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # in the kernel's name, and in their own
    return ticks / os.sysconf("SC_CLK_TCK")


def reset_peak(process: int, members: Sequence[int] = ()) -> float:
    """Forget what they held at most until now, and tell what they hold."""
    members = members or family(process)
    for each in members:
        Path(f"/proc/{each}/clear_refs").write_text("5")
    return memory(process, members=members)


def post(url: str, body: object) -> tuple[int, str]:
    """Status and text of the answer to a JSON body."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def ask(address: str, component: object, name: str, question: object) -> dict[str, object]:
    """The reply of a server function of the page's, of the component that has it."""
    body = {
        "data": question,
        "component_id": component,
        "fn_name": name,
        "session_hash": "bench",
    }
    status, text = post(f"{address}/gradio_api/component_server", body)
    reply: dict[str, object] = json.loads(text)
    if status != 200 or "error" in reply:
        raise RuntimeError(f"{name}: {status} {text[:200]}")
    return reply


def call(address: str, name: str, image: object, kind: object = "auto") -> tuple[str, object]:
    """What the named endpoint answers over plain HTTP: ("complete" or "error", the data)."""
    status, text = post(f"{address}/gradio_api/call/{name}", {"data": [image, kind, "mlp"]})
    if status != 200:
        return "error", text
    event = json.loads(text)["event_id"]
    url = f"{address}/gradio_api/call/{name}/{event}"
    with urllib.request.urlopen(url, timeout=30) as response:
        lines = response.read().decode().strip().splitlines()
    kind = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")][-1]
    said = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")][-1]
    return kind, json.loads(said)
