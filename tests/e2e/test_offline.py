"""The page needs nothing but the app: it works with the network cut, and asks nobody else."""

from urllib.parse import urlsplit

import pytest

import serving
import soaking
from browsing import CHROMIUM, FLAGS, TEE, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium here: apt-get install chromium-headless-shell"
    ),
]
# No name resolves and no address connects, but the app's own.
CUT = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


def test_the_page_works_with_the_network_cut(playwright, tmp_path):
    address = serving.start()
    own = urlsplit(address).netloc
    (tmp_path / "shirt.png").write_bytes(soaking.pictures()[0])
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, CUT])
    opened = Page(chromium.new_context(), address)
    opened.draw(TEE)
    opened.expect_answer()
    opened.tab("Upload")
    opened.upload(tmp_path / "shirt.png")
    opened.expect_answer()
    opened.page.get_by_role("button", name="Use via API").first.click()
    opened.page.wait_for_timeout(1000)  # for whatever the API page might ask of others
    urls = {urlsplit(url) for url in opened.asked}
    chromium.close()
    web = {url.netloc for url in urls if url.scheme not in ("data", "blob")}
    assert web == {own}, web
