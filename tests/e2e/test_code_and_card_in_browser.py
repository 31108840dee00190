"""Step by step with its code, and the model card, in a real Chromium: wide and narrow, light and
dark, in both languages."""

import ast
import functools
import json
from itertools import pairwise

import pytest
from playwright.sync_api import expect

import browsing
import fashion_model
from browsing import PHONE
from fashion_model import CLASSES, script
from fashion_model.evaluation.model_card import accuracy, model_card
from fashion_model.explain import steps_of
from fashion_model.web.translation import texts
from test_panels_in_browser import LAPTOP, start, unfold

pytestmark = browsing.pytestmark

SMALL = {"width": 320, "height": 568}
LOOKS = [
    (1366, "light", "en-US"),
    (390, "dark", "zh-CN"),
    (320, "light", "en-US"),
]


@functools.cache
def loaded(name=fashion_model.DEFAULT):
    return fashion_model.load(name, device="cpu")


def words(locale):
    return texts()["zh" if locale.startswith("zh") else "en"]


def expect_no_sideways_scroll(page):
    width = page.page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.page.viewport_size["width"]


def answers_of(page):
    """A list that gets the confidences of each answer that the page receives, by label."""
    found = []

    def read(response):
        if browsing.ASK.search(response.url):
            reply = json.loads(response.text())
            if "confidences" in reply:
                found.append(dict(reply["confidences"]))

    page.page.on("response", read)
    return found


@pytest.fixture(scope="module", params=LOOKS, ids=lambda look: "-".join(map(str, look)))
def look(open_pages, photo_file, request):
    """A page with a photo's answer, in a size, a scheme and a language, and its name."""
    width, scheme, locale = request.param
    size = next(each for each in (LAPTOP, PHONE, SMALL) if each["width"] == width)
    page = open_pages(viewport=size, color_scheme=scheme, locale=locale)
    start(page, "uploaded", photo_file)
    return page, words(locale), f"{width}-{scheme}-{locale}"


def test_each_step_shows_its_line_of_code(look, photo_file):
    """And where the clipboard is closed, the script is selected."""
    (page, say, name), photo = look, photo_file
    classifier = loaded()
    steps = steps_of(classifier, classifier.preprocess(photo, "photo"))
    content = unfold(page, "inside")
    lines = content.locator(".step .line")
    assert lines.all_inner_texts() == [step.code for step in steps]
    for line in (lines.first, lines.last):
        expect(line).to_be_visible()
        box, panel = line.bounding_box(), page.page.locator(".panel").bounding_box()
        assert panel["x"] < box["x"]
        assert box["x"] + box["width"] < panel["x"] + panel["width"]
    code = content.locator(".script pre")
    expect(code).to_be_hidden()
    summary = content.locator(".script summary")
    count = len(code.text_content().splitlines())
    expect(summary).to_have_text(say["script"].format(lines=count))
    summary.focus()
    page.page.keyboard.press("Enter")
    expect(code).to_be_visible()
    expect(page.button(say["script.copy"])).to_be_visible()
    expect_no_sideways_scroll(page)
    page.shoot(f"code-{name}")
    page.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.button(say["script.copy"]).click()
    expect(content.locator(".copied")).to_have_text(say["script.select"])
    selected = page.page.evaluate("getSelection().toString()")
    assert selected.strip() == code.inner_text().strip()


def test_the_copied_script_prints_the_numbers_of_the_answer(
    visit, photo, tmp_path, monkeypatch, capsys
):
    page = visit(viewport=LAPTOP, permissions=["clipboard-read", "clipboard-write"])
    answers = answers_of(page)
    monkeypatch.chdir(tmp_path)
    for source, network in (("drawn", "mlp"), ("uploaded", "cnn")):
        page.page.locator(f"#network input[value={network}]").check()
        start(page, source, photo)
        content = unfold(page, "inside")
        content.locator(".script summary").click()
        page.button("Copy").click()
        expect(content.locator(".copied")).to_have_text("Copied.")
        copied = page.page.evaluate("navigator.clipboard.readText()")
        assert len(copied.splitlines()) <= 30
        save = content.locator("a[download]")
        assert save.count() == int((source, network) == ("uploaded", "cnn"))
        if save.count():
            with page.page.expect_download() as download:
                save.click()
            assert download.value.suggested_filename == script.INPUT_FILE
            download.value.save_as(tmp_path / script.INPUT_FILE)
        exec(copied, {})  # noqa: S102
        printed = dict(ast.literal_eval(line) for line in capsys.readouterr().out.splitlines())
        assert list(printed) == list(CLASSES)
        assert printed == pytest.approx(answers[-1], abs=1e-5)
        page.page.locator("button[data-panel=inside]").click()  # folded, until the next answer


def test_side_by_side_are_the_figures_of_the_networks_that_answered(look):
    page, say, look_name = look
    content = unfold(page, "compare")
    for place, name in enumerate(("cnn", "mlp")):
        classifier = loaded(name)
        one = content.locator(".network").nth(place)
        expect(one.locator("h3")).to_contain_text(say[f"network.{name}"])
        network, card = classifier.networks["photo"], classifier.cards["photo"]
        expect(one.locator("h3 code")).to_have_text(type(network).__name__)
        parameters, _, share = one.locator("dd").all_inner_texts()
        assert parameters == f"{sum(p.numel() for p in network.parameters()):,}"
        assert share == f"{accuracy(card, 'photo') * 100:.1f}%"
        labels = one.locator("dt").all_inner_texts()
        assert labels[2] == say["compare.accuracy.photo"]
    expect_no_sideways_scroll(page)
    page.shoot(f"compare-{look_name}")


def test_the_model_card_in_three_glances(look):
    """A sentence and three numbers, where it fails, and the rest folded."""
    page, say, name = look
    content = unfold(page, "card")
    networks = model_card(loaded())["networks"]
    expect(content.locator(".network")).to_have_count(len(networks))
    for place, network in enumerate(networks):
        one = content.locator(".network").nth(place)
        expect(one.locator(".what")).to_have_text(say[f"card.is.{network['card']['architecture']}"])
        numbers = one.locator(".facts dd").all_inner_texts()
        assert len(numbers) == 3
        boxes = [number.bounding_box() for number in one.locator(".facts dd").all()]
        for first, second in pairwise(boxes):  # beside or below each other, never on each other
            apart = first["x"] + first["width"] <= second["x"]
            assert apart or first["y"] + first["height"] <= second["y"]
        assert f"{network['parameters']:,}" in numbers
        shares = [accuracy(network["card"] | network, kind) for kind in network["kinds"]]
        assert f"{shares[0] * 100:.1f}"[:-1] in numbers[0]
        expect(one.locator("pre")).to_be_hidden()
        for kind in network["kinds"]:
            expect(one.locator("h4")).to_have_text(say[f"card.fails.{kind}"])
        shown = [
            network["results"][kind]["confused"][: 4 // len(network["kinds"])]
            for kind in network["kinds"]
        ]
        confused = [each for some in shown for each in some]
        expect(one.locator(".confusions li")).to_have_count(len(confused))
        first = {key: f"{confused[0][key]:,}" for key in ("count", "of")}
        expect(one.locator(".confusions .count").first).to_have_text(
            say["card.confused.count"].format(**first)
        )
        drawn = "images => images.every((image) => image.complete && image.naturalWidth >= 28)"
        assert one.locator(".confusions img").evaluate_all(drawn)
        examples = [url for each in confused for url in each["examples"]]
        expect(one.locator(".confusions img")).to_have_count(len(examples))
        made_up = one.get_by_text(say["card.private"])
        expect(made_up).to_have_count(int("dataset" not in network["kinds"]))
    expect(content.locator(".origins")).to_be_hidden()
    expect_no_sideways_scroll(page)
    page.shoot(f"card-{name}")


@pytest.mark.parametrize("look", LOOKS[:1], indirect=True, ids=["laptop"])
def test_all_figures_of_the_model_card_unfold(look):
    page, _, _ = look
    content = unfold(page, "card")
    networks = model_card(loaded())["networks"]
    for place, network in enumerate(networks):
        one = content.locator(".network").nth(place)
        one.locator("summary").first.focus()
        page.page.keyboard.press("Enter")
        for summary in one.locator("details details summary").all():
            summary.click()
        expect(one.locator("pre")).to_have_text(network["print"])
        expect(one.locator(".curve rect:visible").first).to_be_visible()  # a bin may be empty
        assert " 0 other pictures" not in one.inner_text()
        dataset = network["results"].get("dataset")
        if dataset:
            cells = one.locator(".matrix td").all_inner_texts()
            assert sum(int(cell.replace(",", "") or 0) for cell in cells) == dataset["count"]
    content.locator(".data summary").click()
    listed = content.locator(".origins").inner_text()
    for network in networks:
        for text in (*network["card"]["data"], *network["card"].get("icon_sets", ())):
            assert listed.count(text.removeprefix("icon (").rstrip(")")) >= 1
    assert listed.count("Zalando SE, MIT") <= 2  # once with all images, once without the last
    page.page.locator("button[data-panel=card]").click()
    expect(page.page.locator(".panel")).to_be_hidden()
