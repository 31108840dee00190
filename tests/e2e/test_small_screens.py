"""Small screens: the answer is in sight while a finger draws, and nothing jumps."""

from playwright.sync_api import expect

import browsing
from browsing import TEE, on_a_phone
from test_touch import Fingers

pytestmark = browsing.pytestmark
SCREENS = [
    (390, 664),
    (320, 568),
    (568, 320),
    (768, 1024),
    (800, 600),
    (640, 540),
]
IN_SIGHT = """() => { const shown = (element) => { const box = element?.getBoundingClientRect();
return box && box.width > 0 && box.top >= 0 && box.bottom <= innerHeight
&& box.left >= 0 && box.right <= innerWidth; };
const all = (selector) => [...document.querySelectorAll(selector)];
const place = (selector) => document.querySelector(selector).getBoundingClientRect();
return { label: all(".summary .label, .bars .first .label").some(shown),
share: all(".summary .share, .bars .first .share").some(shown),
paper: all("canvas, #picture .box").some(shown),
tools: all(".tools button").filter((button) => button.offsetParent).every(shown),
around: all("#question :is(.starters button:first-of-type, .kind label, .gallery button)")
.filter((button) => button.offsetParent).every(shown) || innerHeight < 561,
answer: place(".answer").right <= innerWidth,
first: place(".answer").top < place("#network").top || innerHeight > 560 }; }"""
ALL = dict.fromkeys(("label", "share", "paper", "tools", "around", "answer", "first"), True)


def test_the_answer_is_in_sight_while_a_finger_draws_and_after_an_upload(visit, photo):
    page = on_a_phone(visit)
    for width, height in SCREENS:
        size = {"width": width, "height": height}
        page.page.set_viewport_size(size)
        page.page.evaluate("scrollTo(0, 0)")
        page.page.wait_for_timeout(300)
        fingers = Fingers(page)
        before = page.page.locator("canvas").bounding_box()
        fingers.send("touchStart", TEE[0])
        for place in TEE[1:]:
            fingers.send("touchMove", place)
        page.expect_state("known")
        seen = page.page.evaluate(IN_SIGHT)
        after = page.page.locator("canvas").bounding_box()
        fingers.send("touchEnd")
        assert seen == ALL, size
        assert after == before, size
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width
        page.button("Clear").click()
        page.expect_state("empty")
    page.tab("Upload")
    for width, height in SCREENS:
        page.page.set_viewport_size({"width": width, "height": height})
        page.page.evaluate("scrollTo(0, 0)")
        page.page.wait_for_timeout(300)
        parts = [page.page.locator(part) for part in ("#picture .box", "#kind")]
        before = [part.bounding_box() for part in parts]
        page.upload(photo)
        expect(page.page.locator(".bars .first")).to_have_count(1)
        seen = page.page.evaluate(IN_SIGHT)
        assert seen == ALL, (width, height)
        assert [part.bounding_box() for part in parts] == before
        page.button("Remove").click()
        expect(page.page.locator(".bars .first")).to_have_count(0)


ON_TOP = """(selector) => { const box = document.querySelector(selector).getBoundingClientRect();
return document.elementFromPoint(box.x + 20, box.y + 20)?.closest(selector) != null; }"""


def test_the_answer_and_notices_stay_in_sight_above_a_page_that_is_scrolled(visit):
    page = on_a_phone(visit)
    page.draw(TEE)
    page.expect_state("known")
    for width, height in ((390, 664), (320, 568)):
        page.page.set_viewport_size({"width": width, "height": height})
        page.page.evaluate("scrollTo(0, 400)")
        page.page.wait_for_timeout(300)
        assert page.page.evaluate("scrollY") == 400
        assert page.page.evaluate(ON_TOP, ".summary")
    page.page.evaluate("fashion.notify('Some sentence.')")
    assert page.page.evaluate(ON_TOP, ".notice")
    page.page.set_viewport_size({"width": 568, "height": 320})
    page.page.evaluate("scrollTo(0, 300)")
    page.page.wait_for_timeout(300)
    assert page.page.evaluate(ON_TOP, ".notice")


def test_what_lies_below_stays_where_a_cut_out_appears(visit, photo):
    page = on_a_phone(visit, 320, 568)
    page.tab("Upload")
    page.upload(photo)
    page.expect_answer()
    below = "document.querySelector('#more').offsetTop"
    before = page.page.evaluate(below)
    page.page.locator("#picture .preview").click()
    expect(page.page.locator(".segmented img")).to_be_visible()
    assert page.page.evaluate(below) == before
