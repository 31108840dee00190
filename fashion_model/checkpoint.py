"""Weights on disk: one safetensors file that describes itself, and the device to run it on."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from fashion_model.errors import CheckpointError
from fashion_model.networks import ARCHITECTURES, CLASSES, Closer

FOLDER = Path(__file__).resolve().parent.parent / "checkpoints"
CARD_KEY = "card"  # safetensors metadata holds strings only: the card is JSON under one key


def detect_device() -> torch.device:
    """The current accelerator (CUDA, MPS, MTIA, XPU) where there is one, else the CPU."""
    if torch.accelerator.is_available():
        accelerator = torch.accelerator.current_accelerator()
        if accelerator is not None:
            return accelerator
    return torch.device("cpu")


def save(path: str | Path, network: nn.Module, card: dict[str, Any]) -> None:
    """Write weights and card to path, whole or not at all.

    card must name its "architecture", a key of ARCHITECTURES; classes are added here.
    """
    path = Path(path)
    if card.get("architecture") not in ARCHITECTURES:
        raise CheckpointError(
            f'card["architecture"] must be one of {sorted(ARCHITECTURES)}, '
            f"not {card.get('architecture')!r}"
        )
    tensors = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    text = json.dumps({**card, "classes": list(CLASSES)}, sort_keys=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata={CARD_KEY: text})
    part.chmod(0o644)  # safetensors leaves it readable for its owner alone
    os.replace(part, path)


def digest(network: nn.Module) -> str:
    """SHA-256 over the names, types, shapes and bytes of network's weights."""
    found = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def resolve(name: str | Path) -> Path:
    """A checkpoint's file from its name ("mlp") or its path ("some/where.safetensors")."""
    if isinstance(name, Path) or name.endswith(".safetensors") or os.sep in name:
        return Path(name)
    return FOLDER / f"{name}.safetensors"


def load_closers(
    path: Path, card: Mapping[str, Any], device: torch.device | str | None = None
) -> list[tuple[Closer, dict[str, Any]]]:
    """load of those that take a closer look beside the network of card, at path; raises
    CheckpointError where one does not."""
    found = []
    for name in card.get("closer", ()):
        there = beside(path, name)
        network, told = load(there, device)
        if not isinstance(network, Closer):
            raise CheckpointError(f"{there} takes no closer look, but is a {told['architecture']}.")
        found.append((network, told))
    return found


def beside(path: Path, name: str) -> Path:
    """The file of the checkpoint name that belongs to the one at path, which may be a copy."""
    there = path.with_name(f"{name}.safetensors")
    return there if there.is_file() else resolve(name)


def load(
    name: str | Path, device: torch.device | str | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """The network in eval mode on device (None: detected), and its card.

    Raises CheckpointError if the file is missing, truncated, foreign or mismatched.
    """
    path = resolve(name)
    tensors, card = _read(path)
    architecture = card.get("architecture")
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"{path} holds the architecture {architecture!r}, which this version does not know "
            f"({', '.join(sorted(ARCHITECTURES))}). Update the code, or train it again."
        )
    if card.get("classes") != list(CLASSES):
        raise CheckpointError(
            f"{path} was trained for other classes than the ten of Fashion-MNIST, or in another "
            f"order: {card.get('classes')!r}. Train it again."
        )
    if isinstance(card.get("closer"), str):
        card["closer"] = [card["closer"]]  # while only one could take a closer look
    network = ARCHITECTURES[architecture]()
    wanted = {key: (t.dtype, t.shape) for key, t in network.state_dict().items()}
    found = {key: (t.dtype, t.shape) for key, t in tensors.items()}
    if wanted != found:
        keys = sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k))
        raise CheckpointError(
            f"{path} does not fit the architecture {architecture!r}: {', '.join(keys[:4])} "
            f"missing, unknown or of another shape or type. Restore it with 'git checkout'."
        )
    bad = [key for key, t in tensors.items() if t.is_floating_point() and not t.isfinite().all()]
    if bad:
        raise CheckpointError(f"{path} holds values that are not finite in {bad[0]}: restore it.")
    network.load_state_dict(tensors)
    try:
        network = network.to(detect_device() if device is None else device)
    except (RuntimeError, AssertionError, ImportError) as error:  # what torch raises, each for some
        raise CheckpointError(
            f"cannot move the network to the device {str(device)!r} ({error}). Pass a device "
            f"that this machine has, or None to detect one."
        ) from error
    return network.eval(), card


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.safetensors"))) or "none"
        raise CheckpointError(
            f"there is no checkpoint {path} (in that folder: {there}). Restore it with "
            f"'git checkout', or make it with 'python -m fashion_model train'."
        )
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(CARD_KEY)
            tensors = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is damaged or no safetensors file ({error}). Restore it with 'git checkout'."
        ) from error
    try:
        card = json.loads(text) if text is not None else None
    except json.JSONDecodeError:
        card = None
    if not isinstance(card, dict):
        raise CheckpointError(
            f"{path} does not describe itself (no {CARD_KEY!r} in its metadata): it is not one of "
            f"this project's checkpoints. Restore it, or train it again."
        )
    return tensors, card
