"""The page in a real Chromium: draw, upload, undo, clear, with the mouse and with a finger."""

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

import browsing
import serving
from browsing import ASK, PHONE, TEE, WIDE

pytestmark = browsing.pytestmark


def test_a_drawn_t_shirt_gets_ten_labels(visit):
    page = visit()
    page.expect_state("empty")
    expect(page.sentence).to_contain_text("Draw something")
    page.shoot("empty")
    first, *rest = page.points(TEE)
    page.page.mouse.move(*first)
    page.page.mouse.down()
    for point in rest:
        page.page.mouse.move(*point, steps=2)
    page.expect_answer()  # while the pen is still down
    page.page.mouse.up()
    expect(page.page.locator(".how")).to_have_text("Read as a drawing.")
    expect(page.page.locator(".segmented")).to_be_hidden()
    page.shoot("screenshot")


def test_the_last_state_wins_over_late_answers(visit):
    """The first answer is held back until the drawing has gone on."""
    page = visit()
    held = []
    page.page.route(ASK, lambda route: route.continue_() if held else held.append(route))
    page.draw(TEE[:4])
    page.page.wait_for_timeout(300)
    page.draw(TEE[3:])
    page.page.wait_for_timeout(300)
    assert page.open == 1  # one question at a time
    held[0].continue_()
    page.settle()
    page.expect_answer()
    final = page.network_input()
    page.button("Clear").click()
    page.button("Undo").click()  # the same drawing, asked once more
    page.settle()
    page.expect_answer()
    assert page.network_input() == final

    page.button("Clear").click()
    page.page.unroute(ASK)
    late = []
    page.page.route(ASK, lambda route: late.append(route))
    page.draw(TEE)
    page.page.wait_for_timeout(200)
    page.button("Clear").click()
    late[0].continue_()
    page.settle()
    page.expect_state("empty")  # an answer that comes after Clear is not shown


def test_clear_leaves_a_blank_canvas_and_a_ready_pen(visit):
    page = visit()
    page.draw(TEE)
    page.expect_answer()
    page.button("Clear").click()
    page.expect_state("empty")
    assert page.page.locator(".network-input img").is_hidden()
    page.page.wait_for_timeout(50)
    assert page.ink() == 0
    page.button("Eraser").click()
    page.draw(TEE)
    page.expect_state("empty")  # an eraser alone draws nothing
    page.button("Clear").click()
    page.draw(TEE)  # the pen is back
    page.expect_answer()
    page.button("Clear").click()
    page.button("Bag").click()  # a drawing to start from
    page.expect_answer()
    assert page.ink() > 0
    page.button("Undo").click()


def test_undo_by_button_and_by_key(visit):
    page = visit()
    expect(page.button("Undo")).to_be_disabled()
    page.draw(TEE)
    page.expect_answer()
    one = page.ink()
    page.draw([(130, 250), (270, 250)])
    expect(page.button("Undo")).to_be_enabled()
    page.page.wait_for_timeout(100)
    assert page.ink() > one
    page.button("Undo").click()
    page.page.wait_for_timeout(100)
    assert page.ink() == one
    page.button("Clear").click()
    page.page.keyboard.press("Control+z")  # undoes even that
    page.page.wait_for_timeout(100)
    assert page.ink() == one
    page.expect_answer()
    page.page.keyboard.press("Control+z")
    page.expect_state("empty")


def test_the_eraser_erases_and_the_broad_pen_is_broad(visit):
    page = visit()
    line = [(60, 200), (340, 200)]
    page.draw(line)
    page.page.wait_for_timeout(50)
    thin = page.ink()
    page.button("Broad pen").click()
    page.draw(line)
    page.page.wait_for_timeout(50)
    assert page.ink() > 2 * thin
    page.button("Eraser").click()
    page.draw(line)
    page.page.wait_for_timeout(50)
    assert page.ink() < thin


def test_a_finger_draws_on_a_phone(visit):
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark")
    page.shoot("phone-dark-empty")
    page.touch(TEE)
    page.expect_answer()
    assert page.page.evaluate("scrollY") == 0  # the stroke did not scroll the page
    assert page.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.shoot("phone-dark")


def test_an_uploaded_photo_is_read_in_color_and_a_tap_cuts_the_garment_out(visit, photo):
    page = visit()
    page.tab("Upload")
    expect(page.sentence).to_contain_text("Upload a picture")
    page.shoot("upload-empty")
    page.upload(photo)
    page.expect_answer()
    expect(page.page.locator(".how")).to_contain_text("photo")
    expect(page.page.locator(".network-input span")).to_have_text("160 × 160 in color")
    expect(page.page.locator(".segmented")).to_be_hidden()
    whole = page.network_input()
    page.page.locator("#picture .preview").click()
    expect(page.page.locator(".segmented img")).to_be_visible()
    expect(page.page.locator(".network-input img")).not_to_have_attribute("src", whole)
    page.expect_answer()
    page.shoot("upload-photo")


def test_for_the_linear_layers_the_garment_is_cut_out_of_a_photo(visit, photo):
    page = visit()
    page.tab("Upload")
    page.page.get_by_label("Linear layers").check()
    two = Image.open(photo)
    two.paste((150, 60, 50), (510, 220, 630, 460))
    two.save(photo)
    page.upload(photo)
    page.expect_answer()
    expect(page.page.locator(".segmented img")).to_be_visible()
    upload = page.page.locator("#picture .preview").get_attribute("src")
    assert upload.startswith("blob:")  # the whole picture, as long as the browser can show it
    expect(page.page.locator(".network-input span")).to_have_text("28 × 28 gray pixels")
    garment = page.network_input()
    shown = page.page.locator(".segmented img")
    box = shown.bounding_box()
    shown.click(position={"x": 0.89 * box["width"], "y": 0.7 * box["height"]})  # one alone
    expect(page.page.locator(".network-input img")).not_to_have_attribute("src", garment)
    right = page.network_input()
    page.page.locator("#picture .preview").click()  # the other, in the middle of the upload
    expect(page.page.locator(".network-input img")).not_to_have_attribute("src", right)
    page.expect_answer()


def test_a_tap_counts_while_another_answer_is_under_way(visit, photo):
    page = visit()
    page.tab("Upload")
    page.upload(photo)
    page.expect_answer()
    whole = page.network_input()
    page.page.evaluate(
        """() => { document.querySelectorAll("#kind input")[2].click();
        const image = document.querySelector("#picture .preview");
        const box = image.getBoundingClientRect(), middle = { clientX: box.x + box.width / 2,
        clientY: box.y + box.height / 2, bubbles: true };
        setTimeout(() => image.dispatchEvent(new MouseEvent("click", middle)), 20); }"""
    )
    expect(page.page.locator(".segmented img")).to_be_visible()
    expect(page.page.locator(".network-input img")).not_to_have_attribute("src", whole)


def test_a_map_of_why_follows_the_answer_and_the_label_clicked(visit):
    page = visit()
    page.draw(TEE)
    page.settle()
    page.expect_answer()
    why = page.page.locator(".saliency img").first
    expect(why).to_be_visible()
    expect(page.page.locator(".stale")).to_have_count(0)
    assert why.evaluate("image => image.naturalWidth") > 100
    first = why.get_attribute("src")
    page.shoot("why")
    page.button("Why Bag?").click()
    expect(page.page.locator(".saliency b").first).to_have_text("Why Bag?")
    expect(why).not_to_have_attribute("src", first)
    page.shoot("why-bag")
    page.button("Clear").click()
    expect(why).to_be_hidden()


def test_each_tab_keeps_its_own_answer(visit, photo):
    page = visit()
    page.draw(TEE)
    page.settle()
    page.expect_answer()
    drawn = page.network_input()
    page.tab("Upload")
    page.expect_state("empty")
    expect(page.page.locator(".network-input span")).not_to_contain_text("112")  # the drawing's
    page.upload(photo)
    page.expect_answer()
    assert page.network_input() != drawn
    page.tab("Draw")
    expect(page.page.locator(".network-input img")).to_have_attribute("src", drawn)


def test_an_example_needs_one_click(visit):
    page = visit()
    page.tab("Upload")
    page.button("sneaker").click()
    page.expect_answer()
    expect(page.page.locator(".how")).to_contain_text("unchanged")
    page.shoot("upload-example")
    page.button("Remove").click()
    page.expect_state("empty")


def test_what_is_no_picture_is_told_in_the_page(visit, tmp_path):
    page = visit()
    page.tab("Upload")
    wrong = tmp_path / "wrong.png"
    wrong.write_text("I am a text file.")
    page.upload(wrong)
    page.expect_state("error")
    expect(page.sentence).to_contain_text("This is no picture")
    expect(page.page.locator("#picture .preview")).to_be_hidden()
    assert str(tmp_path) not in page.page.content()
    page.shoot("upload-error")
    (tmp_path / "large.png").write_bytes(bytes(20 * 2**20 + 1))
    asked = len(page.asked)
    page.upload(tmp_path / "large.png")
    expect(page.sentence).to_contain_text("larger than 20 MB")
    page.page.get_by_label("Photo", exact=True).check()
    expect(page.sentence).to_contain_text("larger than 20 MB")
    assert page.asked[asked:] == []  # it was not sent at all
    page.page.get_by_label("Auto", exact=True).check()
    page.button("dress").click()  # and it goes on
    page.expect_answer()


def forget_uploads():
    """As the server does after an hour."""
    for upload in Path(serving.UPLOADS.name).rglob("photo.jpg"):
        upload.unlink()


def test_a_picture_that_the_server_has_deleted_is_uploaded_again(visit, photo):
    page = visit()
    page.tab("Upload")
    page.upload(photo)
    page.expect_answer()
    drawn = page.network_input()
    forget_uploads()
    page.page.get_by_label("Drawing", exact=True).check()
    expect(page.page.locator(".how")).to_have_text("Read as a drawing.")
    expect(page.page.locator(".network-input img")).not_to_have_attribute("src", drawn)
    page.expect_answer()


@pytest.mark.parametrize("ask", ["Why Bag?", "Step by step"])
def test_what_is_asked_about_a_deleted_picture_is_answered(visit, photo, ask):
    page = visit()
    page.tab("Upload")
    page.page.get_by_label("Linear layers").check()
    page.upload(photo)
    page.expect_answer()
    expect(page.page.locator(".saliency img").first).to_be_visible()
    expect(page.page.locator(".stale")).to_have_count(0)
    forget_uploads()
    page.button(ask).click()
    if ask == "Step by step":
        expect(page.page.locator(".panel .content:not(.stale) > *").first).to_be_visible()
    expect(page.page.locator(".stale")).to_have_count(0)
    page.expect_answer()


def test_a_lost_server_is_told_in_the_page(visit):
    page = visit()
    page.page.route(ASK, lambda route: route.abort(), times=1)
    page.button("Bag").click()
    page.expect_answer()  # it was asked once more
    page.page.route(ASK, lambda route: route.abort())
    page.draw(TEE)
    page.expect_state("error")
    expect(page.sentence).to_contain_text("did not answer")
    page.page.unroute(ASK)
    page.draw([(130, 250), (270, 250)])
    page.settle()
    page.expect_answer()
    lost = ("net::ERR_FAILED", "Failed to fetch")
    page.logged = [line for line in page.logged if not any(text in line for text in lost)]


def test_nothing_jumps_and_nothing_scrolls_on_a_laptop(visit, photo):
    page = visit(reduced_motion="no-preference")

    def layout():
        parts = (".answer", ".bars", ".network-input .frame", ".saliency .frame", "#more")
        boxes = [page.page.locator(part).first.bounding_box() for part in parts]
        height = page.page.evaluate("document.documentElement.scrollHeight")
        assert height <= WIDE["height"]
        return boxes

    before = layout()
    page.draw(TEE)
    page.expect_answer()
    assert layout() == before
    page.tab("Upload")
    assert layout() == before
    page.upload(photo)
    page.expect_answer()
    assert layout() == before
    page.page.locator("#picture .preview").click()
    expect(page.page.locator(".segmented img")).to_be_visible()
    assert layout() == before
    page.shoot("upload-light")
    page.tab("Draw")
    page.shoot("draw-light")
