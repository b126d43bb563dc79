"""The made-up audits as fixtures."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def load(name):
    """A module beside this file; test folders are no packages."""
    full = f"report_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, HERE / f"{name}.py")
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


@pytest.fixture(scope="session")
def specimens():
    """The module that makes audits of any size."""
    return load("specimens")


@pytest.fixture
def make_audit(specimens):
    """Make an audit: ``make_audit(findings, events, text=, timezone=, outcome=)``."""
    return specimens.make_audit


@pytest.fixture(scope="session")
def hostile():
    """The list of hostile texts."""
    return load("hostile").STRINGS


CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser():
    """A real Chromium, started once; without one the browser tests say so and skip."""
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield started
        started.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Open HTML from a file: ``open_page(html, **context)`` gives the page and what it did.

    ``seen`` lists requests beyond the file itself, console messages, dialogs and errors.
    """
    contexts = []

    def open_html(html, *, width=1280, **options):
        path = tmp_path / f"{len(contexts)}.html"
        path.write_text(html, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page, seen = context.new_page(), []
        page.on("request", lambda r: r.url == path.as_uri() or seen.append(f"request {r.url}"))
        page.on("console", lambda message: seen.append(f"console {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error {error}"))
        page.on("dialog", lambda dialog: (seen.append("dialog"), dialog.dismiss()))
        page.goto(path.as_uri())
        return page, seen

    yield open_html
    for context in contexts:
        context.close()
