"""README.md is true: its code runs, and Hugging Face Spaces accepts its front matter."""

import ast
import re
import subprocess
import sys

import pytest
import yaml

import serving
from conftest import TOP
from fashion_model import CLASSES, NETWORKS, checkpoint, load
from fashion_model.__main__ import parser
from fashion_model.evaluation.model_card import accuracy

README = (TOP / "README.md").read_text(encoding="utf-8")
# https://huggingface.co/docs/hub/spaces-config-reference
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def pinned() -> dict[str, str]:
    lines = (TOP / "requirements.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_front_matter():
    front = yaml.safe_load(README.split("---\n")[1])
    assert front["sdk"] == "gradio"
    assert front["sdk_version"] == pinned()["gradio"]
    assert front["python_version"] == "3.11"
    assert (TOP / front["app_file"]).is_file()
    assert front["license"] == "mit"
    assert "MIT License" in (TOP / "LICENSE").read_text()
    assert {front["colorFrom"], front["colorTo"]} <= COLOURS
    assert 0 < len(front["short_description"]) <= 60
    assert len(front["emoji"]) == 1
    assert front["title"] in README.split("---\n", 2)[2]


def test_every_requirement_is_pinned_and_what_runs_here():
    from importlib.metadata import version

    for name, number in pinned().items():
        assert version(name) == number, name


def test_no_file_is_too_large_for_spaces():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=True)
    names = [name for name in listed.stdout.decode().split("\0") if name]
    assert "app.py" in names
    for name in names:
        assert not (TOP / name).is_file() or (TOP / name).stat().st_size < 10_000_000, name


def test_pictures_and_commands_are_there():
    for name in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (TOP / name).is_file(), name
    commands = re.findall(r"^(python3 -m venv \.venv && .*)$", README, re.MULTILINE)
    started = [command.rpartition("&& .venv/bin/")[2] for command in commands]
    assert started == ["python app.py", "pytest -n 2 --dist loadfile"]
    for name in re.findall(r"-r (\S+)", " ".join(commands)):
        assert (TOP / name).is_file(), name


def test_the_command_line_takes_what_is_told():
    told = re.findall(r"python -m\s+fashion_model ([^`\n]+)", README)
    assert {command.split()[0] for command in told} == {"predict", "layers", "evaluate", "train"}
    for command in told:
        parser().parse_args(command.split())


def test_the_accuracies_are_those_of_the_committed_checkpoints():
    rows = re.findall(r"^\| `(\w+)` \| (\d\d\.\d\d) % \|", README, re.MULTILINE)
    cards = {name: checkpoint.load(name, "cpu")[1] for name in NETWORKS}
    assert sorted(rows) == sorted(
        (name, f"{100 * accuracy(card, 'dataset'):.2f}") for name, card in cards.items()
    )


def told_of(score: dict[str, float]) -> str:
    """The end of a row on a Score: accuracy / macro, NLL, ECE / floor, coverage, AUROC, FPR95."""
    numbers = {key: value for key, value in score.items() if isinstance(value, float)}
    percent = {key: f"{100 * value:.1f} %" for key, value in numbers.items()}
    cells = (
        f"{percent['accuracy']} / {percent['macro_accuracy']}",
        f"{score['nll']:.3f}",
        f"{percent['ece']} / {percent['ece_noise_floor']}",
        percent["coverage"],
        f"{score['auroc']:.3f}",
        percent["fpr95"],
    )
    return " | ".join(cells)


def test_what_people_send_is_answered_as_the_results_say():
    row = r"^\| `(\w+)` \| (drawings|photos) \| (.*) \|$"
    rows = {(name, kind): told for name, kind, told in re.findall(row, README, re.MULTILINE)}
    measured = {}
    for name in NETWORKS:
        cards = load(name, "cpu").cards
        for kind in ("drawing", "photo"):
            results = cards[kind].get("results", {}).get(kind)
            assert results, f"evaluate --network {name} --images FOLDER --fold 3 --save"
            measured[name, f"{kind}s"] = told_of(results["scores"][0])
    assert rows == measured


def test_a_row_of_the_results_as_it_is_written():
    score = {"accuracy": 0.8842, "macro_accuracy": 0.87, "nll": 0.41249, "ece": 0.0213}
    score |= {"ece_noise_floor": 0.014, "coverage": 0.76, "auroc": 0.9612, "fpr95": 0.2207}
    expected = "88.4 % / 87.0 % | 0.412 | 2.1 % / 1.4 % | 76.0 % | 0.961 | 22.1 %"
    assert told_of(score) == expected


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, sheet):
    """A folder with a picture in it, as README.md's reader has one."""
    picture = next(picture for picture, label in sheet if label == 6)
    picture.save(tmp_path / "shirt.png")
    return tmp_path


def test_the_block_for_python(folder, monkeypatch, capsys):
    (code,) = [code for code in blocks() if "gradio_client" not in code]
    monkeypatch.chdir(folder)
    exec(code, {})  # noqa: S102
    printed = capsys.readouterr().out
    assert "'Shirt'" in printed
    assert len(printed.splitlines()) == 2


def test_the_block_for_gradio_client(folder):
    """Outside this folder, with nothing of the project importable."""
    (code,) = [code for code in blocks() if "gradio_client" in code]
    assert code.count("http://127.0.0.1:7860") == 1
    code = code.replace("http://127.0.0.1:7860", serving.start())
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"GRADIO_ANALYTICS_ENABLED": "False", "HOME": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    confidences = ast.literal_eval(run.stdout.splitlines()[-1])
    assert set(confidences) == set(CLASSES)
    assert sum(confidences.values()) == pytest.approx(1, abs=1e-6)
