"""Figures against hand-worked cases and brute force; folders from file to table and sheet."""

import json
import random
from collections import Counter
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from fashion_model import CLASSES, Classifier, checkpoint
from fashion_model import datasets as data
from fashion_model.__main__ import main
from fashion_model.datasets import Labelled
from fashion_model.evaluation import contact_sheet, report
from fashion_model.evaluation.evaluate import Outcome, answer_pictures, evaluate, score_folder
from fashion_model.evaluation.metrics import (
    auroc,
    ece_by_chance,
    expected_calibration_error,
    reliability,
    score_answers,
)
from fashion_model.networks import NeuralNetwork
from fashion_model.training.variants import variants_of


def test_ece_by_hand():
    # with 5 bins: (0.4, 0.6] holds 0.5, 0.6 (one right), (0.8, 1] holds 0.9, 1, 1 (two right)
    bins = reliability([0.5, 0.6, 0.9, 1.0, 1.0], [True, False, True, False, True], bins=5)
    assert [b.count for b in bins] == [0, 0, 2, 0, 3]
    assert (bins[2].confidence, bins[2].accuracy) == pytest.approx((0.55, 0.5))
    assert (bins[4].confidence, bins[4].accuracy) == pytest.approx((2.9 / 3, 2 / 3))
    # 2/5 * |0.5 - 0.55| + 3/5 * |2/3 - 2.9/3| = 0.02 + 0.18
    assert expected_calibration_error(bins) == pytest.approx(0.2)


def test_ece_by_chance():
    """One answer at 0.7 errs by 0.3 or, three times of ten, by 0.7; many such hardly err."""
    assert ece_by_chance([0.7]) == pytest.approx(0.7 * 0.3 + 0.3 * 0.7, abs=0.04)
    assert ece_by_chance([0.7] * 3_000) < 0.01
    assert ece_by_chance([1.0] * 10) == 0
    assert ece_by_chance([]) is None


def test_ece_has_15_bins_that_include_their_upper_edge():
    bins = reliability([0.0, 1 / 15, 1 / 15 + 1e-9, 1.0], [False, False, True, True])
    assert [(b.low, b.high) for b in bins] == [
        pytest.approx((i / 15, (i + 1) / 15)) for i in range(15)
    ]
    assert [b.count for b in bins] == [2, 1] + [0] * 12 + [1]


def test_ece_of_honest_answers_is_0_and_of_no_answers_none():
    bins = reliability([0.75] * 4, [True, True, True, False])
    assert expected_calibration_error(bins) == pytest.approx(0)
    assert expected_calibration_error(reliability([], [])) is None


def test_auroc_by_hand():
    assert auroc([0.9, 0.8], [0.1, 0.2]) == 1
    assert auroc([0.1], [0.2, 0.3]) == 0
    # pairs: .9>.5, .9>.9 half, .5>.5 half, .5>.9 not
    assert auroc([0.9, 0.5], [0.5, 0.9]) == pytest.approx(2 / 4)
    assert auroc([0.9, 0.7, 0.5], [0.5, 0.6]) == pytest.approx((2 + 2 + 0.5) / 6)
    assert auroc([], [0.5]) is None
    assert auroc([0.5], []) is None


@pytest.mark.parametrize("seed", range(20))
def test_auroc_against_counting_every_pair(seed):
    chance = random.Random(seed)
    known, other = (
        [chance.randint(0, 12) / 12 for _ in range(chance.randint(1, 60))] for _ in range(2)
    )
    pairs = [(a > b) + (a == b) / 2 for a, b in product(known, other)]
    assert auroc(known, other) == pytest.approx(sum(pairs) / len(pairs))


def test_classes_by_hand():
    # trousers: three, one of them called a dress; dresses: two; a bag called trousers
    labels = [1, 1, 1, 3, 3, 8]
    answers = [1, 1, 3, 3, 3, 1]
    score = score_answers(answers, [1.0] * 6, labels)
    assert (score.count, score.accuracy) == (6, pytest.approx(4 / 6))
    assert score.ece == pytest.approx(2 / 6)
    trouser, dress, bag, coat = (score.classes[i] for i in (1, 3, 8, 4))
    assert (trouser.label, trouser.count) == ("Trouser", 3)
    assert (trouser.recall, trouser.precision, trouser.f1) == pytest.approx((2 / 3,) * 3)
    assert (dress.recall, dress.precision, dress.f1) == pytest.approx((1, 2 / 3, 4 / 5))
    assert (bag.recall, bag.precision, bag.f1, bag.count) == (0, 0, 0, 1)
    assert (coat.recall, coat.precision, coat.f1, coat.count) == (0, 0, 0, 0)
    assert score.confusion[1] == [0, 2, 0, 1, 0, 0, 0, 0, 0, 0]
    assert score.confusion[8] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]


class Templates(torch.nn.Module):
    """Logits are 30 times the cosine to the first picture of each class in the sheet."""

    def __init__(self, sheet):
        super().__init__()
        pixels = torch.stack([torch.from_numpy(np.asarray(p).copy()) for p, _ in sheet[:10]])
        self.weight = torch.nn.Parameter(30 * torch.nn.functional.normalize(flat(pixels / 255)))

    def forward(self, x):
        return torch.nn.functional.normalize(flat(x)) @ self.weight.T


def flat(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(len(x), -1)


@pytest.fixture(scope="module")
def classifier(sheet):
    """Right on the sheet's first ten pictures. Nothing here is a photo: it needs no finder."""
    card = {"architecture": "templates", "temperature": {"dataset": 2.0}}
    return Classifier(Templates(sheet).eval(), card, torch.nn.Identity())


def test_evaluate_uses_the_classifiers_own_confidences(classifier, sheet):
    images = torch.stack([torch.from_numpy(np.asarray(p).copy()) for p, _ in sheet])
    labels = torch.tensor([label for _, label in sheet])
    score = evaluate(classifier, images, labels, batch=7)
    answers = [classifier.predict(picture) for picture, _ in sheet]
    right = [CLASSES[label] == next(iter(a)) for (_, label), a in zip(sheet, answers, strict=True)]
    assert all(right[:10])
    assert score.count == 40
    assert score.accuracy == pytest.approx(sum(right) / 40)
    bins = reliability([next(iter(a.values())) for a in answers], right)
    assert score.ece == pytest.approx(expected_calibration_error(bins), abs=1e-5)
    assert [sum(row) for row in score.confusion] == [4] * 10
    with torch.inference_mode():
        plain = classifier.network(images / 255).softmax(1).amax(1)
    uncalibrated = expected_calibration_error(reliability(plain.tolist(), right))
    assert abs(score.ece - uncalibrated) > 0.01  # the card's temperature was used


FOLDER = """path,source,label,accept,sender
boot1.png,home,Boots,Ankle boot,1
boot2.png,home,Boots,Sandal|Ankle boot,2
boot3.png,home,Boots,Bag,3
broken.png,home,Pants,Trouser,3
hat.png,home,Hat,,1
polo.png,home,Polo,,1
cup.png,home-other,cup,,
cat.png,doodle-other,cat,,
"""
SHOWS = {"boot1": 9, "boot2": 9, "boot3": 9, "hat": 8, "polo": 0, "cup": 4, "cat": 5}


@pytest.fixture
def folder(tmp_path, sheet):
    """A folder in which each picture is the sheet's first of the class that SHOWS names."""
    here = tmp_path / "labelled pictures"
    here.mkdir()
    (here / "labels.csv").write_text(FOLDER)
    for name, index in SHOWS.items():
        sheet[index][0].save(here / f"{name}.png")
    (here / "broken.png").write_text("no picture")
    return here


def test_a_folder_from_its_files_to_the_figures(folder, classifier, sheet):
    outcomes = answer_pictures(classifier, data.load_labelled(folder), progress=False)
    score = score_folder(outcomes)
    home, doodle = sorted(score.sources, key=lambda s: s.source, reverse=True)

    sure = {i: next(iter(classifier.predict(sheet[i][0]).values())) for i in range(10)}
    assert (home.source, home.count) == ("home", 4)
    assert home.accuracy == pytest.approx(2 / 4)  # of all pictures; the broken one is wrong
    assert home.macro_accuracy == pytest.approx((1 + 1 + 0 + 0) / 4)  # of four sets of classes
    assert home.ece == pytest.approx(abs(sure[9] - 2 / 3))  # three answers, all in one bin
    assert (home.wrong, home.sure_and_wrong) == (1, float(sure[9] > 0.9))
    assert home.kinds == {"dataset": 1}
    assert (home.others, home.no_answer) == (2, 1)
    assert home.auroc == auroc([sure[9], sure[9], sure[9], 0], [sure[8], sure[4]])

    assert (doodle.source, doodle.count, doodle.others) == ("doodle-other", 0, 1)
    assert doodle.accuracy is doodle.macro_accuracy is doodle.ece is doodle.auroc is None
    assert doodle.ece_by_chance is None
    assert doodle.sure_and_wrong is None

    assert score.vague == 1
    assert [u.path for u in score.unreadable] == [str(folder / "broken.png")]
    assert "no picture" in score.unreadable[0].error
    assert [(s.source, s.label, s.role, s.count, s.accuracy, s.answers) for s in score.labels] == [
        ("doodle-other", "cat", "other", 1, None, {"Sandal": 1}),
        ("home", "Boots", "scored", 3, pytest.approx(2 / 3), {"Ankle boot": 3}),
        ("home", "Pants", "scored", 1, 0, {"no answer": 1}),
        ("home", "Hat", "other", 1, None, {"Bag": 1}),
        ("home-other", "cup", "other", 1, None, {"Coat": 1}),
        ("home", "Polo", "vague", 1, None, {"T-shirt/top": 1}),
    ]


@pytest.mark.parametrize("place", range(7))
def test_variants_of_a_picture(real_folder, place):
    picture = data.load_labelled(real_folder)[place]
    shown = [np.asarray(image.convert("L")) for image in variants_of(picture, 9, seed=1)]
    assert len({image.tobytes() for image in shown}) == len(shown) == 9  # more than OTHER_COPIES
    again, others = (list(variants_of(picture, 9, seed)) for seed in (1, 2))
    assert np.array_equal(shown[0], np.asarray(again[0].convert("L")))
    assert not np.array_equal(shown[0], np.asarray(others[0].convert("L")))
    with Image.open(picture.path) as original:
        plain = np.asarray(original.convert("L"))
    assert not any(np.array_equal(image, plain) for image in shown)
    for image in shown:  # what is drawn or lies there still is
        assert 0.005 < 1 - image.mean() / 255 < 0.5


class Dark(torch.nn.Module):
    """A finder of what is dark; half of it may be a drawing."""

    def forward(self, x):
        return 40 * (0.5 - x.mean(1, keepdim=True)), torch.zeros(len(x))


def test_a_folder_in_variants(folder, classifier):
    """All but what cannot be decoded: labels and roles are the picture's own."""
    classifier = Classifier(classifier.network, classifier.card, Dark())
    pictures = data.load_labelled(folder)
    outcomes = answer_pictures(classifier, pictures, progress=False, variants=3)
    counts = Counter(o.picture.path.stem for o in outcomes)
    assert counts == dict.fromkeys([*SHOWS, "broken"], 3)
    plain = answer_pictures(classifier, pictures, progress=False)
    boots = [o for o in outcomes if o.picture.path.stem == "boot1"]
    assert {o.picture.label for o in boots} == {"Boots"}
    assert len({o.confidence for o in [*boots, plain[0]]}) == 4
    score = score_folder(outcomes)
    assert [s.count for s in score.sources] == [0, 12]
    assert [s.ece_by_chance for s in score.sources] == [None, None]  # they are no 12 pictures
    assert score.sources[1].no_answer == 3
    assert [u.path for u in score.unreadable] == [str(folder / "broken.png")]
    assert score.vague == 3


def outcome(answer: str, confidence: float, *accept: int, source="home", label="x") -> Outcome:
    picture = Labelled(Path(f"{label}.png"), source, label, accept, "")
    return Outcome(picture, {answer: confidence}, "photo")


def test_sure_and_wrong_is_a_share_of_the_wrong_answers():
    score = score_folder(
        [
            outcome("Bag", 0.95, 8),
            outcome("Bag", 0.95, 7),
            outcome("Bag", 0.90, 7),  # not above
            outcome("Bag", 0.30, 7),
            outcome("Bag", 0.20, 7),
            outcome("Bag", 0.99),  # another thing: neither right nor wrong
        ]
    )
    (home,) = score.sources
    assert (home.count, home.wrong, home.others) == (5, 4, 1)
    assert home.sure_and_wrong == pytest.approx(1 / 4)
    assert home.auroc == 0
    assert home.kinds == {"photo": 1}


def test_other_things_of_a_source_are_its_own_and_those_beside_it():
    score = score_folder(
        [
            outcome("Bag", 0.8, 8, source="doodle"),
            outcome("Bag", 0.9, source="doodle", label="cat"),
            outcome("Bag", 0.1, source="doodle-other", label="dog"),
            outcome("Bag", 0.99, source="doodle", label="Polo"),  # vague
            outcome("Bag", 0.0, source="home-other", label="cup"),
        ]
    )
    assert [(s.source, s.others, s.auroc) for s in score.sources] == [
        ("doodle", 2, 0.5),
        ("home-other", 1, None),
    ]
    # a vague label that accepts something is scored
    assert outcome("Shirt", 0.5, 6, label="Blouse").role == "scored"


def test_the_sheet_takes_failures_first_and_sources_in_turn():
    outcomes = [
        outcome("Bag", 0.9, 8, label="surely right"),
        outcome("Bag", 0.3, 8, label="hardly right"),
        outcome("Bag", 0.5, 7, label="wrong"),
        outcome("Bag", 0.7, 7, label="surely wrong"),
        outcome("Bag", 0.4, 7, label="wrong too", source="doodle"),
        outcome("Bag", 0.95, label="other, surely"),
        outcome("Bag", 0.2, label="other, unsure"),
        outcome("Bag", 0.99, label="Polo"),
    ]
    names = [o.picture.label for o in contact_sheet.chosen(outcomes)]
    failed = ["other, surely", "wrong too", "surely wrong", "wrong"]
    assert names == [*failed, "hardly right", "surely right"]
    assert len(contact_sheet.chosen(outcomes, most=3)) == 3


def test_the_sheet_shows_picture_cut_out_and_what_was_seen(tmp_path):
    size, pad = contact_sheet.TILE, contact_sheet.PAD
    for name in ("right", "wrong"):
        Image.new("RGB", (60, 60), "red").save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_text("no picture")

    def answer(path):
        cutout = Image.new("RGB", (60, 60), "blue") if path.stem == "wrong" else None
        return SimpleNamespace(cutout=cutout, seen=Image.new("L", (28, 28), 120))

    def one(name: str, accept: int, confidence: float) -> Outcome:
        picture = Labelled(tmp_path / f"{name}.png", "home", "x" * 80, (accept,), "")
        return Outcome(picture, {"Bag": confidence} if confidence else {}, "photo")

    outcomes = [one("right", 8, 0.9), one("wrong", 7, 0.9), one("broken", 7, 0)]
    target = tmp_path / "sheet.png"
    contact_sheet.draw_sheet(SimpleNamespace(answer=answer), outcomes, target)
    sheet = Image.open(target)
    width, height = contact_sheet.CARD
    assert sheet.size == (pad + 3 * (width + pad), height + 2 * pad)

    def middle(card: int, tile: int) -> tuple[int, ...]:
        x = pad + card * (width + pad) + pad + tile * (size + pad) + size // 2
        return sheet.getpixel((x, 2 * pad + size // 2))

    frames = [sheet.getpixel((pad + card * (width + pad) + 1, 40)) for card in range(3)]
    assert frames == [(0xD6, 0x45, 0x45), (0xD6, 0x45, 0x45), (0x2E, 0x9E, 0x5B)]
    red, blue, seen = (255, 0, 0), (0, 0, 255), (120, 120, 120)
    assert [middle(0, i) for i in range(3)] == [red, blue, seen]
    assert [middle(2, i) for i in range(3)] == [red, seen, (255, 255, 255)]
    contact_sheet.draw_sheet(SimpleNamespace(answer=answer), [], target)  # nothing to show


@pytest.fixture
def network(tmp_path):
    """An untrained network on disk."""
    torch.manual_seed(0)
    path = tmp_path / "untrained.safetensors"
    checkpoint.save(path, NeuralNetwork(), {"architecture": "mlp"})
    return str(path)


def test_the_command_on_fashion_mnist(network, made_up_data, tmp_path, capsys):
    command = ["evaluate", "--device", "cpu", "--network", network, "--data", str(made_up_data)]
    plot = tmp_path / "plot.png"
    assert main([*command, "--plot", str(plot)]) == 0
    out, _ = capsys.readouterr()
    assert out.startswith("100 test images of Fashion-MNIST: accuracy ")
    starts = [label for label in CLASSES for line in out.splitlines() if line.startswith(label)]
    assert starts == [label for label in CLASSES for _ in range(2)]  # in two tables
    with Image.open(plot) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 50

    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["network"] == network
    score = told["fashion_mnist"]
    assert sum(map(sum, score["confusion"])) == score["count"] == 100
    assert f"accuracy {score['accuracy']:.2%}, ECE {score['ece']:.2%}" in out
    assert [row["label"] for row in score["classes"]] == list(CLASSES)
    assert sum(b["count"] for b in score["bins"]) == 100


def test_the_command_on_a_folder(network, folder, tmp_path, capsys):
    command = ["evaluate", "--device", "cpu", "--network", network, "--images", str(folder)]
    assert main([*command, "--sheet", str(tmp_path / "sheet.png"), "--most", "2"]) == 0
    out, _ = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["source", "scored"],
        ["doodle-other", "0"],
        ["home", "4"],
    ]
    assert sum(line.startswith(("home  ", "home-other")) for line in lines) == 6
    assert "Hat (other)" in out
    assert "Left out of the figures: 1 picture whose label is vague" in out
    assert "Without an answer: 1\n" in out
    assert f"{folder / 'broken.png'}: " in out
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.width == 2 * contact_sheet.CARD[0] + 3 * contact_sheet.PAD

    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["images"]
    assert [s["source"] for s in told["sources"]] == ["doodle-other", "home"]
    assert told["sources"][0]["auroc"] is None
    assert told["unreadable"][0]["path"] == str(folder / "broken.png")


def test_the_command_on_variants(network, folder, capsys):
    command = ["evaluate", "--device", "cpu", "--network", network, "--images", str(folder)]
    assert main([*command, "--variants", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["variants"] == 2
    counts = {label["label"]: label["count"] for label in told["images"]["labels"]}
    assert counts == {"Boots": 6, "Pants": 2, "Hat": 2, "Polo": 2, "cup": 2, "cat": 2}
    assert told["pictures"] == 8

    with (folder / "labels.csv").open("a") as file:
        file.write("polo.png,home,Body,,1\n")
    assert main([*command, "--variants", "2"]) == 0
    out = capsys.readouterr().out
    first = "2 variants each of 8 of 9 pictures, without 1 that training leaves out"
    assert out.startswith(first + "\n")
    assert "by chance:" not in out


def test_variants_of_nothing_are_an_error(network, folder, capsys):
    (folder / "labels.csv").write_text("path,source,label,accept,sender\npolo.png,home,Body,,1\n")
    command = ["evaluate", "--device", "cpu", "--network", network, "--images", str(folder)]
    assert main([*command, "--variants", "2"]) == 1
    assert "training leaves out" in capsys.readouterr().err


def test_the_command_on_one_fold(network, folder, capsys):
    command = ["evaluate", "--device", "cpu", "--network", network, "--images", str(folder)]
    pictures = data.load_labelled(folder)
    counted = 0
    for fold in range(2):
        assert main([*command, "--json", "--fold", f"{fold}/2"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["fold"], told["folds"]) == (fold, 2)
        count = sum(label["count"] for label in told["images"]["labels"])
        assert count == sum(data.fold_of(p, 2) == fold for p in pictures)
        counted += count
    assert counted == len(pictures)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sheet", "x.png"], "--images"),
        (["--fold", "0"], "--images"),
        (["--variants", "2"], "--images"),
        (["--images", "x", "--variants", "2", "--save"], "leave out --variants"),
        (["--images", "x", "--variants", "2", "--sheet", "x.png"], "leave out --variants"),
        (["--images", "x", "--variants", "0"], "'0' is not a number from 1 up"),
        (["--images", "x", "--plot", "x.png"], "--plot"),
        (["--images", "x", "--data", "y"], "--data"),
        (["--plot", "x.jpg"], "'x.jpg' is not FILE.png"),
        (["--plot", "missing/x.png"], "in a folder that exists"),
        (["--images", "x", "--fold", "5"], "'5' is no fold"),
        (["--images", "x", "--fold", "2/2"], "'2/2' is no fold"),
        (["--images", "x", "--fold", "-1/2"], "fold"),
        (["--images", "x", "--fold", "a/b"], "'a/b' is no fold"),
    ],
)
def test_wrong_command_lines_are_refused_before_the_work(arguments, says, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *arguments])
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_a_folder_without_labels_says_what_it_needs(tmp_path, capsys):
    assert main(["evaluate", "--images", str(tmp_path)]) == 1
    assert "labels.csv" in capsys.readouterr().err


def test_a_fold_with_nothing_in_it_is_an_error(network, tmp_path, capsys):
    (tmp_path / "labels.csv").write_text("path,source,label,accept,sender\n")
    assert main(["evaluate", "--network", network, "--images", str(tmp_path), "--fold", "0"]) == 1
    assert "no picture" in capsys.readouterr().err


def test_tables_without_figures_show_dashes():
    text = report.folder_text(score_folder([outcome("Bag", 0.4, label="Hat")]))
    assert text.splitlines()[1].split() == ["home", "0", *"------", "1", "0", "-"]
