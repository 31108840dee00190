"""What may follow a training: weights between two checkpoints or side by side, and confidences set
right anew."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch

from fashion_model import checkpoint
from fashion_model import datasets as data
from fashion_model.errors import CheckpointError, DataError
from fashion_model.networks import CLASSIFIERS, ConvolutionalNetwork, coupled
from fashion_model.training.material import Material
from fashion_model.training.provenance import ORIGINS, WHOLE, account, has_seen_all, with_those_of
from fashion_model.training.recipes import HELD_OUT, place
from fashion_model.training.train import CONFIDENCES, Pictures, calibrated, scored


def blend(
    first: str | Path,
    second: str | Path,
    share: float,
    *,
    root: str | Path | None = None,
    real: str | Path | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Write a checkpoint whose weights are first's and, with this share, second's; its path.

    second was trained on from first, so that what lies between them is good too, and has of what
    each is better at (Wortsman et al. 2022, arXiv 2109.01903). Scored and calibrated as make does
    it; the card is second's otherwise. Raises CheckpointError where they do not fit together.
    """
    (one, told), (two, card) = (checkpoint.load(name, "cpu") for name in (first, second))
    _validated(first, told)
    _validated(second, card)
    shapes = [{k: v.shape for k, v in each.state_dict().items()} for each in (one, two)]
    if card["architecture"] not in CLASSIFIERS or shapes[0] != shapes[1]:
        raise CheckpointError(f"{first} and {second} do not name classes by one architecture.")
    if not 0 < share < 1:
        raise CheckpointError(f"a share is between 0 and 1, not {share}.")
    about = {"share": share, "digests": [checkpoint.digest(each) for each in (one, two)]}
    mean = {k: torch.lerp(v, two.state_dict()[k], share) for k, v in one.state_dict().items()}
    two.load_state_dict(mean)
    validation = Pictures.of(*data.split(*data.load_fashion_mnist(True, root))[1])
    scores = scored(two, validation, Pictures.of(*data.load_fashion_mnist(False, root)))
    for key in ("people", "results"):
        card.pop(key, None)
    card |= _looks([told, card], real)
    path, more = place(card["architecture"], real is not None) if out is None else (Path(out), {})
    checkpoint.load_closers(path, card, "cpu")  # before anything is written
    checkpoint.save(path, two, {**card, "accuracy": scores, "blend": about, **more})
    return calibrate(path, root=root, real=real, progress=progress)


def couple(
    networks: Sequence[str | Path],
    *,
    root: str | Path | None = None,
    real: str | Path | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Write the checkpoint of two trained networks of architecture "cnn", coupled; its path.

    Scored and calibrated as make does it, unless one of them has learnt the validation images.
    Raises CheckpointError where they are of another architecture.
    """
    loaded = [checkpoint.load(name, "cpu") for name in networks]
    others = [told["architecture"] for _, told in loaded if told["architecture"] != "cnn"]
    if others or len(loaded) != 2:
        raise CheckpointError(f"two of architecture cnn are coupled, not {others or len(loaded)}.")
    made = coupled([cast(ConvolutionalNetwork, network) for network, _ in loaded])
    _, validation = data.split(*data.load_fashion_mnist(True, root))
    known = any(has_seen_all(told) for _, told in loaded)
    card: dict[str, Any] = {
        "data": [WHOLE if known else ORIGINS[0]],
        "held_out": {"fashion-mnist": 0 if known else data.VALIDATION},
        "pictures": {
            key: max(told.get("pictures", {}).get(key, 0) for _, told in loaded)
            for key in ("clean", "extra")
        },
    }
    for _, told in loaded:
        card = with_those_of(card, told)
    card |= _looks([told for _, told in loaded], real)
    path, more = place("cnn", real is not None) if out is None else (Path(out), {})
    checkpoint.load_closers(path, card, "cpu")  # before anything is scored
    watched = None if known else Pictures.of(*validation)
    card |= {
        "architecture": "coupled",
        "parameters": sum(p.numel() for p in made.parameters()),
        "accuracy": scored(made, watched, Pictures.of(*data.load_fashion_mnist(False, root))),
        "coupled": [
            {key: told.get(key) for key in ("accuracy", "seed")}
            | {"digest": checkpoint.digest(network)}
            for network, told in loaded
        ],
    }
    runs: list[dict[str, Any]] = []  # of both, and what both come from once
    for _, told in loaded:
        runs += [run for run in [*told.get("before", []), account(told)] if run not in runs]
    card |= {**runs[-1], "before": runs[:-1]}
    card |= {key: told[key] for key in ("device", "versions") if key in told}
    checkpoint.save(path, made, card | more)
    return path if known else calibrate(path, root=root, real=real, progress=progress)


def calibrate(
    network: str | Path,
    *,
    root: str | Path | None = None,
    real: str | Path | None = None,
    like: str | Path | None = None,
    closers: Sequence[str | Path] | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Set a checkpoint's confidences right anew, as the end of make does; the path of it.

    network: a name, or the path of a checkpoint. Its weights stay as they are. like: take over
    those of this checkpoint instead, of the same recipe and fewer pictures. closers: checkpoints
    beside this one, of those that take a closer look from now on, whom the card then names; None:
    whom it names already, if anybody. Raises CheckpointError for one without classes, the
    finder's, and DataError where nothing was held out.
    """
    trained, card = checkpoint.load(network, "cpu")
    if card["architecture"] not in CLASSIFIERS:
        raise CheckpointError(f"{network} names no classes: there is nothing to calibrate.")
    card.pop("results", None)  # which were of other confidences
    path = checkpoint.resolve(network) if out is None else Path(out)
    if closers is not None and (like is not None or real is None):
        raise DataError(
            "who takes a closer look is calibrated together with the network, on real pictures: "
            "name their folder with --real, and leave --like away."
        )
    if like is not None:
        told = checkpoint.load(like, "cpu")[1]
        if not told.get("temperature"):
            raise CheckpointError(f"{like} was not calibrated: there is nothing to take over.")
        if told.get("closer", []) != card.get("closer", []):
            raise CheckpointError(f"{like} and {network} do not look closer alike.")
        checkpoint.save(path, trained, card | {key: told.get(key, {}) for key in CONFIDENCES})
        return path
    _validated(network, card)
    if closers is not None:
        card["closer"] = [checkpoint.resolve(closer).stem for closer in closers]
        if len(set(card["closer"])) < len(closers):
            raise CheckpointError("who takes a closer look does so once: name each --closer once.")
        for name, closer in zip(card["closer"], closers, strict=True):
            if checkpoint.beside(path, name).resolve() != checkpoint.resolve(closer).resolve():
                raise CheckpointError(f"{closer} must lie beside {path}, where it is looked for.")
    looks = [closer for closer, _ in checkpoint.load_closers(path, card, "cpu")]
    (images, labels), validation = data.split(*data.load_fashion_mnist(True, root))
    held_pictures = {"dataset": Pictures.of(*validation)}
    if real is not None:
        held = [item for item in data.load_labelled(real) if data.fold_of(item) == HELD_OUT]
        finder, _ = checkpoint.load("finder", "cpu")
        made_from = Material([], held, images, labels, finder, progress=progress)
        held_pictures |= made_from.held_out()
    checkpoint.save(path, trained, {**card, **calibrated(trained, held_pictures, looks)})
    return path


def _looks(cards: Sequence[dict[str, Any]], real: str | Path | None) -> dict[str, list[str]]:
    """A card's "closer": who looks closer at real pictures, by the last of cards that says."""
    named = [card["closer"] for card in cards if card.get("closer") and real is not None]
    return {"closer": named[-1] if named else []}


def _validated(name: str | Path, card: dict[str, Any]) -> None:
    """Raise DataError for a network that has no validation images left."""
    if has_seen_all(card):
        raise DataError(
            f"{name} has learnt the validation images (--whole): set its confidences like those of "
            f"a network of the same recipe that has not (calibrate --like)."
        )
