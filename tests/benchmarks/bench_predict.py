"""How long a picture takes from bytes to dictionary, and what each part of that costs.

Run from the project's folder: .venv/bin/python tests/benchmarks/bench_predict.py [--network NAME]
One core. The pictures are made up here; the ratio is to a Fashion-MNIST image in the same run.
"""

import argparse
import io
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from PIL import Image, ImageDraw

import fashion_model
from fashion_model.classifier import LONGEST
from fashion_model.preprocessing.decode import decode


def encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=90)
    return buffer.getvalue()


def photo(width: int, height: int) -> Image.Image:
    """A red T-shirt on a wooden floor, with a camera's noise."""
    rng = np.random.default_rng(0)
    small = rng.normal((150, 120, 90), 12, (height // 4, width // 4, 3))
    picture = Image.fromarray(small.clip(0, 255).astype(np.uint8)).resize((width, height))
    outline = [(0.3, 0.2), (0.7, 0.2), (0.9, 0.4), (0.8, 0.47), (0.7, 0.4), (0.7, 0.85)]
    outline += [(0.3, 0.85), (0.3, 0.4), (0.2, 0.47), (0.1, 0.4)]
    points = [(x * width, y * height) for x, y in outline]
    ImageDraw.Draw(picture).polygon(points, fill=(170, 30, 40))
    return picture


def drawing(side: int) -> Image.Image:
    picture = Image.new("L", (side, side), 255)
    box = (side * 0.2, side * 0.1, side * 0.8, side * 0.9)
    ImageDraw.Draw(picture).rectangle(box, outline=0, width=max(1, side // 40))
    return picture


def garment() -> Image.Image:
    picture = Image.new("L", (28, 28))
    gradient = np.linspace(60, 230, 20 * 20).reshape(20, 20).astype(np.uint8)
    picture.paste(Image.fromarray(gradient), (4, 4))
    return picture


def median_ms(call, rounds: int) -> tuple[float, float]:
    for _ in range(5):
        call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times), sorted(times)[int(0.99 * len(times))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default=fashion_model.DEFAULT)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    classifier = fashion_model.load(options.network, "cpu")
    pictures = {
        "Fashion-MNIST image, 28x28 PNG": encoded(garment(), "PNG"),
        "drawing, 280x280 PNG": encoded(drawing(280), "PNG"),
        "photo, 60x80 JPEG": encoded(photo(60, 80), "JPEG"),
        "photo, 0.3 megapixels JPEG": encoded(photo(480, 640), "JPEG"),
        "photo, 12 megapixels JPEG": encoded(photo(3000, 4000), "JPEG"),
    }
    base = None
    print(f"{options.network}, one core, {options.rounds} rounds")
    print(f"{'picture':32} {'p50 ms':>8} {'p99 ms':>8} {'ratio':>7} {'decoding ms':>12}")
    for name, content in pictures.items():
        p50, p99 = median_ms(lambda content=content: classifier.predict(content), options.rounds)
        alone, _ = median_ms(lambda content=content: decode(content, LONGEST), options.rounds)
        base = base or p50
        print(f"{name:32} {p50:8.1f} {p99:8.1f} {p50 / base:7.2f} {alone:12.1f}")
    eight = 8 * [pictures["drawing, 280x280 PNG"]]
    p50, p99 = (t / 8 for t in median_ms(lambda: classifier.predict_batch(eight), options.rounds))
    print(f"{'drawing, one of 8 in one pass':32} {p50:8.1f} {p99:8.1f} {p50 / base:7.2f}")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"resident memory: {before / 1024:.0f} MB after imports, at most {after / 1024:.0f} MB")


if __name__ == "__main__":
    main()
