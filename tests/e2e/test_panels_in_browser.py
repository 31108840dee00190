"""The panels below the answer and the page's languages, in a real Chromium: on a drawing made with
the mouse and on an uploaded photo."""

import re
from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageDraw
from playwright.sync_api import expect

import browsing
import fashion_model
from browsing import ASK, PHONE, TEE
from fashion_model import CLASSES, checkpoint, retrieval
from fashion_model.evaluation.model_card import accuracy, parameter_count
from fashion_model.explain import steps_of
from fashion_model.networks import NETWORKS
from fashion_model.web.panels import UNITS
from fashion_model.web.translation import texts

pytestmark = browsing.pytestmark

LAPTOP = {"width": 1366, "height": 768}
BOTH = pytest.mark.parametrize("shown", ["drawn", "uploaded"], indirect=True)
NAMES = [name for name in NETWORKS if checkpoint.resolve(name).is_file()]
# What moved on the page without being asked for, as the browser itself adds it up.
SHIFTS = """() => { window.shifts = 0; new PerformanceObserver((list) => {
for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true }); }"""


def start(page, source, photo):
    """An answer, from a drawing made with the mouse or from an uploaded photo."""
    if source == "drawn":
        page.draw(TEE)
        page.settle()
    else:
        page.page.get_by_role("tab").nth(1).click()
        page.upload(photo)
    page.expect_answer()


def unfold(page, panel):
    button = page.page.locator(f"button[data-panel={panel}]")
    if button.get_attribute("aria-expanded") != "true":
        button.click()
    content = page.page.locator(f".panel[data-panel={panel}] .content:not(.stale)")
    expect(content.locator("> *").first).to_be_visible(timeout=60_000)
    return content


@pytest.fixture(scope="module")
def shown(open_pages, photo_file, request):
    """The page with an answer; what the default network reads of a picture of the same kind."""
    page, photo = open_pages(viewport=LAPTOP), photo_file
    start(page, request.param, photo)
    classifier = fashion_model.load(device="cpu")
    drawing = Image.new("L", (400, 400), 255)
    ImageDraw.Draw(drawing).line(TEE, fill=0, width=14)
    picture, kind = (drawing, "drawing") if request.param == "drawn" else (photo, "photo")
    return page, request.param, classifier, classifier.preprocess(picture, kind)


@BOTH
def test_step_by_step(shown):
    page, source, classifier, model_input = shown
    steps = steps_of(classifier, model_input)
    content = unfold(page, "inside")
    expect(content.locator(".step")).to_have_count(len(steps))
    note = page.page.locator(".network-input span").inner_text()
    modules = content.locator(".step .module").all_inner_texts()
    assert modules == [note, *(step.module for step in steps[1:])]
    expect(content.locator(".units img")).to_have_count(UNITS)
    expect(content.locator(".sum tr")).to_have_count(3)
    for row in content.locator(".sum tr").all():
        cells = row.locator("td").all_inner_texts()
        *_, power, total, quotient = map(float, re.findall(r"[\d.]+", " ".join(cells[1:])))
        assert quotient == pytest.approx(power / total, abs=1e-3)
    page.shoot(f"inside-{source}")


@BOTH
def test_similar_training_images(shown):
    page, source, _, _ = shown
    content = unfold(page, "similar")
    expect(content.locator("figure")).to_have_count(6)
    labels = content.locator("figure:not(.yours) b").all_inner_texts()
    assert set(labels) <= set(CLASSES)
    texts = content.locator("figure:not(.yours) span:nth-of-type(1)").all_inner_texts()
    distances = [float(text.removeprefix("distance ")) for text in texts]
    assert distances == sorted(distances)
    assert 0 <= distances[0] <= distances[-1] < 1
    about = page.page.locator(".panel .about").inner_text()
    assert f"a subset: {len(retrieval.load_subset().indices):,} of the 60,000" in about
    page.shoot(f"similar-{source}")


@BOTH
def test_networks_side_by_side(shown):
    page, source, _, model_input = shown
    kind = model_input.kind
    content = unfold(page, "compare")
    expect(content.locator(".network")).to_have_count(len(NAMES))
    for column, name in enumerate(sorted(NAMES, key=fashion_model.DEFAULT.__ne__)):
        one = content.locator(".network").nth(column)
        classifier = fashion_model.load(name, device="cpu")
        facts = one.locator("dd").all_inner_texts()
        assert facts[0] == f"{parameter_count(classifier.networks[kind]):,}"
        assert float(facts[1].removesuffix(" ms")) >= 0
        share = accuracy(classifier.cards[kind], kind)
        digits = 2 if kind == "dataset" else 1
        assert facts[2] == ("–" if share is None else f"{share * 100:.{digits}f}%")
        expect(one.locator("dt").last).to_have_text(f"right on {kind}s it never saw")
        shares = [s.strip("%") for s in one.locator(".share").all_inner_texts()]
        assert [float(s) for s in shares] == sorted(map(float, shares), reverse=True)
    page.shoot(f"compare-{source}")


@pytest.mark.parametrize("shown", ["uploaded"], indirect=True)
def test_the_maps_of_why_lie_over_an_uploaded_photo(shown):
    page, *_ = shown
    first, second = (page.page.locator(".saliency img").nth(i) for i in (0, 1))
    expect(first).to_be_visible()
    expect(second).to_be_visible()
    shape = first.evaluate("image => image.naturalWidth / image.naturalHeight")
    assert shape == pytest.approx(640 / 480, abs=0.01)  # the photo's own, not 28x28
    orange = """image => { const c = document.createElement("canvas");
    [c.width, c.height] = [image.naturalWidth, image.naturalHeight];
    const context = c.getContext("2d"); context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, c.width, c.height), box = [1, 1, 0, 0];
    for (let i = 0; i < data.length; i += 4) if (data[i] > data[i + 2] + 80) {
      const x = (i / 4 % c.width) / c.width, y = Math.floor(i / 4 / c.width) / c.height;
      [box[0], box[1]] = [Math.min(box[0], x), Math.min(box[1], y)];
      [box[2], box[3]] = [Math.max(box[2], x), Math.max(box[3], y)]; }
    return box; }"""
    left, top, right, bottom = first.evaluate(orange)
    assert 0.15 < left < right < 0.85  # on the garment, which lies from 0.23 to 0.77
    assert 0.1 < top < bottom < 0.93
    before = first.get_attribute("src")
    page.button("Why Bag?").click()
    expect(page.page.locator(".saliency b").first).to_have_text("Why Bag?")
    expect(first).not_to_have_attribute("src", before)
    page.shoot("why-photo")


@pytest.mark.parametrize("shown", ["uploaded"], indirect=True)
def test_a_tall_photo_keeps_its_proportions(shown, photo, tmp_path):
    """Last of those that look at this page: it shows another picture."""
    page, *_ = shown
    with Image.open(photo) as wide:
        wide.resize((480, 640)).save(tmp_path / "tall.jpg")

    def expect_tall(which):
        page.page.wait_for_function(
            """(which) => { const box = document.querySelector(which).getBoundingClientRect();
            return Math.abs(box.width / box.height - 480 / 640) < 0.02; }""",
            arg=which,
        )

    page.upload(tmp_path / "tall.jpg")
    expect_tall("[data-rank='0'] img")
    page.page.locator("#picture .preview").click()  # cuts the garment out
    for which in ("[data-rank='0'] img", "[data-rank='1'] img", ".segmented img"):
        expect_tall(which)


def test_an_open_panel_follows_the_drawing(visit):
    page = visit(viewport=LAPTOP)
    page.page.locator("button[data-panel=similar]").click()
    expect(page.page.locator(".panel .state")).to_contain_text("Draw or upload something first")
    page.page.evaluate("scrollTo(0, 0)")
    page.draw(TEE)
    page.settle()
    page.expect_answer()
    yours = page.page.locator(".neighbours .yours img")
    expect(yours).to_be_visible(timeout=60_000)
    # It may still be that of half the tee.
    expect(yours).to_have_attribute("src", page.network_input())
    page.draw([(60, 200), (340, 200)])
    page.settle()
    expect(yours).to_have_attribute("src", page.network_input(), timeout=60_000)
    page.button("Clear").click()
    expect(page.page.locator(".neighbours")).to_have_count(0)


def test_a_panel_whose_server_is_lost_says_so(visit):
    page = visit(viewport=LAPTOP)
    start(page, "drawn", None)
    expect(page.page.locator(".saliency img").first).to_be_visible()
    page.page.route(ASK, lambda route: route.abort())
    page.page.locator("button[data-panel=compare]").click()
    expect(page.page.locator(".panel .state")).to_contain_text("did not answer")
    lost = ("net::ERR_FAILED", "Failed to fetch")
    page.logged = [line for line in page.logged if not any(text in line for text in lost)]


# What colors and sizes decide; all else in a panel is the same in both looks
BY_LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable")


@pytest.mark.parametrize(("scheme", "size"), [("light", (1366, 768)), ("dark", (390, 664))])
def test_axe_finds_nothing_serious(visit, photo, scheme, size):
    page = visit(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)

    def check(state, part=None):
        options = {"resultTypes": ["violations"], "preload": False}  # there are no films to load
        if part and scheme == "dark":
            options["runOnly"] = {"type": "rule", "values": BY_LOOKS}
        found = Axe().run(page.page, part, options).response["violations"]
        amiss = [
            (state, v["id"], [node["html"] for node in v["nodes"]])
            for v in found
            if v["impact"] in ("serious", "critical")
        ]
        assert amiss == []

    check("empty")
    start(page, "drawn", None)
    for panel in ("inside", "similar", "compare", "card", "train"):
        unfold(page, panel)
        page.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = 1")
        check(panel, ".panel")
    start(page, "uploaded", photo)
    check("uploaded")


def test_nothing_jumps_as_answers_arrive(visit, photo):
    page = visit(viewport=LAPTOP, reduced_motion="no-preference")
    page.page.wait_for_timeout(1000)  # Gradio has put the page together
    page.page.evaluate(SHIFTS)
    for source in ("drawn", "uploaded"):
        before = page.page.evaluate("window.shifts")
        start(page, source, photo)
        expect(page.page.locator(".saliency img").nth(1)).to_be_visible()
        page.page.wait_for_timeout(700)
        shifted = page.page.evaluate("window.shifts") - before
        assert shifted < 0.02, source  # below 0.1 counts as good
        assert page.page.evaluate("document.documentElement.scrollHeight") <= LAPTOP["height"]
        for part in ("#question", ".answer .bars", ".saliency[data-rank='1']", ".more .choices"):
            box = page.page.locator(part).bounding_box()
            assert box["y"] + box["height"] <= LAPTOP["height"], (source, part)


def test_on_a_phone_one_lies_under_the_other(visit):
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    page.touch(TEE)
    page.expect_answer()
    unfold(page, "card")
    parts = ["canvas", ".sentence", ".answer .bars", ".views", ".choices", ".panel"]
    boxes = page.page.evaluate(  # all at once: the page may be scrolling
        "parts => parts.map((part) => document.querySelector(part).getBoundingClientRect())"
        ".map((box) => box.toJSON())",
        parts,
    )
    for above, below in pairwise(boxes):
        assert above["y"] + above["height"] <= below["y"] + 1
    assert page.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.shoot("card-phone")


def test_chinese_in_a_chinese_browser(visit, tmp_path):
    page = visit(viewport=LAPTOP, locale="zh-CN")
    chinese = texts()["zh"]
    expect(page.page.get_by_role("tab").first).to_have_text(chinese["tab.draw"])
    expect(page.page).to_have_title(chinese["title"])
    page.expect_state("empty")
    expect(page.sentence).to_have_text(chinese["empty.draw"])
    page.draw(TEE)
    page.settle()
    page.expect_answer()
    expect(page.sentence).to_contain_text(chinese["label.T-shirt/top"])
    labels = page.page.locator(".answer .bars .label").all_inner_texts()
    assert set(labels) == {chinese[f"label.{name}"] for name in CLASSES}
    english = set(texts()["en"].values())
    for panel in ("inside", "similar", "compare", "card", "train"):
        content = unfold(page, panel)
        parts = content.locator("h3, h4, p, figcaption b, dt, th, summary, li b").all_inner_texts()
        same = {text for text in parts if text in english}
        assert same <= {"Softmax"}, panel
    page.shoot("card-zh-CN")
    page.page.get_by_role("tab").nth(1).click()
    (tmp_path / "wrong.png").write_text("I am a text file.")
    page.upload(tmp_path / "wrong.png")
    page.expect_state("error")
    expect(page.sentence).to_have_text(chinese["error.no picture"])
    page.shoot("error-zh-CN")
