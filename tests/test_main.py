"""The command line itself: its options, its errors, and as a process of its own."""

import io
import os
import subprocess
import sys

import pytest

from conftest import TOP
from fashion_model.__main__ import main


@pytest.fixture
def boot(tmp_path, sheet):
    """The path of a picture."""
    next(picture for picture, label in sheet if label == 9).save(tmp_path / "boot.png")
    return tmp_path / "boot.png"


def test_standard_input_in_a_process_of_its_own(boot):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "fashion_model", "predict", "-"],
        cwd=TOP,
        input=boot.read_bytes(),
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"-: ")
    assert b"Ankle boot" in done.stdout


def test_an_empty_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert main(["predict", "-"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("-: the file is empty")


def test_a_reader_that_has_seen_enough(boot, monkeypatch, capsys):
    """As in "predict FOLDER | head -1": no traceback, nor one when Python closes what is left."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert main(["predict", str(boot)]) == 1
        monkeypatch.undo()
    assert capsys.readouterr() == ("", "")


def test_errors_of_the_package_are_one_line(tmp_path, capsys):
    assert main(["predict", "--network", "none", "x.png"]) == 1
    assert capsys.readouterr().err.startswith("error: there is no checkpoint")
    assert main(["train", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: there is no Fashion-MNIST in")
    assert main(["train", "--network", "mlp", "--device", "toaster"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: there is no device 'toaster' here")
    assert err.endswith("leave it out to have one detected.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["predict"],
        ["predict", "--kind", "sketch", "x.png"],
        ["train", "--network", "none"],
        ["train", "--epochs", "0"],
        ["train", "--epochs", "many"],
        ["evaluate", "--images", ".", "--save"],  # which fold?
    ],
)
def test_wrong_command_lines_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err
