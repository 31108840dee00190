"""What networks make of the training images that retrieval looks through."""

import numpy as np
import torch
from PIL import Image, ImageChops
from torch import nn
from tqdm import tqdm

from fashion_model import retrieval
from fashion_model.preprocessing import drawing, photo
from fashion_model.training.synthesis.garments import Garments
from fashion_model.training.synthesis.sketches import sketch

SIDE = 84  # pixels a side of an image that is shown as a photo
BATCH = 50


def embeddings(network: nn.Module, kind: str) -> torch.Tensor:
    """What network makes of each image, as a picture of this kind: float32 (N, D)."""
    images = torch.from_numpy(retrieval.load_subset().images)
    found = [
        retrieval.embed(network, as_kind(part, kind))
        for part in tqdm(images.split(BATCH), desc=kind)
    ]
    return torch.cat(found)


def as_kind(images: torch.Tensor, kind: str) -> torch.Tensor:
    """images uint8 (N, 28, 28) as networks read pictures of this kind, (N, C, H, W) in [0, 1].

    As a photo, the garment is gray, on white; as a drawing, it is sketched.
    """
    if kind == "dataset":
        return images.unsqueeze(1).float() / 255
    masks = Garments.from_images(images.numpy(), np.zeros(len(images))).masks
    if kind == "photo":
        pairs = zip(images.numpy(), masks, strict=True)
        return torch.cat([photo.in_color(in_gray(*pair))[0] for pair in pairs])
    lines = sketch(images, torch.from_numpy(masks), torch.Generator().manual_seed(0))
    sheets = ((1 - lines[:, 0]) * 255).byte().numpy()
    return torch.cat([drawing.lines_and_inside(drawing.strokes(sheet)) for sheet in sheets])


def in_gray(pixels: np.ndarray, mask: np.ndarray) -> Image.Image:
    """An image uint8 (28, 28) of Fashion-MNIST, RGB on white: its negative where mask is 1, since
    the data set shows dark cloth bright."""
    size = (SIDE, SIDE)
    tones = ImageChops.invert(Image.fromarray(pixels)).resize(size, Image.Resampling.BICUBIC)
    shape = Image.fromarray(mask * np.uint8(255)).resize(size, Image.Resampling.BICUBIC)
    return Image.composite(tones, Image.new("L", size, 255), shape).convert("RGB")
