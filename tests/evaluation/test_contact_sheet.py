"""What is on the sheet, and where."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fashion_model.datasets import LabeledPicture
from fashion_model.evaluation import contact_sheet
from fashion_model.evaluation.scores import Outcome


def test_failures_come_first_and_sources_in_turn(outcome):
    outcomes = [
        outcome("Bag", 0.9, 8, label="surely right"),
        outcome("Bag", 0.3, 8, label="hardly right"),
        outcome("Bag", 0.5, 7, label="wrong"),
        outcome("Bag", 0.7, 7, label="surely wrong"),
        outcome("Bag", 0.4, 7, label="wrong too", source="doodle"),
        outcome("Bag", 0.95, label="other, taken for a bag"),
        outcome("Bag", 0.2, label="other, unsure"),
        outcome("Bag", 0.95, label="other, known as such", probability=0.8),
        outcome("Bag", 0.99, label="Polo"),
    ]
    names = [o.picture.label for o in contact_sheet.select(outcomes)]
    failed = ["other, taken for a bag", "wrong too", "surely wrong", "wrong"]
    assert names == [*failed, "hardly right", "surely right"]
    assert len(contact_sheet.select(outcomes, most=3)) == 3


@pytest.fixture
def outcomes(tmp_path):
    """One that is right, one that is wrong and was cut out, and one that cannot be read."""
    for name in ("right $1 $2", "wrong"):
        Image.new("RGB", (60, 60), "red").save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_text("no picture")

    def one(name: str, target: int, confidence: float) -> Outcome:
        picture = LabeledPicture(tmp_path / f"{name}.png", "home", "Bag", (target,), "")
        return Outcome(picture, {"Bag": confidence} if confidence else {}, "photo", "no picture")

    return [one("right $1 $2", 8, 0.9), one("wrong", 7, 0.9), one("broken", 7, 0)]


def classify(path):
    segmented = Image.new("RGB", (60, 60), "blue") if path.stem == "wrong" else None
    return SimpleNamespace(segmented=segmented, network_input=Image.new("L", (28, 28), 120))


CLASSIFIER = SimpleNamespace(classify=classify)


def test_picture_cut_out_and_what_the_network_reads_are_in_this_order(outcomes):
    red, blue, gray, white = (255, 0, 0), (0, 0, 255), (120,) * 3, (255,) * 3
    for outcome, colors in zip(outcomes, ((red, gray), (red, blue, gray), (white,)), strict=True):
        tiles = contact_sheet._tiles(CLASSIFIER, outcome)
        assert tuple(tile.getpixel((56, 56)) for tile in tiles) == colors


def test_captions_name_answer_truth_and_file(outcomes):
    assert [contact_sheet._captions(outcome) for outcome in outcomes] == [
        ["Bag 90% (photo)", "is Bag (home / Bag)", "right $1 $2.png"],
        ["Bag 90% (photo)", "is Sneaker (home / Bag)", "wrong.png"],
        ["no picture", "is Sneaker (home / Bag)", "broken.png"],
    ]
    long = replace(outcomes[2], error="x" * 90)
    assert contact_sheet._captions(long)[0] == "x" * 57 + "..."


def test_right_and_wrong_answers_have_their_colors(outcomes, tmp_path):
    target = tmp_path / "sheet.png"

    def shows(outcomes, *color: int) -> bool:
        """Whether the sheet of outcomes has pixels of about this color."""
        contact_sheet.draw_sheet(CLASSIFIER, outcomes, target)
        apart = np.abs(np.asarray(Image.open(target).convert("RGB"), int) - color).max(2)
        return bool((apart < 30).any())

    green, wrong = (0x2E, 0x9E, 0x5B), (0xD6, 0x45, 0x45)
    right, taken, broken = ([each] for each in outcomes)
    assert shows(right, *green)
    assert not shows(right, *wrong)
    assert shows(taken, *wrong)
    assert shows(broken, *wrong)
    assert not any(shows([], *color) for color in (green, wrong))
