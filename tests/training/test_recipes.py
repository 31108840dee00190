"""From data to a committed checkpoint: the whole of `train`, on a handful of pictures."""

from functools import partial

import numpy as np
import pytest
import torch

from fashion_model import calibration, checkpoint, networks
from fashion_model import classifier as predictor
from fashion_model import datasets as data
from fashion_model.errors import CheckpointError, DataError, InputError
from fashion_model.options import TRAINED
from fashion_model.training import (
    close_ups,
    closer,
    corpus,
    finishing,
    making,
    material,
    provenance,
    recipes,
)
from fashion_model.training import drawing_detection as sheets
from fashion_model.training import line_detection as bitmaps
from fashion_model.training import segmentation as finding
from fashion_model.training import train as training
from fashion_model.training.recipes import make
from fashion_model.training.train import Pictures

FEW = {"PHOTO_COPIES": 1, "DOODLE_COPIES": 2, "OTHER_COPIES": 1, "MADE_UP": 40, "NOTHING": 4}


@pytest.fixture(autouse=True)
def few(tmp_path, monkeypatch, sheet):
    """Forty real images to train on and to hold out, twenty to test, and few made-up ones."""
    images = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    labels = torch.tensor([label for _, label in sheet])
    both = {True: (images.repeat(2, 1, 1), labels.repeat(2)), False: (images[:20], labels[:20])}
    monkeypatch.setattr(data, "load_fashion_mnist", lambda train, _=None: both[train])
    monkeypatch.setattr(data, "VALIDATION", 40)
    monkeypatch.setattr(data, "DOWNLOADS", tmp_path / "downloads")
    for name, count in (FEW | {"DOODLES": 10, "NONSENSE": 2}).items():
        monkeypatch.setattr(corpus, name, count)


@pytest.fixture
def options(tmp_path):
    out = tmp_path / "made.safetensors"
    return {"epochs": 1, "out": out, "device": "cpu", "progress": False}


def test_an_mlp_from_end_to_end(options, real_folder, tmp_path, monkeypatch):
    path = make("mlp", real=real_folder, seed=4, **options)
    assert path == options["out"]
    classifier = predictor.load(path, "cpu")
    card = classifier.card
    assert (card["architecture"], card["epochs"], card["seed"]) == ("mlp", 1, 4)
    assert card["data"] == provenance.ORIGINS + provenance.REAL_ORIGINS
    assert card["held_out"] == {"fashion-mnist": 40, "senders": "fold 3 of 5"}
    assert set(card["accuracy"]) == {"validation", "test"}
    assert set(card["temperature"]) == {"dataset", "photo", "drawing"}
    assert set(card["unsure_below"]) == {"dataset", "photo", "drawing"}
    assert set(card["sure_from"]) == {"dataset", "photo", "drawing"}
    assert all(0.9 <= least <= 1 for least in card["sure_from"].values())
    assert all(0.1 <= divisor <= 10 for divisor in card["temperature"].values())
    assert all(0.1 <= least <= 1 for least in card["unsure_below"].values())
    # ann's two photos twice, her shoe three times and her cat twice, and what is made up
    assert card["pictures"]["clean"] == 40
    made_up = 40 + 40 + 12 + 4 + 4
    assert 4 + 5 + 40 + 12 + 4 <= card["pictures"]["extra"] <= 4 + 5 + made_up
    for name in ("Dress-leo.jpg", "shoe-leo.png"):
        confidences = classifier.predict(real_folder / name)
        assert len(confidences) == 10
        assert sum(confidences.values()) == pytest.approx(1)

    # and again, out of the files that were kept
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "downloads").iterdir()}
    held = {"real photos held out", "real drawings held out"}
    assert {name.rsplit("-", 1)[0] for name in kept} == set(corpus.SOURCES) | held
    monkeypatch.setattr(material, "extra_pictures", lambda *_, **__: pytest.fail("made again"))
    again = make("mlp", real=real_folder, seed=4, **options | {"out": tmp_path / "b.safetensors"})
    one, same = (checkpoint.load(file, "cpu")[0].state_dict() for file in (path, again))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert kept == {f.name: f.stat().st_mtime_ns for f in (tmp_path / "downloads").iterdir()}


def test_only_those_who_are_not_held_out_are_learnt_from(options, real_folder, monkeypatch):
    seen, given = [], {}

    def extra_pictures(source, some, *_, **__):
        seen.append((source, frozenset(item.path.name for item in some)))
        pixels = torch.full((1, 28, 28), len(seen)).byte()  # tell them apart by it
        return Pictures(pixels, torch.ones(1, 10).bool())

    def remember(*_, extra, held_out, out, **__):
        given["learnt"] = {seen[tone - 1] for tone in extra.pixels[:, 0, 0].tolist()}
        given["held out"] = {
            seen[held_out[kind].pixels[0, 0, 0] - 1] for kind in ("photo", "drawing")
        }
        return out

    monkeypatch.setattr(material, "extra_pictures", extra_pictures)
    monkeypatch.setattr(making, "train", remember)
    make("mlp", real=real_folder, **options)
    ann = frozenset({"Pants-ann.jpg", "Polo-ann.jpg", "shoe-ann.png", "cat-ann.png"})
    leo = frozenset({"Dress-leo.jpg", "shoe-leo.png", "cat-leo.png"})
    assert given == {
        "learnt": {(source, ann) for source in corpus.SOURCES},
        "held out": {("real photos", leo), ("real drawings", leo)},
    }


def test_without_real_pictures_there_is_fashion_mnist_alone(options, tmp_path):
    _, card = checkpoint.load(make("cnn", **options), "cpu")
    assert card["data"] == provenance.ORIGINS[:1]
    assert card["held_out"] == {"fashion-mnist": 40}
    assert card["pictures"] == {"clean": 40, "extra": 0}
    assert set(card["temperature"]) == {"dataset"}
    assert "people" not in card  # which the committed ones alone have beside them
    assert not (tmp_path / "downloads").exists()


def test_a_card_tells_what_its_teachers_and_its_start_had_seen(options, real_folder, tmp_path):
    seen = make("cnn", real=real_folder, **options | {"out": tmp_path / "seen.safetensors"})
    for more in ({"start": seen}, {"teachers": [seen]}):
        out = tmp_path / f"{next(iter(more))}.safetensors"
        _, card = checkpoint.load(make("cnn", **more, **options | {"out": out}), "cpu")
        assert card["data"] == provenance.ORIGINS + provenance.REAL_ORIGINS
        assert card["held_out"] == {"fashion-mnist": 40, "senders": "fold 3 of 5"}
        assert card["pictures"] == {"clean": 40, "extra": 0}


def test_where_the_committed_ones_go(options, real_folder, tmp_path, monkeypatch):
    """NETWORK reads Fashion-MNIST, and names NETWORK-people, which learns from people too."""
    (teacher, told), more = checkpoint.load("cnn-people", "cpu"), options | {"out": None}
    finder, lines = ((n, *checkpoint.load(n, "cpu")) for n in ("finder", "lines"))
    monkeypatch.setattr(checkpoint, "FOLDER", tmp_path / "made")
    for name, network, card in (finder, lines):
        checkpoint.save(checkpoint.resolve(name), network, card)
    for name in ("cnn", "cnn-people"):
        checkpoint.save(checkpoint.resolve(name), teacher, {"architecture": told["architecture"]})
    assert make("mlp", real=real_folder, **more) == tmp_path / "made/mlp-people.safetensors"
    assert make("mlp", **more) == tmp_path / "made/mlp.safetensors"
    cards = [checkpoint.load(name, "cpu")[1] for name in ("mlp-people", "mlp")]
    assert [card["recipe"]["teachers"] for card in cards] == [["cnn-people"], ["cnn"]]
    assert [card.get("people") for card in cards] == [None, "mlp-people"]
    assert len(predictor.load("mlp", "cpu").networks) == 2
    for real, name in ((None, "mlp"), (real_folder, "mlp-people")):
        made = finishing.blend("mlp", "mlp-people", 0.5, real=real, progress=False)
        assert made == checkpoint.resolve(name)
        card = checkpoint.load(made, "cpu")[1]
        assert (card["blend"]["share"], card.get("people")) == (
            0.5,
            cards[name == "mlp"].get("people"),
        )


def test_teachers_of_any_architecture_teach_together(options, tmp_path):
    plain = make("plain", **options | {"out": tmp_path / "plain.safetensors"})
    cnn = make("cnn", **options | {"out": tmp_path / "cnn.safetensors"})
    _, card = checkpoint.load(make("mlp", teachers=[plain, cnn], **options), "cpu")
    assert card["recipe"]["teachers"] == ["plain", "cnn"]
    assert [each["architecture"] for each in card["teachers"]] == ["plain", "cnn"]
    digests = [checkpoint.digest(checkpoint.load(path, "cpu")[0]) for path in (plain, cnn)]
    assert [each["digest"] for each in card["teachers"]] == digests
    assert "teachers" not in checkpoint.load(plain, "cpu")[1]
    with pytest.raises(CheckpointError, match="no checkpoint"):
        make("mlp", teachers=[tmp_path / "gone.safetensors"], **options)


def test_a_cnn_for_people_is_taught_mostly_by_pictures_of_theirs(options, real_folder, monkeypatch):
    """With teachers and real pictures, and unless Fashion-MNIST's images are learnt by labels."""
    given = []
    monkeypatch.setattr(making, "train", lambda *_, recipe, **__: given.append(recipe))
    options |= {"epochs": None, "teachers": ["cnn-people"]}
    make("cnn", real=real_folder, **options)
    make("cnn", real=real_folder, **options | {"epochs": 5})
    make("cnn", real=real_folder, clean_by_labels=True, **options)
    make("cnn", real=real_folder, **options | {"teachers": []})
    make("cnn", **options)
    make("mlp", real=real_folder, **options)
    taught = recipes.TAUGHT["cnn"]
    assert [recipe.clean for recipe in given] == [taught["clean"]] * 2 + [1.0] * 4
    assert [recipe.mix_chance > 0 for recipe in given] == [True, True, False, False, False, False]
    assert [recipe.epochs for recipe in given[:3]] == [taught["epochs"], 5, recipes.CNN.epochs]


def test_other_pictures_or_another_seed_are_made_anew(real_folder):
    finder, _ = checkpoint.load("finder", "cpu")
    images, _ = data.load_fashion_mnist(True)
    labelled = data.load_labelled(real_folder)
    made = []

    def extra_pictures(source):
        made.append(source)
        return Pictures(torch.full((2, 28, 28), 7).byte(), torch.ones(2, 10).bool())

    def count(pictures, seed) -> int:
        made.clear()
        for source in corpus.SOURCES:
            make_them = partial(extra_pictures, source)
            kept = material.kept(source, make_them, pictures, images, finder, seed)
            assert len(kept) == 2
            assert kept.accept.all()
            assert (kept.pixels == 7).all()
        return len(made)

    every = len(corpus.SOURCES)
    assert [count(labelled, 0), count(labelled, 0)] == [every, 0]
    assert [count(labelled, 1), count(labelled[1:], 0), count(labelled, 0)] == [every, every, 0]
    with torch.no_grad():
        finder.drawing.bias += 1  # the kind of each is known
    assert count(labelled, 0) == 0
    with torch.no_grad():
        finder.mask[0].bias += 1
    assert count(labelled, 0) == every


def test_a_damaged_picture_is_told_before_the_training(options, real_folder, monkeypatch):
    (real_folder / "Dress-leo.jpg").write_bytes(b"no picture")
    monkeypatch.setattr(making, "train", None)
    with pytest.raises(InputError, match="no picture"):
        make("mlp", real=real_folder, **options)


def test_a_folder_where_no_photo_is_held_out(options, real_folder):
    table = real_folder / "labels.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join(line for line in lines if "Dress" not in line) + "\n")
    _, card = checkpoint.load(make("mlp", real=real_folder, **options), "cpu")
    assert set(card["temperature"]) == set(card["unsure_below"]) == {"dataset", "drawing"}


def test_calibrating_anew_changes_nothing_but_what_it_is_about(options, real_folder, tmp_path):
    path = make("mlp", real=real_folder, **options)
    network, card = checkpoint.load(path, "cpu")
    spoilt = {"temperature": {"photo": 9.0}, "sure_from": {}, "unsure_below": {}, "results": {}}
    checkpoint.save(tmp_path / "spoilt.safetensors", network, {**card, **spoilt})
    again = finishing.calibrate(
        tmp_path / "spoilt.safetensors",
        real=real_folder,
        out=tmp_path / "a.safetensors",
        progress=False,
    )
    other, told = checkpoint.load(again, "cpu")
    assert told == card
    assert all(torch.equal(other.state_dict()[k], v) for k, v in network.state_dict().items())


def test_a_blend_lies_between_two_and_is_scored_anew(options, real_folder, tmp_path):
    options["teachers"] = ["cnn-people"]  # which the validation images were held out from
    first = make("mlp", **options | {"out": tmp_path / "first.safetensors"})
    second = make("mlp", start=first, **options | {"out": tmp_path / "second.safetensors"})
    out = tmp_path / "blend.safetensors"
    assert finishing.blend(first, second, 0.25, real=real_folder, out=out, progress=False) == out
    one, two, mean = (checkpoint.load(path, "cpu")[0].state_dict() for path in (first, second, out))
    for key in mean:
        torch.testing.assert_close(mean[key], 0.75 * one[key] + 0.25 * two[key])
    network, card = checkpoint.load(out, "cpu")
    assert card["blend"]["share"] == 0.25
    assert card["blend"]["digests"][0] == checkpoint.digest(checkpoint.load(first, "cpu")[0])
    assert set(card["temperature"]) == {"dataset", "photo", "drawing"}
    test = Pictures.of(*data.load_fashion_mnist(False))
    logits = training.logits_of(network, test.pixels)
    assert card["accuracy"]["test"] == training.accuracy(logits, test.accept)
    with pytest.raises(CheckpointError, match="between 0 and 1"):
        finishing.blend(first, second, 1.5, out=out)
    with pytest.raises(CheckpointError, match="one architecture"):
        finishing.blend(first, "cnn-people", 0.5, out=out)


def test_two_networks_are_coupled_and_scored_anew(options, real_folder, tmp_path, monkeypatch):
    one, two = (
        make("cnn", seed=seed, **options | {"out": tmp_path / f"{seed}.safetensors"})
        for seed in (1, 2)
    )
    path = finishing.couple([one, two], out=tmp_path / "both.safetensors", progress=False)
    network, card = checkpoint.load(path, "cpu")
    assert (card["architecture"], card["parameters"]) == ("coupled", 2_258_634)
    assert card["pictures"] == {"clean": 40, "extra": 0}
    assert (card["data"], card["held_out"]) == (provenance.ORIGINS[:1], {"fashion-mnist": 40})
    assert [each["seed"] for each in card["coupled"]] == [1, 2]
    told = [checkpoint.load(each, "cpu")[1] for each in (one, two)]
    assert [card["before"][0]["seconds"], card["seconds"]] == [each["seconds"] for each in told]
    test = Pictures.of(*data.load_fashion_mnist(False))
    logits = training.logits_of(network, test.pixels)
    torch.testing.assert_close(
        logits,
        sum(training.logits_of(checkpoint.load(each, "cpu")[0], test.pixels) for each in (one, two))
        / 2,
    )
    assert card["accuracy"]["test"] == training.accuracy(logits, test.accept)
    again = finishing.calibrate(path, out=tmp_path / "again.safetensors", progress=False)
    assert checkpoint.load(again, "cpu")[1] == card
    with pytest.raises(CheckpointError, match=r"not \['coupled'\]"):
        finishing.couple([one, path])
    finder, about = checkpoint.load("finder", "cpu")
    monkeypatch.setattr(checkpoint, "FOLDER", tmp_path)
    checkpoint.save(checkpoint.resolve("finder"), finder, about)
    for name, people in (("cnn", "cnn-people"), ("cnn-people", None)):
        real = None if people else real_folder
        assert finishing.couple([one, two], real=real, progress=False) == checkpoint.resolve(name)
        card = checkpoint.load(name, "cpu")[1]
        assert card.get("people") == people
        assert set(card["platt"]) == {"dataset"} | ({"photo", "drawing"} if real else set())


def test_a_settled_recipe_learns_the_validation_images_too(options, real_folder, tmp_path):
    part = make("cnn", **options | {"out": tmp_path / "part.safetensors"})
    whole = make("cnn", start=part, whole=True, **options)
    _, card = checkpoint.load(whole, "cpu")
    assert card["data"] == [provenance.WHOLE]
    assert card["held_out"] == {"fashion-mnist": 0}
    assert card["pictures"] == {"clean": 80, "extra": 0}
    assert set(card["accuracy"]) == {"test"}
    assert card["temperature"] == {}
    finishing.calibrate(whole, like=part)
    like, told = (checkpoint.load(path, "cpu")[1] for path in (part, whole))
    assert told["temperature"]["dataset"] > 0
    assert told == card | {key: like[key] for key in training.CONFIDENCES}
    both = finishing.couple([part, whole], out=tmp_path / "both.safetensors")
    told = checkpoint.load(both, "cpu")[1]
    assert told["held_out"] == {"fashion-mnist": 0}
    assert set(told["accuracy"]) == {"test"}
    assert "platt" not in told

    with pytest.raises(CheckpointError, match="nothing to take over"):
        finishing.calibrate(whole, like="finder")
    with pytest.raises(DataError, match="--views is for"):
        make("cnn", views=2, **options)

    # whoever has it as a start or a teacher has seen them too
    out = {"out": tmp_path / "later.safetensors"}
    with pytest.raises(DataError, match="--whole"):
        finishing.calibrate(whole)
    with pytest.raises(DataError, match="--whole"):
        finishing.blend(part, whole, 0.5)
    with pytest.raises(DataError, match="--whole"):
        make("cnn", start=whole, **options | out)
    with pytest.raises(DataError, match="--whole"):
        make("mlp", teachers=[whole], **options | out)
    make("mlp", teachers=[whole], whole=True, views=3, **options | out)
    assert checkpoint.load(out["out"], "cpu")[1]["recipe"]["views"] == 3
    with pytest.raises(DataError, match="alone"):
        make("mlp", real=real_folder, whole=True, **options | out)
    with pytest.raises(DataError, match="alone"):
        make("lines", whole=True, **options | out)


def test_the_finder_has_no_confidences_to_calibrate():
    with pytest.raises(CheckpointError, match="nothing to calibrate"):
        finishing.calibrate("finder")


def test_pictures_as_they_are_have_half_of_the_weight_when_confidences_are_set_right(real_folder):
    held = [item for item in data.load_labelled(real_folder) if data.fold_of(item) == 3]
    finder, _ = checkpoint.load("finder", "cpu")
    images, labels = data.load_fashion_mnist(True)
    found = material.Material([], held, images, labels, finder, progress=False).held_out()
    for kind in ("photo", "drawing"):
        plain = corpus.as_they_are(held, kind, finder)
        own = [item for item in held if item.kind == kind]
        assert len(plain) == len(own)
        expected = predictor.prepare(predictor.decode(own[0].path), finder, kind).pixels[0, 0]
        assert torch.equal(plain.pixels[0], (expected * 255).round().byte())
        wanted = plain.pixels.flatten(1).unsqueeze(1)
        as_is = (found[kind].pixels.flatten(1) == wanted).all(2).any(0)
        assert as_is.float().mean() >= 0.5
        assert len(found[kind]) > as_is.sum() > 0


def test_each_kind_gets_the_temperature_of_its_own_pictures(options):
    network, _ = checkpoint.load(make("cnn", **options), "cpu")
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (50, 28, 28), generator=generator, dtype=torch.uint8)
    logits = training.logits_of(network, pixels)
    right = Pictures.of(pixels, logits.argmax(1))
    wrong = Pictures.of(pixels, logits.argmin(1))
    told = training.calibrated(network, {"photo": right, "drawing": wrong})
    assert told["temperature"] == {"photo": 0.1, "drawing": 10.0}
    assert told["unsure_below"]["photo"] > told["unsure_below"]["drawing"]


def test_lines_are_learnt_from_what_is_not_in_doubt():
    """Of Fashion-MNIST's images from all: in their form there is nothing else."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (200, 28, 28), generator=generator, dtype=torch.uint8)
    torch.manual_seed(0)
    network = networks.ARCHITECTURES["mlp"]()
    logits = training.logits_of(network, pixels)
    pictures = Pictures.of(pixels, torch.where(torch.arange(200) % 3 > 0, *logits.topk(2)[1].T))
    told = training.calibrated(network, {"photo": pictures, "dataset": pictures})
    doubt, divisor = told["doubt_below"]["photo"], told["temperature"]["photo"]
    assert "dataset" not in told["doubt_below"]
    for kind, least in (("photo", doubt), ("dataset", 0.0)):
        line = calibration.platt(logits, pictures.accept, divisor, least)
        assert told["platt"][kind] == pytest.approx(line, abs=1e-4)
    assert told["platt"]["photo"] != told["platt"]["dataset"]


def test_a_run_that_ends_while_it_is_calibrated_goes_on_from_its_last_epoch(
    options, real_folder, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(training, "calibrated", None)
        with pytest.raises(TypeError):
            make("mlp", real=real_folder, **options)
    assert not options["out"].exists()
    monkeypatch.setattr(training, "augmented", None)  # no more steps
    _, card = checkpoint.load(make("mlp", real=real_folder, **options), "cpu")
    assert set(card["temperature"]) == {"dataset", "photo", "drawing"}


def test_the_finder_is_given_the_real_pictures_that_are_not_held_out(
    options, real_folder, monkeypatch
):
    given = {}

    state = options["out"].with_suffix(".training")

    def train_finder(labelled, images, labels, **more):
        given.update(more, names={item.path.name for item in labelled}, count=len(images))
        state.touch()
        return options["out"]

    monkeypatch.setattr(finding, "train_finder", train_finder)
    taught = []

    def teach(*told, **more):
        assert state.exists()
        taught.append((told, more))

    monkeypatch.setattr(sheets, "teach", teach)
    make("finder", real=real_folder, **options)
    assert not state.exists()
    state.touch()  # of a training that is none of this one's business
    with pytest.raises(DataError, match="leave --teacher and --epochs away"):
        make("finder", real=real_folder, start="mine.safetensors", **options)
    options["epochs"] = None
    make("finder", real=real_folder, start="mine.safetensors", seed=3, **options)
    assert state.exists()
    starts, outs = [told[0] for told, _ in taught], [more["out"] for _, more in taught]
    assert starts == [options["out"], "mine.safetensors"]
    assert outs == [options["out"]] * 2
    assert [more["seed"] for _, more in taught] == [0, 3]
    for told, _ in taught:
        learn, held = ({item.path.name for item in part} for part in told[1:3])
        assert learn == given["names"]
        assert held == {"Dress-leo.jpg", "shoe-leo.png", "cat-leo.png"}
        assert [len(part[0]) for part in told[3:]] == [40, 40]
    assert given["names"] == {"Pants-ann.jpg", "Polo-ann.jpg", "shoe-ann.png", "cat-ann.png"}
    assert given["count"] == 40
    assert given["recipe"].epochs == 1
    assert given["card"]["held_out"]["senders"] == "fold 3 of 5"
    with pytest.raises(DataError, match="--real"):
        make("finder", **options)


def test_a_finder_learns_from_one_other_finder(options, real_folder, monkeypatch, tmp_path):
    given = {}

    def train_finder(labelled, images, labels, **more):
        given.update(more)
        return options["out"]

    monkeypatch.setattr(finding, "train_finder", train_finder)
    monkeypatch.setattr(sheets, "teach", lambda *_, **__: options["out"])
    make("finder", real=real_folder, teachers=["finder"], **options)
    taught, (first, _) = given["teacher"], checkpoint.load("finder", "cpu")
    assert checkpoint.digest(taught) == checkpoint.digest(first)
    assert given["recipe"].teachers == ("finder",)
    with pytest.raises(CheckpointError, match="is no finder"):
        make("finder", real=real_folder, teachers=["mlp"], **options)
    with pytest.raises(DataError, match="one other finder"):
        make("finder", real=real_folder, teachers=["finder", "finder"], **options)


def test_lines_are_learnt_from_the_drawings_that_are_not_held_out(
    options, real_folder, monkeypatch
):
    given = {}

    def train_lines(labelled, images, held_out, validation, **more):
        given.update(more, names=[{i.path.name for i in part} for part in (labelled, held_out)])
        given["counts"] = len(images), len(validation)
        return options["out"]

    monkeypatch.setattr(bitmaps, "train_lines", train_lines)
    assert make("lines", real=real_folder, **options) == options["out"]
    ann, leo = given["names"]
    assert {"shoe-ann.png", "cat-ann.png"} <= ann
    assert {"shoe-leo.png", "cat-leo.png"} <= leo
    assert given["counts"] == (40, 40)
    assert given["card"]["held_out"] == {"fashion-mnist": 40, "senders": "fold 3 of 5"}
    with pytest.raises(DataError, match="--real"):
        make("lines", **options)
    with pytest.raises(DataError, match="from the beginning"):
        make("lines", real=real_folder, teachers=["mlp"], **options)
    with pytest.raises(DataError, match="from the beginning"):
        make("lines", real=real_folder, start="lines", **options)


@pytest.mark.parametrize("network", ["finder", "lines", "cnn", "mlp"])
def test_labels_beside_teachers_want_teachers_and_other_pictures(options, network):
    """mlp's recipe has a teacher, but here are no pictures for it."""
    with pytest.raises(DataError, match="with teachers and --real"):
        make(network, clean_by_labels=True, **options)


def test_there_is_a_recipe_for_each_architecture():
    assert set(recipes.RECIPES) == set(TRAINED)


@pytest.fixture
def asked_to_look_closer(options, monkeypatch):
    """make of one of closer.RECIPES, and what train_closer was given, whose work is not done."""
    for name in ("COPIES", "PRODUCTS", "BY_RULE"):
        monkeypatch.setattr(close_ups, name, 2)
    given = {}

    def train_closer(network, real, others, held_out, **more):
        given.update(more, network=network, real=real, others=others, held_out=held_out)
        return options["out"]

    monkeypatch.setattr(making.closer, "train_closer", train_closer)
    return lambda network, **more: make(network, **options | more), given


def test_who_takes_a_closer_look_learns_from_photos_that_are_not_held_out(
    asked_to_look_closer, real_folder, tmp_path
):
    ask, given = asked_to_look_closer
    ask("closer-colour", real=real_folder)
    assert given["network"] == "closer-colour"
    ask("closer-photo", real=real_folder)
    # ann's two photos, each thrice; and leo's one as it is
    assert (len(given["real"]), len(given["held_out"])) == (6, 1)
    assert given["real"].accept[:3].nonzero()[:, 1].tolist() == [1, 1, 1]
    assert given["held_out"].accept.nonzero()[:, 1].tolist() == [3]
    assert given["network"] == "closer-photo"
    assert given["card"]["data"] == provenance.ORIGINS + provenance.REAL_ORIGINS[:1]
    assert given["card"]["held_out"]["senders"] == "fold 3 of 5"
    kept = {file.name.rsplit("-", 1)[0] for file in (tmp_path / "downloads").iterdir()}
    assert kept == {"photos seen closely", "made-up photos seen closely"}


def test_who_takes_a_closer_look_at_drawings_learns_from_drawings(
    asked_to_look_closer, real_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(corpus, "DOODLE_COPIES", 3)
    monkeypatch.setattr(corpus, "OTHER_COPIES", 1)
    ask, given = asked_to_look_closer
    ask("closer-drawing", real=real_folder)
    learn = [i for i in data.load_labelled(real_folder) if data.fold_of(i) != recipes.HELD_OUT]
    times = [7 if item.accept else 3 for item in learn if item.kind == "drawing"]
    assert times
    assert len(given["real"]) == sum(times)  # as it is, and each twice as often as for others
    assert given["real"].fine.shape[1:] == (2, 28, 28)
    assert len(given["others"]) == 4
    assert given["others"].accept.sum(1).tolist() == [1] * 4
    assert given["card"]["data"] == provenance.ORIGINS + provenance.REAL_ORIGINS[1:]
    kept = {file.name.rsplit("-", 1)[0] for file in (tmp_path / "downloads").iterdir()}
    assert kept == {"drawings seen closely", "made-up drawings seen closely"}


@pytest.mark.parametrize("network", closer.RECIPES)
def test_who_takes_a_closer_look_wants_labels_and_pictures_of_its_kind(
    asked_to_look_closer, real_folder, network
):
    ask, given = asked_to_look_closer
    kind = closer.look_of(network).kind
    for wrong in ({"start": "closer-photo"}, {"teachers": ["cnn"]}):
        with pytest.raises(DataError, match="by labels"):
            ask(network, real=real_folder, **wrong)
    with pytest.raises(DataError, match="alone"):
        ask(network, real=real_folder, whole=True)
    table = real_folder / "labels.csv"
    lines = table.read_text().splitlines()
    other = ".jpg" if kind == "photo" else ".png"
    for real in (None, real_folder):  # where there are none of this kind
        with pytest.raises(DataError, match=f"learns from real {kind}s"):
            ask(network, real=real)
        table.write_text("\n".join(line for line in lines if other not in line) + "\n")
    assert not given


@pytest.mark.parametrize(
    ("network", "says", "wanted"),
    [
        (networks.PhotoNetwork, 8, 10.0),
        (networks.ColourNetwork, 8, 10.0),
        (networks.DrawingNetwork, 7, 0.1),
    ],
)
def test_pictures_are_calibrated_with_the_closer_look_that_the_card_names(
    options, real_folder, tmp_path, network, says, wanted
):
    """One that is wrong makes the temperature of its kind rise, one that is right makes it fall."""
    path = make("cnn", real=real_folder, **options)
    before = checkpoint.load(path, "cpu")[1]
    look = network().eval()
    told = {"architecture": f"closer-{look.name}"}
    with torch.no_grad():
        look.stages.head.weight.zero_()
        look.stages.head.bias.copy_(60.0 * torch.eye(10)[says])
    sure = tmp_path / "sure.safetensors"
    checkpoint.save(sure, look, told)
    finishing.calibrate(path, real=real_folder, closers=[sure], progress=False)
    card = checkpoint.load(path, "cpu")[1]
    assert card["closer"] == ["sure"]
    assert set(card["temperature"]) == {"dataset", "photo", "drawing"}
    for kind, found in card["temperature"].items():
        if kind == look.kind:
            assert found == wanted != before["temperature"][kind]
        else:
            assert found == before["temperature"][kind]
    # and whoever calibrates it again need not name it again
    finishing.calibrate(path, real=real_folder, progress=False)
    assert checkpoint.load(path, "cpu")[1] == card
    with pytest.raises(DataError, match="--real"):
        finishing.calibrate(path, closers=[sure], progress=False)
    with pytest.raises(CheckpointError, match="no closer look"):
        finishing.calibrate(path, real=real_folder, closers=[sure, path], progress=False)
    with pytest.raises(CheckpointError, match="once"):
        finishing.calibrate(path, real=real_folder, closers=[sure, sure], progress=False)
    away = tmp_path / "away" / "cnn.safetensors"  # where nobody looks closer
    for write in (
        lambda: finishing.calibrate(path, real=real_folder, out=away, progress=False),
        lambda: finishing.couple([path, path], real=real_folder, out=away, progress=False),
        lambda: finishing.blend(path, path, 0.5, real=real_folder, out=away, progress=False),
    ):
        with pytest.raises(CheckpointError, match="sure"):
            write()
        assert not away.exists()
    elsewhere = tmp_path / "elsewhere" / "sure.safetensors"
    checkpoint.save(elsewhere, look, told)
    with pytest.raises(CheckpointError, match="beside"):
        finishing.calibrate(path, real=real_folder, closers=[elsewhere], progress=False)
    assert checkpoint.load(path, "cpu")[1] == card
    # what is blended or coupled with it keeps it, for people's pictures
    trained = make("cnn", real=real_folder, **options | {"out": tmp_path / "on.safetensors"})
    for real, names in ((real_folder, ["sure"]), (None, [])):
        asked = {"real": real, "out": tmp_path / "both.safetensors", "progress": False}
        for out in (
            finishing.blend(path, trained, 0.5, **asked),
            finishing.couple([path, trained], **asked),
        ):
            assert checkpoint.load(out, "cpu")[1]["closer"] == names
