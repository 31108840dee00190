"""The public functions: load, predict, predict_batch, classify, and what lies under them."""

import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fashion_model
from data.pictures import photo, png, shirt
from fashion_model import CLASSES, CheckpointError, Classifier, InputError, checkpoint
from fashion_model.classifier import KINDS, Prediction
from fashion_model.preprocessing import Detectors, ModelInput
from fashion_model.preprocessing.geometry import WHOLE
from stubs import DarkSegmenter, constant

TOP = checkpoint.FOLDER.parent


@pytest.fixture(scope="module")
def classifier():
    return fashion_model.load(device="cpu")


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
        prediction = classifier.classify(png(large))
        assert prediction.kind == "dataset"
        assert prediction.network_input.tobytes() == picture.tobytes()
        right += expected == CLASSES[label]
    assert right >= 34  # of 40, where nine in ten are expected


def test_a_batch_gives_what_each_alone_gives(classifier, sheet):
    pictures = [picture for picture, _ in sheet[:12]] + [shirt()]
    batch = classifier.predict_batch(pictures)
    for picture, confidences in zip(pictures, batch, strict=True):
        assert proper(confidences)
        assert confidences == pytest.approx(classifier.predict(picture), abs=1e-5)
        assert confidences == pytest.approx(classifier.classify(picture).confidences, abs=1e-5)
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
        prediction = classifier.classify(form, kind="drawing")
        assert proper(prediction.confidences)
        labels.add(next(iter(prediction.confidences)))
    assert len(labels) == 1


def test_a_prediction_shows_what_the_network_read(classifier):
    prediction = classifier.classify(shirt(), kind="drawing")
    assert (prediction.kind, prediction.segmented) == ("drawing", None)
    network_input = prediction.network_input
    assert (network_input.mode, network_input.size) == ("L", (112, 112))
    tensor = classifier.preprocess(shirt(), "drawing").tensor[0, 0]
    np.testing.assert_allclose(np.asarray(network_input) / 255, tensor, atol=0.5 / 255 + 1e-6)
    assert next(iter(prediction.confidences)) in prediction.message


def test_the_segmented_photo_has_its_aspect(classifier):
    """Cut out for a network that reads photos at 28x28; others read all of it."""
    assert classifier.classify(photo(), kind="photo").segmented is None
    prediction = fashion_model.load("mlp", "cpu").classify(photo(), kind="photo")
    assert prediction.kind == "photo"
    assert prediction.segmented.mode == "RGB"
    assert prediction.segmented.width / prediction.segmented.height == pytest.approx(1.5, abs=0.01)


def test_no_more_detail_is_looked_at_than_networks_read(classifier):
    large = classifier.preprocess(photo().resize((2400, 1600)), "photo").picture
    assert 400 <= max(large.size) <= 512
    assert large.width / large.height == pytest.approx(1.5, abs=0.01)


def test_a_tap_says_where_the_garment_is(classifier):
    prediction = classifier.classify(photo(), point=(0.52, 0.5))
    assert prediction.kind == "photo"
    assert proper(prediction.confidences)


@pytest.mark.parametrize("kind", ["auto", "drawing", "photo"])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (300, 200), (1, 500)])
@pytest.mark.parametrize("color", ["white", "black", "teal"])
def test_a_blank_picture_is_no_prediction(classifier, color, size, kind):
    with pytest.raises(InputError, match="blank"):
        classifier.predict(Image.new("RGB", size, color), kind=kind)


@pytest.mark.parametrize("kind", ["sketch", "", None, 3])
def test_an_unknown_kind(classifier, kind):
    with pytest.raises(InputError, match="kind must be one of auto, drawing, photo"):
        classifier.predict(shirt(), kind=kind)


@pytest.mark.parametrize("kind", ["auto", "drawing", "photo"])
@pytest.mark.parametrize(
    "size", [(2, 2), (3, 1), (1, 300), (300, 1), (5, 600), (600, 5), (29, 31), (1500, 900)]
)
def test_odd_sizes_get_a_prediction_or_an_input_error(classifier, size, kind):
    noise = Image.effect_noise(size, 60)
    try:
        confidences = classifier.predict(noise, kind=kind)
    except InputError:
        return
    assert proper(confidences)


def test_many_threads_get_the_same_predictions(classifier, sheet):
    pictures = [picture for picture, _ in sheet]
    expected = [classifier.predict(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        predictions = list(pool.map(classifier.predict, pictures))
    assert predictions == expected


# Networks by hand: one for each kind, with ten logits or eleven.


def by_hand(networks: dict[str, nn.Module], calibration: dict | None = None) -> Classifier:
    """networks by kind, those not named answering 0 to all; calibration as in a card."""
    networks = {**dict.fromkeys(KINDS, constant([0.0] * 10)), **networks}
    card = {"calibration": calibration or {}}
    return Classifier(networks, dict.fromkeys(KINDS, card), Detectors(DarkSegmenter()))


def model_input(kind: str, tensor: torch.Tensor | None = None, **more) -> ModelInput:
    tensor = torch.rand(1, 1, 28, 28) if tensor is None else tensor
    return ModelInput(kind, tensor, more.pop("picture", Image.new("L", (28, 28))), WHOLE, **more)


def shirt_logits(none: float | None = None) -> list[float]:
    """e to the power of these is 3 for a Shirt, 1 for the nine others, none for none of them."""
    return [0.0] * 6 + [math.log(3)] + [0.0] * 3 + ([] if none is None else [math.log(none)])


@pytest.mark.parametrize("none", [0.5, 4, 11.9, 12.1, 36])
def test_none_of_the_ten_is_spread_evenly(none):
    """(1 - b) * p + b / 10, where b is none / (none + 12) and p of a Shirt 3 / 12."""
    b = none / (none + 12)
    prediction = by_hand({"drawing": constant(shirt_logits(none))}).classify(shirt(), "drawing")
    assert proper(prediction.confidences)
    assert prediction.out_of_distribution == pytest.approx(b, abs=1e-6)
    assert prediction.in_distribution == (none < 12)
    label, confidence = next(iter(prediction.confidences.items()))
    assert (label, confidence) == ("Shirt", pytest.approx((1 - b) * 3 / 12 + b / 10, abs=1e-6))
    assert prediction.confidences["Bag"] == pytest.approx((1 - b) / 12 + b / 10, abs=1e-6)
    if none > 12:
        assert prediction.message == (
            f"None of these ({b:.0%}). The closest of the ten classes is Shirt."
        )
    else:
        assert prediction.message.startswith("Perhaps Shirt")


def test_the_temperature_divides_all_eleven_logits():
    """At a temperature of 2 their exponentials are square roots: 3 + 9 for 10, 16 for none."""
    logits = [2 * value for value in shirt_logits(16)]
    classifier = by_hand({"photo": constant(logits)}, {"photo": {"temperature": 2.0}})
    confidences, none = classifier.probabilities([model_input("photo")])
    b = 16 / (16 + 12)
    assert none.item() == pytest.approx(b)
    assert confidences[0, 6].item() == pytest.approx((1 - b) * 3 / 12 + b / 10)


def test_ten_logits_are_all_of_the_ten_classes():
    classifier = by_hand(dict.fromkeys(KINDS, constant(shirt_logits())), {})
    prediction = classifier.prediction(model_input("photo"))
    assert (prediction.out_of_distribution, prediction.in_distribution) == (0, True)
    assert prediction.confidences["Shirt"] == pytest.approx(3 / 12, abs=1e-6)


def test_half_is_out_of_distribution():
    for score, expected in ((0.0, True), (0.4999, True), (0.5, False), (1.0, False)):
        prediction = Prediction({}, "photo", score, "", Image.new("L", (28, 28)), None)
        assert prediction.in_distribution is expected


def peaked(label: str) -> nn.Module:
    return constant([4.0 if each == label else 0.0 for each in CLASSES])


def test_kinds_in_any_order_each_get_their_network_and_calibration_in_one_pass():
    networks = {"dataset": peaked("Bag"), "drawing": peaked("Coat"), "photo": peaked("Dress")}
    calls = []
    for network in networks.values():
        network.register_forward_hook(lambda _, args, __: calls.append(len(args[0])))
    classifier = by_hand(networks, {"drawing": {"temperature": 2.0}, "photo": {"temperature": 4.0}})
    kinds = ["photo", "dataset", "photo", "drawing", "dataset", "photo"]
    confidences, none = classifier.probabilities([model_input(kind) for kind in kinds])
    assert sorted(calls) == [1, 2, 3]
    assert (confidences.dtype, none.dtype) == (torch.float32, torch.float32)
    assert none.tolist() == [0] * 6
    labels = {"dataset": "Bag", "drawing": "Coat", "photo": "Dress"}
    tops = {"dataset": 4.0, "drawing": 2.0, "photo": 1.0}
    for kind, row in zip(kinds, confidences, strict=True):
        assert CLASSES[row.argmax()] == labels[kind]
        power = math.exp(tops[kind])
        assert row.max().item() == pytest.approx(power / (power + 9))


def test_no_pictures_have_no_probabilities():
    confidences, none = by_hand({}).probabilities([])
    assert (confidences.shape, none.shape) == ((0, 10), (0,))


def test_logits_are_what_the_network_says():
    torch.manual_seed(0)
    network = fashion_model.NeuralNetwork().eval()
    inputs = [model_input("drawing") for _ in range(3)]
    logits = by_hand({"drawing": network}).logits(inputs)
    expected = network(torch.cat([each.tensor for each in inputs]))
    torch.testing.assert_close(logits, expected)
    assert not logits.requires_grad
    eleven = by_hand({"drawing": constant(shirt_logits(4))}).logits(inputs)
    torch.testing.assert_close(eleven, torch.tensor([shirt_logits(4)] * 3))


def test_the_network_and_the_card_are_those_of_the_data_set():
    network = peaked("Bag")
    classifier = by_hand({"dataset": network}, {"dataset": {"temperature": 3.0}})
    assert classifier.network is network
    assert classifier.card is classifier.cards["dataset"]
    assert [classifier.calibrations[kind].temperature for kind in KINDS] == [3, 1, 1]
    assert classifier.device == torch.device("cpu")


def color_network(channels: int) -> nn.Module:
    """A tiny network of 11 logits for pictures of any size: weighted sums of mean colors."""
    torch.manual_seed(0)
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 11)).eval()


def test_a_network_of_colors_reads_the_photo_in_color():
    classifier = by_hand({"photo": color_network(3)})
    prediction = classifier.classify(photo(), "photo")
    model_input = classifier.preprocess(photo(), "photo")
    assert model_input.tensor.shape[1] == 3
    assert (prediction.network_input.mode, prediction.segmented) == ("RGB", None)
    np.testing.assert_array_equal(
        np.asarray(prediction.network_input), (model_input.tensor[0] * 255).permute(1, 2, 0).round()
    )
    means = model_input.tensor.mean((2, 3))
    exponentials = color_network(3)[2](means).exp()[0]
    b = (exponentials[10] / exponentials.sum()).item()
    assert prediction.out_of_distribution == pytest.approx(b, abs=1e-5)
    p = (exponentials[:10] / exponentials[:10].sum()).tolist()
    expected = {k: (1 - b) * v + b / 10 for k, v in zip(CLASSES, p, strict=True)}
    assert prediction.confidences == pytest.approx(expected, abs=1e-5)


def test_of_a_drawing_at_high_resolution_the_lines_are_shown():
    tensor = torch.rand(1, 2, 112, 112)
    prediction = by_hand({"drawing": color_network(2)}).prediction(model_input("drawing", tensor))
    assert prediction.network_input.mode == "L"
    expected = (tensor[0, 0] * 255).round().byte()
    np.testing.assert_array_equal(np.asarray(prediction.network_input), expected)


def test_all_but_the_garment_is_dimmed():
    """The left half is garment: it stays; the right half is 15 % itself and 85 % gray of 153."""
    mask = torch.zeros(96, 96)
    mask[:, :48] = 1
    picture = Image.new("RGB", (60, 40), (200, 100, 0))
    prediction = by_hand({}).prediction(model_input("photo", picture=picture, mask=mask))
    assert (prediction.segmented.mode, prediction.segmented.size) == ("RGB", (60, 40))
    colors = np.asarray(prediction.segmented)
    assert (colors[:, :28] == (200, 100, 0)).all()
    expected = [0.15 * value + 0.85 * 153 for value in (200, 100, 0)]
    np.testing.assert_allclose(colors[:, 32:], np.broadcast_to(expected, (40, 28, 3)), atol=1)
    gray = by_hand({}).prediction(model_input("photo", picture=picture.convert("L"), mask=mask))
    assert gray.segmented.mode == "RGB"


# From files.


def test_what_load_gives(classifier):
    assert isinstance(classifier.network, fashion_model.networks.ConvolutionalNetwork)
    assert classifier.networks.keys() == classifier.cards.keys() == set(KINDS)
    for network in (*classifier.networks.values(), *vars(classifier.detectors).values()):
        assert not network.training
    assert classifier.device == torch.device("cpu")
    assert classifier.card["classes"] == list(CLASSES)


def test_load_from_a_path_and_from_nowhere(tmp_path):
    path = tmp_path / "copy.safetensors"
    path.write_bytes(checkpoint.resolve(fashion_model.DEFAULT).read_bytes())
    assert proper(fashion_model.load(path, device="cpu").predict(shirt()))
    with pytest.raises(CheckpointError, match="no checkpoint"):
        fashion_model.load("none-of-this-name")
    for name in ("segmenter", "line-detector", "photo", "drawing"):
        with pytest.raises(CheckpointError, match="Choose one of cnn, mlp"):
            fashion_model.load(name)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A checkpoint folder in which "one" says Bag of all, and "two", named in its card, Coat."""
    folder = tmp_path_factory.mktemp("pair")
    calibration = {"dataset": {"temperature": 2.0}, "drawing": {"temperature": 4.0}}
    networks = {"drawing": "two", "photo": "two"}
    for name, label, more in (("one", "Bag", {"networks": networks}), ("two", "Coat", {})):
        card = {"architecture": "mlp", "calibration": calibration, **more}
        checkpoint.save(folder / f"{name}.safetensors", peaked(label), card)
    return folder


def test_drawings_and_photos_are_read_by_the_networks_that_the_card_names(pair, sheet):
    both = fashion_model.load(pair / "one.safetensors", device="cpu")
    pictures = [sheet[0][0], shirt(), sheet[1][0]]
    predictions = both.predict_batch(pictures)
    assert [next(iter(each)) for each in predictions] == ["Bag", "Coat", "Bag"]
    # 4 / 2 for the one and 4 / 4 for the other
    assert predictions[0]["Bag"] == pytest.approx(math.exp(2) / (math.exp(2) + 9))
    assert predictions[1]["Coat"] == pytest.approx(math.e / (math.e + 9))
    assert [both.predict(picture) for picture in pictures] == predictions
    assert both.network is both.networks["dataset"]
    assert both.networks["drawing"] is not both.network
    assert [both.calibrations[kind].temperature for kind in KINDS] == [2, 4, 1]
    assert "networks" in both.card
    assert "networks" not in both.cards["drawing"]
    alone = fashion_model.load(pair / "two.safetensors", device="cpu")
    assert set(alone.networks.values()) == {alone.network}
    assert {next(iter(each)) for each in alone.predict_batch(pictures)} == {"Coat"}


def test_the_other_network_is_found_from_a_copy_and_missed_where_it_is_gone(
    pair, tmp_path, monkeypatch
):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes((pair / "one.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match=r"no checkpoint .*two\.safetensors"):
        fashion_model.load(copy, device="cpu")
    other, card = checkpoint.load(fashion_model.DEFAULT, "cpu")
    checkpoint.save(tmp_path / "two.safetensors", other, card)
    # of any architecture that answers with a class
    found = fashion_model.load(copy, device="cpu").networks
    assert type(found["photo"]) is not type(found["dataset"])
    (tmp_path / "two.safetensors").unlink()
    for name in ("segmenter", "line-detector"):
        file = f"{name}.safetensors"
        (pair / file).write_bytes((checkpoint.FOLDER / file).read_bytes())
    monkeypatch.setattr(checkpoint, "FOLDER", pair)
    assert next(iter(fashion_model.load(copy, device="cpu").predict(shirt()))) == "Coat"


def test_a_network_that_names_no_classes_is_refused_for_a_kind_too(tmp_path):
    card = {"architecture": "mlp", "networks": {"photo": "segmenter"}}
    checkpoint.save(tmp_path / "odd.safetensors", peaked("Bag"), card)
    with pytest.raises(CheckpointError, match=r"segmenter\.safetensors holds a 'segmenter'"):
        fashion_model.load(tmp_path / "odd.safetensors", device="cpu")


def test_the_package_needs_neither_gradio_nor_training_nor_data():
    """And what reads HEIC is loaded for HEIC alone."""
    code = (
        "import sys, fashion_model; fashion_model.load(device='cpu').predict(sys.argv[1]);"
        "print([m for m in ('gradio', 'torchvision', 'pi_heif', 'fashion_model.training',"
        "'fashion_model.evaluation', 'fashion_model.datasets') if m in sys.modules])"
    )
    example = TOP / "fashion_model" / "web" / "static" / "examples" / "dress.png"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, example],
        cwd=TOP,
        capture_output=True,
        text=True,
    )
    assert run.stdout == "[]\n", run.stderr
