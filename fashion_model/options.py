"""What the command line may say: the commands of __main__ and their options."""

import argparse
from pathlib import Path

from fashion_model import DEFAULT
from fashion_model.networks import ARCHITECTURES
from fashion_model.preprocessing import KINDS

TRAINED = ARCHITECTURES.keys() - {"coupled"}  # which is made of two others


def parser(description: str | None) -> argparse.ArgumentParser:
    """What the command line may say; options.command is the name of what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m fashion_model", description=description)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--device", help="cpu, cuda, mps ... (default: the accelerator, else cpu)")

    add = commands.add_parser("train", parents=[every], help="train a network, write a checkpoint")
    add.add_argument("--network", choices=sorted(TRAINED), default=DEFAULT)
    add.add_argument("--data", metavar="FOLDER", help="a folder with Fashion-MNIST's four files")
    add.add_argument("--real", metavar="FOLDER", help="labelled photos and drawings to train on")
    add.add_argument("--epochs", type=_count, help="instead of the recipe's number")
    add.add_argument("--start", metavar="NAME", help="a checkpoint or its path to train on")
    teachers = "checkpoints or their paths to learn from together, in place of the labels"
    add.add_argument("--teacher", nargs="+", default=[], metavar="NAME", help=teachers)
    place = "default: checkpoints/NETWORK; mlp and cnn with --real: NETWORK-people"
    fewer = "of each picture, for the teachers, instead of the recipe's number"
    add.add_argument("--views", type=_count, help=fewer)
    own = "learn Fashion-MNIST's images by their labels all the same"
    add.add_argument("--clean-by-labels", action="store_true", help=own)
    last = "learn the 5,000 validation images too, with a recipe that is settled"
    add.add_argument("--whole", action="store_true", help=last)
    add.add_argument("--seed", type=int, default=0)
    add.add_argument("--out", type=Path, metavar="FILE", help=place)
    add.set_defaults(command="train")

    add = commands.add_parser("blend", help="a checkpoint between two, the second trained on")
    add.add_argument("checkpoints", nargs=2, metavar="NAME", help="checkpoints or their paths")
    add.add_argument("--share", type=float, default=0.5, help="of the second, 0 to 1 (0.5)")
    add.add_argument("--data", metavar="FOLDER", help="a folder with Fashion-MNIST's four files")
    add.add_argument("--real", metavar="FOLDER", help="labelled photos and drawings")
    add.add_argument("--out", type=Path, metavar="FILE", help=place)
    add.set_defaults(command="blend")

    add = commands.add_parser("couple", help="one network of two of architecture cnn")
    add.add_argument("checkpoints", nargs=2, metavar="NAME", help="checkpoints or their paths")
    add.add_argument("--data", metavar="FOLDER", help="a folder with Fashion-MNIST's four files")
    add.add_argument("--real", metavar="FOLDER", help="labelled photos and drawings")
    add.add_argument("--out", type=Path, metavar="FILE", help=place)
    add.set_defaults(command="couple")

    add = commands.add_parser("calibrate", help="set a checkpoint's confidences right anew")
    add.add_argument("--network", default=DEFAULT, metavar="NAME", help="a checkpoint or its path")
    add.add_argument("--data", metavar="FOLDER", help="a folder with Fashion-MNIST's four files")
    add.add_argument("--real", metavar="FOLDER", help="labelled photos and drawings")
    others = "take over those of another checkpoint, for one that has learnt the validation images"
    add.add_argument("--like", metavar="NAME", help=others)
    look = "checkpoints beside it that take a closer look from now on; with --real"
    add.add_argument("--closer", nargs="+", metavar="NAME", help=look)
    add.add_argument("--out", type=Path, metavar="FILE", help="default: the checkpoint itself")
    add.set_defaults(command="calibrate")

    add = commands.add_parser("evaluate", parents=[every], help="how right, and how honest, it is")
    add.add_argument("--network", default=DEFAULT, metavar="NAME", help="a checkpoint or its path")
    add.add_argument("--data", metavar="FOLDER", help="a folder with Fashion-MNIST's four files")
    add.add_argument("--plot", type=_png, metavar="FILE", help="draw confusion and reliability")
    add.add_argument(
        "--images", type=Path, metavar="FOLDER", help="score its labels.csv, not Fashion-MNIST"
    )
    add.add_argument(
        "--fold", type=_fold, metavar="K[/N]", help="only the senders of fold K of N (5), from 0"
    )
    again = "so many variants of each in its place: photos lit and turned, PNGs drawn anew"
    add.add_argument("--variants", type=_count, metavar="N", help=again)
    add.add_argument("--sheet", type=_png, metavar="FILE", help="draw pictures, failures first")
    add.add_argument("--most", type=_count, default=60, help="so many on the sheet (60)")
    add.add_argument("--save", action="store_true", help="keep it as NETWORK.results.json")
    add.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    add.set_defaults(command="evaluate", wrong=add.error)

    add = commands.add_parser("predict", parents=[every], help="name what pictures show")
    add.add_argument("files", nargs="+", metavar="FILE", help="pictures, folders, - for stdin")
    add.add_argument("--network", default=DEFAULT, metavar="NAME", help="a checkpoint or its path")
    add.add_argument("--kind", choices=KINDS, default="auto")
    add.add_argument("--json", action="store_true", help="one JSON object a line, ten confidences")
    add.set_defaults(command="predict")

    add = commands.add_parser("layers", parents=[every], help="what each layer makes of a picture")
    add.add_argument("file", metavar="FILE", help="a picture, - for stdin")
    add.add_argument("--network", default=DEFAULT, metavar="NAME", help="a checkpoint or its path")
    add.add_argument("--kind", choices=KINDS, default="auto")
    add.add_argument("--json", action="store_true", help="one JSON object, without activations")
    add.set_defaults(command="layers")
    return parser


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
