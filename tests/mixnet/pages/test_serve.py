"""A page on a real socket: its files, its events, its end."""

from functools import partial

import pytest
import trio
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mixnet.errors import LocalError, Unavailable
from mixnet.pages.events import EventStream
from mixnet.pages.serve import serve_page
from tests.mixnet.pages.visit import enter, fetch, quiet, static


async def test_a_page_is_served_and_told_what_is_new_until_it_goes(tmp_path, nursery):
    ended = trio.Event()

    async def events(_request: Request) -> EventStream:
        async def feed(tell) -> None:
            try:
                await tell({"text": "one\n\ndata: forged"})
                await trio.sleep_forever()
            finally:
                ended.set()

        return EventStream(feed)

    async def answer(_request: Request) -> JSONResponse:
        return JSONResponse({"a": 1})

    routes = [Route("/events", events), Route("/answer", answer)]
    door = await nursery.start(partial(serve_page, routes, static(tmp_path), report=quiet))
    link, cookie = await enter(door)
    assert link.startswith("http://127.")
    for path, status, kind in (
        ("/", b"200", b"text/html"),
        ("/static/page.js", b"200", b"text/javascript"),
        ("/answer", b"200", b"application/json"),
        ("/static/secret.key", b"404", b""),
        ("/static/../page.js", b"404", b""),
        ("/static/%2e%2e%2fpage.js", b"404", b""),
        ("/favicon.ico", b"204", b""),
    ):
        head, stream = await fetch(link, path, cookie)
        await stream.aclose()
        assert head.startswith(b"HTTP/1.1 " + status), path
        assert kind in head
        assert b"content-security-policy: default-src 'none'" in head
    head, stream = await fetch(link, "/events", cookie)
    said = b""
    while b"forged" not in said:
        said += await stream.receive_some(1000)
    assert said.count(b"\ndata: ") == 1
    await stream.aclose()
    await ended.wait()


async def test_each_page_has_an_address_of_its_own_unless_a_port_is_asked_for(tmp_path, nursery):
    serving = partial(serve_page, [], static(tmp_path), report=quiet)
    one, other = [(await nursery.start(serving)).link() for _ in range(2)]
    assert one.split(":")[1] != other.split(":")[1]
    async with trio.open_nursery() as inner:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises(Unavailable, match="choose another port"):
            await serving(port=port)
        for wrong in (-1, 65536):
            with pytest.raises(LocalError):
                await serving(port=wrong)
        await listeners[0].aclose()
        assert (await inner.start(partial(serving, port=port))).link().startswith(f"http://127.0.0.1:{port}/")
        inner.cancel_scope.cancel()
