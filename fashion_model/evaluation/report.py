"""Scores for people: tables in text, and the test set's two diagrams."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fashion_model.evaluation.evaluate import DatasetScore
from fashion_model.evaluation.metrics import Bin
from fashion_model.evaluation.scores import FolderScore, LabelScore, Score
from fashion_model.networks import CLASSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = (
    "floor: the ECE that honest confidences would show on so few pictures. coverage: the share of\n"
    "pictures that can be answered, surest first, with 95 % of the answers right. AUROC, FPR95:\n"
    "scored pictures against other things by the probability of none of the ten, where the\n"
    "classifier gives one, and then by the top confidence. doubted: the share of the right\n"
    "answers that are told as none of the ten; found: that of the other things."
)

INK, FAINT, BLUE, ORANGE = "#1f2933", "#9aa5b1", "#2f6fad", "#f0a030"


def dataset_text(score: DatasetScore) -> str:
    """All figures in a line, a line for each class, and the confusion matrix."""
    rows = [
        (c.label, _percent(c.recall), _percent(c.precision), _percent(c.f1), f"{c.count:,}")
        for c in score.classes
    ]
    # columns of the matrix are named by the first letters of the classes
    short = [label[:5] for label in CLASSES]
    matrix = [
        (label, *(str(n) if n else "." for n in row))
        for label, row in zip(CLASSES, score.confusion, strict=True)
    ]
    return "\n\n".join(
        (
            f"{score.count:,} test images of Fashion-MNIST: accuracy {_percent(score.accuracy)}, "
            f"ECE {_percent(score.ece)} (noise floor {_percent(score.ece_noise_floor)}), "
            f"NLL {score.nll:.4f}, coverage {_percent(score.coverage)}",
            _table(("class", "recall", "precision", "F1", "images"), rows),
            _table(("is \\ answer", *short), matrix),
        )
    )


def folder_text(score: FolderScore) -> str:
    """A line for each source and kind, one for each label, and the pictures without an answer."""
    parts = [
        scores_text([*score.sources, *score.kinds]),
        _table(
            ("source", "label", "n", "accuracy", "confidence", "answers"),
            [_label_row(label) for label in score.labels],
            left=(0, 1, 5),
        ),
    ]
    if score.vague:
        noun = "picture" if score.vague == 1 else "pictures"
        parts.append(f"Left out of the figures: {score.vague:,} {noun} whose label is vague.")
    if score.unreadable:
        lines = [f"  {u.path}: {u.error}" for u in score.unreadable]
        parts.append("\n".join((f"Without an answer: {len(lines):,}", *lines)))
    return "\n\n".join(parts)


def scores_text(scores: Sequence[Score]) -> str:
    """A line for each, and what the columns mean."""
    head = (
        *("pictures", "scored", "accuracy", "macro", "NLL", "ECE", "floor", "coverage", "others"),
        *("AUROC", "FPR95", "by top", "FPR95", "doubted", "found", "no answer", "read as"),
    )
    rows = [_score_row(s) for s in scores]
    return f"{_table(head, rows, left=(0, len(head) - 1))}\n\n{LEGEND}"


def plot(score: DatasetScore, path: str | Path, title: str) -> None:
    """Draw the confusion matrix and the reliability diagram into the PNG file path."""
    from matplotlib.figure import Figure  # slow to import; a Figure alone needs no display

    figure = Figure(figsize=(13, 6), layout="constrained", facecolor="white")
    matrix, reliability = figure.subplots(1, 2, width_ratios=(1.15, 1))
    _draw_confusion(matrix, score.confusion)
    matrix.set_title(f"Confusion matrix: {_percent(score.accuracy)} of {score.count:,} right")
    _draw_reliability(reliability, score.bins, score.ece)
    figure.suptitle(title, fontsize=15, fontweight="bold")
    figure.savefig(path, format="png", dpi=110)


def _draw_confusion(axes: "Axes", confusion: Sequence[Sequence[int]]) -> None:
    shares = [[n / max(1, sum(row)) for n in row] for row in confusion]
    # the square root makes the few errors visible beside the diagonal
    axes.imshow([[share**0.5 for share in row] for row in shares], cmap="Blues", vmin=0, vmax=1.1)
    for y, row in enumerate(confusion):
        for x, n in enumerate(row):
            dark = shares[y][x] > 0.35
            color = "white" if dark else INK
            axes.text(x, y, str(n or ""), ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(len(CLASSES)), CLASSES, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(CLASSES)), CLASSES)
    axes.set(xlabel="answer", ylabel="what it is")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_reliability(axes: "Axes", bins: Sequence[Bin], ece: float) -> None:
    filled = [b for b in bins if b.count]
    centers = [(b.low + b.high) / 2 for b in filled]
    width = (bins[0].high - bins[0].low) * 0.92
    axes.bar(centers, [b.accuracy for b in filled], width, color=BLUE, label="accuracy")
    axes.hlines(
        [b.confidence for b in filled],
        [center - width / 2 for center in centers],
        [center + width / 2 for center in centers],
        color=ORANGE,
        linewidth=3,
        label="mean confidence",
    )
    axes.plot([0, 1], [0, 1], "--", color=FAINT, linewidth=1.5, label="where they agree")
    total = sum(b.count for b in filled)
    for b, center in zip(filled, centers, strict=True):
        top = max(b.accuracy, b.confidence) + 0.012
        share = b.count / total
        text = f"{share:.0%}" if share >= 0.01 else "<1%"
        axes.text(center, top, text, ha="center", va="bottom", fontsize=8, color=INK)
    axes.set(xlim=(0, 1), ylim=(0, 1.06), xlabel="confidence", ylabel="accuracy")
    axes.set_title(f"Reliability: ECE {_percent(ece)}; the figures are shares of the answers")
    axes.legend(loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_aspect("equal")


def _score_row(s: Score) -> tuple[str, ...]:
    return (
        s.name,
        f"{s.count:,}",
        _percent(s.accuracy),
        _percent(s.macro_accuracy),
        _decimal(s.nll),
        _percent(s.ece),
        _percent(s.ece_noise_floor),
        _percent(s.coverage),
        f"{s.others:,}",
        _decimal(s.auroc),
        _percent(s.fpr95),
        _decimal(s.auroc_by_confidence),
        _percent(s.fpr95_by_confidence),
        _percent(s.right_doubted),
        _percent(s.others_doubted),
        f"{s.no_answer:,}",
        ", ".join(f"{kind} {share:.0%}" for kind, share in s.kinds.items()) or "-",
    )


def _label_row(s: LabelScore) -> tuple[str, ...]:
    answers = [f"{name} {count}" for name, count in list(s.answers.items())[:3]]
    label = s.label if s.role == "scored" else f"{s.label} ({s.role})"
    return (
        s.source,
        label,
        f"{s.count:,}",
        _percent(s.accuracy),
        f"{s.confidence:.2f}",
        ", ".join(answers),
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Columns as wide as their widest cell, those of left set to the left."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
