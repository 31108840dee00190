"""What a visitor's training costs those who ask /predict meanwhile.

    python tests/benchmarks/bench_tutorial.py [--rounds 8] [--seconds 6] [--images bundled]

Prints p50 and p95 in ms of one drawing over plain HTTP (upload, call, answer) without a training,
while one starts, and while one is under way and its page asks four times a second how it stands;
and the ratios, of which at most 1.10 is asked while it trains. The conditions take turns in short
rounds, so that a busy machine is busy for all.
"""

import argparse
import json
import statistics
import sys
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import serving
import soaking

POLL_SECONDS = 0.25  # as training.js
OPTIONS = {"epochs": 100, "batch_size": 16, "optimizer": "Adam"}  # until it is stopped


class Training:
    """One visitor's, with the page's questions about it."""

    def __init__(self, address: str, images: str) -> None:
        self.address = address
        with urllib.request.urlopen(f"{address}/config") as response:
            components = json.load(response)["components"]
        (self.owner,) = [
            component["id"]
            for component in components
            if "start_training" in (component["props"].get("server_fns") or [])
        ]
        self.last = self.ask("start_training", options={**OPTIONS, "images": images})
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.poll)
        self.thread.start()

    def ask(self, name: str, **question: object) -> dict[str, object]:
        return serving.ask(self.address, self.owner, name, question)

    def poll(self) -> None:
        while not self.over.wait(POLL_SECONDS):
            self.last = self.ask("ask_training", network=self.last["network"])

    def trains(self) -> bool:
        if self.last["state"] not in ("waiting", "training"):
            raise RuntimeError(
                f"the training is over: {self.last['state']}, {self.last['failure']}"
            )
        return bool(self.last["points"])

    def stop(self) -> None:
        self.over.set()
        self.thread.join()
        self.ask("stop_training", network=self.last["network"])


def measure(client: soaking.Client, picture: bytes, seconds: float) -> list[float]:
    """Milliseconds of each drawing, one after the other."""
    times = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        client.good(picture, network="cnn")
        times.append((time.perf_counter() - start) * 1000)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=6, help="of each condition in a round")
    parser.add_argument("--images", choices=("bundled", "all"), default="bundled")
    options = parser.parse_args()
    address = serving.start()
    client, picture = soaking.Client(address), soaking.pictures()[0]
    measure(client, picture, 3)
    times: dict[str, list[float]] = {"without": [], "starting": [], "training": []}
    for _ in range(options.rounds):
        times["without"] += measure(client, picture, options.seconds)
        training = Training(address, options.images)
        while not training.trains():
            times["starting"] += measure(client, picture, POLL_SECONDS)
        times["training"] += measure(client, picture, options.seconds)
        training.trains()  # to the end of the round
        training.stop()
        time.sleep(1)
    usual = statistics.median(times["without"])
    for name, values in times.items():
        p50, p95 = statistics.median(values), statistics.quantiles(values, n=20)[18]
        print(
            f"{name:<9} p50 {p50:7.2f} ms  p95 {p95:7.2f} ms  {len(values):5} drawings  "
            f"ratio of p50 {p50 / usual:5.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
