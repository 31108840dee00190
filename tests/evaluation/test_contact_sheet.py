"""What is on the sheet, and where."""

from types import SimpleNamespace

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
    size, pad = contact_sheet.TILE, contact_sheet.PAD
    for name in ("right", "wrong"):
        Image.new("RGB", (60, 60), "red").save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_text("no picture")

    def classify(path):
        segmented = Image.new("RGB", (60, 60), "blue") if path.stem == "wrong" else None
        return SimpleNamespace(segmented=segmented, network_input=Image.new("L", (28, 28), 120))

    def one(name: str, target: int, confidence: float) -> Outcome:
        picture = LabeledPicture(tmp_path / f"{name}.png", "home", "x" * 80, (target,), "")
        return Outcome(picture, {"Bag": confidence} if confidence else {}, "photo")

    outcomes = [one("right", 8, 0.9), one("wrong", 7, 0.9), one("broken", 7, 0)]
    target = tmp_path / "sheet.png"
    contact_sheet.draw_sheet(SimpleNamespace(classify=classify), outcomes, target)
    sheet = Image.open(target)
    width, height = contact_sheet.CARD
    assert sheet.size == (pad + 3 * (width + pad), height + 2 * pad)

    def middle(card: int, tile: int) -> tuple[int, ...]:
        x = pad + card * (width + pad) + pad + tile * (size + pad) + size // 2
        return sheet.getpixel((x, 2 * pad + size // 2))

    frames = [sheet.getpixel((pad + card * (width + pad) + 1, 40)) for card in range(3)]
    assert frames == [(0xD6, 0x45, 0x45), (0xD6, 0x45, 0x45), (0x2E, 0x9E, 0x5B)]
    red, blue, gray = (255, 0, 0), (0, 0, 255), (120, 120, 120)
    assert [middle(0, i) for i in range(3)] == [red, blue, gray]
    assert [middle(2, i) for i in range(3)] == [red, gray, (255, 255, 255)]
    contact_sheet.draw_sheet(SimpleNamespace(classify=classify), [], target)  # nothing to show
