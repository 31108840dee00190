"""The camera: a picture that it takes, and what the page says where there is none to use."""

import pytest
from playwright.sync_api import expect

import browsing
from fashion_model.web.translation import texts

pytestmark = browsing.pytestmark
SENTENCES = {  # by the error with which the browser refuses
    "NotFoundError": "none",
    "NotAllowedError": "denied",
    "OverconstrainedError": "none",
    "NotReadableError": "busy",
    "SecurityError": "denied",
    "AbortError": "failed",
}


def test_the_camera_says_what_to_do(visit):
    page, words = visit(locale="zh-CN"), texts()["zh"]
    page.page.get_by_role("tab").nth(1).click()
    camera = page.page.locator("[data-do=camera]")
    for name, key in SENTENCES.items():
        page.page.evaluate(
            f"""() => {{ const media = {{ getUserMedia: async () => {{
            throw new DOMException("", "{name}"); }} }};
            Object.defineProperty(navigator, "mediaDevices",
            {{ value: media, configurable: 1 }}); }}"""
        )
        camera.click()
        expect(page.notice).to_have_text(words[f"camera.{key}"])
        expect(page.notice).to_be_visible()
    page.page.evaluate(
        """() => { Object.defineProperty(window, "isSecureContext", { value: false });
        Object.defineProperty(navigator, "mediaDevices", { value: undefined, configurable: 1 });
        }"""
    )
    camera.click()
    expect(page.notice).to_have_text(words["camera.insecure"])


def test_inside_another_page_the_camera_says_where_to_open_this_one(browser, server):
    """As on Hugging Face, whose page forbids it."""
    page = browser.new_page(locale="en-US")
    page.add_init_script(
        """navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException("", "NotAllowedError"); };"""
    )
    page.goto(f"{server}/config")  # any page of the same server
    page.evaluate("document.body.innerHTML = '<iframe src=\"/\" width=900 height=700></iframe>'")
    frame = page.frame_locator("iframe")
    frame.get_by_role("tab", name="Upload").click()
    frame.locator("[data-do=camera]").click()
    expect(frame.locator(".notice p")).to_contain_text(f"in a tab of its own: {server}/")
    page.close()


FILM = """() => { const canvas = Object.assign(document.createElement("canvas"), { width: 320,
height: 240 }); const paper = canvas.getContext("2d");
setInterval(() => { paper.fillStyle = "#ddd"; paper.fillRect(0, 0, 320, 240);
paper.fillStyle = "#236"; paper.fillRect(120, 40, 80, 160); }, 30);
Object.assign(window, { asked: [], given: [], allowed: null, film: () => canvas.captureStream() });
const media = { getUserMedia: async (wish) => { asked.push(wish); await allowed;
given.push(film()); return given.at(-1); } };
Object.defineProperty(navigator, "mediaDevices", { value: media }); }"""
LIVE = """() => given.filter((media) => media.getTracks().some((track) =>
track.readyState === "live")).length"""


@pytest.fixture
def filming(visit):
    """The Upload tab, with a canvas as its camera. In the page: asked and given, what it wished and
    got; allowed, a promise until the visitor has allowed it; film, which begins."""
    page = visit()
    page.tab("Upload")
    page.page.evaluate(FILM)
    return page


def press_camera(page):
    page.button("Camera").click()
    expect(page.page.locator("#picture video")).to_be_visible()
    assert page.page.evaluate(LIVE) == 1


def expect_no_camera(page):
    expect(page.page.locator("#picture video")).to_be_hidden()
    expect(page.button("Cancel")).to_be_hidden()
    assert page.page.evaluate(LIVE) == 0  # its light is off
    expect(page.notice).to_be_hidden()


def test_a_picture_is_taken_with_the_camera(filming):
    page = filming
    press_camera(page)
    assert page.page.evaluate("asked") == [{"video": {"facingMode": "environment"}}]
    for other in (*map(page.button, ("File", "Camera", "Paste")), page.page.locator(".invitation")):
        expect(other).to_be_hidden()
    page.page.wait_for_function("document.querySelector('#picture video').videoWidth > 0")
    page.button("Take the picture").click()
    expect(page.page.locator("#picture .preview")).to_be_visible()
    expect_no_camera(page)
    page.expect_answer()
    press_camera(page)
    expect(page.page.locator("#picture .preview")).to_be_hidden()


def test_the_camera_goes_off_where_it_is_left(filming, photo):
    page = filming
    for leave in (
        lambda: page.button("Cancel").click(),
        lambda: page.tab("Draw"),
        lambda: page.upload(photo),
    ):
        press_camera(page)
        leave()
        expect_no_camera(page)
        page.tab("Upload")
    page.page.evaluate("() => { allowed = new Promise((done) => { window.allow = done; }); }")
    page.button("Camera").click()
    page.tab("Draw")  # while the browser asks
    page.tab("Upload")
    page.page.evaluate("allow()")
    page.page.wait_for_timeout(100)
    assert page.page.evaluate("given.length") == 4
    expect_no_camera(page)


def test_a_camera_without_a_picture_takes_none(filming):
    page = filming
    page.page.evaluate("() => { film = () => document.createElement('canvas').captureStream(0); }")
    press_camera(page)
    page.button("Take the picture").click()
    page.page.wait_for_timeout(100)
    expect(page.page.locator("#picture video")).to_be_visible()
    page.button("Cancel").click()
    page.page.wait_for_timeout(100)
    expect_no_camera(page)
    page.page.evaluate(
        """() => { HTMLMediaElement.prototype.play = async () => {
        throw new DOMException("", "AbortError"); }; }"""
    )
    page.button("Camera").click()
    expect(page.notice).to_have_text(texts()["en"]["camera.failed"])
    assert page.page.evaluate(LIVE) == 0
