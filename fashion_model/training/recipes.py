"""How each checkpoint is made, from data to file: what the command "train" runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from fashion_model import checkpoint, retrieval
from fashion_model import datasets as data
from fashion_model.classifier import load
from fashion_model.datasets import LabeledPicture
from fashion_model.errors import DataError
from fashion_model.networks import ConvolutionalNetwork, Segmenter, ensemble
from fashion_model.training import (
    drawing_classification,
    drawing_detection,
    line_detection,
    segmentation,
)
from fashion_model.training import pictures as corpus
from fashion_model.training.augment import Augmentation
from fashion_model.training.classification import (
    LabelConfig,
    LabelTask,
    PeopleConfig,
    PeopleTask,
    accuracy,
    calibrations,
    held_out_inputs,
    held_out_scores,
)
from fashion_model.training.distillation import DistillationTask, ViewConfig
from fashion_model.training.embeddings import embeddings
from fashion_model.training.initialization import IMAGES
from fashion_model.training.job import FASHION_MNIST, Card, Job, people_card
from fashion_model.training.pictures import PixelDataset

CNN = LabelConfig(
    epochs=32,
    batch_size=256,
    learning_rate=3e-3,
    muon_learning_rate=0.04,
    weight_decay=0.02,
    bfloat16=True,
    augmentation=Augmentation(affine_chance=0.2, erase_chance=0.4),
)
MEMBERS = 2  # of the cnn, from one seed after the other
MLP = ViewConfig(
    epochs=500,
    batch_size=256,
    learning_rate=2e-3,
    bfloat16=True,
    views=16,
    mix_chance=0.5,
    jitter=1,
    augmentation=Augmentation(affine_chance=0.2, shift=1),
)
MLP_PEOPLE = PeopleConfig(epochs=80, batch_size=256, learning_rate=2e-3, bfloat16=True)


def train(job: Job) -> Path:
    """Train the network that job names, and write its checkpoint; the path of that.

    One that was interrupted goes on from the end of its last epoch.
    """
    if job.network not in RECIPES:
        raise DataError(f"{job.network!r} is none of {', '.join(RECIPES)}.")
    return RECIPES[job.network](job)


def _cnn(job: Job) -> Path:
    """Two networks side by side, whose logits are averaged."""
    (images, labels), validation = job.load_fashion_mnist()
    task = LabelTask(PixelDataset.from_labels(images, labels), CNN, job.torch_device)
    held_out = PixelDataset.from_labels(*validation)
    about, members, cards = f"{len(images)} images", [], []
    card: Card = {}
    for member in range(MEMBERS):
        network, card = job.fit("cnn", CNN, task, about, member, held_out)
        members.append(cast(ConvolutionalNetwork, network.cpu()))
        scores = {"accuracy": _scores(job, network, held_out), "digest": checkpoint.digest(network)}
        cards.append({key: card[key] for key in ("seed", "seconds")} | scores)
    whole = ensemble(members)
    card |= {
        "architecture": "cnn-ensemble",
        "seed": job.seed,
        "seconds": sum(each["seconds"] for each in cards),
        "members": cards,
        "networks": {"drawing": "drawing", "photo": "photo"},
    }
    return job.save(whole, {**card, **_fashion_mnist_card(job, whole, held_out)})


def _mlp(job: Job) -> Path:
    """The tutorial's network, taught by the cnn."""
    (images, _), validation = job.load_fashion_mnist()
    held_out = PixelDataset.from_labels(*validation)
    teacher, teacher_card = checkpoint.load("cnn", job.torch_device)
    digest = checkpoint.digest(teacher)
    task = DistillationTask(images, teacher, MLP, job.seed)
    about = f"{len(images)} images, taught by {digest[:12]}"
    network, card = job.fit("mlp", MLP, task, about, watched=held_out)
    scores = {key: teacher_card.get(key) for key in ("accuracy", "held_out")}
    card |= {
        "teacher": {"network": "cnn", "digest": digest, **scores},
        "networks": dict.fromkeys(("drawing", "photo"), "mlp-people"),
    }
    return job.save(network, {**card, **_fashion_mnist_card(job, network, held_out)})


def _mlp_people(job: Job) -> Path:
    """The tutorial's network for photos and drawings at 28x28, as the segmenter cuts them out.

    It learns from labels, and from what the networks for whole photos and drawings say of the same
    pictures.
    """
    labeled, held_out = job.load_people()
    fashion_mnist, _ = job.load_fashion_mnist()
    segmenter, _ = checkpoint.load("segmenter", "cpu")
    classifier = load("cnn", job.device)
    digests = [checkpoint.digest(classifier.networks[kind]) for kind in ("drawing", "photo")]

    def teacher(picture: Image.Image, kind: str) -> torch.Tensor:
        return classifier.probabilities([classifier.preprocess(picture, kind)])[0][0]

    validation = {  # first, for a damaged picture would end half an hour of reading
        kind: corpus.read_views(corpus.unchanged(held_out, kind), segmenter)
        for kind in ("photo", "drawing")
    }

    items = tqdm(
        corpus.for_people(labeled, fashion_mnist, job.seed), desc="pictures", mininterval=5.0
    )
    people = corpus.read_views(items, segmenter, teacher)
    task = PeopleTask(
        PixelDataset.from_labels(*fashion_mnist), people, MLP_PEOPLE, job.torch_device
    )
    about = f"{len(people)} pictures, taught by {' '.join(digest[:12] for digest in digests)}"
    network, card = job.fit("mlp", MLP_PEOPLE, task, about)
    card |= {"teacher": {"network": "cnn", "digests": digests}, **people_card()}
    scores = {k: accuracy(network, each) for k, each in validation.items() if each.targets.any()}
    return job.save(network, {**card, "accuracy": scores, **calibrations(network, validation)})


def _segmenter(job: Job) -> Path:
    """What cuts garments out of photos, and tells drawings."""
    labeled, held_out = job.load_people()
    fashion_mnist, validation = job.load_fashion_mnist()
    config = segmentation.CONFIG
    task = segmentation.MaskTask(labeled, fashion_mnist, config, job.seed)
    network, card = job.fit("segmenter", config, task, f"{len(labeled)} pictures")
    segmenter = cast(Segmenter, network.cpu())
    drawing_detection.learn_drawings(segmenter, labeled, fashion_mnist, job.seed)
    accuracies = drawing_detection.drawing_accuracy(segmenter, held_out, validation, job.seed + 1)
    return job.save(segmenter, {**card, "accuracy": accuracies, **people_card()})


def _line_detector(job: Job) -> Path:
    """What tells drawings of 28x28 pixels from Fashion-MNIST's images."""
    labeled, held_out = job.load_people()
    fashion_mnist, (validation, _) = job.load_fashion_mnist()
    config = line_detection.CONFIG
    task = line_detection.LineTask(labeled, fashion_mnist, config, job.seed)
    about = f"{len(fashion_mnist[0])} images and {len(labeled)} pictures"
    network, card = job.fit("line-detector", config, task, about)
    scores = line_detection.accuracies(network, held_out, validation, job.seed)
    return job.save(network, {**card, "accuracy": scores, **people_card()})


def _photo(job: Job) -> Path:
    """What reads photos in color, from ImageNet's weights on."""
    from fashion_model.training import photo_classification, photo_pictures  # need OpenCV

    labeled, held_out = job.load_people()
    fashion_mnist, _ = job.load_fashion_mnist()
    segmenter, _ = checkpoint.load("segmenter", "cpu")
    pools = photo_pictures.pools(labeled, fashion_mnist, segmenter, job.seed)
    about = f"{len(labeled)} pictures and {len(fashion_mnist[0])} images"
    network, card = photo_classification.train(job, pools, about)
    card |= {"architecture": "efficientnet-lite0", "start": IMAGES}
    return _save_half(job, network, card, labeled, held_out)


def _drawing(job: Job) -> Path:
    """What reads drawings: their lines, and what they enclose."""
    labeled, held_out = job.load_people()
    fashion_mnist, _ = job.load_fashion_mnist()
    items = drawing_classification.items(labeled, fashion_mnist, job.seed)
    material = drawing_classification.Material.of(tqdm(items, desc="drawings", mininterval=5.0))
    about = f"{len(labeled)} pictures and {len(fashion_mnist[0])} images"
    network, card = drawing_classification.train(job, material, about)
    return _save_half(job, network, card, labeled, held_out)


def _embeddings(job: Job) -> Path:
    """What the networks of the cnn make of the images that retrieval looks through."""
    path = job.out or retrieval.EMBEDDINGS
    networks = load("cnn", job.device).networks
    found = {checkpoint.digest(each): embeddings(each, kind) for kind, each in networks.items()}
    retrieval.write_embeddings(found, path)
    return path


RECIPES: dict[str, Callable[[Job], Path]] = {
    "cnn": _cnn,
    "mlp": _mlp,
    "mlp-people": _mlp_people,
    "segmenter": _segmenter,
    "line-detector": _line_detector,
    "photo": _photo,
    "drawing": _drawing,
    "embeddings": _embeddings,
}


def _scores(job: Job, network: nn.Module, validation: PixelDataset) -> dict[str, float]:
    test = PixelDataset.from_labels(*data.load_fashion_mnist(False, job.data))
    return {"validation": accuracy(network, validation), "test": accuracy(network, test)}


def _fashion_mnist_card(job: Job, network: nn.Module, validation: PixelDataset) -> Card:
    """What the card of a network tells that learned Fashion-MNIST's images alone."""
    return {
        "accuracy": _scores(job, network, validation),
        "data": [FASHION_MNIST],
        "held_out": {"fashion-mnist": data.VALIDATION},
        **calibrations(network, {"dataset": validation}),
    }


def _save_half(
    job: Job,
    network: nn.Module,
    card: Card,
    labeled: Sequence[LabeledPicture],
    held_out: Sequence[LabeledPicture],
) -> Path:
    """Write the checkpoint of network, for pictures of the kind that it is named after, as float16.

    labeled and held_out: the pictures that it has learned, and those that were held out.
    """
    network = network.half().float().eval()  # as it will be loaded
    inputs = held_out_inputs(held_out, job.network, checkpoint.load("segmenter", "cpu")[0])
    found = held_out_scores(network, job.network, inputs)
    icons = sorted({picture.source for picture in labeled if picture.origin == "icon"})
    return job.save(network, {**card, **people_card(), "icon_sets": icons, **found}, torch.float16)
