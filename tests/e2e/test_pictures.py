"""Pictures that are pasted, dropped, filmed, or of a kind that the browser does not know."""

import base64
import io
import re
import signal

import pytest
from PIL import Image
from playwright.sync_api import expect

import browsing
import serving
from browsing import TEE

pytestmark = browsing.pytestmark
browser, visit, photo = browsing.browser, browsing.visit, browsing.photo
# What a browser hands over: a clipboard or a drag with files, or with text.
TRANSFER = """([body, name, type, text]) => { const transfer = new DataTransfer();
if (body) transfer.items.add(new File([Uint8Array.from(atob(body), (c) => c.charCodeAt(0))],
name, { type })); else transfer.setData("text/plain", text); return transfer; }"""
PASTE = f"""(what) => {{ const clipboardData = ({TRANSFER})(what);
document.activeElement.dispatchEvent(new ClipboardEvent("paste",
{{ clipboardData, bubbles: true, cancelable: true }})); }}"""
DROP = f"""([where, ...what]) => {{ const dataTransfer = ({TRANSFER})(what), taken = [];
for (const name of ["dragenter", "dragover", "drop"]) taken.push(!document.querySelector(where)
.dispatchEvent(new DragEvent(name, {{ dataTransfer, bubbles: true, cancelable: true }})));
return taken; }}"""


def packed(path):
    return [base64.b64encode(path.read_bytes()).decode(), "picture.jpg", "image/jpeg", ""]


def notice(page):
    return page.page.locator(".notice p")


def test_a_picture_pasted_or_dropped_anywhere_is_read(visit, photo):
    page = visit()
    page.draw(TEE)
    page.page.evaluate(PASTE, packed(photo))  # on the Draw tab, with nothing in focus
    expect(page.page.get_by_role("tab", name="Upload")).to_have_attribute("aria-selected", "true")
    expect(page.page.locator(".how")).to_contain_text("photo")
    page.expect_answer()
    for where in ("body", "canvas", "#result", "#picture .box", "footer"):
        if page.page.locator("#picture .remove").is_visible():
            page.button("Remove").click()
        page.tab("Draw")
        assert page.page.evaluate(DROP, [where, *packed(photo)]) == [True] * 3, where
        expect(page.page.locator("#picture .preview")).to_be_visible()
        expect(page.page.locator(".how")).to_contain_text("photo")
    page.tab("Draw")
    assert page.ink() > 0  # the drawing is still there


def test_what_is_no_picture_is_said(visit):
    page = visit()
    page.page.evaluate(PASTE, ["", "", "", "a word"])
    expect(notice(page)).to_contain_text("no picture in the clipboard")
    page.button("Close").click()
    expect(notice(page)).to_be_hidden()
    assert page.page.evaluate(DROP, ["canvas", "", "", "", "a word"]) == [True] * 3
    expect(notice(page)).to_contain_text("not a picture file")
    body = base64.b64encode(b"I am a text file.").decode()
    page.page.evaluate(DROP, ["#result", body, "notes.txt", "text/plain", ""])
    page.expect_state("error")  # content decides: the server says what it is
    expect(page.sentence).to_contain_text("no picture")


def test_the_clipboard_button_says_what_happened(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.tab("Upload")
    page.page.evaluate("navigator.clipboard.writeText('a word')")
    page.button("Paste").click()
    expect(notice(page)).to_contain_text("no picture in the clipboard")
    page.page.evaluate(
        """async () => { const canvas = document.querySelector("canvas");
        canvas.getContext("2d").fillRect(200, 200, 300, 400);
        const blob = await new Promise((done) => canvas.toBlob(done));
        await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]); }"""
    )
    page.button("Paste").click()
    expect(page.page.locator("#picture .preview")).to_be_visible()
    expect(notice(page)).to_be_hidden()
    for reason, text in (
        ("{ read: () => Promise.reject(new DOMException('', 'NotAllowedError')) }", "does not let"),
        ("undefined", "Ctrl+V"),  # plain http
    ):
        page.page.evaluate(
            "Object.defineProperty(navigator, 'clipboard', "
            f"{{ value: {reason}, configurable: true }})"
        )
        page.button("Paste").click()
        expect(notice(page)).to_contain_text(text)


@pytest.mark.parametrize(("locale", "file"), [("en-US", "File"), ("zh-CN", "文件")])
def test_the_camera_says_what_to_do(visit, locale, file):
    page = visit(locale=locale)
    page.page.get_by_role("tab").nth(1).click()
    camera = page.page.locator("[data-do=camera]")
    for name in ("NotFoundError", "NotAllowedError", "NotReadableError", "AbortError"):
        page.page.evaluate(
            f"""() => {{ const media = {{ getUserMedia: async () => {{
            throw new DOMException("", "{name}"); }} }};
            Object.defineProperty(navigator, "mediaDevices",
            {{ value: media, configurable: 1 }}); }}"""
        )
        before = notice(page).text_content()
        camera.click()
        expect(notice(page)).not_to_have_text(before)
        expect(notice(page)).to_be_visible()
        assert not re.search(r"camera\.\w", notice(page).text_content())  # a key
    expect(notice(page)).to_contain_text(file)
    page.page.evaluate(
        """() => { Object.defineProperty(window, "isSecureContext", { value: false });
        Object.defineProperty(navigator, "mediaDevices", { value: undefined, configurable: 1 });
        }"""
    )
    camera.click()
    expect(notice(page)).to_contain_text("https")


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


def test_the_content_decides_not_the_name(visit, tmp_path, photo):
    page = visit()
    page.tab("Upload")
    nameless = tmp_path / "IMG_0001"
    nameless.write_bytes(photo.read_bytes())
    page.upload(nameless)
    expect(page.page.locator("#picture .preview")).to_be_visible()
    page.expect_answer()
    file = io.BytesIO()
    Image.open(photo).save(file, "TIFF")
    for name, content in (("photo.tiff", file.getvalue()), ("photo.heic", b"\0\0\0\x18ftypheic")):
        (tmp_path / name).write_bytes(content)
        page.upload(tmp_path / name)
        expect(page.sentence).not_to_have_text("Reading the picture …")
        state = page.answer.get_attribute("data-state")
        assert state in ("known", "unknown") or page.sentence.text_content().count(" ") > 4
        assert state != "empty", name
        expect(page.page.locator("[data-testid=toast-body]")).to_have_count(0)


@pytest.mark.parametrize(
    ("locale", "lang", "upload"),
    [
        ("de-DE", "en", "Choose a picture"),
        ("zh-TW", "zh-CN", "选择图片"),
        ("en-GB", "en", "Choose"),
    ],
)
def test_the_page_and_gradio_speak_one_language(visit, locale, lang, upload):
    page = visit(locale=locale)
    assert page.page.evaluate("document.documentElement.lang") == lang
    page.page.get_by_role("tab").nth(1).click()
    expect(page.page.locator(".invitation")).to_contain_text(upload)
    footer = page.page.locator("footer").inner_text()
    assert "API" in footer
    assert ("Use via API" in footer) == (lang == "en")


def test_after_a_restart_the_picture_is_still_there_and_is_asked_about_again(
    browser, photo, tmp_path
):
    process, address = serving.run(str(tmp_path))
    page = None
    try:
        serving.wait_for(process, address)
        page = browsing.Page(browser, address)
        page.draw(TEE)
        page.tab("Upload")
        page.upload(photo)
        page.expect_answer()
        process.send_signal(signal.SIGTERM)
        process.wait()
        page.page.get_by_label("Drawing", exact=True).check()
        page.expect_state("error")  # said, while nobody answers
        expect(page.sentence).to_contain_text("did not answer")
        port = address.rpartition(":")[2]
        process, _ = serving.run(str(tmp_path), GRADIO_SERVER_PORT=port)
        serving.wait_for(process, address)
        page.page.get_by_label("Photo", exact=True).check()
        page.expect_answer()
        expect(page.page.locator(".how")).to_contain_text("photo")
        expect(page.page.locator("#picture .preview")).to_be_visible()
        page.tab("Draw")
        assert page.ink() > 0
    finally:
        process.terminate()
        process.wait()
        if page:
            page.context.close()
