"""Programs that call the app: JavaScript, curl, MCP, and what the API page tells them to write."""

import ast
import asyncio
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

import hostile
import serving
import soaking
from fashion_model import CLASSES

JAVASCRIPT = """
import { Client, handle_file } from "@gradio/client";
import { readFileSync } from "node:fs";
const app = await Client.connect(process.argv[2]);
const file = () => handle_file(new Blob([readFileSync(process.argv[3])], { type: "image/png" }));
const [one] = (await app.predict("/predict", { image: file(), network: "mlp" })).data;
const [many] = (await app.predict("/predict_many", [[file(), file()], "auto", "mlp"])).data;
const [why] = (await app.predict("/explain", { image: file(), network: "mlp" })).data;
const [{ networks }] = (await app.predict("/model_card", { network: "mlp" })).data;
const { classes } = networks[0].card;
let refused = null;
try {
  await app.predict("/predict", { image: handle_file(new Blob(["no picture"])) });
} catch (error) {
  refused = error.message;
}
console.log(JSON.stringify({ one, many, label: why.label, classes, refused }));
process.exit(0);
"""


@pytest.fixture(scope="module")
def described(server):
    with urllib.request.urlopen(f"{server}/gradio_api/info") as response:
        return json.load(response)["named_endpoints"]


def check(confidences):
    assert set(confidences) == set(CLASSES)
    assert sum(confidences.values()) == pytest.approx(1, abs=1e-6)
    return next(iter(confidences))


@pytest.mark.network
def test_javascript(server, tmp_path):
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("no Node.js and npm here")
    install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(tmp_path)]
    try:
        installed = subprocess.run(
            [*install, "@gradio/client@2.7.0"], capture_output=True, text=True, timeout=180
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer")
    if installed.returncode:
        pytest.skip(f"npm could not install @gradio/client: {installed.stderr[-200:]}")
    (tmp_path / "script.mjs").write_text(JAVASCRIPT)
    (tmp_path / "shirt.png").write_bytes(soaking.pictures()[0])
    run = subprocess.run(
        ["node", tmp_path / "script.mjs", server, tmp_path / "shirt.png"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    label = check(said["one"])
    assert [check(answer) for answer in said["many"]] == [label, label]
    assert said["label"] == label
    assert said["classes"] == list(CLASSES)
    assert "picture" in said["refused"]


def test_curl(server, tmp_path):
    if not shutil.which("curl"):
        pytest.skip("no curl here")

    def curl(*options):
        command = ["curl", "--silent", "--show-error", "--max-time", "60", *options]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    (tmp_path / "shirt.png").write_bytes(soaking.pictures()[0])
    (path,) = json.loads(curl("-F", f"files=@{tmp_path}/shirt.png", f"{server}/gradio_api/upload"))
    image = {"path": path, "meta": hostile.META}
    call = f"{server}/gradio_api/call/v2/predict"
    body = json.dumps({"image": image, "network": "mlp"})
    event = json.loads(curl("-H", "Content-Type: application/json", "-d", body, call))["event_id"]
    lines = curl("--no-buffer", f"{server}/gradio_api/call/predict/{event}").splitlines()
    assert lines[0] == "event: complete"
    check(json.loads(lines[1].removeprefix("data: "))[0])


def called(server, data):
    """The event with which /call ends, and its data."""
    _, text = serving.post(f"{server}/gradio_api/call/predict", {"data": data})
    url = f"{server}/gradio_api/call/predict/{json.loads(text)['event_id']}"
    with urllib.request.urlopen(url, timeout=60) as response:
        event, answer = response.read().decode().splitlines()[:2]
    return event, answer.removeprefix("data: ")


def test_call_with_the_picture_alone_and_without_meta(server):
    """As /call takes an array: options left out, or null as JavaScript writes undefined."""
    picture = hostile.data_url(soaking.pictures()[0])
    for data in ([picture], [picture, None, None]):
        event, answer = called(server, data)
        assert event == "event: complete", answer
        check(json.loads(answer)[0])
    event, answer = called(server, [{"path": "/shirt.png"}])
    assert event == "event: error"
    assert "The file lacks" in answer
    assert "gradio.FileData" in answer


def test_each_endpoint_is_described_with_types_and_examples(described):
    for name, endpoint in described.items():
        assert endpoint["description"], name
        for parameter in endpoint["parameters"]:
            assert parameter["label"].lower() == parameter["parameter_name"]
            assert parameter["type"]["additional_description"], (name, parameter["label"])
            assert parameter["example_input"] not in (None, "..."), (name, parameter["label"])
            assert parameter["python_type"]["type"] not in ("", "Any")


@pytest.mark.parametrize(
    "name", ["/predict", "/predict_many", "/explain", "/similar", "/compare", "/model_card"]
)
def test_the_api_page_s_own_python_runs_as_it_stands(described, name, capsys):
    exec(described[name]["code_snippets"]["python"], {})  # noqa: S102
    said = ast.literal_eval(capsys.readouterr().out.splitlines()[-1])
    if name == "/predict":
        assert check(said) == "T-shirt/top"
    if name == "/predict_many":
        assert [check(answer) for answer in said] == ["T-shirt/top"]
    if name == "/explain":
        assert said["label"] == "T-shirt/top"
    if name == "/similar":
        assert [sorted(each) for each in said] == 5 * [["distance", "index", "label"]]
    if name == "/compare":
        assert [check(each["confidences"]) for each in said] == 2 * ["T-shirt/top"]
    if name == "/model_card":
        assert said["networks"][0]["card"]["classes"] == list(CLASSES)


# MCP, so that an assistant can call the app as a tool.


def with_mcp(server, script):
    """What script, a coroutine of an MCP session, returns."""
    pytest.importorskip("mcp", reason="mcp is not installed: see requirements.txt")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def run():
        url = f"{server}/gradio_api/mcp/"
        async with streamable_http_client(url) as streams, ClientSession(*streams[:2]) as session:
            await session.initialize()
            return await script(session)

    return asyncio.run(run())


def test_mcp_tools_are_the_endpoints(server):
    tools = with_mcp(server, lambda session: session.list_tools()).tools
    assert {tool.name for tool in tools} == {
        *("predict", "predict_many", "explain", "similar", "compare", "model_card")
    }
    for tool in tools:
        assert tool.description
        assert all(field["description"] for field in tool.inputSchema["properties"].values())
    (predict,) = (tool for tool in tools if tool.name == "predict")
    assert predict.inputSchema["required"] == ["image"]
    assert predict.inputSchema["properties"]["image"]["type"] == "string"


def test_mcp_calls(server):
    tee = hostile.data_url(soaking.pictures()[0])

    async def calls(session):
        return [
            await session.call_tool("predict", {"image": tee, "network": "mlp"}),
            await session.call_tool("predict_many", {"images": [tee, tee], "network": "mlp"}),
            await session.call_tool("explain", {"image": tee, "network": "mlp"}),
            await session.call_tool("model_card", {"network": "mlp"}),
        ]

    results = with_mcp(server, calls)
    assert not any(result.isError for result in results), results
    one, many, why, card = (ast.literal_eval(result.content[0].text) for result in results)
    label = check(one)
    assert [check(answer) for answer in many] == [label, label]
    assert why["label"] == label
    assert card["networks"][0]["card"]["classes"] == list(CLASSES)


def test_mcp_opens_no_file_and_no_address_inside(server, tmp_path):
    """Gradio's MCP server runs a client of its own, which would upload a file of the server."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(soaking.pictures()[0])
    meta = {"path": str(secret), "meta": hostile.META}
    bad = [str(secret), f"file://{secret}", meta, {"path": str(secret)}, f"{server}/favicon.ico"]
    bad += ["data:image/png;base64,%%%", "data:,", "", 5, None, [], [meta], {"image": meta}]
    known = set(Path(serving.UPLOADS.name).rglob("*.png"))

    async def calls(session):
        results = []
        for image in bad:
            for tool in ("predict", "explain"):
                results.append(await session.call_tool(tool, {"image": image, "network": "mlp"}))
            listed = {"images": [image], "network": "mlp"}
            results.append(await session.call_tool("predict_many", listed))
        results.append(await session.call_tool("card", {"network": meta}))
        results.append(await session.call_tool("nothing", {}))
        results.append(await session.call_tool("predict", {}))
        results.append(await session.call_tool("predict", {"image": "", "extra": meta}))
        return results

    started = time.monotonic()
    results = with_mcp(server, calls)
    assert time.monotonic() - started < 120
    for result in results:
        assert result.isError, result
        text = result.content[0].text
        assert "Traceback" not in text
        assert "site-packages" not in text
    assert set(Path(serving.UPLOADS.name).rglob("*.png")) <= known
