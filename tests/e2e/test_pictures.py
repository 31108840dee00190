"""Pictures that are pasted, dropped, or of a kind that the browser does not know."""

import base64
import re
import shutil

import pytest
from PIL import Image
from playwright.sync_api import expect

import browsing
from browsing import TEE
from conftest import TOP
from fashion_model.web.translation import texts

pytestmark = browsing.pytestmark
HEIC = TOP / "tests" / "data" / "three_colors.heic"
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


@pytest.fixture(scope="module")
def page(open_pages):
    """For those that leave nothing behind that matters to the others."""
    return open_pages()


def test_what_is_no_picture_is_said(page):
    page.page.evaluate(PASTE, ["", "", "", "a word"])
    expect(page.notice).to_contain_text("no picture in the clipboard")
    page.button("Close").click()
    expect(page.notice).to_be_hidden()
    assert page.page.evaluate(DROP, ["canvas", "", "", "", "a word"]) == [True] * 3
    expect(page.notice).to_contain_text("not a picture file")
    body = base64.b64encode(b"I am a text file.").decode()
    page.page.evaluate(DROP, ["#result", body, "notes.txt", "text/plain", ""])
    page.expect_state("error")  # content decides: the server says what it is
    expect(page.sentence).to_contain_text("no picture")


def test_of_what_is_dropped_one_picture_is_read(visit, photo):
    page = visit()
    page.page.evaluate(
        f"""(what) => {{ const dataTransfer = ({TRANSFER})(what);
        dataTransfer.items.add(new File(["second"], "second.txt"));
        const drop = new DragEvent("drop", {{ dataTransfer, bubbles: true }});
        document.body.dispatchEvent(drop); }}""",
        packed(photo),
    )
    expect(page.notice).to_contain_text("Only the first")
    expect(page.page.locator(".how")).to_contain_text("photo")
    seen = page.network_input()
    drop = """(url) => { const dataTransfer = new DataTransfer();
    dataTransfer.setData("text/uri-list", url);
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true })); }"""
    page.page.evaluate(drop, seen)  # dragged from the page itself
    expect(page.notice).to_be_hidden()
    expect(page.page.locator(".network-input img")).not_to_have_attribute("src", seen)
    page.expect_answer()
    upload = page.page.locator("#picture .preview").get_attribute("src")
    page.tab("Draw")
    page.page.evaluate(drop, upload)
    expect(page.page.get_by_role("tab", name="Upload")).to_have_attribute("aria-selected", "true")
    expect(page.notice).to_be_hidden()
    page.page.evaluate(drop, "data:broken")
    expect(page.notice).to_contain_text("not a picture file")
    page.logged = [line for line in page.logged if "net::ERR_INVALID_URL" not in line]
    page.page.evaluate(
        "DataTransferItem.prototype.webkitGetAsEntry = () => ({ isDirectory: true })"
    )
    page.page.evaluate(DROP, ["body", *packed(photo)])
    expect(page.notice).to_contain_text("This is a folder")


def test_a_frame_shows_that_a_drop_would_be_taken(page):
    def drag(name):
        page.page.evaluate(
            """(name) => document.body.dispatchEvent(new DragEvent(name, { bubbles: true,
            dataTransfer: new DataTransfer() }))""",
            name,
        )
        frame = "getComputedStyle(document.body, '::after').borderTopStyle === 'dashed'"
        return page.page.evaluate(frame)

    assert not drag("dragend")
    assert drag("dragover")
    assert not drag("dragleave")
    assert drag("dragenter")
    assert not drag("drop")


def test_a_field_gets_its_own_text(visit, photo):
    page = visit()
    page.page.locator("button[data-panel=train]").click()
    field = "[name=epochs]"
    page.page.locator(field).focus()
    page.page.evaluate(PASTE, ["", "", "", "5"])
    assert page.page.evaluate(DROP, [field, "", "", "", "5"]) == [False] * 3
    expect(page.notice).to_be_hidden()
    assert page.page.evaluate(DROP, [field, *packed(photo)]) == [True] * 3
    expect(page.page.locator("#picture .preview")).to_be_visible()


def test_the_clipboard_button_says_what_happened(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.tab("Upload")
    page.page.evaluate("navigator.clipboard.writeText('a word')")
    page.button("Paste").click()
    expect(page.notice).to_contain_text("no picture in the clipboard")
    page.page.evaluate(
        """async () => { const canvas = document.querySelector("canvas");
        canvas.getContext("2d").fillRect(200, 200, 300, 400);
        const blob = await new Promise((done) => canvas.toBlob(done));
        await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]); }"""
    )
    page.button("Paste").click()
    expect(page.page.locator("#picture .preview")).to_be_visible()
    expect(page.notice).to_be_hidden()
    for reason, text in (
        ("{ read: () => Promise.reject(new DOMException('', 'NotAllowedError')) }", "does not let"),
        ("{ read: () => Promise.reject(new DOMException('', 'DataError')) }", "no picture in"),
        ("undefined", "Ctrl+V"),  # plain http
    ):
        page.page.evaluate(
            "Object.defineProperty(navigator, 'clipboard', "
            f"{{ value: {reason}, configurable: true }})"
        )
        page.button("Paste").click()
        expect(page.notice).to_contain_text(text)
    page.button("Remove").click()
    expect(page.notice).to_be_hidden()  # what was said is over


def test_the_content_decides_not_the_name(visit, tmp_path, photo):
    page = visit()
    page.tab("Upload")
    nameless = tmp_path / "IMG_0001"
    nameless.write_bytes(photo.read_bytes())
    page.upload(nameless)
    assert page.page.input_value("#picture [type=file]") == ""  # so that it can be chosen again
    expect(page.page.locator("#picture .preview")).to_be_visible()
    page.expect_answer()
    Image.open(photo).save(tmp_path / "photo.tiff")
    shutil.copy(HEIC, tmp_path / "photo.heic")
    accepted = page.page.locator("#picture [type=file]").get_attribute("accept").split(",")
    assert accepted == ["image/*", ".heic", ".heif", ".avif", ".jxl", ".jfif", ".tif", ".tiff"]
    for name in ("photo.tiff", "photo.heic"):
        page.upload(tmp_path / name)
        expect(page.page.locator("#picture .unseen")).to_be_visible()  # Chromium shows neither
        expect(page.page.locator(".tap")).to_be_hidden()  # there is nothing to tap
        expect(page.page.locator(".how")).to_contain_text("photo")
        page.expect_answer()
        page.button("Remove").click()
        page.expect_state("empty")
    page.page.get_by_label("Linear layers").check()  # which cut the garment out: that is shown
    two = Image.open(photo)
    two.paste((150, 60, 50), (510, 220, 630, 460))
    two.save(tmp_path / "two.tiff")
    page.upload(tmp_path / "two.tiff")
    preview = page.page.locator("#picture .preview")
    expect(preview).to_have_attribute("src", re.compile("^data:"))
    preview.dispatch_event("error")  # the browser may notice only after the answer
    expect(preview).to_have_attribute("src", re.compile("^data:"))
    expect(page.page.locator("#picture .unseen")).to_be_hidden()
    garment = preview.get_attribute("src")
    shown = page.page.locator(".segmented img")
    box = shown.bounding_box()
    shown.click(position={"x": 0.89 * box["width"], "y": 0.7 * box["height"]})  # the other one
    expect(preview).not_to_have_attribute("src", garment)
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic")
    page.upload(tmp_path / "photo.heic")
    expect(page.sentence).to_contain_text("damaged")
    expect(preview).to_be_hidden()  # nor is the last file's shown
    expect(page.page.locator("[data-testid=toast-body]")).to_have_count(0)


@pytest.mark.parametrize(
    ("locale", "lang", "upload"),
    [
        ("de-DE", "en", "Choose a picture"),
        ("zh-TW", "zh-CN", "选择图片"),
    ],
)
def test_the_page_and_gradio_speak_one_language(visit, locale, lang, upload):
    page = visit(locale=locale)
    expect(page.page).to_have_title(texts()[lang[:2]]["title"])
    tabs = [texts()[lang[:2]][f"tab.{name}"] for name in ("draw", "upload")]
    expect(page.page.locator("#question [role=tab]")).to_have_text(tabs)
    page.page.get_by_role("tab").nth(1).click()
    expect(page.page.locator(".invitation")).to_contain_text(upload)
    footer = page.page.locator("footer").inner_text()
    assert "API" in footer
    assert ("Use via API" in footer) == (lang == "en")
    expect(page.page.locator("html")).to_have_attribute("lang", lang)
