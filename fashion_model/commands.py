"""What the command line does: train, evaluate, predict, layers; each returns an exit status."""

import argparse
import io
import json
import mimetypes
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from fashion_model import DataError, InputError, load
from fashion_model.preprocessing.image_file import MAX_BYTES

SYNTHETIC, SYNTHETIC_SEED = 2000, 1  # pictures among which examples of confusions are looked for


def train(options: argparse.Namespace) -> int:
    """Train a network and write its checkpoint."""
    from fashion_model import checkpoint
    from fashion_model.training import recipes
    from fashion_model.training.job import Job

    asked = {k: v for k, v in vars(options).items() if k in Job.__dataclass_fields__}
    path = recipes.train(Job(**asked))
    whole = options.network != "embeddings"  # which are no network, and have no card
    accuracy = checkpoint.load(path, "cpu")[1].get("accuracy", {}) if whole else {}
    scores = ", ".join(f"{name} accuracy {value:.2%}" for name, value in accuracy.items())
    print(f"{path}: {scores}" if scores else path)
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Score a network on the test images of Fashion-MNIST, or on a folder of labeled pictures."""
    if options.images is None and (options.sheet or options.fold):
        options.wrong("--sheet and --fold are about a folder: name it with --images")
    if options.images is not None and (options.plot or options.data):
        options.wrong("--plot and --data are about Fashion-MNIST: leave out --images")
    if options.images is not None and options.save and not options.fold:
        options.wrong("--save keeps figures of pictures that no training saw: name their --fold")
    if options.images is None:
        text, about = _evaluate_dataset(options)
    else:
        text, about = _evaluate_folder(options)
    print(json.dumps(about) if options.json else text)
    return 0


def _evaluate_dataset(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """The tables, and what --json prints."""
    from fashion_model.datasets import load_fashion_mnist
    from fashion_model.evaluation import model_card, report
    from fashion_model.evaluation.evaluate import evaluate_images

    images, labels = load_fashion_mnist(False, options.data)
    score = evaluate_images(load(options.network, options.device), images, labels)
    if options.plot:
        report.plot(score, options.plot, f"{options.network} on Fashion-MNIST's test images")
    if options.save:
        model_card.save_results(options.network, "dataset", asdict(score))
    return report.dataset_text(score), {"network": options.network, "fashion_mnist": asdict(score)}


def _evaluate_folder(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """The tables, and what --json prints."""
    from fashion_model import datasets
    from fashion_model.evaluation import contact_sheet, evaluate, model_card, report
    from fashion_model.evaluation.scores import score_folder
    from fashion_model.training import synthesis

    pictures = datasets.correct_labels(datasets.load_labeled(options.images))
    held_out: dict[str, Any] = {}
    if options.fold:
        fold, folds = options.fold
        held_out = {"fold": fold, "folds": folds}
        pictures = [p for p in pictures if datasets.group_fold(p, folds) == fold]
    if not pictures:
        raise DataError(f"there is no picture to score in {options.images}, or in its fold.")
    classifier = load(options.network, options.device)
    outcomes = evaluate.answer_pictures(classifier, pictures)
    score = score_folder(outcomes)
    about = {"network": options.network, **held_out, "images": asdict(score)}
    if options.sheet:
        contact_sheet.draw_sheet(classifier, outcomes, options.sheet)
    if options.save:
        for kind in (s.name for s in score.kinds):
            found = {**held_out, **model_card.folder_results(about["images"], kind)}
            some = evaluate.confusions_of([o for o in outcomes if o.picture.kind == kind])
            made_up = islice(synthesis.pictures(kind, SYNTHETIC_SEED), SYNTHETIC)
            some = evaluate.with_examples(some, classifier, kind, made_up)
            found["confused"] = [asdict(each) for each in some]
            model_card.save_results(model_card.path_of(options.network, kind), kind, found)
    return report.folder_text(score), about


def predict(options: argparse.Namespace) -> int:
    """A line for each picture; the errors of some leave the others alone."""
    classifier = load(options.network, options.device)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be in no encoding
    status = 0
    for name in _files(options.files):
        try:
            source = sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else name
            prediction = classifier.classify(source, options.kind)
        except InputError as error:
            print(f"{name}: {error}", file=sys.stderr)
            status = 1
            continue
        if options.json:
            fields = ("confidences", "kind", "in_distribution", "out_of_distribution", "message")
            about = {field: getattr(prediction, field) for field in fields}
            print(json.dumps({"file": name, **about}))
        else:
            print(f"{name}: {prediction.message}")
    return status


def _files(names: list[str]) -> Iterator[str]:
    """names, with each folder replaced by what is anywhere below it, but for hidden files.

    The content decides what is a picture; only what a file's name says is something else, a text
    say, is named on standard error as skipped.
    """
    for name in names:
        folder = Path(name)
        if name == "-" or not folder.is_dir():
            yield name
            continue
        count = 0
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            if any(part.startswith(".") for part in path.relative_to(folder).parts):
                continue
            kind, _ = mimetypes.guess_type(path.name)
            if kind is not None and not kind.startswith("image/"):
                print(f"{path}: skipped, its name says that it is no picture", file=sys.stderr)
                continue
            count += 1
            yield str(path)
        if not count:
            yield name  # which answers that it is a folder


def layers(options: argparse.Namespace) -> int:
    """What each layer did with one picture, from its pixels to the answer."""
    from fashion_model import explain

    classifier = load(options.network, options.device)
    source = sys.stdin.buffer.read(MAX_BYTES + 1) if options.file == "-" else options.file
    model_input = classifier.preprocess(source, options.kind)
    steps = explain.steps_of(classifier, model_input)
    temperature = classifier.calibrations[model_input.kind].temperature
    if options.json:
        plain = [{k: v for k, v in asdict(step).items() if k != "activations"} for step in steps]
        about = {"file": options.file, "kind": model_input.kind, "temperature": temperature}
        print(json.dumps({**about, "steps": plain}))
        return 0
    for step in steps:
        print(f"{step.name:<20} {step.shape:<28} {step.module}".rstrip())
        print(textwrap.indent(textwrap.fill(step.message, 92), "    "))
        for t in step.terms:
            print(
                f"    {t.label:<12} {t.logit:8.4f} / {temperature:.4g} = {t.scaled:8.4f}"
                f"   e^{t.scaled:.4f} = {t.exponential:10.4f}"
                f"   / {t.total:.4f} = {t.probability:.5f}"
            )
    return 0
