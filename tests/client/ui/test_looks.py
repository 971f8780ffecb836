"""Whether everybody can use the page: by keys alone, by names and roles, by contrast, at 360 pixels and 200 %."""

import re

import pytest
from playwright.sync_api import Page, expect

from mixnet.client.model.views import MessageKind
from tests.browser import LIMIT, Person, browser, needs_browser, play
from tests.client.chat.screen import receive
from tests.client.ui.visit import visited

pytestmark = [needs_browser, pytest.mark.timeout(300)]
LEAST = 4.5  # contrast of a text, by WCAG 2.2 AA
# Of each text that is seen: its colour, and the colours behind it from the nearest on.
PAINTED = """() => {
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].map((part) => (part.nodeType === 3 ? part.data : "")).join("").trim();
    const box = one.getBoundingClientRect();
    if (!text || box.width < 2 || box.height < 2 || !one.checkVisibility() || one.closest("[disabled]")) continue;
    const behind = [];
    for (let at = one; at; at = at.parentElement) behind.push(getComputedStyle(at).backgroundColor);
    found.push([text.slice(0, 30), getComputedStyle(one).color, behind]);
  }
  return found;
}"""


def luminance(colour: list[float]) -> float:
    parts = [one / 255 for one in colour]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def check_contrast(look: Page) -> None:
    for scheme in ("dark", "light"):
        look.emulate_media(color_scheme=scheme)
        painted = look.evaluate(PAINTED)
        assert len(painted) > 3
        _check(painted)


def _check(painted: list) -> None:
    for text, colour, behind in painted:
        layers = [[float(part) for part in re.findall(r"[\d.]+", one)] for one in [colour, *behind]]
        front, *grounds = layers
        ground = next(one for one in grounds if len(one) == 3 or one[3] == 1)
        light, dark = sorted((luminance(front[:3]), luminance(ground[:3])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= LEAST, (text, colour, ground)


def check_names(look: Page) -> None:
    """All that one can act on has a name."""
    tree = look.locator("body").aria_snapshot()
    assert re.findall(r"(?m)^\s*- (button|textbox|combobox|link|searchbox|dialog):?$", tree) == []


def check_fits(look: Page) -> None:
    wide = look.evaluate(
        "() => [...document.querySelectorAll('body, dialog, #history')].map((o) => o.scrollWidth - o.clientWidth)"
    )
    assert max(wide) <= 0


def looks(link: str) -> None:
    with browser() as opened:
        alice = Person(opened, link, reduced_motion="reduce", viewport={"width": 1000, "height": 700})
        look, keys = alice.page, alice.page.keyboard
        tree = look.locator("body").aria_snapshot()
        assert all(part in tree for part in ('navigation "Conversations"', "main", "heading"))
        for _ in range(3):  # past the buttons, to the first conversation
            keys.press("Tab")
        expect(look.get_by_role("button", name="bob invited 3 unread")).to_be_focused()
        assert look.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
        keys.press("Enter")
        expect(look.locator(".message")).to_have_count(3)
        expect(look.get_by_label("Message", exact=True)).to_be_focused()
        keys.type("by keyboard")
        keys.press("Shift+Enter")
        keys.type("alone")
        keys.press("Enter")
        expect(look.locator(".message.mine .text")).to_have_text("by keyboard\nalone")
        check_contrast(look)
        check_names(look)
        keys.type("begun")
        for shortcut, title in (("Alt+n", "New"), ("Alt+s", "Search"), ("Alt+a", "bob")):
            keys.press(shortcut)
            expect(look.get_by_role("dialog", name=title)).to_be_visible()
            check_contrast(look)
            check_names(look)
            for size in ({"width": 360, "height": 640}, {"width": 500, "height": 350}):  # the second: 1000 at 200 %
                look.set_viewport_size(size)
                check_fits(look)
            look.set_viewport_size({"width": 1000, "height": 700})
            keys.press("Escape")
            expect(look.get_by_role("dialog")).to_have_count(0)
            expect(look.get_by_label("Message", exact=True)).to_be_focused()
        look.set_viewport_size({"width": 360, "height": 640})
        check_fits(look)
        expect(look.get_by_role("navigation")).to_be_hidden()
        keys.press("Escape")
        expect(look.get_by_role("navigation")).to_be_visible()
        check_contrast(look)
        look.reload()
        look.get_by_role("button", name="bob").click()
        expect(look.get_by_label("Message", exact=True)).to_have_value("begun")
        assert alice.complaints == []


async def test_the_page_can_be_used_by_everybody(tmp_path):
    expect.set_options(timeout=LIMIT)
    async with visited(tmp_path, "bob") as here:
        receive(here.world, "bob", "hello " * 60)
        receive(here.world, "bob", "שלום")
        receive(here.world, "bob", "picture.png", kind=MessageKind.FILE, size=1000)
        await play(looks, here.door.link())
