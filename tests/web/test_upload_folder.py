"""Where uploads go."""

import os
import subprocess
import sys
import tempfile

import pytest

import serving
from conftest import TOP
from fashion_model import FashionModelError
from fashion_model.web import upload_folder


def test_each_start_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "new"))
    first = upload_folder.make_upload_folder()
    assert os.environ["GRADIO_TEMP_DIR"] == str(first)
    assert first.parent == tmp_path / "new"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "new"))
    assert upload_folder.make_upload_folder() != first


def test_an_empty_setting_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert upload_folder.make_upload_folder().parent == tmp_path


def test_the_folder_goes_with_its_process(tmp_path):
    code = "from fashion_model.web.upload_folder import make_upload_folder as make; print(make())"
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path), "PYTHONPATH": str(TOP)}
    ran = [sys.executable, "-c", code]
    folder = subprocess.run(ran, env=environment, capture_output=True, text=True, check=True).stdout
    assert folder.startswith(str(tmp_path / "fashion-"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file"))
    with pytest.raises(FashionModelError, match="Set GRADIO_TEMP_DIR"):
        upload_folder.make_upload_folder()


@pytest.mark.slow
def test_the_start_says_so_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    ended = subprocess.run(
        [sys.executable, serving.APP],
        env={**os.environ, "GRADIO_TEMP_DIR": str(tmp_path / "file")},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("app.py: cannot write to")
    assert ended.stderr.count("\n") == 1
