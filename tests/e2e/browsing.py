"""The page in a real Chromium, for the tests: what a visitor does on it, and what it shows.

SCREENSHOTS=FOLDER keeps pictures of the page there; screenshot.png of them is the README's.
"""

import functools
import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

# The shell is the same browser without windows: a page opens in it with two thirds of the work
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
LABELS = 10
ASK = re.compile("component_server")  # where the Draw tab asks
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
# A T-shirt's outline on a canvas of 400 units.
TEE = [(150, 70), (95, 92), (40, 165), (85, 205), (118, 170), (116, 340), (284, 340), (282, 170)]
TEE += [(315, 205), (360, 165), (305, 92), (250, 70), (228, 98), (200, 106), (172, 98), (150, 70)]

expect.set_options(timeout=60_000)  # ms; a busy machine is slow, not wrong
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium here: apt-get install chromium-headless-shell"
    ),
]


@functools.cache
def shared_browser():
    """Playwright, a browser, and the browser's contexts by their options: for one file after the
    other, until stop_browser."""
    playwright = sync_playwright().start()
    return playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS), {}


def stop_browser():
    """While Playwright runs, no other test of the process has an event loop."""
    if shared_browser.cache_info().currsize:
        playwright, chromium, _ = shared_browser()
        shared_browser.cache_clear()
        chromium.close()
        playwright.stop()


class Page:
    """An open page of a browser's context, which remembers what it logged and whom it asked."""

    def __init__(self, context, address, viewport=None):
        self.context = context
        self.page = context.new_page()
        if viewport:
            self.page.set_viewport_size(viewport)
        self.page.set_default_timeout(60_000)
        self.logged, self.asked = [], []
        self.page.on("console", lambda m: self.logged.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda error: self.logged.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.open = 0  # questions of the Draw tab without an answer yet
        for event, change in (("request", 1), ("requestfinished", -1), ("requestfailed", -1)):
            self.page.on(event, lambda request, change=change: self.count(request, change))
        self.page.goto(address)
        self.answer = self.page.locator(".answer")
        self.sentence = self.page.locator(".sentence")
        self.notice = self.page.locator(".notice p")
        expect(self.page.locator(".bars li")).to_have_count(LABELS)
        expect(self.page.locator(".starters button")).to_have_count(4)  # canvas.js has run
        self.come_to_rest()

    def come_to_rest(self):
        """Wait until Gradio has put everything in its place, which a busy machine does late."""
        self.page.evaluate(
            """() => new Promise((done) => { let last = "", still = 0, frames = 0;
            const look = () => {
            const c = document.querySelector("canvas")?.getBoundingClientRect();
            const now = [c?.x, c?.y, c?.width, document.body.scrollHeight].join();
            still = now === last ? still + 1 : 0; last = now; frames += 1;
            if (still === 12 || frames === 600) done(); else requestAnimationFrame(look); };
            look(); })"""
        )

    def points(self, outline):
        box = self.page.locator("canvas").bounding_box()
        unit = box["width"] / 400
        return [(box["x"] + x * unit, box["y"] + y * unit) for x, y in outline]

    def draw(self, outline):
        first, *rest = self.points(outline)
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for point in rest:
            self.page.mouse.move(*point, steps=2)
        self.page.mouse.up()

    def touch(self, outline):
        """A finger's stroke, as the touch screen reports it."""
        devtools = self.context.new_cdp_session(self.page)
        points = [{"x": x, "y": y} for x, y in self.points(outline)]
        send = "Input.dispatchTouchEvent"
        devtools.send(send, {"type": "touchStart", "touchPoints": points[:1]})
        for point in points[1:]:
            devtools.send(send, {"type": "touchMove", "touchPoints": [point]})
        devtools.send(send, {"type": "touchEnd", "touchPoints": []})

    def count(self, request, change):
        self.open += change * bool(ASK.search(request.url))

    def settle(self):
        """Wait until the canvas has nothing more to ask."""
        quiet = 0
        while quiet < 3:
            self.page.wait_for_timeout(40)
            quiet = 0 if self.open else quiet + 1

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def tab(self, name):
        self.page.get_by_role("tab", name=name).click()

    def upload(self, path):
        self.page.set_input_files("#picture input[type=file]", path)

    def expect_answer(self):
        expect(
            self.page.locator(".answer:is([data-state=known], [data-state=unknown])")
        ).to_be_visible()
        expect(self.page.locator(".network-input img")).to_be_visible()
        # In one step: a locator finds the rows first and reads them later, when they have moved.
        # And again while they are on their way from one answer to the next.
        for _ in range(20):
            shares = self.page.evaluate(
                "[...document.querySelectorAll('.bars .share')].map((share) => share.innerText)"
            )
            numbers = [0.5 if "<" in share else float(share.strip(">%")) for share in shares]
            if numbers == sorted(numbers, reverse=True) and 90 <= sum(numbers) <= 110:
                break
            self.page.wait_for_timeout(100)
        assert len(shares) == LABELS
        assert numbers == sorted(numbers, reverse=True)
        assert 90 <= sum(numbers) <= 110

    def expect_state(self, state):
        expect(self.answer).to_have_attribute("data-state", state)

    def network_input(self):
        return self.page.locator(".network-input img").get_attribute("src")

    def ink(self):
        """How many pixels of the canvas are drawn on."""
        return self.page.evaluate(
            """() => { const c = document.querySelector("canvas");
            const pixels = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
            let ink = 0; for (let i = 3; i < pixels.length; i += 4) ink += pixels[i] > 127;
            return ink; }"""
        )

    def shoot(self, name):
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            self.page.wait_for_timeout(500)  # the bars have come to rest
            whole = self.page.viewport_size["width"] < 600
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=whole)


def on_a_phone(visit, width=390, height=664, **options):
    size = {"width": width, "height": height}
    return visit(viewport=size, has_touch=True, is_mobile=True, **options)
