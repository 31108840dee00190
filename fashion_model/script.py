"""The lines of PyTorch behind an answer: one for each step, and all of them as a script.

steps = explain.steps_of(classifier, model_input)
print(script.write("mlp", network, model_input.tensor, [step.code for step in steps]).text)
"""

import base64
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from fashion_model.calibration import Calibration
from fashion_model.networks import CLASSES, NeuralNetwork

READ = "x = classifier.preprocess(picture, kind).tensor"
ANSWER = "y = p.argmax(1)"
PICTURE = "  # your picture, as the network reads it"
INPUT_FILE = "input.npy"
MOST_EMBEDDED = 4_000  # characters of base64 in a script; of more, nobody reads past
TUTORIAL = """class NeuralNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(28 * 28, 512), nn.ReLU(),
            nn.Linear(512, 512), nn.ReLU(),
            nn.Linear(512, 10),
        )
    def forward(self, x):
        x = self.flatten(x)
        logits = self.linear_relu_stack(x)
        return logits
"""


@dataclass(frozen=True)
class Script:
    """text: of at most 30 lines, prints the ten classes with their confidences. It runs where
    fashion_model can be imported. numbers: the file INPUT_FILE that has to lie beside it, where
    the picture is too large to stand in the text; else None."""

    text: str
    numbers: bytes | None


def call(name: str, last: bool) -> str:
    """The line that calls the module of this name in a network; last where it gives the logits."""
    path = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in name.split("."))
    return f"{'logits' if last else 'x'} = network{path}(x)"


def softmax(outputs: int, calibrated: Calibration) -> str:
    """The line from the logits (1, outputs) to p (1, 10), the probabilities of the ten."""
    logits = "logits" if outputs == len(CLASSES) else f"logits[:, :{len(CLASSES)}]"
    return f"p = nn.Softmax(dim=1)({_cooled(logits, calibrated)})"


def none(calibrated: Calibration) -> str:
    """The lines that spread b, the probability of none of the ten, over p."""
    b = f"nn.Softmax(dim=1)({_cooled('logits', calibrated)})[:, {len(CLASSES)}:]"
    return f"b = {b}\np = (1 - b) * p + b / {len(CLASSES)}"


def write(
    checkpoint: str, network: nn.Module, tensor: torch.Tensor, lines: Sequence[str]
) -> Script:
    """The script of one answer. checkpoint: the name of network's. tensor: (1, C, H, W) in [0, 1],
    what it read. lines: those of all steps, as explain.layers gives them."""
    read, numbers = _reading(tensor)
    lines = [line for line in lines if line not in (READ, ANSWER)]
    imports = ["import torch", "from torch import nn"]
    imports += ["from fashion_model import CLASSES, checkpoint", ""]
    if isinstance(network, NeuralNetwork):
        imports.insert(1, "from safetensors.torch import load_file")
        first = next(i for i, line in enumerate(lines) if line.startswith("logits"))
        lines = ["logits = network(x)", *lines[first + 1 :]]
        weights = f'load_file(checkpoint.resolve("{checkpoint}"))'
        load = f"{TUTORIAL}\nnetwork = NeuralNetwork()\nnetwork.load_state_dict({weights})"
    else:
        load = f'network, card = checkpoint.load("{checkpoint}", "cpu")'
    reading = ["import numpy as np"] if numbers else ["import base64", "import zlib"]
    show = r'print(*zip(CLASSES, p[0].tolist()), sep="\n")'
    return Script("\n".join([*reading, *imports, load, *read, *lines, show, ""]), numbers)


def _reading(tensor: torch.Tensor) -> tuple[list[str], bytes | None]:
    """The lines that make tensor, exactly, and the file that they read, if any."""
    x = tensor.detach().float().cpu()
    levels = (x * 255).round().byte()
    whole = torch.equal(levels / 255, x)  # else between the levels of an 8-bit picture
    array = (levels if whole else x).contiguous().numpy()
    scale = " / 255" if whole else ""
    text = base64.b64encode(zlib.compress(array.tobytes(), 9)).decode()
    if len(text) > MOST_EMBEDDED:
        file = io.BytesIO()
        np.save(file, array)
        return [f'x = torch.from_numpy(np.load("{INPUT_FILE}")){scale}{PICTURE}'], file.getvalue()
    shape = ", ".join(map(str, x.shape))
    return [
        f'numbers = zlib.decompress(base64.b64decode("{text}"))',
        f"x = torch.frombuffer(bytearray(numbers), dtype=torch.{array.dtype}).view({shape}){scale}"
        + PICTURE,
    ], None


def _cooled(logits: str, calibrated: Calibration) -> str:
    same = calibrated.temperature == 1
    return logits if same else f"{logits} / {calibrated.temperature:.7g}"
