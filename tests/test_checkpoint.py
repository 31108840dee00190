"""Checkpoints: a round trip, each way a file can be broken, and the committed ones."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import fashion_model
from fashion_model import checkpoint
from fashion_model.errors import CheckpointError
from fashion_model.networks import ARCHITECTURES, CLASSES, NETWORKS, NeuralNetwork
from fashion_model.training.train import CONFIDENCES

CARD = {"architecture": "mlp", "seed": 7, "accuracy": {"test": 0.9}}


@pytest.fixture
def saved(tmp_path):
    """(a checkpoint's path, the network in it)"""
    torch.manual_seed(0)
    network = NeuralNetwork()
    path = tmp_path / "mlp.safetensors"
    checkpoint.save(path, network, CARD)
    return path, network


def test_round_trip(saved):
    path, network = saved
    loaded, card = checkpoint.load(path, device="cpu")
    assert card == {**CARD, "classes": list(CLASSES)}
    assert not loaded.training
    for key, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor)


def test_saving_is_whole_or_not_at_all(saved, monkeypatch):
    path, network = saved
    before = path.read_bytes()

    def full_disk(tensors, file, metadata):
        Path(file).write_bytes(b"half a file")
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(path, network, CARD)
    assert path.read_bytes() == before


def test_a_card_must_name_a_known_architecture(tmp_path):
    for card in ({}, {"architecture": "transformer"}):
        with pytest.raises(CheckpointError, match="must be one of"):
            checkpoint.save(tmp_path / "x.safetensors", NeuralNetwork(), card)
    assert not list(tmp_path.iterdir())


def test_names_and_paths():
    assert checkpoint.resolve("mlp") == checkpoint.FOLDER / "mlp.safetensors"
    assert checkpoint.resolve("some/mlp.safetensors") == Path("some/mlp.safetensors")
    assert checkpoint.resolve("mlp.safetensors") == Path("mlp.safetensors")
    assert checkpoint.resolve(Path("mlp")) == Path("mlp")


def rewrite(path: Path, tensors=None, **card) -> None:
    """The same file with other tensors, or another card; card entries that are None go."""
    old_tensors, old_card = load_file(path), json.loads(metadata(path)["card"])
    new = {key: value for key, value in {**old_card, **card}.items() if value is not None}
    save_file(tensors or old_tensors, path, metadata={"card": json.dumps(new)})


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def changed(path: Path, **changes) -> dict[str, torch.Tensor]:
    """The file's tensors, some replaced ("_" stands for "."); None removes one."""
    changes = {"linear_relu_stack." + key.replace("_", "."): t for key, t in changes.items()}
    tensors = {**load_file(path), **changes}
    return {key: t for key, t in tensors.items() if t is not None}


BROKEN = {
    "missing": (lambda p: p.unlink(), "there is no checkpoint"),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), "there is no checkpoint"),
    "empty": (lambda p: p.write_bytes(b""), "is damaged or no safetensors file"),
    "cut in the header": (lambda p: p.write_bytes(p.read_bytes()[:100]), "is damaged"),
    "cut in the weights": (lambda p: p.write_bytes(p.read_bytes()[:-100]), "is damaged"),
    "text": (lambda p: p.write_text("no weights at all"), "is damaged"),
    "pickle": (lambda p: torch.save(NeuralNetwork().state_dict(), p), "is damaged"),
    "no metadata": (lambda p: save_file(load_file(p), p), "does not describe itself"),
    "another's metadata": (
        lambda p: save_file(load_file(p), p, metadata={"format": "pt"}),
        "does not describe itself",
    ),
    "a card that is no JSON": (
        lambda p: save_file(load_file(p), p, metadata={"card": "{architecture: mlp"}),
        "does not describe itself",
    ),
    "a card that is no object": (
        lambda p: save_file(load_file(p), p, metadata={"card": '["mlp"]'}),
        "does not describe itself",
    ),
    "no architecture": (lambda p: rewrite(p, architecture=None), "the architecture None"),
    "unknown architecture": (lambda p: rewrite(p, architecture="vit"), "the architecture 'vit'"),
    "an architecture of another type": (lambda p: rewrite(p, architecture=["mlp"]), "['mlp']"),
    "no classes": (lambda p: rewrite(p, classes=None), "other classes"),
    "other classes": (lambda p: rewrite(p, classes=["cat", "dog"]), "other classes"),
    "other order": (lambda p: rewrite(p, classes=sorted(CLASSES)), "in another order"),
    "missing tensor": (
        lambda p: rewrite(p, changed(p, **{"2_bias": None})),
        "linear_relu_stack.2.bias missing",
    ),
    "extra tensor": (
        lambda p: rewrite(p, changed(p, **{"9_bias": torch.zeros(3)})),
        "linear_relu_stack.9.bias missing, unknown",
    ),
    "wrong shape": (
        lambda p: rewrite(p, changed(p, **{"4_weight": torch.zeros(12, 512)})),
        "linear_relu_stack.4.weight missing, unknown or of another shape",
    ),
    "NaN": (
        lambda p: rewrite(p, changed(p, **{"4_bias": torch.full((10,), torch.nan)})),
        "not finite in linear_relu_stack.4.bias",
    ),
    "infinity": (
        lambda p: rewrite(p, changed(p, **{"0_bias": torch.full((512,), torch.inf)})),
        "not finite",
    ),
    "integers": (
        lambda p: rewrite(p, changed(p, **{"4_bias": torch.zeros(10, dtype=torch.int64)})),
        "linear_relu_stack.4.bias",
    ),
}


@pytest.mark.parametrize(("broken", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_an_error_that_names_it(saved, broken, says):
    path, _ = saved
    broken(path)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path, device="cpu")
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_name_lists_those_that_are_there(saved):
    path, _ = saved
    with pytest.raises(CheckpointError, match="in that folder: mlp"):
        checkpoint.load(path.with_name("cnn.safetensors"), device="cpu")


@pytest.mark.parametrize("device", ["meta:3x", "tpu-of-mine", "privateuseone"])
def test_an_impossible_device(saved, device):
    with pytest.raises(CheckpointError, match="Pass a device"):
        checkpoint.load(saved[0], device=device)


def test_the_device_is_torchs_current_accelerator_or_the_cpu(monkeypatch):
    assert checkpoint.detect_device().type in ("cpu", "cuda", "mps", "mtia", "xpu")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("mps"))
    assert checkpoint.detect_device() == torch.device("mps")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert checkpoint.detect_device() == torch.device("cpu")


COMMITTED = sorted(checkpoint.FOLDER.glob("*.safetensors"))


@pytest.mark.parametrize("path", COMMITTED, ids=[path.stem for path in COMMITTED])
def test_committed_checkpoints_load_describe_themselves_and_are_small(path):
    _, card = checkpoint.load(path.stem, device="cpu")
    assert card["architecture"] in ARCHITECTURES
    assert path.stat().st_size < 10_000_000  # Hugging Face Spaces refuses larger files


@pytest.mark.parametrize("name", NETWORKS)
def test_committed_networks_are_calibrated_for_every_kind_of_picture(name):
    classifier = fashion_model.load(name, "cpu")
    for kind in ("dataset", "drawing", "photo"):
        without = {"dataset": {"doubt_below", "spread"}, "photo": {"spread"}, "drawing": set()}
        for key in set(CONFIDENCES) - without[kind]:
            assert kind in classifier.of(kind).card[key], (kind, key)


def test_nothing_in_the_package_unpickles():
    """torch.load takes weights_only=True wherever it stands; what the app's own processes tell
    each other is pickled, and nothing that comes from outside."""
    import fashion_model

    package = Path(fashion_model.__file__).parent
    files = [*package.rglob("*.py"), package.parent / "app.py"]
    assert len(files) > 40
    for file in files:
        text = file.read_text()
        assert file.name == "beside.py" or "pickle.load" not in text, file.name
        assert text.count("torch.load(") == text.count("weights_only=True"), file.name
