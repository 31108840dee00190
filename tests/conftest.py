"""What the tests share: one torch thread, real Fashion-MNIST pictures, no silent skips in CI."""

import gzip
import hashlib
import json
import os
import struct
import sys
from pathlib import Path

# Before anything imports torch or gradio: other work on this machine keeps its cores, and the
# app under test calls nobody.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ["TQDM_DISABLE"] = "1"

import pytest
from PIL import Image, ImageDraw

import hostile
import serving

# With several processes (-n) the first one runs no test: torch, slow to import, is not for it.

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
MUST_RUN = ("browser", "dataset")  # markers that CI must not skip


def pytest_collection_modifyitems(items):
    """Files with a browser first, for one start of it is enough for them; then what else takes
    long, so that no process is left alone with such a file at the end."""

    def place(item):
        module = item.getparent(pytest.Module)
        long = {"e2e", "training"} & set(module.path.parts)
        return module.get_closest_marker("browser") is None, not long

    items.sort(key=place)


def pytest_collection_finish():
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def pytest_runtest_setup(item):
    if "browsing" in sys.modules and not item.get_closest_marker("browser"):
        sys.modules["browsing"].stop_browser()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Where CI is set, a skipped browser or data-set test is a failure that names its reason."""
    report = yield
    if report.skipped and os.environ.get("CI") and any(map(item.get_closest_marker, MUST_RUN)):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} must run in CI, but was skipped: {report.longrepr}"
    return report


def pytest_sessionfinish(session):
    """With several processes (-n), each tells the first what its users saw."""
    if "browsing" in sys.modules:
        sys.modules["browsing"].stop_browser()
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["seen"] = {k: dict(v) for k, v in hostile.SEEN.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for kind, told in getattr(node, "workeroutput", {}).get("seen", {}).items():
        hostile.SEEN[kind].update(told)


def pytest_terminal_summary(terminalreporter):
    """The table of bad inputs: what was sent, how often, and what the user sees."""
    if not hostile.SEEN:
        return
    terminalreporter.section("bad inputs, and what the user sees")
    for kind, told in sorted(hostile.SEEN.items()):
        for text, times in told.most_common(2):
            terminalreporter.write_line(f"{kind:<48.48} {times:>4}  {text}")


@pytest.fixture
def stopped_once(monkeypatch):
    """Calls train until its first epoch is saved, as if somebody stopped it there, and again."""
    from fashion_model.training.trainer import Trainer

    def call(train, out: Path) -> None:
        def save_and_stop(self, path):
            save(self, path)
            raise KeyboardInterrupt

        save = Trainer.save
        with monkeypatch.context() as patched:
            patched.setattr(Trainer, "save", save_and_stop)
            with pytest.raises(KeyboardInterrupt):
                train()
        assert not out.exists()
        train()

    return call


@pytest.fixture(scope="session")
def fashion_mnist_test():
    """The 10,000 test images uint8 (N, 28, 28) and their labels; skips where there are none."""
    from fashion_model import datasets as data

    if not data.DEBIAN.is_dir() and not data.DOWNLOADS.is_dir():
        pytest.skip("no Fashion-MNIST here: install Debian's package dataset-fashion-mnist")
    return data.load_fashion_mnist(train=False)


@pytest.fixture(scope="session")
def sheet():
    """Forty real test images, four of each class: [(PIL "L" 28x28, class index)]."""
    labels = json.loads((HERE / "data" / "fashion_mnist_sheet.json").read_text())["labels"]
    with Image.open(HERE / "data" / "fashion_mnist_sheet.png") as picture:
        whole = picture.convert("L")
    boxes = [(28 * (i % 10), 28 * (i // 10)) for i in range(len(labels))]
    return [
        (whole.crop((x, y, x + 28, y + 28)), label)
        for (x, y), label in zip(boxes, labels, strict=True)
    ]


def made_up_fashion_mnist(monkeypatch, train: int, test: int):
    """{True: (images, labels), False: ...} of noise, whose checksums data.py then accepts."""
    import torch

    from fashion_model import datasets as data

    generator = torch.Generator().manual_seed(0)
    made = {}
    for key, count in ((True, train), (False, test)):
        images = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)
        labels = (torch.arange(count) % 10).to(torch.uint8)
        made[key] = (images, labels)
        digest = hashlib.sha256(images.numpy().tobytes() + labels.numpy().tobytes()).hexdigest()
        monkeypatch.setitem(data.SHA256, key, digest)
    return made


def idx(tensor) -> bytes:
    """The idx format: two zeros, 8 for uint8, the rank, each size as big-endian, the bytes."""
    sizes = struct.pack(f">{tensor.ndim}I", *tensor.shape)
    return bytes([0, 0, 8, tensor.ndim]) + sizes + tensor.numpy().tobytes()


def write_idx(folder: Path, content, packed: bool) -> None:
    """What made_up_fashion_mnist made, as the four files of the data set."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    for name, tensor in zip(names, (*content[True], *content[False]), strict=True):
        raw = idx(tensor)
        if packed:
            (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(raw))
        else:
            (folder / f"{name}-ubyte").write_bytes(raw)


@pytest.fixture
def made_up_data(tmp_path, monkeypatch):
    """A folder with a data set of noise: 300 pictures to train on, 5,000 held out, 100 to test."""
    folder = tmp_path / "made up"
    write_idx(folder, made_up_fashion_mnist(monkeypatch, 5300, 100), packed=False)
    return folder


@pytest.fixture
def real_folder(tmp_path, sheet):
    """Three photos and four drawings, labeled. group_fold has ann in fold 0, and leo in 3."""
    from fashion_model import CLASSES

    folder = tmp_path / "real"
    folder.mkdir()
    table = ["path,source,label,accept,sender"]
    for sender, label, index in (("ann", "Pants", 1), ("ann", "Polo", 0), ("leo", "Dress", 3)):
        garment = next(picture for picture, number in sheet if number == index)
        photo = garment.point(lambda tone: 255 if tone < 12 else 90 - tone // 4)
        photo = photo.resize((140, 140), Image.Resampling.BICUBIC)
        whole = Image.new("L", (180, 200), 255)
        whole.paste(photo, (20, 30))
        name = f"{label}-{sender}.jpg"
        whole.convert("RGB").save(folder / name, quality=95)
        accept = "" if label == "Polo" else CLASSES[index]
        table.append(f"{name},home,{label},{accept},{sender}")
    for sender, end in (("ann", 360), ("leo", 300)):
        for label, accept, top in (("shoe", "Sandal|Sneaker", 120), ("cat", "", 40)):
            drawing = Image.new("L", (280, 280), 255)
            ImageDraw.Draw(drawing).arc((40, top, 250, 240), 0, end, fill=0, width=7)
            name = f"{label}-{sender}.png"
            drawing.save(folder / name)
            table.append(f"{name},doodle,{label},{accept},{sender}")
    (folder / "labels.csv").write_text("\n".join(table) + "\n")
    return folder


@pytest.fixture(scope="session")
def server():
    """The address of the running app: `python app.py` on a free port, once for all tests."""
    return serving.start()
