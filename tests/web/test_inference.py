"""What the web asks of the networks: several pictures in one pass, and what is kept for panels."""

import threading

import pytest
import torch
from PIL import Image

from fashion_model import InputError
from fashion_model.preprocessing import ModelInput
from fashion_model.preprocessing.geometry import WHOLE
from fashion_model.web import inference
from fashion_model.web.inference import Inference, PictureError, Pictures

PICTURE = Image.new("L", (1, 1))


class Classifier:
    """Reads digits; anything else is no picture."""

    passes = 0

    def preprocess(self, image, kind, _point=None):
        if not image.isdigit():
            raise InputError("no picture.", key="no picture")
        return ModelInput(kind, torch.tensor(int(image)), PICTURE, WHOLE)

    def confidences(self, inputs):
        self.passes += 1
        return [{"Bag": each.tensor.item()} for each in inputs]


@pytest.fixture
def fake():
    made = Inference([])
    made.classifiers = {"cnn": Classifier()}
    return made


def test_one_bad_picture_does_not_spoil_the_pass_of_the_others(fake):
    first, bad, last = fake.predict_each("cnn", [(b"1", "auto"), (b"x", "auto"), (b"3", "auto")])
    assert (first, last) == ({"Bag": 1}, {"Bag": 3})
    assert isinstance(bad, InputError)
    assert fake.classifiers["cnn"].passes == 1
    assert fake.predict("cnn", b"7", "auto").result(5) == {"Bag": 7}
    with pytest.raises(InputError):
        fake.predict("cnn", b"x", "auto").result(5)


def test_who_goes_away_stops_nobody(fake):
    started = threading.Event()
    go_on = threading.Event()
    preprocess = fake.classifiers["cnn"].preprocess

    def slow(image, kind, point=None):
        started.set()
        go_on.wait(5)
        return preprocess(image, kind, point)

    fake.classifiers["cnn"].preprocess = slow
    first = fake.predict("cnn", b"1", "auto")
    assert started.wait(5)
    gone = fake.predict("cnn", b"2", "auto")
    assert gone.cancel()
    go_on.set()
    assert first.result(5) == {"Bag": 1}
    assert fake.predict("cnn", b"3", "auto").result(5) == {"Bag": 3}


def test_many_pictures_name_the_one_that_fails(fake):
    def readers(*contents):
        return [lambda content=content: content for content in contents]

    found = fake.predict_many("cnn", readers(*[b"%d" % i for i in range(40)]), "auto")
    assert found == [{"Bag": i} for i in range(40)]
    with pytest.raises(PictureError, match="Picture 18 of 20") as caught:
        fake.predict_many("cnn", readers(*[b"1"] * 17, b"x", b"1", b"1"), "auto")
    assert (caught.value.number, caught.value.key) == (18, "no picture")


def test_replicas_are_asked_instead(fake):
    asked = []
    fake.remote = lambda *question: asked.append(question) or {"kind": "photo"}
    assert fake.answer("cnn", b"1", "auto", None) == {"kind": "photo"}
    assert asked == [("answer", "cnn", (b"1", "auto", None))]


def test_a_picture_is_kept_for_the_panels_until_it_is_old_or_too_much(monkeypatch):
    pictures = Pictures()
    name = pictures.add(image=b"x", kind="drawing")
    assert pictures.get(name)["image"] == b"x"
    for unknown in ("other", None, {"path": "/etc/passwd"}):
        with pytest.raises(InputError) as caught:
            pictures.get(unknown)
        assert caught.value.key == "expired"
    monkeypatch.setattr(inference, "MAX_CACHE_BYTES", 10_000)
    for _ in range(20):
        pictures.add(image=b"x" * 500)
    assert pictures._bytes <= 10_000
    monkeypatch.setattr(inference, "CACHE_SECONDS", 0)
    pictures.forget_old()
    assert pictures._bytes == 0
