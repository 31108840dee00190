"""Weights on disk: one safetensors file that describes itself, and the device to run it on."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from fashion_model.errors import CheckpointError
from fashion_model.networks import ARCHITECTURES, CLASSES, NeuralNetwork, parameter_count

FOLDER = Path(__file__).resolve().parent.parent / "checkpoints"
CARD_KEY = "card"  # safetensors metadata holds strings only: the card is JSON under one key
PICKLED = (".pth", ".pt", ".ckpt", ".bin", ".pkl")  # what torch.save is used with
WRAPPERS = r"^(module\.|_orig_mod\.)+"  # what DataParallel and torch.compile put before each name

HOW_TO_CONVERT = """from safetensors.torch import save_file
save_file(model.state_dict(), "model.safetensors")"""


def detect_device(name: torch.device | str | None = None) -> torch.device:
    """The device of that name; None: the current accelerator (CUDA, MPS, MTIA, XPU) where there is
    one, else the CPU. Raises CheckpointError for one that this machine lacks."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name is None:
        return found or torch.device("cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, ImportError) as error:  # what torch raises, each for some
        raise CheckpointError(
            f"there is no device {str(name)!r} here ({error}). Pass a device that this machine "
            f"has, or leave it out to have one detected."
        ) from error


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether device has instructions for it: without, a CPU with AVX2 takes twelve times as long
    in it as in float32."""
    cpu = torch.cpu.get_capabilities()
    return device.type != "cpu" or any(cpu.get(key, False) for key in ("avx512_bf16", "bf16"))


def save(
    path: str | Path, network: nn.Module, card: dict[str, Any], dtype: torch.dtype | None = None
) -> None:
    """Write weights and card to path, whole or not at all.

    card must name its "architecture", a key of ARCHITECTURES; the rest is added here. dtype: of the
    file, such as torch.float16 for half the size; None: as the network has them.
    """
    path = Path(path)
    if card.get("architecture") not in ARCHITECTURES:
        raise CheckpointError(
            f'card["architecture"] must be one of {sorted(ARCHITECTURES)}, '
            f"not {card.get('architecture')!r}"
        )
    state = network.state_dict()
    tensors = {key: t.detach().cpu().to(dtype or t.dtype).contiguous() for key, t in state.items()}
    overflown = [key for key, t in tensors.items() if not t.isfinite().all()]
    if overflown:
        raise CheckpointError(
            f"{overflown[0]} holds values that are not finite as {dtype or 'they are'}. Save it as "
            f"float32, or train it again with a smaller learning rate."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, tensors, {**card, "parameters": parameter_count(network)})


def save_card(name: str | Path, card: dict[str, Any]) -> None:
    """Replace the card of a checkpoint; its weights stay as they are, byte for byte."""
    path = resolve(name)
    tensors, _ = _read(path)
    _write(path, tensors, card)


def _write(path: Path, tensors: dict[str, torch.Tensor], card: dict[str, Any]) -> None:
    text = json.dumps({**card, "classes": list(CLASSES)}, sort_keys=True)
    write_atomically(path, lambda part: save_file(tensors, part, metadata={CARD_KEY: text}))


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Have write write a file, which appears at path whole or not at all."""
    part = path.with_name(path.name + ".part")
    write(part)
    part.chmod(0o644)  # safetensors leaves it readable for its owner alone
    os.replace(part, path)


def digest(network: nn.Module) -> str:
    """SHA-256 over the names, types, shapes and bytes of network's weights."""
    found = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def resolve(name: str | Path, sibling: Path | None = None) -> Path:
    """A checkpoint's file from its name ("mlp") or its path ("some/where.safetensors").

    A name is looked for first in the folder of sibling, a checkpoint that may be a copy.
    """
    if isinstance(name, Path) or os.sep in name or Path(name).suffix in (".safetensors", *PICKLED):
        return Path(name)
    if sibling is not None and (path := sibling.with_name(f"{name}.safetensors")).is_file():
        return path
    return FOLDER / f"{name}.safetensors"


def load(
    name: str | Path, device: torch.device | str | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """The network in eval mode on device (None: detected), and its card.

    A file of the tutorial's network without a card, as HOW_TO_CONVERT writes it, is taken too.
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
    network = ARCHITECTURES[architecture]()
    _fill(network, tensors, f"{path} does not fit the architecture {architecture!r}")
    return network.to(detect_device(device)).eval(), card


def _fill(network: nn.Module, tensors: dict[str, torch.Tensor], mismatch: str) -> None:
    """Load tensors, float16 as float32, into network; mismatch begins the error."""
    tensors = {k: t.float() if t.dtype == torch.float16 else t for k, t in tensors.items()}
    wanted = {key: (t.dtype, t.shape) for key, t in network.state_dict().items()}
    found = {key: (t.dtype, t.shape) for key, t in tensors.items()}
    if wanted != found:
        keys = sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k))
        raise CheckpointError(
            f"{mismatch}: {', '.join(keys[:4])} missing, unknown or of another shape or type. "
            f"Restore it with 'git checkout'."
        )
    bad = [key for key, t in tensors.items() if t.is_floating_point() and not t.isfinite().all()]
    if bad:
        raise CheckpointError(f"{mismatch}: {bad[0]} holds values that are not finite. Restore it.")
    network.load_state_dict(tensors)


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    if path.suffix in PICKLED and path.is_file():
        raise CheckpointError(
            f"{path} is a pickle, which may run any code: only safetensors files are read. Convert "
            f"it where you trust it:\n{HOW_TO_CONVERT}"
        )
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
    if text is None:
        return _tutorial(path, tensors)
    try:
        card = json.loads(text)
    except json.JSONDecodeError:
        card = None
    if not isinstance(card, dict):
        raise CheckpointError(
            f"{path} does not describe itself: {CARD_KEY!r} in its metadata is no JSON object. "
            f"Restore it with 'git checkout'."
        )
    return tensors, card


def _tutorial(
    path: Path, tensors: dict[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and a card of a state_dict of the tutorial's network, which has no card."""
    plain = {re.sub(WRAPPERS, "", name): tensor for name, tensor in tensors.items()}
    if plain.keys() != NeuralNetwork().state_dict().keys():
        raise CheckpointError(
            f"{path} does not describe itself (no {CARD_KEY!r} in its metadata), and is no "
            f"state_dict of NeuralNetwork. Restore it, or train it again."
        )
    return plain, {"architecture": "mlp", "classes": list(CLASSES), "data": ["unknown"]}
