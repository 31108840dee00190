"""What the panels cost those who only ask /predict.

    python tests/benchmarks/bench_panels.py [--rounds N] [--every SECONDS]

Prints p50 and p99 in ms of one drawing over plain HTTP (upload, call, answer), and the ratios to
an app whose panels nobody has opened: for an app in which all of them have been opened, so that
all they keep is loaded; and for the same app while somebody draws on and has a panel open, which
asks every so many seconds. First how long each panel takes, asked for the first and second time.
"""

import argparse
import base64
import json
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
from bench_app import Caller, drawing, summary

import serving

PANELS = ("ask_inside", "ask_similar", "ask_compare", "ask_card", "ask_maps")


class Visitor:
    """Asks what the page asks when a panel is open."""

    def __init__(self, address: str) -> None:
        self.address = address
        with urllib.request.urlopen(f"{address}/config") as response:
            components = json.load(response)["components"]
        self.owner = {
            name: component["id"]
            for component in components
            for name in component["props"].get("server_fns") or []
        }
        image = "data:image/png;base64," + base64.b64encode(drawing()).decode()
        self.image = image

    def ask(self, name: str, network: str = "cnn") -> dict[str, object]:
        question = {"image": self.image, "network": network, "kind": "drawing"}
        question["labels"] = ["T-shirt/top", "Bag"]
        return serving.ask(self.address, self.owner[name], name, question)

    def open_all(self) -> None:
        for network in ("cnn", "mlp"):
            for name in PANELS:
                times = []
                for _ in range(2):
                    start = time.perf_counter()
                    self.ask(name, network)
                    times.append((time.perf_counter() - start) * 1000)
                first, second = times
                print(f"{name}, {network:<22}first {first:7.1f} ms   second {second:7.1f} ms")

    def go_on(self, every: float, stop: threading.Event) -> None:
        turn = 0
        while not stop.wait(every):
            self.ask(PANELS[turn % len(PANELS)])
            turn += 1


def start_another() -> tuple[subprocess.Popen[bytes], str]:
    port = str(serving.free_port())
    environment = {**serving.os.environ, "GRADIO_SERVER_PORT": port}
    environment["GRADIO_SERVER_NAME"] = "127.0.0.1"
    process = subprocess.Popen(
        [sys.executable, serving.APP], env=environment, stdout=subprocess.DEVNULL
    )
    return process, serving.wait_for(process, f"http://127.0.0.1:{port}")


def main(rounds: int, every: float) -> None:
    used = serving.start()
    process, unused = start_another()
    stop = threading.Event()
    try:
        visitor = Visitor(used)
        visitor.open_all()
        picture = drawing()
        callers = {"panels never opened": Caller(unused), "panels opened": Caller(used)}

        def measure(name: str) -> None:
            times: dict[str, list[float]] = {key: [] for key in callers}
            for i in range(rounds + 10):  # in turn, so that a busy machine is busy for both
                for key, caller in callers.items():
                    took = caller.once(picture)
                    if i >= 10:
                        times[key].append(took)
            print(name)
            first, second = (summary(f"  /predict, {key}", t) for key, t in times.items())
            print(f"  {'ratio':<32}p50 {second[0] / first[0]:7.3f}")

        measure("one at a time")
        threading.Thread(target=visitor.go_on, args=(every, stop), daemon=True).start()
        measure(f"while a panel asks every {every:g} s")
    finally:
        stop.set()
        process.terminate()
        process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--every", type=float, default=2.0)
    options = parser.parse_args()
    main(options.rounds, options.every)
