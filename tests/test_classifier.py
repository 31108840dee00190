"""The public functions: load, predict, predict_batch, answer."""

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import fashion_model
from conftest import TOP
from fashion_model import CLASSES, CheckpointError, InputError


@pytest.fixture(scope="module")
def classifier():
    return fashion_model.load(device="cpu")


def shirt(size: int = 280, ink="black", paper="white", mode: str = "RGB") -> Image.Image:
    """A T-shirt in outline, as people draw it."""
    points = [(90, 60), (40, 100), (65, 135), (90, 115), (90, 230), (190, 230), (190, 115)]
    points += [(215, 135), (240, 100), (190, 60), (165, 75), (115, 75), (90, 60)]
    picture = Image.new(mode, (280, 280), paper)
    ImageDraw.Draw(picture).line(points, fill=ink, width=8, joint="curve")
    return picture.resize((size, size), Image.Resampling.BOX) if size != 280 else picture


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def proper(confidences: dict[str, float]) -> bool:
    values = list(confidences.values())
    return (
        set(confidences) == set(CLASSES)
        and values == sorted(values, reverse=True)
        and all(isinstance(value, float) and 0 <= value <= 1 for value in values)
        and sum(values) == pytest.approx(1, abs=1e-9)
    )


def test_real_images_get_their_tensors_label_whatever_their_size_and_form(classifier, sheet):
    right = 0
    for picture, label in sheet:
        pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
        with torch.inference_mode():
            logits = classifier.network(pixels.view(1, 28, 28) / 255)
        expected = CLASSES[int(logits.argmax(1))]
        large = picture.resize((28 * 9, 28 * 9), Image.Resampling.NEAREST)
        for form in (picture, np.asarray(picture), png(picture), png(large.convert("RGB"))):
            confidences = classifier.predict(form)
            assert proper(confidences)
            assert next(iter(confidences)) == expected
        answer = classifier.answer(png(large))
        assert answer.kind == "dataset"
        assert answer.seen.tobytes() == picture.tobytes()
        right += expected == CLASSES[label]
    assert right >= 34  # of 40, where nine in ten are expected


def test_a_batch_gives_what_one_at_a_time_gives(classifier, sheet):
    pictures = [picture for picture, _ in sheet[:12]] + [shirt()]
    batch = classifier.predict_batch(pictures)
    for picture, confidences in zip(pictures, batch, strict=True):
        assert proper(confidences)
        assert confidences == pytest.approx(classifier.predict(picture), abs=1e-5)
    assert classifier.predict_batch([]) == []


def test_one_bad_picture_fails_its_batch(classifier, sheet):
    with pytest.raises(InputError):
        classifier.predict_batch([sheet[0][0], b"no picture"])


def test_a_drawing_reads_the_same_in_every_form(classifier):
    """As file, as array, as layer, dark on light or light on dark."""
    drawing = shirt()
    forms = [
        drawing,
        np.asarray(drawing),
        np.asarray(drawing.convert("L")) / 255,
        drawing.convert("1"),
        drawing.convert("P"),
        drawing.convert("CMYK"),
        shirt(ink=(0, 0, 0, 255), paper=(0, 0, 0, 0), mode="RGBA"),
        shirt(ink=(255, 255, 255, 255), paper=(0, 0, 0, 0), mode="RGBA"),
        shirt(ink="white", paper="black"),
        shirt(ink="navy", paper="ivory"),
    ]
    labels = set()
    for form in forms:
        answer = classifier.answer(form, kind="drawing")
        assert proper(answer.confidences)
        labels.add(next(iter(answer.confidences)))
    assert len(labels) == 1


def test_an_answer_says_what_was_seen(classifier):
    answer = classifier.answer(shirt(), kind="drawing")
    assert (answer.kind, answer.cutout) == ("drawing", None)
    assert (answer.seen.mode, answer.seen.size) == ("L", (28, 28))
    assert np.asarray(answer.seen).max() > 100
    assert isinstance(answer.known, bool)
    assert next(iter(answer.confidences)) in answer.sentence


def photo() -> Image.Image:
    """A dark shirt on a patterned floor, wider than high."""
    rng = np.random.default_rng(0)
    floor = Image.fromarray(rng.integers(150, 230, (20, 30, 3), dtype=np.uint8))
    picture = floor.resize((600, 400), Image.Resampling.BICUBIC)
    points = [(250, 80), (180, 140), (215, 190), (250, 165), (250, 330), (380, 330), (380, 165)]
    points += [(415, 190), (450, 140), (380, 80), (345, 95), (285, 95)]
    ImageDraw.Draw(picture).polygon(points, fill=(30, 40, 90))
    return picture


def test_a_photos_cutout_has_its_own_aspect(classifier):
    answer = classifier.answer(photo(), kind="photo")
    assert answer.kind == "photo"
    assert answer.cutout.mode == "RGB"
    assert answer.cutout.width / answer.cutout.height == pytest.approx(1.5, abs=0.01)


def test_a_tap_says_where_the_garment_is(classifier):
    answer = classifier.answer(photo(), point=(0.52, 0.5))
    assert answer.kind == "photo"
    assert proper(answer.confidences)


@pytest.mark.parametrize("kind", ["auto", "drawing", "photo"])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (300, 200), (1, 500)])
@pytest.mark.parametrize("colour", ["white", "black", "teal"])
def test_a_blank_picture_is_no_prediction(classifier, colour, size, kind):
    with pytest.raises(InputError, match="blank"):
        classifier.predict(Image.new("RGB", size, colour), kind=kind)


@pytest.mark.parametrize("kind", ["sketch", "", None, 3])
def test_an_unknown_kind(classifier, kind):
    with pytest.raises(InputError, match="kind must be one of auto, drawing, photo"):
        classifier.predict(shirt(), kind=kind)


@pytest.mark.parametrize("kind", ["auto", "drawing", "photo"])
@pytest.mark.parametrize(
    "size", [(2, 2), (3, 1), (1, 300), (300, 1), (5, 600), (600, 5), (29, 31), (1500, 900)]
)
def test_odd_sizes_get_an_answer_or_an_input_error(classifier, size, kind):
    noise = Image.effect_noise(size, 60)
    try:
        confidences = classifier.predict(noise, kind=kind)
    except InputError:
        return
    assert proper(confidences)


def test_many_threads_get_the_same_answers(classifier, sheet):
    pictures = [picture for picture, _ in sheet]
    expected = [classifier.predict(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(classifier.predict, pictures))
    assert answers == expected


def test_what_load_gives(classifier):
    assert isinstance(classifier.network, fashion_model.NETWORKS[fashion_model.DEFAULT])
    assert not classifier.network.training
    assert classifier.device == torch.device("cpu")
    assert classifier.card["classes"] == list(CLASSES)


def test_load_from_a_path_and_from_nowhere(tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(fashion_model.checkpoint.resolve(fashion_model.DEFAULT).read_bytes())
    assert proper(fashion_model.load(path, device="cpu").predict(shirt()))
    with pytest.raises(CheckpointError, match="no checkpoint"):
        fashion_model.load("none-of-this-name")
    with pytest.raises(CheckpointError, match="Choose one of"):
        fashion_model.load("finder")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A checkpoint folder in which "one" says Bag of all, and "two", named in its card, Coat."""
    folder = tmp_path_factory.mktemp("pair")
    for name, label, more in (("one", "Bag", {"people": "two"}), ("two", "Coat", {})):
        network = fashion_model.NeuralNetwork()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
            network.linear_relu_stack[4].bias[CLASSES.index(label)] = 4
        card = {"architecture": "mlp", "unsure_below": {"drawing": 0.99}, **more}
        card["temperature"] = {"dataset": 2.0, "drawing": 4.0}
        fashion_model.checkpoint.save(folder / f"{name}.safetensors", network, card)
    return folder


def test_what_people_draw_is_read_by_the_network_that_the_card_names(pair, sheet):
    both = fashion_model.load(pair / "one.safetensors", device="cpu")
    pictures = [sheet[0][0], shirt(), sheet[1][0]]
    told = both.predict_batch(pictures)
    assert [next(iter(each)) for each in told] == ["Bag", "Coat", "Bag"]
    # 4 / 2 for the one and 4 / 4 for the other
    assert told[0]["Bag"] == pytest.approx(np.exp(2) / (np.exp(2) + 9))
    assert told[1]["Coat"] == pytest.approx(np.e / (np.e + 9))
    assert [both.predict(picture) for picture in pictures] == told
    assert [both.answer(picture).known for picture in pictures] == [True, False, True]
    dataset, drawing = (both.prepare(picture)[1] for picture in pictures[:2])
    assert both.of(dataset.kind) is both
    assert both.networks == [both.network, both.of(drawing.kind).network]
    assert [both.temperature(dataset), both.temperature(drawing)] == [2, 4]
    alone = fashion_model.load(pair / "two.safetensors", device="cpu")
    assert alone.networks == [alone.network]
    assert {next(iter(each)) for each in alone.predict_batch(pictures)} == {"Coat"}


def test_the_other_network_is_found_from_a_copy_and_missed_where_it_is_gone(
    pair, tmp_path, monkeypatch
):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes((pair / "one.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match=r"no checkpoint .*two\.safetensors"):
        fashion_model.load(copy, device="cpu")
    other, card = fashion_model.checkpoint.load(fashion_model.DEFAULT, "cpu")
    fashion_model.checkpoint.save(tmp_path / "two.safetensors", other, card)
    # of any architecture that answers with a class
    assert len(fashion_model.load(copy, device="cpu").networks) == 2
    (tmp_path / "two.safetensors").unlink()
    monkeypatch.setattr(fashion_model.checkpoint, "FOLDER", pair)
    for name in ("finder", "lines"):
        file = f"{name}.safetensors"
        (pair / file).write_bytes((TOP / "checkpoints" / file).read_bytes())
    assert next(iter(fashion_model.load(copy, device="cpu").predict(shirt()))) == "Coat"


def test_the_package_needs_neither_gradio_nor_training_nor_data():
    code = (
        "import sys, fashion_model; fashion_model.load(device='cpu');"
        "print([m for m in ('gradio', 'torchvision', 'fashion_model.training',"
        "'fashion_model.data') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=TOP, capture_output=True, text=True
    )
    assert run.stdout == "[]\n", run.stderr
