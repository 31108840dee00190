"""The command line: python -m fashion_model train | evaluate | predict and others, see --help."""

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

from fashion_model import DataError, FashionModelError, InputError, load
from fashion_model.options import parser
from fashion_model.preprocessing.image_file import MAX_BYTES

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif"}  # looked for in folders


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0, 1 after an error on standard error, 2 for a wrong command line."""
    options = parser(__doc__).parse_args(arguments)
    try:
        status = COMMANDS[options.command](options)
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
    from fashion_model.training import recipes

    path = recipes.make(
        options.network,
        root=options.data,
        real=options.real,
        epochs=options.epochs,
        start=options.start,
        teachers=options.teacher,
        views=options.views,
        clean_by_labels=options.clean_by_labels,
        whole=options.whole,
        seed=options.seed,
        out=options.out,
        device=options.device,
    )
    _told(path)
    return 0


def blend(options: argparse.Namespace) -> int:
    """Write a checkpoint between one and another that was trained on from it."""
    from fashion_model.training import finishing

    first, second = options.checkpoints
    path = finishing.blend(
        *(first, second, options.share), root=options.data, real=options.real, out=options.out
    )
    _told(path)
    return 0


def couple(options: argparse.Namespace) -> int:
    """Write one network that answers with the mean of the logits of two."""
    from fashion_model.training import finishing

    path = finishing.couple(
        options.checkpoints, root=options.data, real=options.real, out=options.out
    )
    _told(path)
    return 0


def calibrate(options: argparse.Namespace) -> int:
    """Set the confidences of a checkpoint right on held-out pictures, its weights as they are."""
    from fashion_model import checkpoint
    from fashion_model.training import finishing
    from fashion_model.training import train as training

    path = finishing.calibrate(
        options.network,
        root=options.data,
        real=options.real,
        like=options.like,
        closers=options.closer,
        out=options.out,
    )
    card = checkpoint.load(path, "cpu")[1]
    print(f"{path}: {json.dumps({key: card.get(key, {}) for key in training.CONFIDENCES})}")
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Score a network on the test images of Fashion-MNIST, or on a folder of labelled pictures."""
    from dataclasses import asdict

    from fashion_model import datasets as data
    from fashion_model.evaluation import contact_sheet, report, results
    from fashion_model.evaluation import evaluate as evaluation

    if options.images is None and (options.sheet or options.fold or options.variants):
        options.wrong("--sheet, --fold and --variants are about a folder: name it with --images")
    if options.variants and (options.sheet or options.save):
        options.wrong("--sheet and --save are about pictures as they are: leave out --variants")
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
        outcomes = evaluation.answer_pictures(classifier, pictures, variants=options.variants)
        if not outcomes:
            raise DataError(
                f"training leaves out all pictures in {options.images}, so that they have no "
                f"variants: leave out --variants."
            )
        folder = evaluation.score_folder(outcomes)
        text = report.folder_text(folder)
        about |= {"images": asdict(folder)}
        if options.variants:
            shown = len({outcome.picture.path for outcome in outcomes})
            about |= {"variants": options.variants, "pictures": shown}
            text = f"{report.variants_text(options.variants, shown, len(pictures))}\n\n{text}"
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
    looks = classifier.looks(prepared)
    steps = explain.layers(network, prepared.pixels, temperature, looks)
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


def _told(path: Path) -> None:
    """Print where a checkpoint is, and how accurate its card says it is."""
    from fashion_model import checkpoint

    accuracy = checkpoint.load(path, "cpu")[1].get("accuracy", {})
    scores = ", ".join(f"{name} accuracy {value:.2%}" for name, value in accuracy.items())
    print(f"{path}: {scores}" if scores else path)


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


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    each.__name__: each for each in (train, blend, couple, calibrate, evaluate, predict, layers)
}

if __name__ == "__main__":
    sys.exit(main())
