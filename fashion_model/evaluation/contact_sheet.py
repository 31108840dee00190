"""A contact sheet: picture, cut-out, what the network reads, its answer, and the truth."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from fashion_model.classifier import Classifier
from fashion_model.errors import InputError
from fashion_model.evaluation.scores import Outcome
from fashion_model.networks import CLASSES
from fashion_model.preprocessing.decode import decode

TILE = 112  # pixels a side of each of a card's three pictures: 4 for each of the network's 28
PAD = 6
LINE = 18  # pixels a line of text
CARD = (3 * TILE + 4 * PAD, TILE + 3 * LINE + 3 * PAD)
COLUMNS = 4
MOST = 60

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

PAGE, PAPER, INK, RIGHT, WRONG, OTHER = (
    *("#e9edf1", "#ffffff", "#1f2933"),
    *("#2e9e5b", "#d64545", "#8895a3"),
)


def select(outcomes: Sequence[Outcome], most: int = MOST) -> list[Outcome]:
    """The most telling outcomes, at most so many: failures first, the surest of them leading.

    A failure is a wrong answer or none, or a thing of none of the classes that is taken for one.
    One of each source in turn. Vague labels are left out.
    """
    failed = [o for o in outcomes if _failed(o)]
    rest = [o for o in outcomes if o.role == "scored" and not _failed(o)]
    failed.sort(key=lambda o: o.confidence, reverse=True)
    rest.sort(key=lambda o: o.confidence)  # the least sure may soon be failures
    return [*_interleave(failed), *_interleave(rest)][:most]


def draw_sheet(
    classifier: Classifier, outcomes: Sequence[Outcome], path: str | Path, most: int = MOST
) -> None:
    """Draw select(outcomes) into the PNG file path: picture, cut-out, network input, answer, truth.

    Frames are green where the answer is right, red where it is wrong or missing, and gray around
    another thing that is taken for one of the classes.
    """
    picked = select(outcomes, most)
    columns = min(COLUMNS, max(1, len(picked)))
    rows = max(1, -(-len(picked) // columns))
    width, height = CARD[0] + PAD, CARD[1] + PAD
    page = Image.new("RGB", (columns * width + PAD, rows * height + PAD), PAGE)
    for i, outcome in enumerate(picked):
        place = (PAD + i % columns * width, PAD + i // columns * height)
        page.paste(_card(classifier, outcome), place)
    page.save(path, "PNG")


def _failed(outcome: Outcome) -> bool:
    if outcome.role == "scored":
        return not outcome.right
    return outcome.role == "other" and outcome.out_of_distribution < 0.5


def _interleave(outcomes: Sequence[Outcome]) -> list[Outcome]:
    queues: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        queues.setdefault(outcome.picture.origin, []).append(outcome)
    return [o for turn in zip_longest(*queues.values()) for o in turn if o is not None]


def _card(classifier: Classifier, outcome: Outcome) -> Image.Image:
    color = RIGHT if not _failed(outcome) else WRONG if outcome.role == "scored" else OTHER
    card = Image.new("RGB", CARD, PAPER)
    draw = ImageDraw.Draw(card)
    draw.rectangle((0, 0, CARD[0] - 1, CARD[1] - 1), outline=color, width=4)
    for i, tile in enumerate(_tiles(classifier, outcome)):
        card.paste(tile, (PAD + i * (TILE + PAD), PAD))
    truth = " or ".join(CLASSES[i] for i in outcome.picture.targets) or "none of the ten"
    answer = f"{outcome.answer}  {outcome.confidence:.0%}  ({outcome.kind})"
    lines = (
        (answer if outcome.confidences else outcome.error, color, 15),
        (f"is {truth}", INK, 14),
        (
            f"{outcome.picture.source} / {outcome.picture.label} / {outcome.picture.path.name}",
            INK,
            11,
        ),
    )
    for i, (text, ink, size) in enumerate(lines):
        font = ImageFont.load_default(size)
        place = (PAD + 3, TILE + 2 * PAD + i * LINE)
        draw.text(place, _fitting(draw, text, font), fill=ink, font=font)
    return card


def _tiles(classifier: Classifier, outcome: Outcome) -> list[Image.Image]:
    """The picture, its cut-out if there is one, and the input of the network, as square tiles."""
    try:
        pictures = [decode(outcome.picture.path, longest=2 * TILE)]
        prediction = classifier.classify(outcome.picture.path)
    except InputError:
        return []
    if prediction.segmented is not None:
        pictures.append(prediction.segmented)
    tiles = [
        ImageOps.pad(p.convert("RGB"), (TILE, TILE), Image.Resampling.LANCZOS, PAGE)
        for p in pictures
    ]
    network_input = prediction.network_input.convert("RGB")
    return [*tiles, network_input.resize((TILE, TILE), Image.Resampling.NEAREST)]


def _fitting(draw: ImageDraw.ImageDraw, text: str, font: Font) -> str:
    """text, cut where it would leave the card."""
    room = CARD[0] - 2 * PAD - 6
    if draw.textlength(text, font) <= room:
        return text
    while text and draw.textlength(text + "...", font) > room:
        text = text[:-1]
    return text + "..."
