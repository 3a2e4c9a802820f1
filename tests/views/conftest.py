"""A browser for pages: headless Chromium of the system, driven by Playwright."""

import os
import shutil
from contextlib import contextmanager

import pytest

_WHERE = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests of a session; they are skipped where there is none."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install playwright"
    )
    found = next((path for name in _WHERE if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no browser is installed: apt-get install chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=arguments)
        yield started
        started.close()


@pytest.fixture
def opened(browser):
    """Open a file as a user would: ``with opened(path, width=360, dark=True) as page``.

    At the end the page must have said nothing in the console, thrown nothing and asked for nothing.
    """

    @contextmanager
    def open_page(path, *, width=1280, height=900, dark=False, touch=False):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            has_touch=touch,
            offline=True,
        )
        page = context.new_page()
        said = []
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda request: said.append(f"request: {request.url[:80]}"))
        address = path.absolute().as_uri()
        page.goto(address)
        try:
            yield page
        finally:
            context.close()
        mine = {f"request: {address}"[:80], f"request: {address[:80]}"}
        assert [each for each in said if each not in mine and not each.startswith("request: data:")] == []

    return open_page
