"""A visitor trains the tutorial's network in a real Chromium: their own, beside ours."""

import base64
import json
import re
import urllib.request

import pytest
from playwright.sync_api import expect

import browsing
import fashion_model
import hostile
import serving
import soaking
from browsing import TEE
from fashion_model import checkpoint
from fashion_model.networks import NeuralNetwork
from fashion_model.web.translation import texts
from fashion_model.web.visitor_networks import AT_A_TIME

pytestmark = browsing.pytestmark

TRAIN_MS = 120_000  # on a machine that works on something else


class Trainer:
    """The panel on an open page."""

    def __init__(self, page):
        self.page, self.inner = page, page.page
        self.inner.locator("button[data-panel=train]").click()
        self.panel = self.inner.locator(".trainer")
        self.stand = self.panel.locator(".stand")
        expect(self.panel).to_be_visible()

    def start(self, epochs, batch="64"):
        self.panel.get_by_label("Epochs").fill(str(epochs))
        self.panel.get_by_label("Batch size").select_option(batch)
        self.page.button("Start training").click()

    def finish(self):
        expect(self.stand).to_have_text(re.compile("^(Trained|20 seconds)"), timeout=TRAIN_MS)

    def bring(self, file):
        self.panel.locator("input[type=file]").set_input_files(file)

    def points(self):
        """The places of the accuracy in the picture: [(x, y), ...]."""
        text = self.panel.locator("polyline.accuracy").get_attribute("points")
        return [tuple(map(float, place.split(","))) for place in text.split()]


def network(page, name):
    return page.page.locator("#network").get_by_label(name, exact=True)


def answer_of(page, action):
    """The drawing that action has the page send, and the reply of the server."""
    with page.page.expect_response(
        lambda response: '"read_picture"' in (response.request.post_data or "")
    ) as caught:
        action()
    question = json.loads(caught.value.request.post_data)["data"]
    return base64.b64decode(question["image"].partition(",")[2]), caught.value.json()


def test_a_network_is_trained_answers_is_opened_compared_taken_along_and_comes_back(
    visit, tmp_path
):
    page = visit()
    page.draw(TEE)
    page.settle()
    page.expect_answer()
    trainer = Trainer(page)
    expect(trainer.stand).to_have_text("Nothing is trained yet.")
    network(page, "Your network, untrained").check()
    expect(page.sentence).to_contain_text("Perhaps")  # by chance
    expect(page.page.locator(".bars .share").first).to_have_text(re.compile("^1[0-3]%$"))
    trainer.start(epochs=5, batch="32")  # seconds, so that the curve is seen growing
    expect(network(page, "Your network")).to_be_checked()
    bar = trainer.panel.get_by_role("progressbar")
    expect(trainer.stand).to_have_text("Training …", timeout=TRAIN_MS)
    before = trainer.points()
    trainer.finish()
    after = trainer.points()
    assert len(after) > len(before) >= 1
    assert after[: len(before)] == before  # the curve grows
    assert after[-1][1] < after[0][1] - 40  # accuracy: up is more right
    assert int(bar.get_attribute("aria-valuenow")) > 0
    page.settle()
    page.expect_answer()
    page.shoot("train")

    network(page, "Linear layers").check()
    page.settle()
    sent, reply = answer_of(page, network(page, "Your network").check)
    page.page.locator("button[data-panel=inside]").click()
    steps = page.page.locator(".panel .content:not(.stale) .step")
    expect(steps).to_have_count(9)
    first = str(NeuralNetwork().linear_relu_stack[0])
    expect(steps.nth(2).locator("code:not(.line)").first).to_have_text(first)
    page.page.locator("button[data-panel=compare]").click()
    compared = page.page.locator(".panel .content:not(.stale) .network")
    expect(compared).to_have_count(3)
    expect(compared.last.locator("h3")).to_contain_text("Your network")

    page.page.locator("button[data-panel=train]").click()
    with page.page.expect_download() as download:
        page.button("Download").click()
    assert download.value.suggested_filename == "my-network.safetensors"
    download.value.save_as(tmp_path / "my-network.safetensors")
    shown = page.page.locator(".along pre").inner_text()
    assert 'fashion_model.load("my-network.safetensors")' in shown
    classifier = fashion_model.load(tmp_path / "my-network.safetensors", device="cpu")
    there = classifier.predict(sent, "drawing")
    assert dict(reply["confidences"]) == pytest.approx(there, abs=1e-6)

    page.page.reload()  # which it survives
    network(page, "Your network").check()
    trainer = Trainer(page)
    expect(trainer.stand).to_have_text(re.compile("^(Trained|20 seconds)"))
    assert len(trainer.points()) > 1  # the curve too

    page.page.evaluate("sessionStorage.clear()")
    page.page.reload()
    expect(page.page.locator("#network label")).to_have_count(2)
    trainer = Trainer(page)
    trainer.bring(tmp_path / "my-network.safetensors")
    expect(trainer.stand).to_have_text("Your network is back.")
    sent, _ = answer_of(page, page.button("Bag").click)
    network(page, "Your network").check()
    page.settle()
    page.expect_answer()
    expected = classifier.predict(sent, "drawing")
    label = page.page.locator(".bars .first .label")
    expect(label).to_have_text(next(iter(expected)))

    (tmp_path / "text.safetensors").write_text("no network")
    trainer.bring(tmp_path / "text.safetensors")
    expect(trainer.stand).to_contain_text("This file holds no network of the tutorial.")
    expect(network(page, "Your network")).to_be_checked()  # the one before is still there


def ask(server, name, question):
    """What a server function of the panels answers."""
    config = json.load(urllib.request.urlopen(f"{server}/config"))
    (component,) = [
        each for each in config["components"] if name in (each["props"].get("server_fns") or [])
    ]
    body = {"data": question, "component_id": component["id"], "fn_name": name}
    status, text = serving.post(
        f"{server}/gradio_api/component_server", {**body, "session_hash": "x"}
    )
    assert status == 200
    return json.loads(text)


def test_a_double_click_starts_one_training(visit):
    page = visit()
    trainer, started = Trainer(page), []
    page.page.on(
        "request", lambda sent: started.append('"start_training"' in (sent.post_data or ""))
    )
    trainer.panel.get_by_label("Epochs").fill("1")
    page.button("Start training").dblclick()
    trainer.finish()
    assert sum(started) == 1


def test_a_second_visitor_sees_nothing_of_it_waits_for_a_place_and_stops(visit, server):
    page = visit()
    trainer = Trainer(page)
    options = {"epochs": 100, "batch_size": 8}  # until it is stopped, or 20 s are over
    first = [ask(server, "start_training", {"options": options}) for _ in range(AT_A_TIME)]
    trainer.start(epochs=1)
    expect(trainer.stand).to_have_text("Others are training. Your place in the queue: 1.")
    expect(page.page.locator("#network label")).to_have_count(3)  # ours, and their own alone
    page.button("Stop").click()
    expect(trainer.stand).to_have_text("Nothing is trained yet.")
    trainer.start(epochs=100, batch="8")
    expect(page.button("Start training")).to_be_disabled()
    for each in first:
        ask(server, "stop_training", each)
    expect(trainer.stand).to_have_text("Training …", timeout=TRAIN_MS)
    page.button("Stop").click()
    expect(trainer.stand).to_contain_text("Stopped: right about")
    expect(page.button("Start training")).to_be_enabled()
    expect(page.button("Download")).to_be_enabled()
    still = trainer.points()
    page.page.wait_for_timeout(1000)
    assert trainer.points() == still


def test_a_forgotten_network_is_told_and_ours_answers_again(visit, server, tmp_path):
    page = visit()
    trainer = Trainer(page)
    file = tmp_path / "mine.safetensors"
    checkpoint.save(file, NeuralNetwork(), {"architecture": "mlp"})
    trainer.bring(file)
    expect(trainer.stand).to_have_text("Your network is back.")
    page.button("Let it answer").click()
    expect(network(page, "Your network")).to_be_checked()
    name = page.page.evaluate("window.fashion.yours")
    # Another takes its place elsewhere, and so the server forgets this one
    client = soaking.Client(server)
    upload = {"path": client.upload(file.read_bytes()), "meta": hostile.META}
    client.close()
    ask(server, "upload_network", {"file": upload, "network": name})
    page.button("Bag").click()
    expect(page.page.locator(".notice p")).to_contain_text("Your network was forgotten")
    expect(network(page, "Convolutions")).to_be_checked()
    expect(page.page.locator("#network label")).to_have_count(2)
    page.expect_answer()
    page.page.reload()
    expect(page.page.locator("#network label")).to_have_count(2)


def test_the_loop_says_what_is_chosen_and_a_loss_that_is_no_number_is_explained(visit):
    page = visit()
    trainer = Trainer(page)
    marks = trainer.panel.locator(".loop mark")
    expect(marks).to_have_text(["bundled", "64", "Adam", "0.001", "10"])
    trainer.panel.get_by_label("Optimizer").select_option("SGD, as in the tutorial")
    rate = trainer.panel.get_by_label("Learning rate")
    rate.evaluate("select => select.append(new Option('10'))")  # more than the page offers
    rate.select_option("10")
    trainer.start(epochs=3, batch="32")
    expect(marks).to_have_text(["bundled", "32", "SGD", "10", "3"])
    expect(trainer.stand).to_contain_text("The loss is no number any more", timeout=TRAIN_MS)
    expect(page.button("Start training")).to_be_enabled()


def test_by_keyboard_in_chinese_and_with_a_small_screen(visit):
    page = visit(viewport={"width": 320, "height": 640}, locale="zh-CN", color_scheme="dark")
    chinese = texts()["zh"]
    page.page.locator("button[data-panel=train]").focus()
    page.page.keyboard.press("Enter")
    expect(page.page.locator(".trainer .stand")).to_have_text(chinese["train.untrained"])
    page.page.get_by_label(chinese["train.epochs"]).focus()
    page.page.keyboard.press("Control+a")
    page.page.keyboard.type("1")
    page.page.keyboard.press("Enter")  # sends the form
    expect(page.page.locator(".trainer .stand")).to_have_text(
        re.compile("^(训练完成|20 秒)"), timeout=TRAIN_MS
    )
    english = set(texts()["en"].values())
    parts = page.page.locator(".panel :is(h2, h3, p, button, option, label span)").all_inner_texts()
    assert not {text for text in parts if text} & english
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 320
    page.shoot("train-zh")
