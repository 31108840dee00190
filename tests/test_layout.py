"""The house keeps its design: what lies where, which way imports point, how large things are."""

import ast
import subprocess
from pathlib import Path

import pytest

from conftest import TOP

PACKAGE = TOP / "fashion_model"
MODULES = sorted(PACKAGE.rglob("*.py"))
# Imports point from a later place of this list to an earlier one, or stay in the same place
ORDER = (
    *("errors", "efficientnet", "networks", "checkpoint", "calibration", "sentences"),
    *("preprocessing", "classifier", "", "script", "explain", "visualization", "retrieval"),
    *("datasets", "tutorial", "evaluation", "training", "web", "commands", "__main__"),
)  # "" is what fashion_model/__init__.py names
TOP_LEVEL = {
    *("app.py", "fashion_model", "checkpoints", "tests", "requirements.txt", "README.md"),
    *("LICENSE", "pyproject.toml"),
}
NEEDS_NO_TEST_OF_ITS_NAME = {"__init__.py", "__main__.py"}  # test_preprocessing.py, test_main.py


def place(path: Path) -> str:
    """Where a file of the package stands in ORDER."""
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py").replace("__init__", "")


def imported(path: Path) -> list[str]:
    """The dotted names of all that a file imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def places_imported(path: Path) -> set[str]:
    found = set()
    for name in imported(path):
        if name.split(".")[0] == "fashion_model":
            part = [*name.split("."), ""][1]
            found.add(part if part in ORDER else "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    here = place(path)
    if here == "__main__":
        return
    later = set(ORDER[ORDER.index(here) + 1 :])
    wrong = places_imported(path) & later
    assert not wrong, wrong
    if here == "web":
        assert "training" not in places_imported(path)


def test_only_web_knows_gradio_and_only_training_the_optimizer():
    """Save for tutorial, in which whoever reads PyTorch's tutorial trains its network."""
    for path in MODULES:
        names = imported(path)
        if place(path) != "web":
            assert not [n for n in names if n.startswith(("gradio", "starlette", "fastapi"))], path
        if place(path) not in ("training", "tutorial"):
            assert not [n for n in names if n.startswith("torch.optim")], path
            assert "torch.optim" not in path.read_text(encoding="utf-8"), path


def test_the_top_level_holds_what_the_design_names():
    run = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip("no git checkout")
    top = {name.split("/")[0] for name in run.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_longer_than_a_newcomer_reads_at_once(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 40, node.name
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            assert len([each for each in given if each.arg != "self"]) <= 6, node.name


def test_the_page_and_the_readme_stay_small():
    lines = sum(len(p.read_text(encoding="utf-8").splitlines()) for p in PACKAGE.glob("web/*.py"))
    assert lines <= 1_362
    for name, most in (("README.md", 130), ("checkpoints/README.md", 80)):
        text = (TOP / name).read_text(encoding="utf-8").splitlines()
        assert len(text) <= most, name
        assert max(map(len, text)) <= 120, name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_module_has_a_test_file_of_its_name(path):
    if path.name in NEEDS_NO_TEST_OF_ITS_NAME:
        return
    folder = TOP / "tests" / path.relative_to(PACKAGE).parent
    assert (folder / f"test_{path.name}").exists()
