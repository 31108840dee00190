"""What may follow a training: weights between two checkpoints, and confidences set right anew."""

from pathlib import Path

import torch

from fashion_model import checkpoint, data
from fashion_model.errors import CheckpointError
from fashion_model.networks import NETWORKS
from fashion_model.recipes import HELD_OUT, held_out, place
from fashion_model.training import Pictures, calibrated, scored


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
    (one, _), (two, card) = (checkpoint.load(name, "cpu") for name in (first, second))
    shapes = [{k: v.shape for k, v in each.state_dict().items()} for each in (one, two)]
    if card["architecture"] not in NETWORKS or shapes[0] != shapes[1]:
        raise CheckpointError(f"{first} and {second} do not name classes by one architecture.")
    if not 0 < share < 1:
        raise CheckpointError(f"a share is between 0 and 1, not {share}.")
    about = {"share": share, "digests": [checkpoint.digest(each) for each in (one, two)]}
    mean = {k: torch.lerp(v, two.state_dict()[k], share) for k, v in one.state_dict().items()}
    two.load_state_dict(mean)
    validation = Pictures.of(*data.split(*data.load_fashion_mnist(True, root))[1])
    scores = scored(two, validation, Pictures.of(*data.load_fashion_mnist(False, root)))
    card.pop("people", None)
    path, more = place(card["architecture"], real is not None) if out is None else (Path(out), {})
    checkpoint.save(path, two, {**card, "accuracy": scores, "blend": about, **more})
    return calibrate(path, root=root, real=real, progress=progress)


def calibrate(
    network: str | Path,
    *,
    root: str | Path | None = None,
    real: str | Path | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Set a checkpoint's confidences right anew, as the end of make does; the path of it.

    network: a name, or the path of a checkpoint. Its weights stay as they are. Raises
    CheckpointError for one without classes, the finder's.
    """
    trained, card = checkpoint.load(network, "cpu")
    if card["architecture"] not in NETWORKS:
        raise CheckpointError(f"{network} names no classes: there is nothing to calibrate.")
    (images, labels), validation = data.split(*data.load_fashion_mnist(True, root))
    held_pictures = {"dataset": Pictures.of(*validation)}
    if real is not None:
        held = [item for item in data.load_labelled(real) if data.fold_of(item) == HELD_OUT]
        finder, _ = checkpoint.load("finder", "cpu")
        held_pictures |= held_out(held, images, labels, finder, progress)
    path = checkpoint.resolve(network) if out is None else Path(out)
    checkpoint.save(path, trained, {**card, **calibrated(trained, held_pictures)})
    return path
