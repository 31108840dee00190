"""What an evaluation found, kept beside the checkpoint that it is about."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from fashion_model import checkpoint
from fashion_model.errors import DataError

DIGITS = 5  # of every figure that is kept
FIGURES = (  # of DatasetScore and SourceScore, in a checkpoint's card
    *("count", "accuracy", "macro_accuracy", "ece", "ece_by_chance", "sure_and_wrong"),
    *("auroc", "others"),
)


def path_of(name: str | Path) -> Path:
    """checkpoints/NAME.results.json, or the like beside a checkpoint's path."""
    return checkpoint.resolve(name).with_suffix(".results.json")


def keep(name: str | Path, networks: Sequence[nn.Module], found: dict[str, Any]) -> Path:
    """Write found, what 'evaluate --json' prints, beside what the file holds of these weights, and
    the figures that matter most into the checkpoint's card, as "results".

    networks: all that answer, see Classifier.networks; the first is the checkpoint's. What is known
    of pictures one by one, and of labels that are not scored, stays out.
    """
    path = path_of(name)
    kept = {**load(name, networks), **{k: v for k, v in found.items() if k != "network"}}
    if "images" in kept:
        kept["images"] = {**_summary(kept["images"]), "finder": _finder()}
    about = {"weights": _digest(networks), **_rounded(kept)}
    path.write_text(json.dumps(about, sort_keys=True) + "\n", encoding="utf-8")
    network, card = checkpoint.load(name, "cpu")
    if checkpoint.digest(network) == checkpoint.digest(networks[0]):
        card["results"] = _rounded(_figures(kept))
        checkpoint.save(checkpoint.resolve(name), network, card)
    return path


def load(name: str | Path, networks: Sequence[nn.Module]) -> dict[str, Any]:
    """What keep has written of these weights; empty where there is nothing, or of others.

    "images", what people photograph and draw, is about the committed finder too, and left out
    where that is another one now. Raises DataError if the file is damaged.
    """
    path = path_of(name)
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is damaged. Make it again with 'python -m fashion_model evaluate --save'."
        ) from error
    weights = about.pop("weights", None) if isinstance(about, dict) else None
    if weights != _digest(networks):
        return {}
    if about.get("images", {}).pop("finder", None) != _finder():
        about.pop("images", None)
    return about


def _digest(networks: Sequence[nn.Module]) -> str:
    return "+".join(map(checkpoint.digest, networks))


def _finder() -> str:
    return checkpoint.digest(checkpoint.load("finder", "cpu")[0])


def _figures(kept: dict[str, Any]) -> dict[str, Any]:
    """A card's "results": of the test images, and of pictures by people for each source."""
    found: dict[str, Any] = {key: kept[key] for key in ("fold", "folds") if key in kept}
    scores = {source["source"]: source for source in kept.get("images", {}).get("sources", [])}
    if "fashion_mnist" in kept:
        scores["test"] = kept["fashion_mnist"]
    for name, score in scores.items():
        found[name] = {key: value for key, value in score.items() if key in FIGURES}
    return found


def _summary(images: dict[str, Any]) -> dict[str, Any]:
    sources = [{k: v for k, v in s.items() if k != "bins"} for s in images["sources"]]
    return {"sources": sources, "labels": [s for s in images["labels"] if s["role"] == "scored"]}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else value
