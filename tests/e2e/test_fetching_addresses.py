"""Pictures that the app fetches from an address on the web, as scripts and assistants name them.

The web is a server of this test's, which the app takes for one with a public address.
"""

import ast
import json
import socket
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from gradio_client import Client, handle_file

import hostile
import serving
import soaking
from test_scripts import with_mcp

SECONDS, CALL_SECONDS = 2, 3
# Set in the app's process before it starts; and as on Spaces, on another address of this machine.
PATCH = f"""
import fashion_model.web.fetching
fashion_model.web.fetching.MAX_SECONDS = {SECONDS}
fashion_model.web.fetching.MAX_CALL_SECONDS = {CALL_SECONDS}
fashion_model.web.fetching.is_public = lambda address: address != "127.0.0.9"
"""
SPACES = {"SYSTEM": "spaces", "SPACE_ID": "someone/what-garment", "SPACE_HOST": "example.invalid"}
TEE = soaking.pictures()[0]


ASKED: "Counter[str]" = Counter()


class Web(BaseHTTPRequestHandler):
    """/tee.png; /moved to it; /inside, moved to an address inside; /loop; /gone; /packed; /large;
    /drip and /headers, which come a byte at a time."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        ASKED[path] += 1
        moved = {"/moved": "/tee.png", "/inside": "http://127.0.0.9:1/tee.png", "/loop": "/loop"}
        if path in moved:
            self.send_response(302)
            self.send_header("Location", moved[path])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/gone":
            self.send_error(404)
        elif path == "/headers":
            self.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60)
        else:
            self.send_response(200)
            if path == "/packed":
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            if path == "/drip":
                self.drip(TEE)
            elif path == "/large":
                for _ in range(30):
                    self.wfile.write(bytes(1_000_000))
            else:
                self.wfile.write(TEE)

    def drip(self, content):
        for byte in content[:60]:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(0.5)

    def handle(self):
        try:
            super().handle()
        except OSError:
            return  # the app had enough

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def web():
    """The address of the web."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def app():
    """The address of an app that takes the web for public."""
    try:
        with socket.socket() as there:
            there.bind(("127.0.0.2", 0))
    except OSError:
        pytest.skip("this system has no 127.0.0.2")
    with tempfile.TemporaryDirectory(prefix="uploads-") as folder:
        process, address = serving.run(folder, PATCH, GRADIO_SERVER_NAME="127.0.0.2", **SPACES)
        try:
            yield serving.wait_for(process, address)
        finally:
            process.kill()
            process.wait()


def test_the_app_is_where_the_host_variable_says(app):
    assert app.startswith("http://127.0.0.2:")
    with pytest.raises(OSError, match="refused"):
        soaking.Client(app.replace("127.0.0.2", "127.0.0.1")).upload(TEE)


def test_a_script_names_an_address(app, web, tmp_path):
    file = tmp_path / "tee.png"
    file.write_bytes(TEE)
    client = Client(app, verbose=False)
    expected = client.predict(handle_file(file), "auto", "mlp", api_name="/predict")
    for address in (f"{web}/tee.png", f"{web}/moved"):
        said = client.predict(handle_file(address), "auto", "mlp", api_name="/predict")
        assert said == pytest.approx(expected)
    many = [handle_file(f"{web}/tee.png?{number}") for number in range(3)]
    said = client.predict(many, "auto", "mlp", api_name="/predict_many")
    assert [max(each, key=each.get) for each in said] == 3 * [max(expected, key=expected.get)]
    assert ASKED["/tee.png"] >= 5
    client.close()


def test_an_assistant_names_an_address(app, web):
    async def calls(session):
        names = [tool.name for tool in (await session.list_tools()).tools]
        (name,) = (each for each in names if each.endswith("predict"))  # after the Space's own
        arguments = {"image": f"{web}/tee.png?mcp", "network": "mlp"}
        return await session.call_tool(name, arguments)

    result = with_mcp(app, calls)
    assert not result.isError, result
    said = ast.literal_eval(result.content[0].text)
    assert max(said, key=said.get) == "T-shirt/top"


@pytest.mark.parametrize(
    "path", ["/gone", "/inside", "/loop", "/packed", "/large", "/drip", "/headers"]
)
def test_what_cannot_be_fetched_is_told_in_time(app, web, path):
    image = {"path": f"{web}{path}", "meta": hostile.META}
    started = time.monotonic()
    event, said = serving.call(app, "predict", image)
    took = time.monotonic() - started
    assert event == "error"
    assert "cannot be fetched" in json.dumps(said)
    assert took < 20  # a byte of /drip takes half a second, and there are 60
    assert ASKED[path]


def test_all_addresses_of_a_call_have_one_deadline(app, web):
    """Each would take SECONDS; and more than a call's pictures are not begun with."""
    images = [{"path": f"{web}/drip?{number}", "meta": hostile.META} for number in range(65)]
    started = time.monotonic()
    event, said = serving.call(app, "predict_many", images[:20])
    assert (event, "cannot be fetched" in json.dumps(said)) == ("error", True)
    assert time.monotonic() - started < 20
    before = ASKED["/drip"]
    event, said = serving.call(app, "predict_many", images)
    assert (event, "1 to 64" in json.dumps(said)) == ("error", True)
    assert ASKED["/drip"] == before
