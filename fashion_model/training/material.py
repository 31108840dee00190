"""Pictures beyond Fashion-MNIST, to train on and to calibrate on, made once and kept in files."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from fashion_model import datasets as data
from fashion_model.datasets import Labelled
from fashion_model.training import close_ups as closely
from fashion_model.training import corpus
from fashion_model.training.corpus import extra_pictures
from fashion_model.training.train import Pictures

PACKAGE = Path(__file__).resolve().parents[1]
MAKERS = ("preprocessing", "training", "evaluation/corrected_labels.csv")  # make the pictures


@dataclass(frozen=True)
class Material:
    """What pictures are made from, the same ones for the same seed.

    learn, held: pictures by people, of senders to learn from and of others, who are held out.
    images uint8 (N, 28, 28), labels (N,): Fashion-MNIST's, to make up from. finder: see
    finder.Finder.
    """

    learn: Sequence[Labelled]
    held: Sequence[Labelled]
    images: torch.Tensor
    labels: torch.Tensor
    finder: nn.Module
    seed: int = 0
    progress: bool = True

    def of_people(self) -> Pictures:
        """All that a network for what people draw and photograph learns besides Fashion-MNIST."""
        return Pictures.concatenate([self._extra(source) for source in corpus.SOURCES])

    def close_ups(self, kind: str) -> tuple[Pictures, Pictures]:
        """What closer.train_closer learns from: real photos or drawings, and made-up ones."""
        real, made_up = {
            "photo": (closely.photos, closely.other_photos),
            "drawing": (closely.drawings, closely.other_drawings),
        }[kind]
        how = (self.finder, self.seed, self.progress)
        own = partial(real, self.learn, *how)
        others = partial(made_up, self.images, self.labels, *how)
        return (
            self._kept(f"{kind}s seen closely", own),
            self._kept(f"made-up {kind}s seen closely", others),
        )

    def held_out(self) -> dict[str, Pictures]:
        """The pictures that confidences are calibrated on: variants, as many as are trained on, for
        so few mistakes are held out that one more or less would move what is called sure; and half
        of the weight on each picture as it is, which is what people send."""
        sources, found = {"photo": "real photos", "drawing": "real drawings"}, {}
        for kind, source in sources.items():
            varied = self._of_held(source)
            plain = corpus.as_they_are(self.held, kind, self.finder, fine=True)
            often = len(varied) // max(1, len(plain))
            found[kind] = Pictures.concatenate([varied, *[plain] * often])
        return found

    def _extra(self, source: str) -> Pictures:
        """The pictures of one of corpus.SOURCES."""
        how = (self.learn, self.images, self.labels, self.finder, self.seed, self.progress)
        return self._kept(source, partial(extra_pictures, source, *how))

    def _of_held(self, source: str) -> Pictures:
        """Those made from who is held out, with fine, and with any seed the same."""
        how = (self.held, self.images, self.labels, self.finder, 0, self.progress)
        make = partial(extra_pictures, source, *how, fine=True)
        return kept(f"{source} held out", make, self.held, self.images, self.finder, 0)

    def _kept(self, name: str, make: Callable[[], Pictures]) -> Pictures:
        return kept(name, make, self.learn, self.images, self.finder, self.seed)


def kept(
    source: str,
    make: Callable[[], Pictures],
    labelled: Sequence[Labelled],
    images: torch.Tensor,
    finder: torch.nn.Module,
    seed: int,
) -> Pictures:
    """What make makes out of these, in a quarter of an hour for all sources, kept in a file."""
    names = [item.path.name for item in labelled]
    digest = hashlib.sha256(f"{seed} {len(images)} {names}".encode())
    for key, weights in sorted(finder.state_dict().items()):
        if key.startswith("drawing."):
            continue  # the kind of each picture is known
        digest.update(key.encode() + weights.numpy().tobytes())
    for name in MAKERS:  # other code makes other pictures
        place = PACKAGE / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(file.read_bytes())
    path = data.DOWNLOADS / f"{source}-{digest.hexdigest()[:12]}.safetensors"
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        fine = {} if made.fine is None else {"fine": made.fine}
        save_file({"pixels": made.pixels, "accept": made.accept, **fine}, part)
        part.replace(path)
    return Pictures(**load_file(path))
