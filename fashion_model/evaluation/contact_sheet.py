"""A contact sheet: picture, cut-out, what the network reads, its answer, and the truth."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fashion_model.calibration import OUT_OF_DISTRIBUTION
from fashion_model.classifier import Classifier
from fashion_model.errors import InputError
from fashion_model.evaluation.scores import Outcome, grouped
from fashion_model.networks import CLASSES
from fashion_model.preprocessing.decode import decode

TILE = 112  # pixels a side of each picture
COLUMNS = 4
MOST = 60
LONGEST_LINE = 60  # characters
RIGHT, WRONG, OTHER = "#2e9e5b", "#d64545", "#8895a3"


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


def draw_sheet(classifier: Classifier, outcomes: Sequence[Outcome], path: str | Path) -> None:
    """Draw select(outcomes) into the PNG file path: picture, cut-out, network input, answer, truth.

    Text is green where the answer is right, red where it is wrong or missing, and gray of another
    thing that is taken for one of the classes.
    """
    from matplotlib.figure import Figure  # slow to import; a Figure alone needs no display

    picked = select(outcomes)
    rows = max(1, -(-len(picked) // COLUMNS))
    figure = Figure(figsize=(4 * COLUMNS, 2 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, outcome in zip(grid, picked, strict=False):
        color = RIGHT if not _failed(outcome) else WRONG if outcome.role == "scored" else OTHER
        tiles = [np.asarray(tile) for tile in _tiles(classifier, outcome)]
        axes.imshow(np.hstack(tiles), interpolation="nearest")
        text = "\n".join(_captions(outcome))
        axes.set_title(text, color=color, fontsize=8, loc="left", parse_math=False)
    figure.savefig(path, format="png", dpi=100)


def _failed(outcome: Outcome) -> bool:
    if outcome.role == "scored":
        return not outcome.right
    return outcome.role == "other" and outcome.out_of_distribution < OUT_OF_DISTRIBUTION


def _interleave(outcomes: Sequence[Outcome]) -> list[Outcome]:
    queues = grouped(outcomes, lambda o: o.picture.origin).values()
    return [o for turn in zip_longest(*queues) for o in turn if o is not None]


def _captions(outcome: Outcome) -> list[str]:
    """The answer, the truth, and which picture it is."""
    truth = " or ".join(CLASSES[i] for i in outcome.picture.targets) or "none of the ten"
    answer = f"{outcome.answer} {outcome.confidence:.0%} ({outcome.kind})"
    picture = outcome.picture
    lines = (
        answer if outcome.confidences else outcome.error,
        f"is {truth} ({picture.source} / {picture.label})",
        picture.path.name,
    )
    return [
        line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 3]}..." for line in lines
    ]


def _tiles(classifier: Classifier, outcome: Outcome) -> list[Image.Image]:
    """The picture, its cut-out if there is one, and the input of the network, as square tiles."""
    try:
        pictures = [decode(outcome.picture.path, longest=2 * TILE)]
        prediction = classifier.classify(outcome.picture.path)
    except InputError:
        return [Image.new("RGB", (TILE, TILE), "white")]
    if prediction.segmented is not None:
        pictures.append(prediction.segmented)
    tiles = [
        ImageOps.pad(p.convert("RGB"), (TILE, TILE), Image.Resampling.LANCZOS, "white")
        for p in pictures
    ]
    network_input = prediction.network_input.convert("RGB")
    return [*tiles, network_input.resize((TILE, TILE), Image.Resampling.NEAREST)]
