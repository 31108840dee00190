"""One browser for the tests of all files that have one, and what a visitor brings."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from browsing import WIDE, Page, shared_browser


@pytest.fixture(scope="module")
def playwright():
    return shared_browser()[0]


@pytest.fixture(scope="module")
def browser():
    return shared_browser()[1]


@pytest.fixture(scope="module")
def context_for(browser):
    """context_for(**options) is a context for such a device, the same for the same options.

    What one page has downloaded and compiled serves the next, which opens in a third of the time.
    The app keeps nothing in cookies or localStorage, which a context's pages share too.
    """
    contexts = shared_browser()[2]

    def of(**options):
        key = repr(sorted(options.items()))
        if key not in contexts:
            contexts[key] = browser.new_context(**options)
        return contexts[key]

    return of


@contextmanager
def opener(context_for, server):
    """A function that opens the page; afterwards it must have logged and asked nothing amiss.

    Nothing moves on it unless a test asks for that: to draw each step of a bar's way takes longer
    than to answer.
    """
    pages = []

    def open_page(*, viewport=WIDE, **options):
        context = context_for(**{"reduced_motion": "reduce", **options})
        pages.append(Page(context, server, viewport))
        return pages[-1]

    yield open_page
    for page in pages:
        page.page.close()
    for page in pages:
        # willReadFrequently: advice on the tests' look at the canvas
        amiss = [line for line in page.logged if "willReadFrequently" not in line]
        assert amiss == []
        own = (server, "data:", f"blob:{server}")
        assert [url for url in page.asked if not url.startswith(own)] == []


@pytest.fixture
def visit(context_for, server):
    """visit(**options) opens the page, as opener says."""
    with opener(context_for, server) as visit:
        yield visit


@pytest.fixture(scope="module")
def open_pages(context_for, server):
    """As visit, for pages that all tests of a file look at."""
    with opener(context_for, server) as visit:
        yield visit


@pytest.fixture(scope="module")
def photo_file(tmp_path_factory):
    """A pale floor with something dark on it, 640x480."""
    picture = Image.effect_noise((640, 480), 12).point(lambda tone: tone // 4 + 170).convert("RGB")
    picture.paste((60, 70, 130), (220, 90, 420, 400))
    picture.paste((60, 70, 130), (150, 90, 490, 180))
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    picture.save(path)
    return path


@pytest.fixture
def photo(photo_file, tmp_path):
    """A copy of photo_file, in the test's own folder."""
    return Path(shutil.copy(photo_file, tmp_path))
