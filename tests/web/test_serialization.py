"""Payloads in, JSON out."""

import pytest

from fashion_model import InputError
from fashion_model.web import serialization
from fashion_model.web.serialization import (
    error_to_json,
    picture_bytes,
    server_function,
    uploaded_file,
    web_address,
)

META = {"_type": "gradio.FileData"}


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    (folder / "a.png").write_bytes(b"picture")
    return folder


def test_an_upload_and_a_data_url_are_pictures(uploads):
    assert picture_bytes({"path": str(uploads / "a.png"), "meta": META}) == b"picture"
    for image in ("data:image/png;base64,QUJD", {"url": "data:image/png;base64,QUJD"}):
        assert picture_bytes(image) == b"ABC"


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (None, "is missing"),
        ({"path": "/etc/passwd"}, 'lacks "meta"'),
        ({"path": "/etc/passwd", "meta": META}, "Only uploaded"),
        ({"path": 5, "meta": META}, "handle_file"),
        ("shirt.png", "handle_file"),
        ("data:image/png,abc", "data URL must"),
        ("data:image/png;base64,%", "base64"),
    ],
)
def test_what_is_no_picture_is_told_as_what_it_lacks(uploads, image, says):
    with pytest.raises(InputError, match=says) as caught:
        picture_bytes(image)
    assert caught.value.key
    assert "/etc" not in str(caught.value)


def test_what_is_gone_or_too_large(uploads, monkeypatch):
    with pytest.raises(InputError, match="no longer") as caught:
        uploaded_file({"path": str(uploads / "gone.png")})
    assert str(uploads) not in str(caught.value)
    monkeypatch.setattr(serialization, "MAX_FILE_BYTES", 3)
    with pytest.raises(InputError, match="larger"):
        picture_bytes("data:image/png;base64,QUJDRA==")


def test_an_error_travels_with_its_key_and_values():
    error = InputError("too large: 20 MB.", key="large", most=20)
    assert error_to_json(error) == {
        "text": "Too large: 20 MB.",
        "key": "large",
        "values": {"most": 20},
    }


def test_addresses_on_the_web():
    url = "https://example.org/a.png"
    assert web_address(url) == url
    assert web_address({"path": url, "meta": META}) == url
    assert web_address({"path": "x", "url": url}) == url
    for other in (None, 5, "file:///etc/passwd", {"path": "/a.png"}, [url]):
        assert web_address(other) is None


def test_gradio_may_mark_each_server_function_which_gets_a_dict():
    def ask(question):
        if not question:
            raise InputError("no question.", key="x")
        return {"reply": question["a"]}

    function = server_function(ask)
    function._marked = True
    assert function.__name__ == "ask"
    assert function({"a": 5}) == {"reply": 5}
    for wrong in (None, "x", [5], {}):
        assert function(wrong) == {"error": {"text": "No question.", "key": "x", "values": {}}}
