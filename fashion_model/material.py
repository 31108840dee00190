"""Pictures beyond Fashion-MNIST, to train on and to calibrate on, made once and kept in files."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from fashion_model import close_ups as closely
from fashion_model import corpus, data
from fashion_model.corpus import extra_pictures
from fashion_model.data import Labelled
from fashion_model.training import Pictures

MAKERS = (
    *("accessories.py", "close_ups.py", "corpus.py", "decoding.py", "doodling.py", "drawings.py"),
    *("images.py", "sheets.py", "photos.py", "relabelled.csv", "sketching.py", "snapshots.py"),
    *("strokes.py", "synthesis.py", "things.py", "wearer.py"),
)


def of_people(
    learn: list[Labelled],
    images: torch.Tensor,
    labels: torch.Tensor,
    finder: torch.nn.Module,
    seed: int,
    progress: bool,
) -> Pictures:
    """All that a network for what people draw and photograph learns besides Fashion-MNIST."""
    parts = []
    for source in corpus.SOURCES:
        make = partial(extra_pictures, source, learn, images, labels, finder, seed, progress)
        parts.append(kept(source, make, learn, images, finder, seed))
    return Pictures.concatenate(parts)


def close_ups(
    kind: str,
    learn: list[Labelled],
    images: torch.Tensor,
    labels: torch.Tensor,
    finder: torch.nn.Module,
    seed: int,
    progress: bool,
) -> tuple[Pictures, Pictures]:
    """What closer.train_closer learns from: real photos or drawings, and made-up ones."""
    real, made_up = {
        "photo": (closely.photos, closely.other_photos),
        "drawing": (closely.drawings, closely.other_drawings),
    }[kind]
    own = partial(real, learn, finder, seed, progress)
    others = partial(made_up, images, labels, finder, seed, progress)
    return (
        kept(f"{kind}s seen closely", own, learn, images, finder, seed),
        kept(f"made-up {kind}s seen closely", others, learn, images, finder, seed),
    )


def held_out(
    held: list[Labelled],
    images: torch.Tensor,
    labels: torch.Tensor,
    finder: torch.nn.Module,
    progress: bool,
) -> dict[str, Pictures]:
    """The pictures that confidences are calibrated on: variants, as many as are trained on, for so
    few mistakes are held out that one more or less would move what is called sure; and half of the
    weight on each picture as it is, which is what people send."""
    sources, found = {"photo": "real photos", "drawing": "real drawings"}, {}
    for kind, source in sources.items():
        make = partial(extra_pictures, source, held, images, labels, finder, 0, progress, fine=True)
        varied = kept(f"{source} held out", make, held, images, finder, 0)
        plain = corpus.as_they_are(held, kind, finder, fine=True)
        often = len(varied) // max(1, len(plain))
        found[kind] = Pictures.concatenate([varied, *[plain] * often])
    return found


def kept(
    source: str,
    make: Callable[[], Pictures],
    labelled: list[Labelled],
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
    for file in MAKERS:  # other code makes other pictures
        digest.update(Path(__file__).with_name(file).read_bytes())
    path = data.DOWNLOADS / f"{source}-{digest.hexdigest()[:12]}.safetensors"
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        fine = {} if made.fine is None else {"fine": made.fine}
        save_file({"pixels": made.pixels, "accept": made.accept, **fine}, part)
        part.replace(path)
    return Pictures(**load_file(path))
