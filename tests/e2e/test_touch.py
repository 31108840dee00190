"""Fingers and pens: the drawing is what was meant."""

import pytest
from playwright.sync_api import expect

import browsing
from browsing import on_a_phone

pytestmark = browsing.pytestmark


class Fingers:
    """A touch screen that reports several fingers, by the protocol of the browser's own tools."""

    def __init__(self, page):
        self.page = page
        self.tools = page.context.new_cdp_session(page.page)

    def send(self, kind, *places, first=0):
        """Where all fingers are, the first of these places' being number first; at touchEnd those
        that are lifted, or none for all."""
        points = enumerate(self.page.points(places), first)
        touches = [{"x": x, "y": y, "id": i} for i, (x, y) in points]
        event = {"type": kind, "touchPoints": touches}
        self.tools.send("Input.dispatchTouchEvent", event)

    def wait(self, ms=60):
        self.page.page.wait_for_timeout(ms)


def undos(page):
    """How often Undo can be pressed, which empties the drawing."""
    count = 0
    while page.button("Undo").is_enabled():
        page.button("Undo").click()
        page.page.wait_for_timeout(60)
        count += 1
    return count


def send(page, *events):
    """Events on the canvas, (kind, x, y, what differs from a pen's) each, with no time between."""
    page.page.evaluate(
        """(events) => { const canvas = document.querySelector("canvas");
        const box = canvas.getBoundingClientRect(), unit = box.width / 400;
        for (const [kind, x, y, more] of events) canvas.dispatchEvent(new PointerEvent(kind, {
        pointerId: 7, pointerType: "pen", bubbles: true, isPrimary: true,
        buttons: kind === "pointerup" ? 0 : 1,
        clientX: box.x + x * unit, clientY: box.y + y * unit, ...more })); }""",
        [[*event, {}][:4] for event in events],
    )


@pytest.fixture(scope="module")
def phone(open_pages):
    return on_a_phone(open_pages)


@pytest.fixture
def page(phone):
    """A phone's page for several tests, with the pen, and with nothing on the paper."""
    phone.button("Pen").click()
    undos(phone)
    assert phone.ink() == 0
    return phone


def test_a_dot_is_a_dot_in_the_size_of_the_pen(page):
    for name, width in (("Fine pen", 7), ("Pen", 14), ("Broad pen", 34)):
        page.button(name).click()
        page.page.mouse.click(*page.points([(120, 120)])[0])
        page.page.touchscreen.tap(*page.points([(280, 120)])[0])
        send(page, ("pointerdown", 200, 280), ("pointerup", 200, 280))
        page.page.wait_for_timeout(600)  # a touch right after a pen would be the palm
        disk = 3.1416 * (width / 2 * 2) ** 2  # the canvas has two pixels a unit
        assert page.ink() == pytest.approx(3 * disk, rel=0.1), name
        assert undos(page) == 3
        assert page.ink() == 0


def test_a_dot_of_the_eraser_erases(visit):
    page = visit()
    page.draw([(60, 200), (340, 200)])
    page.page.wait_for_timeout(100)
    line = page.ink()
    page.button("Eraser").click()
    page.page.mouse.click(*page.points([(200, 200)])[0])
    page.page.wait_for_timeout(100)
    assert page.ink() < line - 800


def test_a_pinch_leaves_no_stroke_and_a_stroke_survives_a_second_finger(page):
    fingers = Fingers(page)
    fingers.send("touchStart", (150, 200))
    fingers.send("touchMove", (152, 202))
    fingers.send("touchStart", (152, 202), (250, 200))
    for step in range(5):
        fingers.send("touchMove", (150 - 9 * step, 200), (250 + 9 * step, 200))
    fingers.send("touchEnd", (110, 200))
    fingers.send("touchMove", (260, 260), first=1)
    fingers.wait(500)
    fingers.send("touchStart", (160, 260), (260, 260))  # once more, before both are up
    fingers.send("touchEnd")
    fingers.wait(100)
    assert page.ink() == 0
    expect(page.button("Undo")).to_be_disabled()

    fingers.send("touchStart", (150, 200))
    fingers.wait(500)  # it rests
    fingers.send("touchStart", (150, 200), (250, 200))
    fingers.send("touchEnd")
    first, second = ({"pointerId": i, "pointerType": "touch", "isPrimary": i == 8} for i in (8, 9))
    quick = [("pointerdown", 150, 200, first), ("pointermove", 250, 200, first)]
    send(page, *quick, *((f"pointer{kind}", 300, 300, second) for kind in ("down", "up")))
    send(page, ("pointerup", 250, 200, first))
    fingers.wait(100)
    assert page.ink() == 0
    expect(page.button("Undo")).to_be_disabled()

    fingers.send("touchStart", (60, 200))
    fingers.send("touchMove", (160, 200))
    fingers.wait(500)
    fingers.send("touchStart", (160, 200), (300, 330))  # a hand comes down
    fingers.send("touchMove", (340, 200), (300, 330))
    fingers.send("touchEnd")
    fingers.wait(100)
    assert page.ink() > 2 * 14 * 2 * 250  # the whole line, two pixels a unit
    assert undos(page) == 1


def test_a_thumb_that_rests_and_a_finger_that_was_never_lifted_hinder_nothing(visit):
    page = on_a_phone(visit)
    fingers, thumb = Fingers(page), (200, -60)  # above the paper
    fingers.send("touchStart", thumb)
    fingers.wait(600)
    for x in (120, 280):  # two quick taps
        fingers.send("touchStart", thumb, (x, 200))
        fingers.send("touchEnd", (x, 200), first=1)
    fingers.send("touchEnd")
    fingers.wait(100)
    assert undos(page) == 2
    fingers.send("touchStart", (100, 100))
    page.page.evaluate(
        """() => document.body.dispatchEvent(new PointerEvent("pointerdown",
        { pointerId: 99, pointerType: "touch", bubbles: true }))"""
    )
    fingers.send("touchEnd")
    fingers.wait(100)
    assert page.ink() == 0  # it came at once: a pinch
    fingers.send("touchStart", (200, 200))
    fingers.send("touchEnd")
    fingers.wait(100)
    assert undos(page) == 1


def test_a_touch_that_the_system_takes_leaves_no_stroke_and_another_button_none(page):
    fingers = Fingers(page)
    fingers.send("touchStart", (150, 200))
    fingers.send("touchMove", (156, 206))
    fingers.send("touchCancel")
    fingers.wait(100)
    assert page.ink() == 0
    expect(page.button("Undo")).to_be_disabled()
    page.page.mouse.click(*page.points([(200, 300)])[0], button="right")
    fingers.wait(100)
    expect(page.button("Undo")).to_be_disabled()
    fingers.send("touchStart", (60, 200))
    fingers.send("touchMove", (200, 200))
    fingers.wait(500)
    fingers.send("touchMove", (300, 200))
    fingers.send("touchCancel")  # of what was a stroke already
    fingers.wait(100)
    assert page.ink() > 0
    assert undos(page) == 1


def test_the_palm_beside_a_pen_draws_nothing(page):
    fingers = Fingers(page)
    palm = {"pointerId": 8, "pointerType": "touch"}
    rolls = [(f"pointer{kind}", 320, 320 + 9 * i, palm) for i, kind in enumerate(("down", "move"))]
    rolls.append(("pointerup", 320, 340, palm))
    fingers.send("touchStart", (300, 300))  # it lands first
    send(page, ("pointerdown", 100, 100))
    fingers.send("touchMove", (310, 320))
    fingers.send("touchEnd")
    send(page, *rolls, ("pointermove", 200, 100))  # beside the pen
    send(page, ("pointerup", 200, 100), *rolls)  # right after it
    fingers.wait(100)
    line = 14 * 100 + 3.1416 * 7**2  # the pen's, with round ends
    assert page.ink() == pytest.approx(4 * line, rel=0.1)
    assert undos(page) == 1
    send(page, ("pointerdown", 100, 100))
    fingers.wait(700)  # the pen rests
    send(page, ("pointerup", 100, 100), *rolls)
    fingers.wait(100)
    assert undos(page) == 1
    fingers.wait(700)  # the pen is laid down
    fingers.send("touchStart", (300, 300))
    fingers.send("touchEnd")
    fingers.wait(100)
    assert undos(page) == 1


def test_a_pointer_that_is_lost_or_let_go_elsewhere_draws_no_further(visit):
    page = visit()
    mouse, places = page.page.mouse, page.points([(100, 100), (200, 100), (300, 300)])

    def begin():
        mouse.move(*places[0])
        mouse.down()
        mouse.move(*places[1], steps=3)

    def move(buttons):
        more = {"pointerId": 1, "pointerType": "mouse", "buttons": buttons}
        send(page, ("pointermove", 300, 300, more))

    for lose in (
        lambda: move(0),  # let go where nobody saw it
        lambda: move(2),  # while another button is down
        lambda: page.page.evaluate("document.querySelector('canvas').releasePointerCapture(1)"),
        lambda: page.page.evaluate("window.dispatchEvent(new Event('blur'))"),
    ):
        begin()
        lose()
        mouse.move(*places[1])
        page.page.wait_for_timeout(100)
        ink = page.ink()
        mouse.move(*places[2], steps=3)
        page.page.wait_for_timeout(100)
        assert page.ink() == ink > 0
        mouse.up()
        assert undos(page) == 1


def test_no_menu_on_the_paper_and_a_turned_device_ends_the_stroke(visit):
    page = on_a_phone(visit)
    allowed = page.page.evaluate(
        """() => document.querySelector("canvas").dispatchEvent(
        new MouseEvent("contextmenu", { bubbles: true, cancelable: true }))"""
    )
    assert not allowed
    fingers = Fingers(page)
    fingers.send("touchStart", (100, 100))
    fingers.send("touchMove", (200, 100))
    page.page.evaluate("window.dispatchEvent(new Event('resize'))")  # a bar of the browser goes
    fingers.send("touchMove", (200, 200))
    fingers.wait(600)
    ink = page.ink()
    assert ink > 4 * 14 * 150  # both lines
    page.page.set_viewport_size({"width": 664, "height": 390})
    fingers.wait(500)
    fingers.send("touchMove", (300, 300))
    fingers.wait()
    assert page.ink() == ink
    fingers.send("touchEnd")
    page.page.set_viewport_size({"width": 390, "height": 664})
    fingers.wait(500)
    assert page.ink() == ink
    assert undos(page) == 1
