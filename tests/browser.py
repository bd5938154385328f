"""A page in headless Chromium, and everything that goes wrong in it."""

import shutil

import pytest

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ITSELF = ("file:", "data:", "blob:", "about:")


class Visit:
    """A page that is open, and what was wrong with it: errors, warnings of its scripts, requests to elsewhere."""

    def __init__(self, page, allowed):
        self.page, self.problems = page, []
        page.on("console", lambda m: m.type in ("error", "warning") and self.problems.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("request", lambda r: r.url.startswith(allowed) or self.problems.append(f"request: {r.url}"))
        page.on("requestfailed", lambda r: self.problems.append(f"failed: {r.url}"))


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium, driven by Playwright; skipped by name where either is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def new_visit(chromium):
    """``new_visit(width, height, *allowed)`` gives an empty page, with storage of its own; it is closed at the end."""
    contexts = []

    def go(width, height, *allowed):
        contexts.append(chromium.new_context(viewport={"width": width, "height": height}))
        return Visit(contexts[-1].new_page(), (*ITSELF, *allowed))

    yield go
    for context in contexts:
        context.close()


@pytest.fixture
def visit(new_visit):
    """``visit(path, width, height)`` opens a file and waits until it is drawn."""

    def go(path, width=1280, height=900):
        visited = new_visit(width, height)
        visited.page.goto(path.resolve().as_uri(), wait_until="load")
        visited.page.wait_for_timeout(500)
        return visited

    return go
