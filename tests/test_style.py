"""The linter, the formatter and the type checker are tests like the others."""

import subprocess
import sys

import pytest

from conftest import TOP


@pytest.mark.parametrize(
    "command", ["ruff check .", "ruff format --check .", "pyrefly check"], ids=lambda text: text
)
def test_tools_have_no_complaint(command):
    ran = [sys.executable, "-m", *command.split()]
    if command == "pyrefly check":  # else it looks for an environment by itself
        ran += ["--python-interpreter-path", sys.executable]
    run = subprocess.run(ran, cwd=TOP, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
