"""How fast the app serves, beside a Gradio app of the same inputs, outputs and queue that does
nothing.

    python tests/benchmarks/bench_serve.py [--rounds 1000] [--seconds 10] [--requests 5000]
                                           [--starts 3] [--only NAME ...]

All over raw HTTP on keep-alive connections, each request an upload, a call and its answer, the two
apps in turn so that a busy machine is busy for both. Prints: latency (p50 and p99 of a drawing and
of a 28x28 picture), client (gradio_client's own call), photos (what one of 0.3 and of 12 megapixels
adds), throughput (with 16 and with 64 clients), start (from `python` to the first answer), growth
(of the time per request over many, of each app) and memory, each with its ratio and what is asked
of it.
"""

import argparse
import functools
import http.client
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from gradio_client import Client, handle_file
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import serving
import soaking

NOTHING = """
import torch
import gradio as gr
from gradio.data_classes import FileData
CLASSES = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")
with gr.Blocks(analytics_enabled=False) as demo:
    def predict(image: FileData, kind: str = "auto", network: str = "mlp") -> dict[str, float]:
        return {label: 0.1 for label in CLASSES}
    gr.api(predict, concurrency_limit=8)
demo.queue(max_size=128, api_open=False, default_concurrency_limit=4)
demo.launch(server_port=PORT, server_name="127.0.0.1", quiet=True, max_file_size=20 * 1024 * 1024)
"""
SETTINGS = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000"}
Apps = dict[str, tuple[subprocess.Popen[bytes], str]]


def start_nothing(folder: str) -> tuple[subprocess.Popen[bytes], str]:
    port = serving.free_port()
    code = NOTHING.replace("PORT", str(port))
    environment = {**os.environ, **SETTINGS, "GRADIO_TEMP_DIR": folder}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment
    ), f"http://127.0.0.1:{port}"


def once(client: soaking.Client, picture: bytes) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    client.good(picture, network=default())
    return (time.perf_counter() - start) * 1000


@functools.cache
def default() -> str:
    """The network that answers where nobody chooses one."""
    with urllib.request.urlopen(f"{serving.start()}/gradio_api/info") as response:
        endpoint = json.load(response)["named_endpoints"]["/predict"]
    return str(endpoint["parameters"][2]["parameter_default"])


def in_turn(apps: Apps, picture: bytes, rounds: int) -> dict[str, list[float]]:
    clients = {name: soaking.Client(address) for name, (_, address) in apps.items()}
    times: dict[str, list[float]] = {name: [] for name in apps}
    for i in range(rounds + 10):
        for name, client in clients.items():
            took = once(client, picture)
            if i >= 10:
                times[name].append(took)
    return times


def row(what: str, ours: float, theirs: float, unit: str, wanted: str) -> None:
    ratio = ours / theirs if theirs else float("nan")
    print(
        f"{what:<34} {ours:8.1f} {unit:<4} do-nothing {theirs:8.1f} {unit:<4} "
        f"ratio {ratio:5.2f}  wanted {wanted}",
        flush=True,
    )


def latency(apps: Apps, options: argparse.Namespace) -> None:
    for what, picture in zip(("drawing", "28x28"), soaking.pictures(), strict=False):
        times = in_turn(apps, picture, options.rounds)
        cuts = {name: statistics.quantiles(values, n=100) for name, values in times.items()}
        row(f"{what}, p50", cuts["ours"][49], cuts["nothing"][49], "ms", "<= 1.6")
        row(f"{what}, p99", cuts["ours"][98], cuts["nothing"][98], "ms", "<= 1.6")


def client(apps: Apps, options: argparse.Namespace) -> None:
    """gradio_client's own call: what most scripts use."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(soaking.pictures()[0])
        file.flush()
        clients = {name: Client(address, verbose=False) for name, (_, address) in apps.items()}
        times: dict[str, list[float]] = {name: [] for name in apps}
        for i in range(max(10, options.rounds // 5) + 5):
            for name, each in clients.items():
                start = time.perf_counter()
                each.predict(handle_file(file.name), api_name="/predict")
                if i >= 5:
                    times[name].append((time.perf_counter() - start) * 1000)
    ours, theirs = (statistics.median(times[name]) for name in ("ours", "nothing"))
    row("gradio_client, p50", ours, theirs, "ms", "<= 1.15")


def photos(apps: Apps, options: argparse.Namespace) -> None:
    small = soaking.pictures()[2]
    noise = Image.effect_noise((4000, 3000), 8).point(lambda tone: min(255, tone + 90))
    with Image.open(io.BytesIO(small)) as photo:
        noise.paste(photo.convert("L").resize((3000, 2250)), (500, 400))
    large = soaking.encoded(noise.convert("RGB"), "JPEG")
    for what, picture, most in (("0.3 MP", small, 60), ("12 MP", large, 120)):
        times = in_turn(apps, picture, max(10, options.rounds // 16))
        ours, theirs = (statistics.median(times[name]) for name in ("ours", "nothing"))
        row(f"photo of {what}, p50", ours, theirs, "ms", f"+{most} ms, is {ours - theirs:+.0f}")


def throughput(apps: Apps, options: argparse.Namespace) -> None:
    picture = soaking.pictures()[0]
    for clients in (16, 64):
        rates = dict.fromkeys(apps, 0.0)
        for _ in range(2):
            for name, (_process, address) in apps.items():
                rates[name] += rate(address, picture, clients, options.seconds) / 2
        row(f"{clients} clients", rates["ours"], rates["nothing"], "/s", ">= 0.7")


def rate(address: str, picture: bytes, clients: int, seconds: float) -> float:
    counts = [0] * clients
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        line = soaking.Client(address)
        while time.monotonic() < end:
            line.good(picture, network=default())
            counts[number] += 1
        line.close()

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - start)


def begin(_apps: Apps, options: argparse.Namespace) -> None:
    makers: dict[str, Callable[[str], tuple[subprocess.Popen[bytes], str]]] = {
        "ours": serving.run,
        "nothing": start_nothing,
    }
    times: dict[str, list[float]] = {name: [] for name in makers}
    picture = soaking.pictures()[0]
    for i in range(options.starts + 1):
        for name, maker in makers.items():
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                process, address = maker(folder)
                answered(address, picture)
                if i:  # the first one fills the machine's file cache
                    times[name].append(time.perf_counter() - started)
                process.kill()
                process.wait()
    ours, theirs = (statistics.median(times[name]) for name in ("ours", "nothing"))
    row("start to first answer", ours, theirs, "s", "<= 1.2")


def answered(address: str, picture: bytes) -> None:
    while True:
        client = soaking.Client(address)
        try:
            client.good(picture, network=default())
        except (OSError, RuntimeError, http.client.HTTPException):
            time.sleep(0.05)
        else:
            return
        finally:
            client.close()


def growth(apps: Apps, options: argparse.Namespace) -> None:
    times = in_turn(apps, soaking.pictures()[1], options.requests)
    tenth = options.requests // 10
    told = []
    for name in ("ours", "nothing"):
        first = statistics.median(times[name][tenth : 2 * tenth])
        last = statistics.median(times[name][-tenth:])
        tenths = f"{first:.1f} ms in the second tenth, {last:.1f} in the last"
        told.append(f"{tenths}: {last / first:.2f}")
    print(
        f"growth over {options.requests} requests, {told[0]}  wanted 1.0\n"
        f"  of the do-nothing app, beside it: {told[1]}",
        flush=True,
    )


def memory(apps: Apps, _options: argparse.Namespace) -> None:
    ours, theirs = (serving.memory(apps[name][0].pid) for name in ("ours", "nothing"))
    row("resident memory", ours, theirs, "MB", "<= 950 MB")


PARTS = {
    "latency": latency,
    "client": client,
    "photos": photos,
    "throughput": throughput,
    "growth": growth,
    "memory": memory,
    "start": begin,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as uploads:
        ours = serving.running()
        nothing = start_nothing(uploads)
        try:
            serving.wait_for(*nothing)
            for part in chosen.only:
                PARTS[part]({"ours": ours, "nothing": nothing}, chosen)
        finally:
            nothing[0].kill()
            nothing[0].wait()
