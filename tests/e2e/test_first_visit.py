"""What the first visit loads, until the page has come to rest."""

import browsing
from browsing import WIDE

pytestmark = browsing.pytestmark
# Measured: 41 and 294,122. While the upload was a gr.Image: 57 and 432,027.
MOST_REQUESTS, MOST_BYTES = 45, 320_000
QUIET_MS = 1500


def first_visit(browser, address):
    """(the addresses that a browser asks which was never here, the bytes that it gets)."""
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    asked, sizes = [], []
    network = context.new_cdp_session(page)
    network.on("Network.requestWillBeSent", lambda event: asked.append(event["request"]["url"]))
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    network.send("Network.enable")
    page.goto(address)
    page.locator(".starters button").first.wait_for()
    count = -1
    while count < len(asked):
        count = len(asked)
        page.wait_for_timeout(QUIET_MS)
    context.close()
    return [url for url in asked if not url.startswith(("data:", "blob:"))], sum(sizes)


def test_the_first_visit_is_light(browser, server):
    asked, size = first_visit(browser, server)
    assert asked[0] == f"{server}/"
    assert 20 < len(asked) <= MOST_REQUESTS, asked
    assert 200_000 < size <= MOST_BYTES
