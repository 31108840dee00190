"""What the app is built from: pinned, without a known hole, and within what Spaces takes."""

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version

from conftest import TOP


def closure() -> dict[str, str]:
    """requirements.txt and all that it pulls in, as installed here: name -> version."""
    lines = (TOP / "requirements.txt").read_text().splitlines()
    todo = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    found: dict[str, str] = {}
    while todo:
        wanted = todo.pop()
        try:
            number = version(wanted.name)
        except PackageNotFoundError:
            continue  # for another system
        if wanted.name.lower() in found:
            continue
        found[wanted.name.lower()] = number.partition("+")[0]
        environments = [{**default_environment(), "extra": extra} for extra in ("", *wanted.extras)]
        for text in requires(wanted.name) or []:
            next_one = Requirement(text)
            marker = next_one.marker
            if marker is None or any(marker.evaluate(e) for e in environments):
                todo.append(next_one)
    return found


@pytest.mark.parametrize(
    "name", ["requirements.txt", "tests/requirements.txt", "fashion_model/web/replicas.txt"]
)
def test_requirements_are_pinned(name):
    for line in (TOP / name).read_text().splitlines():
        if line == "-r ../requirements.txt":
            assert (TOP / name).parent.parent == TOP
            continue
        assert re.fullmatch(r"(#.*|[\w.-]+(\[\w+\])?==[\w.+]+)?", line), line


@pytest.mark.network
def test_no_dependency_has_a_known_hole_that_a_release_mends(tmp_path):
    pinned = closure()
    for line in (TOP / "fashion_model" / "web" / "replicas.txt").read_text().splitlines():
        if line and not line.startswith("#"):  # optional, and not installed here
            wanted = Requirement(line)
            pinned.setdefault(wanted.name.lower(), str(wanted.specifier).removeprefix("=="))
    assert {"torch", "gradio", "starlette", "pydantic"} <= set(pinned)
    listed = tmp_path / "pinned.txt"
    listed.write_text("\n".join(f"{name}=={number}" for name, number in sorted(pinned.items())))
    command = [sys.executable, "-m", "pip_audit", "-r", listed, "--no-deps", "--disable-pip"]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        audit = subprocess.run([*command, *options], capture_output=True, text=True, timeout=240)
    except subprocess.TimeoutExpired:
        pytest.skip("the database of advisories does not answer")
    try:
        told = json.loads(audit.stdout)["dependencies"]
    except ValueError:
        pytest.skip(f"the database of advisories cannot be reached: {audit.stderr[-300:]}")
    skipped = [entry["name"] for entry in told if "skip_reason" in entry]
    if len(skipped) > len(told) / 2:
        reason = next(entry["skip_reason"] for entry in told if "skip_reason" in entry)
        pytest.skip(f"the database of advisories knows none of these: {reason}")
    holes, unknown = {}, set()
    for entry in told:
        for hole in entry.get("vulns", []):
            releases = offered(entry["name"])
            if releases is None:
                unknown.add(entry["name"])
            elif fixes := [fix for fix in hole["fix_versions"] if Version(fix) in releases]:
                holes[f"{entry['name']} {entry['version']}: {hole['id']}"] = fixes
    assert not holes
    if unknown:
        pytest.skip(f"there are holes in {unknown}, and the registry tells no releases of them")


def offered(name: str) -> list[Version] | None:
    """The releases that the registry has which pip uses; None if it does not tell."""
    command = [sys.executable, "-m", "pip", "index", "versions", name]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    listed = re.search(r"Available versions: (.*)", told)
    return [Version(each) for each in listed[1].split(", ")] if listed else None


# Spaces.


def test_spaces_accept_the_readme_and_the_files():
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("---\n")
    front = yaml.safe_load(readme.split("---\n")[1])
    known = {"title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version"}
    known |= {"app_file", "license", "short_description", "pinned", "models", "datasets", "tags"}
    assert set(front) <= known
    assert isinstance(front["sdk_version"], str)
    assert isinstance(front["python_version"], str)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=True)
    files = [TOP / name for name in listed.stdout.decode().split("\0") if name]
    sizes = {file: file.stat().st_size for file in files if file.is_file()}
    assert max(sizes.values()) < 10_000_000  # larger ones need Git LFS or Xet
    assert sum(sizes.values()) < 1_000_000_000


@pytest.mark.network
def test_spaces_own_installation_changes_nothing_that_is_installed():
    """Their command, beside what requirements.txt has put here."""
    front = yaml.safe_load((TOP / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    own = f"gradio[oauth,mcp]=={front['sdk_version']}"
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-"]
    told = subprocess.run(
        [*command, "-r", TOP / "requirements.txt", own, "uvicorn>=0.14.0", "websockets>=10.4"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if told.returncode and offered("pip") is None:
        pytest.skip(f"the registry cannot be reached: {told.stderr[-300:]}")
    assert told.returncode == 0, told.stderr
    added = {each["metadata"]["name"].lower() for each in json.loads(told.stdout)["install"]}
    assert not added & set(closure()), added


def test_spaces_install_requirements_beside_their_own_gradio():
    """Spaces install gradio[oauth,mcp] of sdk_version: no pin of ours may contradict it."""
    pins = {}
    for line in (TOP / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, number = line.partition("==")
            pins[name.lower()] = number
    for text in requires("gradio") or []:
        wanted = Requirement(text)
        marker = wanted.marker
        extras = [{**default_environment(), "extra": extra} for extra in ("", "mcp", "oauth")]
        if marker is None or any(marker.evaluate(extra) for extra in extras):
            number = pins.get(wanted.name.lower())
            assert number is None or wanted.specifier.contains(number), text
