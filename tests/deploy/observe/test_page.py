"""The page in a real browser: of a small real network, and of a recording whose names are hostile."""

import math
from functools import partial

import pytest
import trio
from msgspec.structs import replace
from playwright.sync_api import expect

from mixnet.deploy.local import prepare, programs
from mixnet.deploy.observe.live import LocalNetwork
from mixnet.deploy.observe.page import show
from mixnet.deploy.observe.recording import Recording, add, writing
from mixnet.deploy.observe.samples import read_recording
from mixnet.deploy.people import NAMES, SILENT, enroll, go_on, meet, open_people
from mixnet.deploy.supervisor import open_crew
from tests.browser import LIMIT, Person, browser, needs_browser, play
from tests.deploy.observe.acted import HEADING, act

PLAN = {"layers": 1, "width": 1, "providers": 1, "authorities": 1}
EVIL = '<img src="/x" onerror="document.title=1">'
DRAWN = """which => {
    const canvas = document.querySelector(which);
    const shown = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Uint32Array(shown.data.buffer).some(Boolean);
}"""
UNNAMED = """() => [...document.querySelectorAll("canvas:not([aria-hidden]), svg")]
    .filter(one => !one.ariaLabel && !one.hasAttribute("aria-labelledby")).length"""


def visit_live(link: str, heard: list[str]) -> None:
    """Look until all is there; `heard` gets what the page says of both clients."""
    with browser() as launched:
        visitor = Person(launched, link)
        page = visitor.page
        expect(page.locator("#lines .client")).to_have_count(3, timeout=LIMIT)
        expect(page.locator("#lines")).to_contain_text("messages and files", timeout=LIMIT)
        expect(page.locator("#entropy")).to_contain_text(".", timeout=LIMIT)
        expect(page.locator("#took")).to_contain_text("ms", timeout=LIMIT)
        expect(page.locator("#live")).to_have_text("live")
        expect(page.locator("#nodes tr")).to_have_count(3)
        heard.append(page.locator("#alike").inner_text())
        again = launched.new_context().new_page()
        assert again.goto(link).status == 403, "the link works once"
        assert visitor.complaints == []


@needs_browser
@pytest.mark.timeout(300)
async def test_of_who_writes_and_who_is_silent_an_observer_sees_the_same(tmp_path):
    """Frames are those that the kernel counted, of real processes; what was recorded is played again."""
    folder, record = tmp_path / "network", tmp_path / "run.rec"
    links, heard = [], []
    plan = prepare(folder, PLAN)
    async with open_crew(folder) as crew:
        await crew.start(programs(folder, plan), lambda _name: None)
        daemons = await trio.to_thread.run_sync(enroll, folder, plan, (*NAMES, SILENT))
        async with open_people(folder, daemons, crew) as (alice, bob), trio.open_nursery() as nursery:
            assert await meet(alice, bob)
            source = LocalNetwork(folder)
            await nursery.start(partial(show, source, links.append, record=record))
            nursery.start_soon(go_on, alice, bob, 0.1)
            await play(visit_live, links[0], heard)
            nursery.cancel_scope.cancel()
    assert "standard deviations" in heard[0]
    samples = list(read_recording(record.read_bytes().splitlines())[1])
    if not source.heading.links_seen:
        pytest.skip("this system doesn't tell what its connections carry")
    seen = dict.fromkeys((*NAMES, SILENT), 0)
    for sample in samples[1:]:
        for start, _end, frames in sample.flows:
            if start in seen:
                seen[start] += frames
    busy, idle = seen[NAMES[0]], seen[SILENT]
    assert min(busy, idle) > 30
    assert abs(busy - idle) / math.sqrt(busy + idle) < 5
    own = {name: [sample.clients[name].frames for sample in samples if name in sample.clients] for name in seen}
    assert own[NAMES[0]][-1]["message"] > own[NAMES[0]][0].get("message", 0)
    assert "message" not in own[SILENT][-1]
    for name, frames in own.items():
        really = sum(frames[-1].values()) - sum(frames[0].values())
        assert really == pytest.approx(seen[name], rel=0.2, abs=30), "what is seen is what was sent"


def visit_replay(link: str) -> None:
    with browser() as launched:
        visitor = Person(launched, link, viewport={"width": 360, "height": 800}, reduced_motion="reduce")
        page = visitor.page
        expect(page.locator("#live")).to_have_text("The recording has ended.", timeout=LIMIT)
        assert page.title() == "mixnet observe"
        assert page.locator("main img").count() == 0
        expect(page.locator("#nodes th", has_text=EVIL)).to_have_count(1)
        expect(page.locator("#lines h3").first).to_have_text(EVIL)
        expect(page.locator("#alarms")).to_contain_text(EVIL)
        assert page.evaluate("document.documentElement.scrollWidth") == 360, "nothing sticks out"
        assert page.evaluate(DRAWN, ".client canvas"), "lines are drawn"
        assert not page.evaluate(DRAWN, "#packets"), "nothing moves for who wants no motion"
        assert page.evaluate(UNNAMED) == 0, "every picture says what it shows"
        assert visitor.complaints == []


@needs_browser
@pytest.mark.timeout(120)
async def test_a_recording_is_shown_whatever_names_it_has(tmp_path):
    path, links = tmp_path / "run.rec", []

    def renamed(table: dict) -> dict:
        return {{"alice": EVIL, "mix-1": EVIL + "2"}.get(name, name): value for name, value in table.items()}

    with writing(path, replace(HEADING, nodes=renamed(HEADING.nodes))) as file:
        for sample in act(2):
            flows = [(EVIL if start == "alice" else start, end, count) for start, end, count in sample.flows]
            nodes = renamed(sample.nodes)
            nodes = nodes and {**nodes, EVIL + "2": replace(nodes[EVIL + "2"], ready=False)}
            add(file, replace(sample, flows=flows, clients=renamed(sample.clients), nodes=nodes))
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(show, Recording(path), links.append))
        await play(visit_replay, links[0])
        nursery.cancel_scope.cancel()
