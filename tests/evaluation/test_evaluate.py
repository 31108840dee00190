"""From files and images through a classifier to figures; the evaluate command."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from fashion_model import CLASSES, Classifier, checkpoint, commands
from fashion_model import datasets as data
from fashion_model.__main__ import main
from fashion_model.classifier import KINDS
from fashion_model.errors import DataError
from fashion_model.evaluation.evaluate import (
    answer_pictures,
    evaluate,
    leave_one_source_out,
)
from fashion_model.evaluation.metrics import expected_calibration_error, reliability
from fashion_model.evaluation.scores import score_folder


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
    true = [a[CLASSES[label]] for (_, label), a in zip(sheet, answers, strict=True)]
    assert score.nll == pytest.approx(-np.log(true).mean(), abs=1e-5)
    assert [sum(row) for row in score.confusion] == [4] * 10
    with torch.inference_mode():
        plain = classifier.network(images / 255).softmax(1).amax(1)
    uncalibrated = expected_calibration_error(reliability(plain.tolist(), right))
    assert abs(score.ece - uncalibrated) > 0.01  # the card's temperature was used


def test_a_folder_from_its_files_to_the_figures(folder, classifier, sheet):
    outcomes = answer_pictures(classifier, data.load_labeled(folder))
    score = score_folder(outcomes)
    home, doodle = sorted(score.sources, key=lambda s: s.name, reverse=True)

    sure = {i: next(iter(classifier.predict(sheet[i][0]).values())) for i in range(10)}
    assert (home.name, home.count) == ("home", 4)
    assert home.accuracy == pytest.approx(2 / 4)  # of all pictures; the broken one is wrong
    # boots 1 and a half, all right; half a sandal, right; a bag and a trouser, wrong
    assert home.macro_accuracy == pytest.approx((1 + 1 + 0 + 0) / 4)
    assert home.ece == pytest.approx(abs(sure[9] - 2 / 3))  # three answers, all in one bin
    assert home.kinds == {"dataset": 1}
    assert (home.others, home.no_answer) == (2, 1)
    pairs = [
        (a > b) + (a == b) / 2 for a in (sure[9], sure[9], sure[9], 0) for b in (sure[8], sure[4])
    ]
    assert home.auroc == pytest.approx(sum(pairs) / 8)

    assert (doodle.name, doodle.count, doodle.others) == ("doodle-other", 0, 1)
    assert doodle.accuracy is doodle.macro_accuracy is doodle.ece is doodle.nll is None
    assert doodle.ece_noise_floor is doodle.coverage is None

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


def test_each_source_is_answered_by_its_own_network(folder, classifier, sheet):
    cards = {kind: {"architecture": "templates"} for kind in KINDS}
    other = Classifier(classifier.networks, cards, classifier.detectors)
    classifiers = {"home": classifier, "doodle": other}
    pictures = data.load_labeled(folder)
    home, doodle = leave_one_source_out(classifiers, pictures)
    assert (home.name, home.count, home.others) == ("home", 4, 2)
    assert (doodle.name, doodle.count, doodle.others) == ("doodle", 0, 1)
    # the cat against all garments, by the network that was trained without doodles
    sure = {i: next(iter(other.predict(sheet[i][0]).values())) for i in (5, 9)}
    assert doodle.auroc == pytest.approx(((sure[9] > sure[5]) * 3 + (sure[9] == sure[5]) * 1.5) / 4)
    with pytest.raises(DataError, match="'worn'"):
        leave_one_source_out({"worn": classifier}, pictures)


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
    found = json.loads(capsys.readouterr().out)
    assert found["network"] == network
    score = found["fashion_mnist"]
    assert sum(map(sum, score["confusion"])) == score["count"] == 100
    assert f"accuracy {score['accuracy']:.2%}, ECE {score['ece']:.2%}" in out
    assert [row["label"] for row in score["classes"]] == list(CLASSES)
    assert sum(b["count"] for b in score["bins"]) == 100


def test_the_command_saves_into_the_checkpoint(network, made_up_data, folder, capsys, monkeypatch):
    monkeypatch.setattr(commands, "SYNTHETIC", 40)
    digest = checkpoint.digest(checkpoint.load(network, "cpu")[0])
    command = ["evaluate", "--device", "cpu", "--network", network, "--save"]
    assert main([*command, "--data", str(made_up_data)]) == 0
    assert main([*command, "--images", str(folder), "--fold", "0/1"]) == 0
    again, card = checkpoint.load(network, "cpu")
    assert checkpoint.digest(again) == digest
    assert card["results"].keys() == {"dataset", "drawing"}
    assert card["results"]["dataset"]["count"] == 100
    drawing = card["results"]["drawing"]
    assert (drawing["fold"], drawing["folds"]) == (0, 1)
    assert [s["name"] for s in drawing["scores"]] == ["drawing", "doodle-other", "home"]
    assert "broken" not in json.dumps(card)  # no path of a picture


def test_the_command_on_a_folder(network, folder, tmp_path, capsys):
    command = ["evaluate", "--device", "cpu", "--network", network, "--images", str(folder)]
    assert main([*command, "--sheet", str(tmp_path / "sheet.png")]) == 0
    out, _ = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        ["pictures", "scored"],
        ["doodle-other", "0"],
        ["home", "4"],
        ["drawing", "4"],
    ]
    assert sum(line.startswith(("home  ", "home-other")) for line in lines) == 6
    assert "Hat (other)" in out
    assert "Left out of the figures: 1 picture whose label is vague" in out
    assert "Without an answer: 1\n" in out
    assert f"{folder / 'broken.png'}: " in out
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.size == (1600, 200)  # four in a row

    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["images"]
    assert [s["name"] for s in found["sources"]] == ["doodle-other", "home"]
    assert found["unreadable"][0]["path"] == str(folder / "broken.png")

    command = ["evaluate", "--device", "cpu", "--images", str(folder), "--without"]
    assert main([*command, f"home={network}", f"doodle={network}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["home", "4"], ["doodle", "0"]]


def test_the_command_on_one_fold(network, folder, capsys):
    command = ["evaluate", "--device", "cpu", "--network", network, "--images", str(folder)]
    pictures = data.load_labeled(folder)
    counted = 0
    for fold in range(2):
        assert main([*command, "--json", "--fold", f"{fold}/2"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["fold"], found["folds"]) == (fold, 2)
        count = sum(label["count"] for label in found["images"]["labels"])
        assert count == sum(data.group_fold(p, 2) == fold for p in pictures)
        counted += count
    assert counted == len(pictures)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sheet", "x.png"], "--images"),
        (["--fold", "0"], "--images"),
        (["--without", "worn=cnn"], "--images"),
        (["--images", "x", "--without", "worn=cnn", "--save"], "leave out --without"),
        (["--images", "x", "--without", "worn"], "'worn' is not SOURCE=NAME"),
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
