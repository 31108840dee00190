"""Behind a real nginx: with its default headers, on a subpath, and with README.md's lines."""

import re
import shutil
import subprocess
import time
import urllib.request

import pytest
from PIL import Image
from playwright.sync_api import expect

import serving
from browsing import CHROMIUM, TEE, WIDE, Page
from test_readme import README

LINES = re.findall("`((?:proxy_|client_)[^`]+;)`", README)
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium here: apt-get install chromium-headless-shell"
    ),
    pytest.mark.skipif(NGINX is None, reason="no nginx here: apt-get install nginx-light"),
]
# its workers must be able to write into a folder of the tests, which only root may enter in CI
CONF = """
user root; daemon off; pid FOLDER/pid; error_log FOLDER/error.log; worker_processes 1;
events {} http {
  access_log off; client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/a; uwsgi_temp_path FOLDER/b; scgi_temp_path FOLDER/c;
  server { listen 127.0.0.1:PORT;
    location / { proxy_pass APP/; }
    location /sub/ { proxy_pass APP/; }
    location /lines/ { LINES }
  } }
"""


@pytest.fixture(scope="module")
def nginx(server, tmp_path_factory):
    """The address of an nginx that says nothing of itself to the app."""
    folder, port = tmp_path_factory.mktemp("nginx"), serving.free_port()
    assert len(LINES) == 4
    lines = " ".join(LINES).replace("http://127.0.0.1:7860", server)
    text = CONF.replace("FOLDER", str(folder)).replace("PORT", str(port)).replace("APP", server)
    text = text.replace("LINES", lines)
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen([NGINX, "-c", folder / "nginx.conf", "-p", folder])
    try:
        address = f"http://localhost:{port}"
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{address}/config", timeout=20).close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("path", ["/sub/", "/lines/"])
def test_the_page_works_behind_default_headers(context_for, nginx, path, tmp_path):
    Image.effect_noise((1500, 1500), 60).save(tmp_path / "large.png")
    assert (tmp_path / "large.png").stat().st_size > 2**20  # more than nginx lets through by itself
    page = Page(context_for(viewport=WIDE), nginx + path)
    page.draw(TEE)
    page.expect_answer()
    page.tab("Upload")
    page.button("sneaker").click()
    page.expect_answer()
    assert page.page.locator("#picture .preview").evaluate("image => image.naturalWidth") > 0
    page.button("Remove").click()
    page.upload(tmp_path / "large.png")
    if path == "/lines/":
        page.expect_answer()
    else:
        expect(page.sentence).to_contain_text("A proxy on the way")
    asked = [url for url in page.asked if "gradio_api" in url and "data:" not in url]
    page.page.close()
    assert asked
    assert all(url.startswith((nginx + path, f"blob:{nginx}")) for url in asked), asked
