"""Fashion-MNIST as two tensors, and folders of labeled pictures."""

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from fashion_model.errors import DataError
from fashion_model.networks import CLASSES

DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist
DOWNLOADS = Path(__file__).resolve().parent.parent / "data"  # where torchvision downloads to

# The last 5,000 of the 60,000 training images serve every choice; the test set serves none.
VALIDATION = 5_000

# SHA-256 over the decoded pixels, then the decoded labels, one byte each, of the published set.
SHA256 = {
    True: "16d82e2b505296aa2b78bd5ea0992634f30419a4c97def7c907d154a35ac6157",
    False: "9f1ec356a747bfe4ebab3cfb722d3694c9ca737e2570f6f90cf31d7b6fd689d4",
}

_PARTS = "images-idx3-ubyte", "labels-idx1-ubyte"
_FILES = tuple(f"{which}-{part}" for which in ("train", "t10k") for part in _PARTS)

# What gzip, torch and torchvision raise for files that are truncated, damaged or no idx files
_UNREADABLE = OSError, EOFError, zlib.error, RuntimeError, ValueError, LookupError

_THREE_WAYS = (
    "Three ways to get it: install Debian's package dataset-fashion-mnist (it lies in "
    f"{DEBIAN}); name a folder that holds its four idx files with --data FOLDER; or, where "
    "there is a network, leave --data away and torchvision downloads it."
)

# Targets of the photos whose label is too vague or wrong, found by looking at each of them
CORRECTED = Path(__file__).resolve().parent / "evaluation" / "corrected_labels.csv"

# Labels by source that may be garments of the ten classes or not, as one likes: a polo is nearly a
# T-shirt, and a belt or a scarf is worn over more of a coat than it covers. Where they have no
# targets, they are neither scored nor taken for things of none of the ten, as hats and skirts are.
VAGUE = {
    "home": frozenset({"Polo", "Top", "Undershirt", "Blazer", "Blouse", "Body"}),
    "worn": frozenset({"belt", "scarf", "tights"}),  # crops of tights show shoes as much
}

# Quick, Draw! pictures without a sender: each shares the group of the one drawn from its strokes
QUICKDRAW = re.compile(r"doodles/doodle(-other)?/[^/]+/[0-9]+\.png")

Pairs = tuple[torch.Tensor, torch.Tensor]  # images (N, 28, 28) uint8, labels (N,) int64


def load_fashion_mnist(train: bool, root: str | Path | None = None) -> Pairs:
    """Images uint8 (N, 28, 28) and labels int64 (N,); N is 60,000 for train, else 10,000.

    root is a folder with the four idx files, gzipped or not, or one that torchvision filled.
    None: Debian's package, else an earlier download, else a download.
    Raises DataError if there is no data set there, or its content is not the published one.
    """
    images, labels = _read(train, _find(Path(root) if root is not None else None))
    digest = hashlib.sha256(images.numpy().data)
    digest.update(labels.to(torch.uint8).numpy().data)
    if digest.hexdigest() != SHA256[train]:
        raise DataError(
            f"the Fashion-MNIST {'training' if train else 'test'} set that was found is not the "
            f"published one (SHA-256 of its content: {digest.hexdigest()[:16]}...). " + _THREE_WAYS
        )
    return images, labels


def is_installed() -> bool:
    """Whether load_fashion_mnist finds the data set here, and downloads nothing."""
    return _find(None) is not None


def split(images: torch.Tensor, labels: torch.Tensor) -> tuple[Pairs, Pairs]:
    """(training pairs, validation pairs): the last VALIDATION images are held out."""
    learn, held_out = slice(None, -VALIDATION), slice(-VALIDATION, None)
    return (images[learn], labels[learn]), (images[held_out], labels[held_out])


@dataclass(frozen=True)
class LabeledPicture:
    """A picture on disk and what it shows."""

    path: Path
    source: str  # where it comes from: "home", "doodle" ...
    label: str  # what people call it
    targets: tuple[int, ...]  # the classes that count as right; empty: none of the ten
    group: str  # whoever took or drew it, or what else no split may part; "" where nobody knows

    @property
    def kind(self) -> str:
        """A PNG is a "drawing", any other file a "photo"."""
        return "drawing" if self.path.suffix.lower() == ".png" else "photo"

    @property
    def origin(self) -> str:
        """The source without what stands in brackets: "icon" of "icon (lucide, ISC)"."""
        return self.source.split(" (")[0]

    @property
    def vague(self) -> bool:
        """Whether it can be neither scored nor taken for a thing of none of the ten."""
        return not self.targets and self.label in VAGUE.get(self.source, ())


def load_labeled(folder: str | Path) -> list[LabeledPicture]:
    """The pictures that folder/labels.csv lists: path, source, label, accept, sender.

    accept names the targets, separated by "|", sender is the group. Raises DataError on a bad line
    or a missing picture.
    """
    folder = Path(folder)
    table = folder / "labels.csv"
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"cannot read {table} ({error}). A folder of labeled pictures holds a labels.csv with "
            f"the columns path, source, label, accept, sender."
        ) from error
    return [_labeled(folder, row, f"{table}, line {line}") for line, row in enumerate(rows, 2)]


def group_fold(picture: LabeledPicture, folds: int = 5) -> int:
    """The fold, 0 to folds - 1, in which picture is held out; one group is in one fold.

    The same on every machine: a SHA-256 of the group, or of source, label and file name where
    there is none.
    """
    key = picture.group or f"{picture.source}/{picture.label}/{picture.path.name}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % folds


def correct_labels(
    pictures: Sequence[LabeledPicture], keep_single: bool = False
) -> list[LabeledPicture]:
    """pictures with the targets of CORRECTED in place of those of labels.csv.

    "other" there makes a thing of none of the ten, and "skip" leaves a picture out. keep_single: a
    label that names one class stands otherwise, even for a cardigan that somebody called a long
    sleeve, since the pictures that people send are labeled by the same habits.
    """
    with CORRECTED.open(newline="", encoding="utf-8") as file:
        texts = {row["path"]: row["accept"] for row in csv.DictReader(file)}
    found = []
    for picture in pictures:
        text = texts.get("/".join(picture.path.parts[-4:]))
        if text == "skip":
            continue
        if text == "other":
            picture = replace(picture, targets=())
        elif text is not None and not (keep_single and len(picture.targets) == 1):
            picture = replace(picture, targets=_targets(text))
        found.append(picture)
    return found


def _labeled(folder: Path, row: dict[str, str | None], where: str) -> LabeledPicture:
    fields = {key: row.get(key) for key in ("path", "source", "label", "accept", "sender")}
    missing = [key for key, value in fields.items() if value is None]
    if missing:
        raise DataError(f"{where}: no {missing[0]!r}. Each line needs {', '.join(fields)}.")
    path, source, label, accept, sender = (str(value) for value in fields.values())
    try:
        targets = _targets(accept)
    except ValueError as error:
        raise DataError(f"{where}: {error} of {', '.join(CLASSES)}.") from error
    if not (folder / path).is_file():
        raise DataError(f"{where}: there is no picture {folder / path}. Restore it, or drop it.")
    if not sender and QUICKDRAW.fullmatch(path):
        sender = f"quickdraw {label} {Path(path).stem}"
    return LabeledPicture(folder / path, source, label, targets, sender)


def _targets(accept: str) -> tuple[int, ...]:
    """Class indices of names that "|" separates; ValueError where one is no class."""
    names = [name for name in accept.split("|") if name]
    for name in names:
        if name not in CLASSES:
            raise ValueError(f"{name!r} is none")
    return tuple(map(CLASSES.index, names))


def _find(root: Path | None) -> Path | None:
    """The folder that holds the four files; None: torchvision must download them."""
    places = [root] if root is not None else [DEBIAN, DOWNLOADS]
    for place in places:
        for folder in (place, place / "FashionMNIST" / "raw"):
            if all(_file(folder, name) for name in _FILES):
                return folder
    if root is not None:
        raise DataError(f"there is no Fashion-MNIST in {root}. " + _THREE_WAYS)
    return None


def _file(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def _read(train: bool, folder: Path | None) -> Pairs:
    """The data set in folder; None: downloaded by torchvision."""
    try:
        if folder is None:
            from torchvision.datasets import FashionMNIST  # slow to import, and rarely needed

            data = FashionMNIST(DOWNLOADS, train=train, download=True)
            return data.data, data.targets
        images, labels = (_idx(folder, name) for name in (_FILES[:2] if train else _FILES[2:]))
        return images, labels.long()
    except _UNREADABLE as e:
        where = f"in {folder}" if folder is not None else "to download"
        raise DataError(
            f"cannot read Fashion-MNIST {where} ({e or type(e).__name__}). " + _THREE_WAYS
        ) from e


def _idx(folder: Path, name: str) -> torch.Tensor:
    """The bytes in an idx file: the fourth byte is their rank, then come the sizes, big-endian."""
    path = _file(folder, name) or folder / name
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    start = 4 + 4 * content[3]
    sizes = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).view(sizes)
