"""A real browser, driven in a thread while the page and its daemon run under Trio; whatever it complains of is kept."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trio
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
LIMIT = 40_000  # milliseconds until a test gives up; a machine may be busy
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_browser = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="Debian's package chromium isn't installed"
)


class Person:
    """Somebody before a page, by its link."""

    def __init__(self, browser: Browser, link: str, **more: object) -> None:
        self.complaints: list[str] = []
        self._origin = "/".join(link.split("/")[:3])
        context = browser.new_context(accept_downloads=True, **more)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(LIMIT)
        self.page.on("console", lambda said: self.complaints.append(f"console: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", lambda shown: (self.complaints.append(f"dialog: {shown.message}"), shown.dismiss()))
        self.page.on("request", lambda asked: self._check(asked.url))
        self.page.on("popup", lambda _: self.complaints.append("a window opened"))
        self.page.goto(link)

    def _check(self, url: str) -> None:
        if not url.startswith(f"{self._origin}/"):
            self.complaints.append(f"request: {url}")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield opened
        finally:
            opened.close()


async def play(program: Callable[..., None], *given: object) -> None:
    """Run what uses a browser in a thread."""
    await trio.to_thread.run_sync(program, *given)
