"""Checkpoints: a round trip, each way a file can be broken, and the committed ones."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

import fashion_model
from data.pictures import shirt
from fashion_model import checkpoint
from fashion_model.errors import CheckpointError
from fashion_model.networks import (
    ARCHITECTURES,
    CLASSES,
    NETWORKS,
    ConvolutionalNetwork,
    NeuralNetwork,
)
from fashion_model.retrieval import EMBEDDINGS  # which are no network

CARD = {"architecture": "mlp", "seed": 7, "accuracy": {"test": 0.9}}
# A bright shape of many tones on black
DATASET_IMAGE = np.pad(np.arange(60, 256, dtype=np.uint8).reshape(14, 14), 7)


@pytest.fixture
def saved(tmp_path):
    """(a checkpoint's path, the network in it)"""
    torch.manual_seed(0)
    network = NeuralNetwork()
    path = tmp_path / "mlp.safetensors"
    checkpoint.save(path, network, CARD)
    return path, network


def assert_same_weights(loaded: nn.Module, network: nn.Module) -> None:
    assert loaded.state_dict().keys() == network.state_dict().keys()
    for key, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor), key


def test_round_trip(saved):
    path, network = saved
    loaded, card = checkpoint.load(path, device="cpu")
    assert card == {**CARD, "classes": list(CLASSES), "parameters": 669_706}
    assert not loaded.training
    assert_same_weights(loaded, network)


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


def test_half_precision_is_half_the_size_and_loads_as_float32(saved, tmp_path):
    path, network = saved
    half = tmp_path / "half.safetensors"
    checkpoint.save(half, network, CARD, dtype=torch.float16)
    assert half.stat().st_size < 0.51 * path.stat().st_size
    loaded, card = checkpoint.load(half, device="cpu")
    assert card == {**CARD, "classes": list(CLASSES), "parameters": 669_706}
    for key, tensor in network.state_dict().items():
        assert tensor.dtype == torch.float32  # the network that was saved stays as it was
        assert torch.equal(loaded.state_dict()[key], tensor.half().float())
    assert loaded(torch.rand(2, 28, 28)).dtype == torch.float32


def test_a_weight_beyond_half_precision_is_not_saved_as_infinity(saved, tmp_path):
    _, network = saved
    with torch.no_grad():
        network.linear_relu_stack[0].bias[3] = 70_000  # float16 ends at 65,504
    half = tmp_path / "half.safetensors"
    with pytest.raises(CheckpointError, match=r"linear_relu_stack\.0\.bias holds values"):
        checkpoint.save(half, network, CARD, dtype=torch.float16)
    assert not half.exists()


def test_a_file_of_torch_save_is_refused_with_two_lines_that_convert_it(
    saved, tmp_path, monkeypatch
):
    """As somebody does who follows them: the file that they write is loaded."""
    _, network = saved
    path = tmp_path / "model.pth"
    torch.save(network.state_dict(), path)
    with pytest.raises(CheckpointError, match="only safetensors files are read") as caught:
        checkpoint.load(path, device="cpu")
    assert str(path) in str(caught.value)
    lines = str(caught.value).splitlines()[-2:]
    before = (
        "import torch; from fashion_model import NeuralNetwork; model = NeuralNetwork()",
        f"model.load_state_dict(torch.load({str(path)!r}, weights_only=True))",
    )
    monkeypatch.chdir(tmp_path)
    exec("\n".join([*before, *lines]), {})  # noqa: S102
    loaded, card = checkpoint.load(tmp_path / "model.safetensors", device="cpu")
    assert_same_weights(loaded, network)
    assert card == {"architecture": "mlp", "classes": list(CLASSES), "data": ["unknown"]}


@pytest.mark.parametrize("suffix", checkpoint.PICKLED)
def test_pickles_are_paths_and_are_not_opened(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        checkpoint.load(str(path), device="cpu")
    path.write_text("whatever is in it")
    with pytest.raises(CheckpointError, match=r"only safetensors files are read.*\n.*\nsave_file"):
        checkpoint.load(str(path), device="cpu")
    assert checkpoint.resolve(f"model{suffix}") == Path(f"model{suffix}")


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module."],
)
def test_a_converted_file_of_the_tutorials_network(saved, tmp_path, prefix):
    """Also as DataParallel and torch.compile name the weights, one in the other."""
    _, network = saved
    path = tmp_path / "converted.safetensors"
    tensors = {prefix + key: t for key, t in network.state_dict().items()}
    save_file(tensors, path, metadata={"format": "pt"} if prefix else None)
    loaded, card = checkpoint.load(path, device="cpu")
    assert_same_weights(loaded, network)
    assert not loaded.training
    assert (card["architecture"], card["classes"]) == ("mlp", list(CLASSES))


def test_the_prefixes_are_those_of_pytorch(saved, tmp_path):
    _, network = saved
    path = tmp_path / "wrapped.safetensors"
    save_file(nn.DataParallel(network).state_dict(), path)
    assert_same_weights(checkpoint.load(path, device="cpu")[0], network)
    save_file(torch.compile(network).state_dict(), path)
    assert_same_weights(checkpoint.load(path, device="cpu")[0], network)


def test_a_converted_file_classifies_every_kind_of_picture(saved, tmp_path):
    _, network = saved
    path = tmp_path / "converted.safetensors"
    save_file(network.state_dict(), path)
    classifier = fashion_model.load(path, device="cpu")
    network.eval()
    for kind in ("drawing", "dataset"):
        picture = shirt() if kind == "drawing" else Image.fromarray(DATASET_IMAGE)
        model_input = classifier.preprocess(picture)
        assert model_input.kind == kind
        expected = network(model_input.tensor).softmax(1)[0]
        label, confidence = next(iter(classifier.predict(picture).items()))
        assert label == CLASSES[expected.argmax()]
        assert confidence == pytest.approx(expected.max().item(), abs=1e-6)


def test_names_and_paths():
    assert checkpoint.resolve("mlp") == checkpoint.FOLDER / "mlp.safetensors"
    assert checkpoint.resolve("some/mlp.safetensors") == Path("some/mlp.safetensors")
    assert checkpoint.resolve("mlp.safetensors") == Path("mlp.safetensors")
    assert checkpoint.resolve(Path("mlp")) == Path("mlp")


def test_a_name_is_looked_for_in_the_folder_of_another_file_first(saved):
    path, _ = saved
    assert checkpoint.resolve("mlp", path.with_name("copy.safetensors")) == path
    assert checkpoint.resolve("cnn", path) == checkpoint.FOLDER / "cnn.safetensors"
    assert checkpoint.resolve("some/mlp.safetensors", path) == Path("some/mlp.safetensors")


def test_the_digest_tells_networks_apart_by_every_weight(saved):
    path, network = saved
    before = checkpoint.digest(network)
    assert checkpoint.digest(checkpoint.load(path, "cpu")[0]) == before
    with torch.no_grad():
        network.linear_relu_stack[4].bias[9] += 1e-6
    assert checkpoint.digest(network) != before
    assert checkpoint.digest(network.half()) != before


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
    "no metadata": (
        lambda p: save_file(ConvolutionalNetwork().state_dict(), p),
        "does not describe itself",
    ),
    "foreign metadata": (
        lambda p: save_file(changed(p, **{"2_bias": None}), p, metadata={"format": "pt"}),
        "does not describe itself",
    ),
    "no metadata and another shape": (
        lambda p: save_file(changed(p, **{"4_bias": torch.zeros(12)}), p),
        "does not fit the architecture 'mlp': linear_relu_stack.4.bias",
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
        "linear_relu_stack.4.bias holds values that are not finite",
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


@pytest.mark.parametrize(
    ("key", "expected"), [("avx512_bf16", True), ("bf16", True), ("avx2", False)]
)
def test_a_cpu_has_fast_bfloat16_where_it_has_instructions_for_that(monkeypatch, key, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {key: True})
    assert checkpoint.has_fast_bfloat16(torch.device("cpu")) is expected
    assert checkpoint.has_fast_bfloat16(torch.device("cuda"))


COMMITTED = sorted(set(checkpoint.FOLDER.glob("*.safetensors")) - {EMBEDDINGS})


@pytest.mark.parametrize("path", COMMITTED, ids=[path.stem for path in COMMITTED])
def test_committed_checkpoints_load_describe_themselves_and_are_small(path):
    _, card = checkpoint.load(path.stem, device="cpu")
    assert card["architecture"] in ARCHITECTURES
    assert path.stat().st_size < 10_000_000  # Hugging Face Spaces refuses larger files


@pytest.mark.parametrize("name", NETWORKS)
def test_committed_networks_are_calibrated_for_every_kind_of_picture(name):
    classifier = fashion_model.load(name, "cpu")
    for kind, card in classifier.cards.items():
        assert 0 < card["calibration"][kind]["temperature"] < 20, kind
        assert asdict(classifier.calibrations[kind]).items() >= card["calibration"][kind].items()


def test_nothing_in_the_package_unpickles():
    """torch.load takes weights_only=True wherever it stands."""
    package = Path(fashion_model.__file__).parent
    files = [*package.rglob("*.py"), package.parent / "app.py"]
    assert len(files) > 25
    for file in files:
        text = file.read_text()
        assert "pickle.load" not in text, file.name
        assert text.count("torch.load(") == text.count("weights_only=True"), file.name
