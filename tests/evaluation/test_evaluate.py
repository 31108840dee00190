"""From files and images through a classifier to figures, by class against a case worked by hand;
what is taken for what, with pictures of it in the committed cards; the evaluate command."""

import base64
import io
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import fashion_model
from fashion_model import CLASSES, InputError, checkpoint, commands
from fashion_model import datasets as data
from fashion_model.__main__ import main
from fashion_model.evaluation.evaluate import (
    Confusion,
    answer_pictures,
    confusions_of,
    evaluate_images,
    most_frequent,
    score_dataset,
    with_examples,
)
from fashion_model.evaluation.metrics import expected_calibration_error, reliability
from fashion_model.evaluation.scores import score_folder


def test_evaluate_uses_the_classifiers_own_confidences(classifier, sheet):
    images = torch.stack([torch.from_numpy(np.asarray(p).copy()) for p, _ in sheet])
    labels = torch.tensor([label for _, label in sheet])
    score = evaluate_images(classifier, images, labels, batch=7)
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


def certain(answers):
    return np.eye(10)[answers]


def test_classes_by_hand():
    # trousers: three, one of them called a dress; dresses: two; a bag called trousers
    score = score_dataset(certain([1, 1, 3, 3, 3, 1]), np.array([1, 1, 1, 3, 3, 8]))
    assert (score.count, score.accuracy) == (6, pytest.approx(4 / 6))
    assert score.ece == pytest.approx(2 / 6)
    assert score.ece_noise_floor == 0
    trouser, dress, bag, coat = (score.classes[i] for i in (1, 3, 8, 4))
    assert (trouser.label, trouser.count) == ("Trouser", 3)
    assert (trouser.recall, trouser.precision, trouser.f1) == pytest.approx((2 / 3,) * 3)
    assert (dress.recall, dress.precision, dress.f1) == pytest.approx((1, 2 / 3, 4 / 5))
    assert (bag.recall, bag.precision, bag.f1, bag.count) == (0, 0, 0, 1)
    assert (coat.recall, coat.precision, coat.f1, coat.count) == (0, 0, 0, 0)
    assert score.confusion[1] == [0, 2, 0, 1, 0, 0, 0, 0, 0, 0]
    assert score.confusion[8] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_nll_and_coverage_by_hand():
    confidences = np.array([[0.5, 0.5 - 1e-9, *[0.0] * 8], [0.25, 0.75, *[0.0] * 8]])
    score = score_dataset(confidences, np.array([1, 1]))
    assert score.nll == pytest.approx(-np.log([0.5, 0.75]).mean(), abs=1e-6)
    assert score.coverage == 1 / 2  # the surer of the two is right


def test_the_most_frequent_confusions_come_first_with_their_surest_mistakes():
    labels = np.array([6, 6, 6, 6, 9, 9])
    confidences = certain([0, 0, 0, 6, 7, 9])
    confidences[:3] *= np.array([[0.6], [0.9], [0.7]])
    images = np.stack([np.full((28, 28), i, np.uint8) for i in range(6)])
    score = score_dataset(confidences, labels, images)
    listed = [(c.truth, c.answer, c.count, c.of) for c in score.confused]
    assert listed == [("Shirt", "T-shirt/top", 3, 4), ("Ankle boot", "Sneaker", 1, 2)]
    shown = [opened(decoded(url)) for url in score.confused[0].examples]
    assert [np.asarray(picture)[0, 0] for picture in shown] == [1, 2]
    assert score_dataset(confidences, labels).confused[0].examples == ()


def test_the_most_frequent_mistakes_come_first():
    counts = Counter({("Shirt", "Coat"): 2, ("Shirt", "Shirt"): 5, ("Bag", "Coat"): 3})
    assert most_frequent(counts) == [
        Confusion("Bag", "Coat", 3, 3),
        Confusion("Shirt", "Coat", 2, 7),
    ]


def test_pictures_with_two_targets_and_without_an_answer_count_nowhere(outcome):
    outcomes = [outcome("Coat", 0.5, 3), outcome("Coat", 0.5, 3, 2), outcome("Dress", 0.5, 3)]
    outcomes += [replace(outcomes[0], confidences={}), outcome("Bag", 0.2, 4), outcome("Bag", 0.9)]
    assert confusions_of(outcomes) == [
        Confusion("Dress", "Coat", 1, 2),
        Confusion("Coat", "Bag", 1, 1),
    ]


def opened(file: bytes) -> Image.Image:
    return Image.open(io.BytesIO(file))


def decoded(url: str) -> bytes:
    return base64.b64decode(url.partition("base64,")[2])


class Answers:
    """A classifier that says of a gray square as many percent "Coat" as it is bright, and finds
    nothing on black."""

    def predict(self, picture, kind):
        assert kind == "photo"
        tone = opened(picture).getpixel((0, 0))
        if tone == 0:
            raise InputError("No garment stands out in this picture.", "garment")
        return {"Coat": tone / 100}


def test_examples_are_the_surest_of_the_same_mistake():
    pictures = [(Image.new("L", (8, 8), share), 3) for share in (40, 0, 90, 70)]
    pictures += [(Image.new("L", (8, 8), 99), 4)]  # no mistake
    given = [Confusion("Dress", "Coat", 1, 2), Confusion("Shirt", "Coat", 1, 2)]
    dress, shirt = with_examples(given, Answers(), "photo", pictures)
    assert [opened(decoded(url)).getpixel((0, 0)) for url in dress.examples] == [90, 70]
    assert shirt == given[1]


@pytest.mark.parametrize("kind", ["drawing", "photo"])
def test_the_committed_network_confuses_the_examples_of_its_card(kind):
    _, card = checkpoint.load(kind, "cpu")
    classifier = fashion_model.load(device="cpu")
    confused = card["results"][kind]["confused"]
    examples = [(each, url) for each in confused for url in each["examples"]]
    assert len(examples) >= len(confused)  # one each, on average
    for each, url in examples:
        assert {each["truth"], each["answer"]} <= set(CLASSES)
        answer = next(iter(classifier.predict(decoded(url), kind)))
        assert answer == each["answer"], each


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
