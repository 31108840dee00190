"""The command line: python -m fashion_model train | evaluate | predict | layers, see --help."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from fashion_model import DEFAULT, FashionModelError, commands
from fashion_model.preprocessing import KIND_OPTIONS

TRAINED = (  # as training.recipes has them
    *("cnn", "mlp", "mlp-people", "segmenter", "line-detector", "photo", "drawing"),
    "embeddings",
)


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0, 1 after an error, 2 for a wrong command line, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except FashionModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has seen enough, as in "predict FOLDER | head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def parser() -> argparse.ArgumentParser:
    """What the command line may say; options.run does what is asked for."""
    whole = argparse.ArgumentParser(prog="python -m fashion_model", description=__doc__)
    subparsers = whole.add_subparsers(required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--device", help="cpu, cuda, mps ... (default: the accelerator, else cpu)")

    def add(run: Callable[[argparse.Namespace], int], text: str) -> Callable[..., argparse.Action]:
        command = subparsers.add_parser(run.__name__, parents=[shared], help=text)
        command.set_defaults(run=run, wrong=command.error)
        return command.add_argument

    named = {"default": DEFAULT, "metavar": "NAME", "help": "a checkpoint or its path"}
    data = {"metavar": "FOLDER", "help": "a folder with Fashion-MNIST's four files"}

    option = add(commands.train, "train a network, write a checkpoint")
    option("--network", choices=TRAINED, default=DEFAULT)
    option("--data", **data)
    option("--pictures", metavar="FOLDER", help="labeled photos and drawings by people")
    option("--epochs", type=_count, help="instead of the recipe's number")
    option("--seed", type=int, default=0)
    option("--out", type=Path, metavar="FILE", help="default: checkpoints/NETWORK.safetensors")

    _evaluate_options(add(commands.evaluate, "how right, and how honest, it is"), named, data)
    option = add(commands.predict, "name what pictures show")
    option("files", nargs="+", metavar="FILE", help="pictures, folders, - for stdin")
    option("--network", **named)
    option("--kind", choices=KIND_OPTIONS, default="auto")
    option("--json", action="store_true", help="one JSON object a line, ten confidences")

    option = add(commands.layers, "what each layer makes of a picture")
    option("file", metavar="FILE", help="a picture, - for stdin")
    option("--network", **named)
    option("--kind", choices=KIND_OPTIONS, default="auto")
    option("--json", action="store_true", help="one JSON object, without activations")
    return whole


def _evaluate_options(
    option: Callable[..., argparse.Action], named: dict[str, str], data: dict[str, str]
) -> None:
    option("--network", **named)
    option("--data", **data)
    option("--images", type=Path, metavar="FOLDER", help="score its labels.csv, not Fashion-MNIST")
    option("--fold", type=_fold, metavar="K[/N]", help="only senders of fold K of N (5), from 0")
    option("--plot", type=_png, metavar="FILE", help="draw confusion and reliability")
    option("--sheet", type=_png, metavar="FILE", help="draw pictures, failures first")
    option("--save", action="store_true", help="keep the figures in the checkpoint")
    option("--json", action="store_true", help="one JSON object instead of tables")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return int(text)


def _fold(text: str) -> tuple[int, int]:
    fold, _, folds = text.partition("/")
    try:
        k, n = int(fold), int(folds or 5)
    except ValueError:
        k, n = 0, 0
    if not 0 <= k < n:
        raise argparse.ArgumentTypeError(f"{text!r} is no fold K/N such as 0/5, from 0 to N - 1")
    return k, n


def _png(text: str) -> Path:
    """Known before the work begins, rather than after it."""
    path = Path(text)
    if path.suffix.lower() != ".png" or path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not FILE.png in a folder that exists")
    return path


if __name__ == "__main__":
    sys.exit(main())
