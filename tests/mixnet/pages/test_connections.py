"""Whose connections a page takes, how many at once, and how they end."""

from functools import partial

import trio
from starlette.responses import Response
from starlette.routing import Route

from mixnet.pages import connections, serve
from mixnet.pages.events import EventStream
from mixnet.pages.serve import serve_page
from tests.mixnet.pages.visit import enter, fetch, quiet, static


async def test_another_user_of_the_machine_is_refused_whatever_it_sends_even_with_the_cookie(
    tmp_path, nursery, monkeypatch
):
    door = await nursery.start(partial(serve_page, [], static(tmp_path), report=quiet))
    link, cookie = await enter(door)
    monkeypatch.setattr(connections.os, "getuid", lambda: 4_000_000_000)
    head, stream = await fetch(link, "/", cookie)
    assert head == connections._REFUSAL
    async with stream:
        assert await stream.receive_some() == b""


async def test_so_many_are_connected_at_once_and_the_next_one_waits(tmp_path, nursery, monkeypatch):
    monkeypatch.setattr(connections, "MOST", 2)
    monkeypatch.setattr(connections, "IDLE", 0.02)  # for which a connection that has ended keeps its place

    async def last(_request: object) -> EventStream:
        async def feed(_tell: object) -> None:
            await trio.sleep_forever()

        return EventStream(feed)

    door = await nursery.start(partial(serve_page, [Route("/last", last)], static(tmp_path), report=quiet))
    link, cookie = await enter(door)
    first, second = [(await fetch(link, "/last", cookie))[1] for _ in range(2)]
    third = trio.Event()

    async def wait() -> None:
        _, stream = await fetch(link, "/last", cookie)
        third.set()
        await stream.aclose()

    nursery.start_soon(wait)
    with trio.move_on_after(0.1):
        await third.wait()
    assert not third.is_set()
    await first.aclose()
    await third.wait()
    await second.aclose()


async def test_a_page_ends_though_somebody_does_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "PATIENCE", 3_600_000)  # the system would end it, but not now

    async def large(_request: object) -> Response:
        return Response(b"x" * (1 << 24))

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            door = await nursery.start(partial(serve_page, [Route("/large", large)], static(tmp_path), report=quiet))
            link, cookie = await enter(door)
            _, stream = await fetch(link, "/large", cookie)
            nursery.cancel_scope.cancel()
        await stream.aclose()


async def test_another_user_who_says_nothing_holds_no_place(tmp_path, nursery, monkeypatch):
    monkeypatch.setattr(connections, "MOST", 2)
    monkeypatch.setattr(connections, "IDLE", 3600.0)
    monkeypatch.setattr(connections, "REFUSING", 0.01)
    door = await nursery.start(partial(serve_page, [], static(tmp_path), report=quiet))
    link, cookie = await enter(door)
    host, _, port = link.split("/")[2].partition(":")
    with trio.fail_after(10), monkeypatch.context() as theirs:
        theirs.setattr(connections.os, "getuid", lambda: 4_000_000_000)
        silent = [await trio.open_tcp_stream(host, int(port)) for _ in range(8)]
        for stream in silent:
            assert await stream.receive_some() == connections._REFUSAL
    with trio.fail_after(10):
        head, stream = await fetch(link, "/", cookie)
    assert b" 200 " in head
    for one in (stream, *silent):
        await one.aclose()
