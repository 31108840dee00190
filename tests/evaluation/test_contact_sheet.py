"""What is on the sheet, and where."""

from types import SimpleNamespace

import numpy as np
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


def test_the_sheet_shows_picture_cut_out_and_what_the_network_reads(tmp_path):
    for name in ("right", "wrong"):
        Image.new("RGB", (60, 60), "red").save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_text("no picture")

    def classify(path):
        segmented = Image.new("RGB", (60, 60), "blue") if path.stem == "wrong" else None
        return SimpleNamespace(segmented=segmented, network_input=Image.new("L", (28, 28), 120))

    def one(name: str, target: int, confidence: float) -> Outcome:
        picture = LabeledPicture(tmp_path / f"{name}.png", "home", "x" * 80, (target,), "")
        return Outcome(picture, {"Bag": confidence} if confidence else {}, "photo", "no picture")

    outcomes = [one("right", 8, 0.9), one("wrong", 7, 0.9), one("broken", 7, 0)]
    target = tmp_path / "sheet.png"

    def shows(outcomes, *color: int) -> bool:
        """Whether the sheet of outcomes has pixels of about this color."""
        contact_sheet.draw_sheet(SimpleNamespace(classify=classify), outcomes, target)
        apart = np.abs(np.asarray(Image.open(target).convert("RGB"), int) - color).max(2)
        return bool((apart < 30).any())

    red, blue, gray = (255, 0, 0), (0, 0, 255), (120, 120, 120)
    green, wrong = (0x2E, 0x9E, 0x5B), (0xD6, 0x45, 0x45)
    right, taken, broken = ([each] for each in outcomes)
    assert all(shows(right, *color) for color in (red, gray, green))
    assert not shows(right, *blue)
    assert not shows(right, *wrong)
    assert all(shows(taken, *color) for color in (red, blue, gray, wrong))
    assert shows(broken, *wrong)
    assert not shows(broken, *red)
    assert not any(shows([], *color) for color in (red, green, wrong))
