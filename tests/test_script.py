"""The lines of code do what the steps show, and the script gives the same ten numbers."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fashion_model
from conftest import TOP
from data.pictures import shirt
from fashion_model import CLASSES, NETWORKS, checkpoint, explain, script
from fashion_model.calibration import Calibration, apply
from fashion_model.classifier import KINDS
from fashion_model.networks import CLASSIFIERS, READ_28X28, NeuralNetwork

CALIBRATIONS = (Calibration(), Calibration(1.7), Calibration(0.6))
EXAMPLES = TOP / "fashion_model" / "web" / "static" / "examples"


RUN_EACH = """
import os, runpy, sys
for folder in sys.argv[1:]:
    os.chdir(folder)
    runpy.run_path("answer.py", run_name="__main__")
"""


def run(scripts: list[script.Script], folder: Path) -> list[dict[str, float]]:
    """What scripts print, in a process of their own, each in a folder where nothing else is."""
    folders = [folder / str(number) for number in range(len(scripts))]
    for place, each in zip(folders, scripts, strict=True):
        place.mkdir()
        (place / "answer.py").write_text(each.text)
        if each.numbers is not None:
            (place / script.INPUT_FILE).write_bytes(each.numbers)
    env = {**os.environ, "PYTHONPATH": str(TOP)}
    made = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN_EACH, *folders],
        cwd=folder, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    lines = [ast.literal_eval(line) for line in made.stdout.splitlines()]
    return [dict(lines[i : i + len(CLASSES)]) for i in range(0, len(lines), len(CLASSES))]


def write(name: str, classifier, model_input) -> script.Script:
    """The script for a picture, as the page asks for it."""
    kind = model_input.kind
    network = classifier.networks[kind]
    steps = explain.layers(network, model_input.tensor, classifier.calibrations[kind])
    name = classifier.card["networks"].get(kind, name)
    return script.write(name, network, model_input.tensor, [step.code for step in steps])


@pytest.fixture(scope="module")
def pictures() -> dict:
    """One of each kind, by kind; the photo has so many colors that no line could hold it."""
    photo = Image.effect_noise((300, 300), 90).convert("RGB")
    photo.paste(Image.effect_noise((140, 180), 60).convert("RGB"), (80, 60))
    dress = Image.open(EXAMPLES / "dress.png")
    return {"dataset": (dress, "auto"), "drawing": (shirt(), "drawing"), "photo": (photo, "photo")}


def test_the_scripts_print_the_ten_numbers_of_the_pictures(pictures, tmp_path):
    scripts, wanted = [], []
    for name in sorted(NETWORKS):
        classifier = fashion_model.load(name, "cpu")
        for kind in KINDS:
            model_input = classifier.preprocess(*pictures[kind])
            assert model_input.kind == kind
            scripts.append(write(name, classifier, model_input))
            assert len(scripts[-1].text.splitlines()) <= 30
            assert (scripts[-1].numbers is not None) == (model_input.tensor.shape[1] == 3)
            wanted += classifier.confidences([model_input])
    for found, expected in zip(run(scripts, tmp_path), wanted, strict=True):
        assert list(found) == list(CLASSES)
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("calibrated", CALIBRATIONS)
@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_each_line_does_what_its_step_shows(name, calibrated):
    torch.manual_seed(0)
    network = CLASSIFIERS[name]().eval()
    shape = (1, 28, 28) if isinstance(network, READ_28X28) else (3, 64, 64)
    x = torch.rand(1, *((2, 112, 112) if name == "drawing" else shape))
    steps = explain.layers(network, x, calibrated)
    values = {"network": network, "nn": nn, "torch": torch, "x": x}
    for step in steps[1:]:
        with torch.inference_mode():
            exec(step.code, values)  # noqa: S102 - the lines are what is tested
        variable = step.code.splitlines()[-1].partition(" = ")[0]
        np.testing.assert_allclose(values[variable], step.activations, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(values["p"].double(), apply(values["logits"], calibrated)[0])
    made = script.write(name, network, x, [step.code for step in steps])
    assert len(made.text.splitlines()) <= 30
    assert all(step.code in made.text for step in steps if step.name in ("softmax", "none"))


def test_the_script_of_the_tutorials_network_has_its_class_as_in_the_tutorial():
    torch.manual_seed(0)
    network, x = NeuralNetwork().eval(), torch.rand(1, 1, 28, 28)
    steps = explain.layers(network, x)
    text = script.write("mlp", network, x, [step.code for step in steps]).text
    values = {"nn": nn}
    exec(script.TUTORIAL, values)  # noqa: S102
    assert script.TUTORIAL in text
    assert str(values["NeuralNetwork"]()) == str(network)
    assert 'load_file(checkpoint.resolve("mlp"))' in text
    assert "p = nn.Softmax(dim=1)(logits)\n" in text


@pytest.mark.parametrize("whole", [True, False], ids=["8 bits", "between"])
@pytest.mark.parametrize("side", [4, 90])
def test_the_numbers_arrive_exactly(whole, side, tmp_path, monkeypatch):
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(1, 3, side, side, generator=generator)
    x = (x * 255).round() / 255 if whole else x
    lines, numbers = script._reading(x)
    assert (numbers is not None) == (side == 90)
    if numbers is not None:
        monkeypatch.chdir(tmp_path)
        Path(script.INPUT_FILE).write_bytes(numbers)
    values: dict = {}
    code = "\n".join(["import base64, zlib, torch", "import numpy as np", *lines])
    exec(code, values)  # noqa: S102
    assert torch.equal(values["x"], x)


def test_a_line_names_the_module_as_python_does():
    assert script.call("flatten", False) == "x = network.flatten(x)"
    assert script.call("linear_relu_stack.4", True) == "logits = network.linear_relu_stack[4](x)"
    network, _ = checkpoint.load("drawing", "cpu")
    for name, module in explain.named_layers(network):
        path = script.call(name, False).removeprefix("x = ").removesuffix("(x)")
        assert eval(path, {"network": network}) is module  # noqa: S307
