"""How fast the app answers, beside a Gradio app that does nothing.

    python tests/benchmarks/bench_app.py [--rounds N] [--strokes N]

Prints p50 and p99 in ms of one drawing over plain HTTP (upload, call, answer), for the app and for
an app of the same inputs, output and queue that returns a constant, and their ratios; then, where
there is Chromium, from the end of a stroke to the answer on the page.
"""

import argparse
import http.client
import io
import json
import statistics
import subprocess
import sys
import time
import uuid
from pathlib import Path

from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import serving

NOTHING = """
import os, app  # the same imports and settings, but another demo
import gradio as gr
from gradio.data_classes import FileData
with gr.Blocks(analytics_enabled=False) as demo:
    def predict(image: FileData, kind: str = "auto", network: str = "mlp") -> dict[str, float]:
        return {label: 0.1 for label in app.CLASSES}
    gr.api(predict)
app.demo = demo.queue(max_size=128, api_open=False, default_concurrency_limit=4)
os.environ.update(GRADIO_SERVER_PORT="NUMBER", GRADIO_SERVER_NAME="127.0.0.1")
app.main()
"""


def drawing() -> bytes:
    picture = Image.new("L", (280, 280), 255)
    outline = [(100, 50), (180, 50), (250, 110), (220, 145), (190, 120), (190, 240), (90, 240)]
    ImageDraw.Draw(picture).polygon([*outline, (90, 120), (60, 145), (30, 110)], fill=0)
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()


class Caller:
    """One keep-alive connection."""

    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(address.removeprefix("http://"))

    def send(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        self.connection.request(method, path, body, {"Content-Type": kind} if kind else {})
        response = self.connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status} {text[:200]!r}")
        return text

    def once(self, picture: bytes) -> float:
        """Milliseconds for upload, call and answer."""
        start = time.perf_counter()
        edge = uuid.uuid4().hex
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        body = head.encode() + picture + f"\r\n--{edge}--\r\n".encode()
        kind = f"multipart/form-data; boundary={edge}"
        (path,) = json.loads(self.send("POST", "/gradio_api/upload", body, kind))
        image = {"path": path, "meta": {"_type": "gradio.FileData"}}
        data = json.dumps({"data": [image, "drawing", "mlp"]}).encode()
        call = "/gradio_api/call/predict"
        event = json.loads(self.send("POST", call, data, "application/json"))["event_id"]
        if b"event: complete" not in self.send("GET", f"{call}/{event}"):
            raise RuntimeError("the app answered with an error")
        return (time.perf_counter() - start) * 1000


def summary(name: str, times: list[float]) -> tuple[float, float]:
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(f"{name:<34}p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   n {len(times)}")
    return p50, p99


def over_http(address: str, rounds: int) -> None:
    port = serving.free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", NOTHING.replace("NUMBER", str(port))], cwd=serving.APP.parent
    )
    try:
        nothing = serving.wait_for(process, f"http://127.0.0.1:{port}")
        callers = {"the app": Caller(address), "an app that does nothing": Caller(nothing)}
        times: dict[str, list[float]] = {name: [] for name in callers}
        picture = drawing()
        for i in range(rounds + 20):  # in turn, so that a busy machine is busy for both
            for name, caller in callers.items():
                took = caller.once(picture)
                if i >= 20:
                    times[name].append(took)
        ours, theirs = (summary(f"HTTP, {name}", values) for name, values in times.items())
        print(f"{'ratio':<34}p50 {ours[0] / theirs[0]:7.2f}      p99 {ours[1] / theirs[1]:7.2f}")
    finally:
        process.terminate()
        process.wait()


def in_the_browser(address: str, strokes: int) -> None:
    from playwright.sync_api import sync_playwright

    import browsing

    if browsing.CHROMIUM is None:
        print("no Chromium here: nothing measured in the browser")
        return
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browsing.CHROMIUM, args=browsing.FLAGS
        )
        page = browsing.Page(chromium.new_context(viewport=browsing.WIDE), address)
        page.page.evaluate(
            """() => {
            document.addEventListener(
              "pointerup", () => { window.lifted = performance.now(); window.waited = 0; }, true);
            document.addEventListener("fashion:prediction", () => requestAnimationFrame(() => {
              window.waited = performance.now() - window.lifted; })); }"""
        )
        times = []
        for i in range(strokes):
            page.draw([(80, 60 + 250 * i / strokes), (200, 70), (320, 60 + 250 * i / strokes)])
            page.settle()
            times.append(page.page.evaluate("window.waited"))
        summary("browser, stroke's end to answer", times)
        chromium.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--strokes", type=int, default=60)
    options = parser.parse_args()
    app = serving.start()
    over_http(app, options.rounds)
    in_the_browser(app, options.strokes)
