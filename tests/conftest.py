"""What the tests share: one torch thread, real Fashion-MNIST pictures, no silent skips in CI."""

import json
import os
from pathlib import Path

# Before anything imports torch or gradio: other work on this machine keeps its cores, and the
# app under test calls nobody.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import pytest
import torch
from PIL import Image

from fashion_model import data

torch.set_num_threads(1)

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
MUST_RUN = ("browser", "dataset")  # markers that CI must not skip


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Where CI is set, a skipped browser or data-set test is a failure that names its reason."""
    report = yield
    if report.skipped and os.environ.get("CI") and any(map(item.get_closest_marker, MUST_RUN)):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} must run in CI, but was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def fashion_mnist_test():
    """The 10,000 test images uint8 (N, 28, 28) and their labels; skips where there are none."""
    if not data.DEBIAN.is_dir() and not data.DOWNLOADS.is_dir():
        pytest.skip("no Fashion-MNIST here: install Debian's package dataset-fashion-mnist")
    return data.load_fashion_mnist(train=False)


@pytest.fixture(scope="session")
def sheet():
    """Forty real test images, four of each class: [(PIL "L" 28x28, class index)]."""
    labels = json.loads((HERE / "fashion_mnist_sheet.json").read_text())["labels"]
    with Image.open(HERE / "fashion_mnist_sheet.png") as picture:
        whole = picture.convert("L")
    boxes = [(28 * (i % 10), 28 * (i // 10)) for i in range(len(labels))]
    return [
        (whole.crop((x, y, x + 28, y + 28)), label)
        for (x, y), label in zip(boxes, labels, strict=True)
    ]
