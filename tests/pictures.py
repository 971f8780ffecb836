"""Takes the pictures of the pages, for README and docs/, from real networks in a real browser: `make screenshots`.

Each page has a function in `PAGES` that yields the link of a page which shows something, as `observe` does, and what
to wait for; every picture is taken in light and in dark. They are made small: few colors, no more than is to be seen.

    python -m tests.pictures [PAGE...]
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import trio
from PIL import Image
from playwright.sync_api import Page, expect

from mixnet.client.api.connection import connect
from mixnet.client.ui.app import page
from mixnet.client.ui.desk import Desk
from mixnet.deploy.folders import CLIENTS
from mixnet.deploy.local import prepare, programs
from mixnet.deploy.observe.live import LocalNetwork
from mixnet.deploy.observe.page import show
from mixnet.deploy.people import NAMES, SILENT, Person, enroll, go_on, meet, open_people, settle
from mixnet.deploy.supervisor import open_crew
from tests.browser import browser

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
MARGIN = 16  # pixels
PATIENCE = 300_000  # milliseconds


class Shown(NamedTuple):
    """A page that is ready to be opened: its link, what to do before a picture, its width, and where it ends."""

    link: str
    settle: Callable[[Page], None]
    width: int
    last: str  # a selector: all above the end of this element is in the picture
    height: int = 2400  # of the browser's window


@asynccontextmanager
async def observe() -> AsyncIterator[Shown]:
    """Two who write all the time, and one who never does, in the network of the demonstration."""
    links: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "network"
        plan = prepare(folder, {})
        async with open_crew(folder) as crew:
            await crew.start(programs(folder, plan), lambda _name: None)
            daemons = await trio.to_thread.run_sync(enroll, folder, plan, (*NAMES, SILENT))
            async with open_people(folder, daemons, crew) as (alice, bob), trio.open_nursery() as nursery:
                await meet(alice, bob)
                await nursery.start(partial(show, LocalNetwork(folder), links.append))
                nursery.start_soon(go_on, alice, bob, 0.08)
                yield Shown(links[0], _until_it_is_busy, 1240, ".cards")
                nursery.cancel_scope.cancel()


def _until_it_is_busy(page: Page) -> None:
    """A line's length of time, in which one of them wrote."""
    expect(page.locator("#lines .client")).to_have_count(3, timeout=PATIENCE)
    page.wait_for_timeout(50_000)
    expect(page.locator("#alike")).to_contain_text("of them with messages", timeout=PATIENCE)
    expect(page.locator("#alarms")).to_have_text("The network is as it should be.", timeout=PATIENCE)


@asynccontextmanager
async def ui() -> AsyncIterator[Shown]:
    """Alice's page, in the middle of a conversation with Bob; a group, and a text that she hasn't seen, beside it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "network"
        plan = prepare(folder, {})
        async with open_crew(folder) as crew:
            await crew.start(programs(folder, plan), lambda _name: None)
            daemons = await trio.to_thread.run_sync(enroll, folder, plan, (*NAMES, SILENT))
            async with open_people(folder, daemons, crew) as (alice, bob):
                await meet(alice, bob)
                await _converse(alice, bob, folder)
                profile = folder / CLIENTS / alice.name
                desk = Desk(alice.name, lambda: connect(profile), str)
                async with page(desk, profile) as door:
                    yield Shown(door.link(), _until_bob_is_open, 1100, "main", 720)


async def _converse(alice: Person, bob: Person, folder: Path) -> None:
    """What two people write, in several scripts, with a picture."""
    picture = folder / "way up.png"
    Image.effect_noise((900, 600), 64).save(picture)
    for one, other, text in (
        (alice, bob, "Are you coming on Saturday? The first train is at 7:40."),
        (bob, alice, "Yes! مع السلامة until then.\nI take the map, you take the tea."),
        (alice, bob, "Good: à samedi, très tôt!"),
    ):
        await settle(one, [await one.me.send(other.name, text)])
    await bob.me.files.wait(await bob.me.send_file(alice.name, picture))
    await settle(alice, [await alice.me.send(bob.name, "So that is the way up: steep.")])
    await alice.me.groups.create("mountains")
    await alice.me.groups.invite("mountains", bob.name)


def _until_bob_is_open(opened: Page) -> None:
    """With the last message, which is known to have come, in view."""
    opened.get_by_role("button", name="bob").click()
    expect(opened.get_by_text("So that is the way up")).to_be_visible(timeout=PATIENCE)
    opened.wait_for_timeout(3000)


PAGES: dict[str, Callable[[], AbstractAsyncContextManager[Shown]]] = {"observe": observe, "ui": ui}


def take(name: str, shown: Shown) -> None:
    """Open the page once, and write NAME-light.png and NAME-dark.png."""
    with browser() as launched:
        page = launched.new_page(viewport={"width": shown.width, "height": shown.height}, color_scheme="light")
        page.goto(shown.link)
        shown.settle(page)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # both are known
            page.wait_for_timeout(1500)
            box = page.locator(shown.last).bounding_box()
            assert box is not None
            height = box["y"] + box["height"] + MARGIN
            raw = page.screenshot(clip={"x": 0, "y": 0, "width": shown.width, "height": height})
            picture = Image.open(io.BytesIO(raw)).convert("RGB").quantize(256, Image.Quantize.FASTOCTREE)
            picture.save(FOLDER / f"{name}-{scheme}.png", optimize=True)


async def main(names: list[str]) -> None:
    """All pages, or those that are named."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or PAGES:
        async with PAGES[name]() as shown:
            await trio.to_thread.run_sync(take, name, shown)


if __name__ == "__main__":
    trio.run(main, sys.argv[1:])
