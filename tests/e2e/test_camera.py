"""The camera: a picture that it takes, and what the page says where there is none to use."""

import pytest
from playwright.sync_api import expect

import browsing
from fashion_model.web.translation import texts

pytestmark = browsing.pytestmark
browser, visit = browsing.browser, browsing.visit
SENTENCES = {  # by the error with which the browser refuses
    "NotFoundError": "none",
    "NotAllowedError": "denied",
    "OverconstrainedError": "none",
    "NotReadableError": "busy",
    "SecurityError": "denied",
    "AbortError": "failed",
}


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_the_camera_says_what_to_do(visit, locale):
    page, words = visit(locale=locale), texts()[locale[:2]]
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


def test_a_picture_is_taken_with_the_camera(browser, server):
    """The browser's own test picture, by a canvas that is filmed."""
    page = browsing.Page(browser, server)
    page.tab("Upload")
    page.page.evaluate(
        """() => { const canvas = Object.assign(document.createElement("canvas"), { width: 320,
        height: 240 }); const paper = canvas.getContext("2d");
        setInterval(() => { paper.fillStyle = "#ddd"; paper.fillRect(0, 0, 320, 240);
        paper.fillStyle = "#236"; paper.fillRect(120, 40, 80, 160); }, 30);
        const media = { getUserMedia: async () => canvas.captureStream() };
        Object.defineProperty(navigator, "mediaDevices", { value: media }); }"""
    )
    page.button("Camera").click()
    expect(page.page.locator("#picture video")).to_be_visible()
    page.page.wait_for_function("document.querySelector('#picture video').videoWidth > 0")
    page.button("Take the picture").click()
    expect(page.page.locator("#picture .preview")).to_be_visible()
    expect(page.page.locator("#picture video")).to_be_hidden()
    page.expect_answer()
    page.context.close()
