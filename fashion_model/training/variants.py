"""Pictures as others might have taken or drawn them: more answers, though no more people."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from PIL import Image

from fashion_model.datasets import Labelled
from fashion_model.training import corpus


def variants_of(picture: Labelled, count: int, seed: int = 0) -> Iterator[Image.Image]:
    """So many variants of a picture, the same for the same seed and count: a photo turned, cropped,
    lit and scaled anew, a drawing bent, and drawn again with other pens.

    A PNG is taken for a drawing, as in training, and there are none of what training leaves out.
    """
    if picture.kind == "photo":
        items = corpus.real_photos([picture], np.random.default_rng(seed), count)
    else:
        copies = corpus.DOODLE_COPIES if picture.accept else corpus.OTHER_COPIES
        chance = torch.Generator().manual_seed(seed)
        items = corpus.real_drawings([picture], chance, -(-count // copies))
    for image, _, _ in islice(items, 1, count + 1):  # the first is the picture as it is
        yield image
