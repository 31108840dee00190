"""How the networks that read pictures in detail are made: one for photos, one for drawings."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fashion_model import checkpoint, datasets, retrieval
from fashion_model.calibration import fit
from fashion_model.classifier import LONGEST, load
from fashion_model.datasets import LabeledPicture
from fashion_model.errors import InputError
from fashion_model.preprocessing import Detectors, preprocess
from fashion_model.preprocessing.decode import decode
from fashion_model.training import drawing_classification, imagenet
from fashion_model.training.embeddings import embeddings
from fashion_model.training.job import Card, Job, people_card
from fashion_model.training.pictures import NONE, one_hot

NO_DETECTORS = Detectors(nn.Identity())  # a picture of a known kind, in detail, needs none


def train_photo(job: Job) -> Path:
    """What reads photos in color, from ImageNet's weights on."""
    from fashion_model.training import photo_classification, photo_pictures  # need OpenCV

    learn, held = job.people()
    own, _ = job.fashion_mnist()
    segmenter, _ = checkpoint.load("segmenter", "cpu")
    pools = photo_pictures.pools(learn, own, segmenter, job.seed)
    about = f"{len(learn)} pictures and {len(own[0])} images"
    trained, card = photo_classification.train(job, pools, about)
    card |= {"architecture": "efficientnet-lite0", "start": imagenet.IMAGES}
    return save_half(job, trained, card, learn, held)


def train_drawing(job: Job) -> Path:
    """What reads drawings: their lines, and what they enclose."""
    learn, held = job.people()
    own, _ = job.fashion_mnist()
    items = drawing_classification.items(learn, own, job.seed)
    material = drawing_classification.Material.of(items)
    about = f"{len(learn)} pictures and {len(own[0])} images"
    network, card = drawing_classification.train(job, material, about)
    return save_half(job, network, card, learn, held)


def save_half(
    job: Job,
    network: nn.Module,
    card: Card,
    learn: Sequence[LabeledPicture],
    held: Sequence[LabeledPicture],
) -> Path:
    """Write the checkpoint of network, for pictures of the kind that it is named after, as float16.

    learn and held: the pictures that it has learned, and those that were held out.
    """
    network = network.half().float().eval()  # as it will be loaded
    found = scores(network, job.network, in_detail(held, job.network))
    icons = sorted({picture.source for picture in learn if picture.origin == "icon"})
    return job.save(network, {**card, **people_card(), "icon_sets": icons, **found}, torch.float16)


def train_embeddings(job: Job) -> Path:
    """What the networks of the cnn make of the images that retrieval looks through."""
    path = job.out or retrieval.EMBEDDINGS
    found = {
        checkpoint.digest(network): embeddings(network, kind)
        for kind, network in load("cnn", job.device).networks.items()
    }
    retrieval.write_embeddings(found, path)
    return path


def in_detail(
    labeled: Sequence[LabeledPicture], kind: str
) -> Iterator[tuple[torch.Tensor, tuple[int, ...]]]:
    """What a network reads of each picture of this kind in detail, and its targets, as it is
    scored."""
    for item in datasets.corrected(labeled):
        if item.kind != kind or item.vague:
            continue
        picture = decode(item.path, longest=LONGEST)
        with suppress(InputError):
            yield preprocess(picture, NO_DETECTORS, kind, in_detail=[kind]).tensor, item.targets


def scores(
    network: nn.Module, kind: str, inputs: Iterable[tuple[torch.Tensor, tuple[int, ...]]]
) -> dict[str, Any]:
    """A card's "accuracy" and "calibration" of a network of eleven logits, by pictures held out.

    inputs: what network reads of each, (1, C, H, W), and its targets, none for what is no garment.
    """
    device = next(network.parameters()).device
    logits, right = [], []
    with torch.inference_mode():
        for x, targets in inputs:
            logits.append(network(x.to(device)).float().cpu())
            right.append(one_hot([targets]))
    if not logits or not (every := torch.cat(right)[:, :NONE]).any():
        return {"accuracy": {}, "calibration": {}}
    found, garment = torch.cat(logits), every.any(1)
    hits = every[garment].gather(1, found[garment, :NONE].argmax(1, keepdim=True))
    return {
        "accuracy": {kind: hits.float().mean().item()},
        "calibration": {kind: asdict(fit(found, every))},
    }
