"""Many clients at once, some of them hostile, against a running app over plain HTTP."""

import contextlib
import http.client
import io
import json
import os
import random
import re
import socket
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw

import hostile
import serving


@dataclass
class Report:
    good: list[float] = field(default_factory=list)  # ms of each good request that was answered
    failed: list[str] = field(default_factory=list)  # what good requests got instead
    bad: Counter[str] = field(default_factory=Counter)  # outcomes of bad requests
    memory: list[tuple[float, float]] = field(default_factory=list)  # (seconds, MB)
    files: list[tuple[int, float]] = field(default_factory=list)  # (count, MB)


class Client:
    """One keep-alive connection that uploads, calls and waits for the answer."""

    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        self.last = 0.0

    def send(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> str:
        if time.monotonic() - self.last > 3:
            self.connection.close()  # the server drops connections that idle for 5 s
        self.connection.request(method, path, body, {"Content-Type": kind} if kind else {})
        response = self.connection.getresponse()
        text = response.read().decode()
        self.last = time.monotonic()
        if response.status != 200:
            raise RuntimeError(f"{response.status} {text[:200]}")
        return text

    def upload(self, content: bytes) -> str:
        edge = uuid.uuid4().hex
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
        kind = f"multipart/form-data; boundary={edge}"
        (path,) = json.loads(self.send("POST", "/gradio_api/upload", body, kind))
        return str(path)

    def call(self, name: str, *data: object) -> str:
        """The answer's event: complete or error, and its data."""
        body = json.dumps({"data": data}).encode()
        path = f"/gradio_api/call/{name}"
        event = json.loads(self.send("POST", path, body, "application/json"))["event_id"]
        return self.send("GET", f"{path}/{event}")

    def good(self, content: bytes, name: str = "predict", network: str = "mlp") -> None:
        image = {"path": self.upload(content), "meta": hostile.META}
        text = self.call(name, image, "auto", network, *([""] if name == "explain" else []))
        if "event: complete" not in text:
            raise RuntimeError(text[:300])

    def close(self) -> None:
        self.connection.close()


def pictures() -> list[bytes]:
    """A drawing of 280x280, a Fashion-MNIST image, a photo of 0.3 megapixels."""
    drawing, shape = (Image.new("L", (280, 280), 255) for _ in range(2))
    outline = [(100, 50), (180, 50), (250, 110), (220, 145), (190, 120), (190, 240), (90, 240)]
    outline += [(90, 120), (60, 145), (30, 110)]
    ImageDraw.Draw(drawing).polygon(outline, outline=0, width=6)
    ImageDraw.Draw(shape).polygon(outline, fill=0)
    with Image.open(Path(__file__).parents[1] / "data" / "fashion_mnist_sheet.png") as sheet:
        small = sheet.convert("L").crop((0, 0, 28, 28))
    photo = Image.effect_noise((640, 480), 20).point(lambda tone: min(255, tone + 100))
    photo.paste(shape.resize((300, 300)), (150, 90))
    return [encoded(drawing, "PNG"), encoded(small, "PNG"), encoded(photo.convert("RGB"), "JPEG")]


def encoded(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def break_off(address: str, chance: random.Random) -> None:
    """Go away in the middle: of an upload, after a question, or before its answer."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as line:
        kind = chance.randrange(3)
        if kind == 0:
            line.sendall(
                b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n"
                b"Content-Type: multipart/form-data; boundary=e\r\n\r\n--e\r\nContent-Disposition: "
                b'form-data; name="files"; filename="a.png"\r\n\r\n' + bytes(20_000)
            )
            return
        body = json.dumps({"data": [hostile.data_url(pictures()[0]), "auto", "mlp"]}).encode()
        line.sendall(
            b"POST /gradio_api/call/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
            b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        if kind == 1:
            return
        event = re.search(rb'event_id":"(\w+)"', line.recv(4000))
        if event:
            line.sendall(b"GET /gradio_api/call/predict/%b HTTP/1.1\r\nHost: x\r\n\r\n" % event[1])


def soak(
    address: str, process: int, uploads: Path, clients: int, seconds: float, seed: int = 0
) -> Report:
    """A third of all requests are bad. process: the app's id; uploads: its folder."""
    report = Report()
    ours = pictures()
    bad = [bad.content for bad in hostile.files() if len(bad.content) < 100_000]
    sent = [image for _, image in hostile.payloads(address)]
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        chance = random.Random(seed * 1000 + number)
        line = Client(address)
        while time.monotonic() < end:
            dice = chance.random()
            start = time.perf_counter()
            try:
                if dice < 0.6:
                    line.good(chance.choice(ours))
                elif dice < 0.66:
                    line.good(chance.choice(ours), "explain")
                elif dice < 0.8:
                    image = {"path": line.upload(chance.choice(bad)), "meta": hostile.META}
                    text = line.call("predict", image, "auto", "mlp")
                    report.bad["answered" if "event: complete" in text else "refused"] += 1
                elif dice < 0.95:
                    text = line.call("predict", chance.choice(sent), "auto", "mlp")
                    report.bad["answered" if "event: complete" in text else "refused"] += 1
                else:
                    break_off(address, chance)
                    report.bad["broken off"] += 1
            except (RuntimeError, OSError, http.client.HTTPException) as error:
                if dice < 0.66:
                    report.failed.append(f"{type(error).__name__}: {error}")
                else:
                    report.bad["refused"] += 1
                line.close()
            else:
                if dice < 0.66:
                    report.good.append((time.perf_counter() - start) * 1000)
        line.close()

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        report.memory.append((time.monotonic() - start, serving.memory(process)))
        report.files.append(kept(uploads))
        time.sleep(0.5)
    for thread in threads:
        thread.join()
    return report


def kept(folder: Path) -> tuple[int, float]:
    """How many files lie in folder, and their MB."""
    count, size = 0, 0
    for parent, _, names in os.walk(folder):  # passes over folders that are deleted meanwhile
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += (Path(parent) / name).stat().st_size
                count += 1
    return count, size / 1e6
