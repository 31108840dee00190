"""Tensors that take long to make, kept in a file."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from fashion_model import checkpoint, datasets
from fashion_model.datasets import LabeledPicture

PACKAGE = Path(__file__).resolve().parents[1]
CODE = ("preprocessing", "training", "datasets.py", "networks.py")  # and datasets.CORRECTED


def cached(
    name: str,
    make: Callable[[], dict[str, torch.Tensor]],
    labeled: Sequence[LabeledPicture],
    *others: nn.Module | str,
) -> dict[str, torch.Tensor]:
    """What make makes of labeled and others, kept in a file: it takes a quarter of an hour.

    The file's name tells of them and of the code: with another one of either, it is made anew.
    """
    digest = hashlib.sha256(repr([(i.path.parts[-4:], i.targets) for i in labeled]).encode())
    for other in others:
        state = other.state_dict() if isinstance(other, nn.Module) else {other: torch.zeros(0)}
        for key, weights in sorted(state.items()):
            digest.update(key.encode() + weights.cpu().numpy().tobytes())
    for place in (PACKAGE / part for part in CODE):
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(file.read_bytes())
    digest.update(datasets.CORRECTED.read_bytes())
    path = datasets.DOWNLOADS / f"{name}-{digest.hexdigest()[:12]}.safetensors"
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.write_whole(path, lambda part: save_file(made, part))
    return load_file(path)
