"""Uploads that are read before anybody asks: what is told, to whom, and what is forgotten."""

import asyncio
import json
import pickle
from concurrent.futures import Future
from pathlib import Path

import gradio as gr
import pytest
from gradio.utils import get_upload_folder

import hostile
import serving
import soaking
from fashion_model import InputError
from fashion_model.web import ahead
from fashion_model.web.ahead import Ahead, reading_ahead

DRAWING = soaking.pictures()[0]


class Asked:
    """In the place of web.beside.Beside: answers each question with its number, at once."""

    def __init__(self):
        self.questions = []
        self.sending = self.slow = self.crowd = False
        self.waiting = []

    def put_now(self, question):
        return None if self.sending else self.put(question)

    def crowded(self):
        return self.crowd

    def put(self, question):
        self.questions.append(question)
        told = Future()
        picture = question[2][0]
        well = picture != b"bad"
        said = pickle.dumps((well, {"Bag": len(self.questions)} if well else "bad"))
        if self.slow:
            self.waiting.append((told, said))
        else:
            told.set_result(said)
        return told


@pytest.fixture
def beside():
    return Asked()


@pytest.fixture
def uploads(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    assert get_upload_folder() == str(tmp_path)
    return tmp_path


def upload(folder, name="a.png"):
    path = folder / name
    path.write_bytes(DRAWING)
    return {"path": str(path), "meta": hostile.META}


def told(reading, image, kind="auto", network="cnn"):
    return asyncio.run(reading.predict(image, kind, network))


def test_what_was_read_ahead_is_asked_once(beside, uploads):
    reading, image = Ahead(beside, "cnn"), upload(uploads)
    reading.begin(image["path"])
    assert told(reading, image) == {"Bag": 1}
    assert beside.questions == [("cnn", "predict", (image["path"], "auto"))]
    assert told(reading, image) == {"Bag": 2}  # forgotten when it was told
    assert reading.count == 0
    assert not reading.begun


def test_twice_the_same_upload_is_two_answers(beside, uploads):
    reading, image = Ahead(beside, "cnn"), upload(uploads)
    reading.begin(image["path"])
    reading.begin(image["path"])
    assert [told(reading, image) for _ in range(3)] == [{"Bag": 1}, {"Bag": 2}, {"Bag": 3}]


@pytest.mark.parametrize(("kind", "network"), [("photo", "cnn"), ("auto", "mlp")])
def test_who_asks_otherwise_is_told_otherwise(beside, uploads, kind, network):
    reading, image = Ahead(beside, "cnn"), upload(uploads)
    reading.begin(image["path"])
    assert told(reading, image, kind, network) == {"Bag": 2}
    assert beside.questions[-1] == (network, "predict", (image["path"], kind))
    assert reading.count == 0
    reading.begin(image["path"])  # and the next upload is read as that one was
    assert beside.questions[-1] == (network, "predict", (image["path"], kind))
    assert told(reading, image, kind, network) == {"Bag": 3}


def test_data_urls_are_read_here_and_refusals_are_ours(beside, uploads):
    reading = Ahead(beside, "cnn")
    assert told(reading, {"url": hostile.data_url(DRAWING), "path": "", "meta": hostile.META})
    assert beside.questions == [("cnn", "predict", (DRAWING, "auto"))]
    with pytest.raises(InputError, match="bad"):
        told(reading, hostile.data_url(b"bad"))
    with pytest.raises(InputError, match="Only uploaded"):
        told(reading, {"path": "/etc/passwd", "meta": hostile.META})
    with pytest.raises(InputError, match="no longer"):
        told(reading, {"path": str(uploads / "gone.png"), "meta": hostile.META})


def test_uploads_that_nobody_asks_about_are_forgotten(beside, uploads, monkeypatch):
    monkeypatch.setattr(ahead, "MOST", 3)
    reading = Ahead(beside, "cnn")
    images = [upload(uploads, f"{number}.png") for number in range(5)]
    for image in images:
        reading.begin(image["path"])
    assert reading.count == 3
    assert list(reading.begun) == [image["path"] for image in images[2:]]
    assert told(reading, images[0]) == {"Bag": 6}
    assert told(reading, images[4]) == {"Bag": 5}


def test_few_are_read_ahead_at_the_same_time(beside, uploads, monkeypatch):
    monkeypatch.setattr(ahead, "AT_ONCE", 2)
    reading = Ahead(beside, "cnn")
    images = [upload(uploads, f"{number}.png") for number in range(4)]
    beside.slow = True
    for image in images[:3]:
        reading.begin(image["path"])
    assert list(reading.begun) == [image["path"] for image in images[:2]]
    told, said = beside.waiting[0]
    told.set_result(said)
    reading.begin(images[3]["path"])
    assert images[3]["path"] in reading.begun


def test_while_a_large_picture_is_sent_nobody_waits_in_the_loop(beside, uploads):
    reading, image = Ahead(beside, "cnn"), upload(uploads)
    beside.sending = True
    reading.begin(image["path"])
    assert beside.questions == []
    assert told(reading, image) == {"Bag": 1}
    assert beside.questions == [("cnn", "predict", (DRAWING, "auto"))]
    beside.crowd = True
    with pytest.raises(gr.Error, match="busy"):
        told(reading, image)
    assert Path(image["path"]).exists()  # it may be asked about again


class Request:
    """Of an upload, as Gradio's route has it: body can be had once more after it was awaited."""

    def __init__(self, parts, boundary=b"line", length=None, kind="multipart/form-data", **more):
        head = b'Content-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        each = [b"--" + boundary + b"\r\n" + head + part + b"\r\n" for part in parts]
        self.sent = b"".join(each) + b"--" + boundary + b"--\r\n"
        length = len(self.sent) if length is None else length
        self.headers = {
            "content-type": f"{kind}; boundary={boundary.decode()}",
            "content-length": str(length),
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        self.asked = False

    async def body(self):
        self.asked = True
        return self.sent


class Begun:
    def __init__(self):
        self.steps = []

    def begin(self, path):
        self.steps.append(f"begin {path}")

    def asked(self, picture):
        self.steps.append("asked")
        return picture

    def keep(self, path, told):
        self.steps.append(f"keep {path} {told.decode()}")


def steps(request, taken, upload_id=None):
    """What is read ahead of an upload, and when Gradio writes it."""
    reading = Begun()

    async def upload(given, folder, most, upload_id, *, force_move):
        assert (given, folder, most, force_move) == (request, "/folder", 9, False)
        reading.steps.append("upload")
        return taken

    through = reading_ahead(upload, reading)
    assert asyncio.run(through(request, "/folder", 9, upload_id, force_move=False)) == taken
    return reading.steps


LARGE = Request([b"x" * ahead.SMALL])


@pytest.mark.parametrize(
    ("taken", "upload_id", "begun"),
    [
        ((["/a.png"], [], []), None, ["begin /a.png"]),
        ((["/a.png", "/b.png"], [], []), None, ["begin /a.png", "begin /b.png"]),
        ((["/a.png"], [], []), "1", []),  # the page's
        ((["/a.png"], ["/tmp/1"], ["/a.png"]), None, []),  # not there yet
        ((["/a.png"] * 5, [], []), None, []),  # many at once are not asked about one by one
    ],
)
def test_complete_uploads_by_scripts_begin(taken, upload_id, begun):
    assert steps(LARGE, taken, upload_id) == ["upload", *begun]
    assert not LARGE.asked  # it may be large, and goes to its file as it comes


def test_a_small_upload_is_read_while_gradio_writes_it(monkeypatch):
    monkeypatch.setattr(ahead.sys, "platform", "linux")
    path = f"/{ahead.named_after(b'tee')}/a.png"
    taken = ([path], [], [])
    assert steps(Request([b"tee"]), taken) == ["asked", "upload", f"keep {path} tee"]
    assert steps(Request([b"tee"]), taken, upload_id="1") == ["upload"]
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(ahead.sys, "platform", "darwin")  # where it might hold up everybody
        assert steps(Request([b"tee"]), taken) == ["upload", f"begin {path}"]
    other = (["/other/a.png"], [], [])  # where something else is, that is read
    assert steps(Request([b"tee"]), other) == ["asked", "upload", "begin /other/a.png"]


@pytest.mark.parametrize(
    "request_",
    [
        Request([b"tee", b"coat"]),
        Request([]),
        Request([b"tee"], length=""),
        Request([b"tee"], transfer_encoding="chunked"),  # then the length counts for nothing
        Request([b"tee"], length="-1"),
        Request([b"tee"], length="\u00b2"),
        Request([b"tee"], boundary=b""),
        Request([b"tee"], kind="multipart/form-data; boundary=other"),
    ],
)
def test_what_is_not_one_small_picture_waits_for_its_file(request_):
    assert asyncio.run(ahead.alone(request_)) is None


def test_the_picture_is_what_was_sent():
    picture = bytes(range(256)) + b"\r\n--lin\r\n\r\n"
    assert asyncio.run(ahead.alone(Request([picture]))) == picture
    assert asyncio.run(ahead.alone(Request([picture], boundary=b'"line"'))) is None
    quoted = Request([picture])
    quoted.headers["content-type"] = 'multipart/form-data; boundary="line"'
    assert asyncio.run(ahead.alone(quoted)) == picture


def test_over_http_the_answer_is_the_one_without(server):
    client = soaking.Client(serving.start())
    image = {"path": client.upload(DRAWING), "meta": hostile.META}
    answers = [client.call("predict", image, "auto", "cnn") for _ in range(2)]
    assert "event: complete" in answers[0]
    assert answers[0] == answers[1]  # the first was read ahead, the second was not
    path = Path(image["path"])
    assert path.parent.name == ahead.named_after(DRAWING)  # or none would be read while written
    image = {"path": client.upload(DRAWING), "meta": hostile.META}
    many = client.call("predict_many", [image, image], "auto", "cnn")
    one = json.loads(answers[0].strip().splitlines()[-1].removeprefix("data: "))[0]
    both = json.loads(many.strip().splitlines()[-1].removeprefix("data: "))[0]
    assert [each["T-shirt/top"] for each in both] == pytest.approx([one["T-shirt/top"]] * 2)
    client.close()
