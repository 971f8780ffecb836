"""The page in a real browser: two people who talk, and contacts who try to be more than text."""

from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from playwright.sync_api import expect

from mixnet.client.model.views import MessageKind
from mixnet.client.ui.app import page
from mixnet.client.ui.desk import Desk
from mixnet.clock import VirtualClock
from tests.browser import LIMIT, Person, browser, needs_browser, play
from tests.client.chat.screen import receive
from tests.client.ui.visit import visited
from tests.client.worlds.town import START, Town, rules

pytestmark = [needs_browser, pytest.mark.timeout(300)]
QUICK = rules(mean_delay=0.01, payload_rate=15.0, downlink_rate=30.0, ack_delay=0.05)


@pytest.fixture(autouse=True)
def patient():
    expect.set_options(timeout=LIMIT)


async def resident(town: Town, nursery: trio.Nursery, name: str, number: int, folder: Path) -> str:
    """Let somebody live in the town, and give the link of their page."""
    folder.mkdir()
    me = await town.start(nursery, name, number, downloads=folder / "downloads")

    @asynccontextmanager
    async def connect():
        yield me

    async def live(task_status) -> None:
        async with page(Desk(name, connect), folder) as door:
            task_status.started(door.link())
            await trio.sleep_forever()

    return await nursery.start(live)


def two_people(alices: str, bobs: str, folder: Path) -> None:
    with browser() as opened:
        alice, bob = Person(opened, alices), Person(opened, bobs, color_scheme="dark")
        _meet(alice, bob)
        _verify(alice, bob)
        alice.page.get_by_label("Message", exact=True).fill("first line\nsecond one")
        alice.page.keyboard.press("Enter")
        _choose(bob, "alice")
        expect(bob.page.locator(".message .text")).to_have_text("first line\nsecond one")
        bob.page.get_by_label("Message", exact=True).fill("grüße 你好")
        bob.press("Send")
        expect(alice.page.locator(".message").last).to_contain_text("grüße 你好")
        expect(alice.page.locator(".message.mine .became")).to_have_text("delivered")
        alice.page.set_input_files(
            "#chosen", files=[{"name": "holiday (1).jpg", "mimeType": "image/jpeg", "buffer": b"\x00picture" * 200}]
        )
        with bob.page.expect_download() as saving:
            bob.page.get_by_role("link", name="Save the file holiday (1).jpg").click()
        assert saving.value.suggested_filename == "holiday (1).jpg"
        assert Path(saving.value.path()).read_bytes() == b"\x00picture" * 200
        _search(alice)
        expect(alice.page.locator(".message.mine", has_text="holiday").locator(".became")).to_have_text("delivered")
        _group(alice)
        assert (alice.complaints, bob.complaints) == ([], [])


def _meet(alice: Person, bob: Person) -> None:
    alice.press("New")
    alice.press("Make an invitation")
    invitation = alice.page.get_by_label("Your invitation").input_value()
    alice.page.keyboard.press("Escape")
    bob.press("New")
    bob.page.get_by_label("The invitation").fill(f"  {invitation}\n")
    bob.press("Accept")
    expect(bob.page.get_by_role("heading", level=1)).to_have_text("alice")
    _choose(alice, "bob")


def _choose(somebody: Person, contact: str) -> None:
    somebody.page.get_by_role("navigation").get_by_role("button", name=contact).click()
    expect(somebody.page.get_by_role("heading", level=1)).to_have_text(contact)


def _verify(alice: Person, bob: Person) -> None:
    numbers = []
    for one in (alice, bob):
        one.press("About")
        numbers.append(one.page.locator(".number").inner_text())
        one.press("The numbers are the same: mark as verified")
        expect(one.page.locator("#subtitle")).to_contain_text("verified")
        expect(one.page.locator("#subtitle")).not_to_contain_text("not verified")
    assert numbers[0] == numbers[1] and len(numbers[0]) == 47


def _search(alice: Person) -> None:
    alice.page.keyboard.press("Alt+s")
    alice.page.get_by_label("Words").fill("grüße")
    alice.page.keyboard.press("Enter")
    alice.page.get_by_role("dialog").get_by_role("listitem").get_by_role("button").click()
    expect(alice.page.locator(".message", has_text="grüße 你好")).to_be_focused()


def _group(alice: Person) -> None:
    alice.page.keyboard.press("Alt+n")
    alice.page.get_by_label("The group shall be called").fill("friends")
    alice.press("Begin")
    expect(alice.page.get_by_role("heading", level=1)).to_have_text("friends")
    alice.page.keyboard.press("Alt+a")
    alice.page.get_by_label("Invite a contact").select_option("bob")
    alice.press("Invite")
    expect(alice.page.get_by_role("dialog")).to_have_count(0)


async def test_two_people_invite_verify_write_send_a_file_and_search(tmp_path):
    town = Town(3, QUICK)
    town.clock = VirtualClock(START - trio.current_time())  # at the pace of a real one, which a browser has
    async with trio.open_nursery() as nursery:
        await nursery.start(town.run)
        alices = await resident(town, nursery, "alice", 0, tmp_path / "alice")
        bobs = await resident(town, nursery, "bob", 1, tmp_path / "bob")
        await play(two_people, alices, bobs, tmp_path)
        nursery.cancel_scope.cancel()
    assert list((tmp_path / "alice" / "uploads").iterdir())  # removed at the next start or file


HOSTILE = [
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "</li></ol><style>*{display:none}</style><iframe src=http://evil.example></iframe>",
    'javascript:alert(1) "onmouseover="alert(1) {{7*7}} ${alert(1)} &lt;b&gt;',
    "\u202egnp.exe \u2066\u2067 left open",
    "a\u0300\u0301\u0302\u0303\u0304" * 40,
    "x" * 5000,
    "18:00 you delivered\n\n\n" * 20,
]
NAME = '<b onclick="alert(1)">"\u202ecod.\'>.html'


def hostile(link: str, folder: Path) -> None:
    with browser() as opened:
        alice = Person(opened, link, viewport={"width": 360, "height": 640})
        look = alice.page
        look.get_by_role("button", name="bob").click()
        expect(look.locator(".message")).to_have_count(len(HOSTILE) + 1)
        assert HOSTILE[0] in look.locator(".message .text").all_inner_texts()
        assert look.locator("#messages :is(img, script, style, iframe, b, [onclick], [onerror], [style])").count() == 0
        assert "\u202e" not in look.locator("#messages").inner_text()
        with look.expect_download() as saving:
            look.get_by_role("link", name="Save the file").click()
        assert Path(saving.value.path()).read_text().startswith("<script>")
        assert len(look.context.pages) == 1
        look.keyboard.press("Alt+s")
        look.get_by_label("Words").fill("script")
        look.keyboard.press("Enter")
        expect(look.get_by_role("dialog").get_by_role("listitem")).to_contain_text(["<script>alert(2)</script>"])
        look.keyboard.press("Escape")
        assert (
            look.evaluate("() => { try { document.body.innerHTML = '<p>'; return 'made' } catch { return 'kept' } }")
            == "kept"
        )
        widths = look.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1]
        complaints = [one for one in alice.complaints if "TrustedHTML" not in one]
        assert complaints == []


async def test_what_a_contact_writes_or_calls_a_file_stays_text(tmp_path):
    async with visited(tmp_path, "bob") as here:
        for text in HOSTILE:
            receive(here.world, "bob", text)
        file = tmp_path / "saved.html"
        file.write_text("<script>alert(3)</script>")
        receive(here.world, "bob", NAME, kind=MessageKind.FILE, path=str(file), size=25)
        await play(hostile, here.door.link(), tmp_path)
