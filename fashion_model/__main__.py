"""The command line: python -m fashion_model train | evaluate | predict and others, see --help."""

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from fashion_model import DEFAULT, DataError, FashionModelError, InputError, load
from fashion_model.images import KINDS
from fashion_model.networks import ARCHITECTURES
from fashion_model.opening import MAX_BYTES

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif"}  # looked for in folders


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0, 1 after an error on standard error, 2 for a wrong command line."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
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


def train(options: argparse.Namespace) -> int:
    """Train a network on Fashion-MNIST and write its checkpoint."""
    from fashion_model import checkpoint, recipes

    path = recipes.make(
        options.network,
        root=options.data,
        real=options.real,
        epochs=options.epochs,
        start=options.start,
        teachers=options.teacher,
        clean_by_labels=options.clean_by_labels,
        seed=options.seed,
        out=options.out,
        device=options.device,
    )
    accuracy = checkpoint.load(path, "cpu")[1].get("accuracy", {})
    scores = ", ".join(f"{name} accuracy {value:.2%}" for name, value in accuracy.items())
    print(f"{path}: {scores}" if scores else path)
    return 0


def blend(options: argparse.Namespace) -> int:
    """Write a checkpoint between one and another that was trained on from it."""
    from fashion_model import checkpoint, finishing

    first, second = options.checkpoints
    path = finishing.blend(
        *(first, second, options.share), root=options.data, real=options.real, out=options.out
    )
    scores = checkpoint.load(path, "cpu")[1]["accuracy"]
    print(f"{path}: " + ", ".join(f"{name} accuracy {value:.2%}" for name, value in scores.items()))
    return 0


def calibrate(options: argparse.Namespace) -> int:
    """Set the confidences of a checkpoint right on held-out pictures, its weights as they are."""
    from fashion_model import checkpoint, finishing

    path = finishing.calibrate(
        options.network, root=options.data, real=options.real, out=options.out
    )
    card = checkpoint.load(path, "cpu")[1]
    told = ("temperature", "platt", "sure_from", "unsure_below")
    print(f"{path}: {json.dumps({key: card[key] for key in told})}")
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Score a network on the test images of Fashion-MNIST, or on a folder of labelled pictures."""
    from dataclasses import asdict

    from fashion_model import contact_sheet, data, evaluation, report, results

    if options.images is None and (options.sheet or options.fold):
        options.wrong("--sheet and --fold are about a folder: name it with --images")
    if options.images is not None and (options.plot or options.data):
        options.wrong("--plot and --data are about Fashion-MNIST: leave out --images")
    about: dict[str, object] = {"network": str(options.network)}
    if options.images is None:
        images, labels = data.load_fashion_mnist(False, options.data)
        classifier = load(options.network, options.device)
        score = evaluation.evaluate(classifier, images, labels)
        text = report.dataset_text(score)
        about |= {"fashion_mnist": asdict(score)}
        if options.plot:
            report.plot(score, options.plot, f"{options.network} on Fashion-MNIST's test images")
    else:
        pictures = data.load_labelled(options.images)
        if options.fold:
            fold, folds = options.fold
            pictures = [p for p in pictures if data.fold_of(p, folds) == fold]
            about |= {"fold": fold, "folds": folds}
        if not pictures:
            raise DataError(f"there is no picture to score in {options.images}, or in its fold.")
        classifier = load(options.network, options.device)
        outcomes = evaluation.answer_pictures(classifier, pictures)
        folder = evaluation.score_folder(outcomes)
        text = report.folder_text(folder)
        about |= {"images": asdict(folder)}
        if options.sheet:
            contact_sheet.draw_sheet(classifier, outcomes, options.sheet, options.most)
    if options.save:
        results.keep(options.network, classifier.networks, about)
    print(json.dumps(about) if options.json else text)
    return 0


def predict(options: argparse.Namespace) -> int:
    """A line for each picture; the errors of some leave the others alone."""
    classifier = load(options.network, options.device)
    status = 0
    for name in _pictures(options.files):
        try:
            source = sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else name
            answer = classifier.answer(source, options.kind)
        except InputError as error:
            print(f"{name}: {error}", file=sys.stderr)
            status = 1
            continue
        if options.json:
            about = {"kind": answer.kind, "known": answer.known, "sentence": answer.sentence}
            print(json.dumps({"file": name, "confidences": answer.confidences, **about}))
        else:
            print(f"{name}: {answer.sentence}")
    return status


def layers(options: argparse.Namespace) -> int:
    """What each layer did with one picture, from its pixels to the answer."""
    from dataclasses import asdict

    from fashion_model import explain

    classifier = load(options.network, options.device)
    source = sys.stdin.buffer.read(MAX_BYTES + 1) if options.file == "-" else options.file
    _, prepared = classifier.prepare(source, options.kind)
    temperature = classifier.temperature(prepared)
    network = classifier.of(prepared.kind).network
    steps = explain.layers(network, prepared.pixels, temperature)
    if options.json:
        told = [{k: v for k, v in asdict(step).items() if k != "activations"} for step in steps]
        about = {"file": options.file, "kind": prepared.kind, "temperature": temperature}
        print(json.dumps({**about, "steps": told}))
        return 0
    for step in steps:
        print(f"{step.name:<20} {step.shape:<28} {step.module}".rstrip())
        print(textwrap.indent(textwrap.fill(step.sentence, 92), "    "))
        for t in step.terms:
            print(
                f"    {t.label:<12} {t.logit:8.4f} / {temperature:.4g} = {t.scaled:8.4f}"
                f"   e^{t.scaled:.4f} = {t.exponential:10.4f}"
                f"   / {t.total:.4f} = {t.confidence:.5f}"
            )
    return 0


def _pictures(names: list[str]) -> Iterator[str]:
    """names, with each folder replaced by the pictures anywhere below it."""
    for name in names:
        if name == "-" or not Path(name).is_dir():
            yield name
            continue
        below = sorted(p for p in Path(name).rglob("*") if p.suffix.lower() in SUFFIXES)
        yield from map(str, below)
        if not below:
            yield name  # which answers that it is a folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fashion_model", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--device", help="cpu, cuda, mps ... (default: the accelerator, else cpu)")

    add = commands.add_parser("train", parents=[every], help="train a network, write a checkpoint")
    add.add_argument("--network", choices=sorted(ARCHITECTURES), default=DEFAULT)
    add.add_argument("--data", metavar="FOLDER", help="a folder with Fashion-MNIST's four files")
    add.add_argument("--real", metavar="FOLDER", help="labelled photos and drawings to train on")
    add.add_argument("--epochs", type=_count, help="instead of the recipe's number")
    add.add_argument("--start", metavar="NAME", help="a checkpoint or its path to train on")
    teachers = "checkpoints or their paths to learn from together, in place of the labels"
    add.add_argument("--teacher", nargs="+", default=[], metavar="NAME", help=teachers)
    place = "default: checkpoints/NETWORK, with --real NETWORK-people"
    own = "learn Fashion-MNIST's images by their labels all the same"
    add.add_argument("--clean-by-labels", action="store_true", help=own)
    add.add_argument("--seed", type=int, default=0)
    add.add_argument("--out", type=Path, metavar="FILE", help=place)
    add.set_defaults(command=train)

    add = commands.add_parser("blend", help="a checkpoint between two, the second trained on")
    add.add_argument("checkpoints", nargs=2, metavar="NAME", help="checkpoints or their paths")
    add.add_argument("--share", type=float, default=0.5, help="of the second, 0 to 1 (0.5)")
    add.add_argument("--data", metavar="FOLDER", help="a folder with Fashion-MNIST's four files")
    add.add_argument("--real", metavar="FOLDER", help="labelled photos and drawings")
    add.add_argument("--out", type=Path, metavar="FILE", help=place)
    add.set_defaults(command=blend)

    add = commands.add_parser("calibrate", help="set a checkpoint's confidences right anew")
    add.add_argument("--network", default=DEFAULT, metavar="NAME", help="a checkpoint or its path")
    add.add_argument("--data", metavar="FOLDER", help="a folder with Fashion-MNIST's four files")
    add.add_argument("--real", metavar="FOLDER", help="labelled photos and drawings")
    add.add_argument("--out", type=Path, metavar="FILE", help="default: the checkpoint itself")
    add.set_defaults(command=calibrate)

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
    add.add_argument("--sheet", type=_png, metavar="FILE", help="draw pictures, failures first")
    add.add_argument("--most", type=_count, default=60, help="so many on the sheet (60)")
    add.add_argument("--save", action="store_true", help="keep it as NETWORK.results.json")
    add.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    add.set_defaults(command=evaluate, wrong=add.error)

    add = commands.add_parser("predict", parents=[every], help="name what pictures show")
    add.add_argument("files", nargs="+", metavar="FILE", help="pictures, folders, - for stdin")
    add.add_argument("--network", default=DEFAULT, metavar="NAME", help="a checkpoint or its path")
    add.add_argument("--kind", choices=KINDS, default="auto")
    add.add_argument("--json", action="store_true", help="one JSON object a line, ten confidences")
    add.set_defaults(command=predict)

    add = commands.add_parser("layers", parents=[every], help="what each layer makes of a picture")
    add.add_argument("file", metavar="FILE", help="a picture, - for stdin")
    add.add_argument("--network", default=DEFAULT, metavar="NAME", help="a checkpoint or its path")
    add.add_argument("--kind", choices=KINDS, default="auto")
    add.add_argument("--json", action="store_true", help="one JSON object, without activations")
    add.set_defaults(command=layers)
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


if __name__ == "__main__":
    sys.exit(main())
