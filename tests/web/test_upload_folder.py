"""Where uploads go."""

import os
import subprocess
import sys

import pytest

import serving
from fashion_model import FashionModelError
from fashion_model.web import upload_folder


def test_each_start_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "new"))
    first = upload_folder.make_upload_folder()
    assert os.environ["GRADIO_TEMP_DIR"] == str(first)
    assert first.parent == tmp_path / "new"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "new"))
    assert upload_folder.make_upload_folder() != first


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
