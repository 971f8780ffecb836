"""What the page's routes let nobody do: walked over all of them, with requests as somebody sends them."""

import json
from contextlib import asynccontextmanager
from typing import get_args
from urllib.parse import quote

from mixnet.client.api.protocol import COMMANDS
from mixnet.client.ui import app, asked
from mixnet.client.ui.app import Page
from mixnet.pages.door import BODY_LIMIT, HEADERS
from tests.client.ui.visit import visited

REFUSED = {
    "no cookie": {"cookie": ""},
    "a wrong cookie": {"cookie": "mixnet=1"},
    "another host": {"host": "evil.example"},
    "another page of this machine": {"sec-fetch-site": "same-site"},
    "another origin": {"origin": "http://evil.example"},
}


def routes() -> list[tuple[str, str]]:
    """(method, path) of each route, the page's own files among them."""
    listed = Page(None, None).routes()
    found = [(method, one.path.replace("{number:int}", "1")) for one in listed for method in one.methods - {"HEAD"}]
    assert len(found) == len(listed) > 4
    return [*found, ("GET", "/"), ("GET", "/static/main.js"), ("GET", "/nothing"), ("POST", "/nothing")]


async def test_at_every_route_whoever_is_not_let_in_learns_nothing(tmp_path):
    async with visited(tmp_path, "bob") as here:
        said = set()
        for method, path in routes():
            usual = here.friend.posting if method == "POST" else here.friend.usual
            for why, change in (REFUSED | ({"no origin": {"origin": ""}} if method == "POST" else {})).items():
                got = await here.friend.ask(method, path, usual | change)
                assert got.status in (403, 421), (method, path, why)
                said.add(got.body)
        assert len(said) == 4, said  # the same for all routes
        assert not [one for one in said if b"alice" in one or b"bob" in one]
        assert (await here.friend.get("/")).status == 200


async def test_every_answer_has_the_headers_that_keep_a_browser_here(tmp_path):
    async with visited(tmp_path, "bob") as here:
        friend = here.friend
        answers = [
            *[await friend.get(path) for path in ("/", "/static/main.js", "/static/page.css", "/overview")],
            await friend.get("/nothing"),
            await friend.get("/ask"),
            await friend.post("/ask", b"{}"),
            await friend.post("/ask", b" " * (BODY_LIMIT + 1)),
            await here.stranger.get("/"),
        ]
        assert [got.status for got in answers] == [200, 200, 200, 200, 404, 405, 409, 413, 403]
        for got in answers:
            assert HEADERS.items() <= got.headers.items()
            assert not {"server", "access-control-allow-origin"} & got.headers.keys()


NAMES = [
    "../app.py",
    "..",
    ".",
    "",
    "/etc/passwd",
    "main.js/",
    "main.js\x00",
    "../static/main.js",
    "MAIN.JS",
    "__init__.py",
    "\\main.js",
]


async def test_no_name_leads_out_of_the_page_s_own_files(tmp_path):
    async with visited(tmp_path) as here:
        for name in NAMES:
            for written in {quote(name), quote(name, safe=""), quote(quote(name, safe=""), safe="")}:
                assert (await here.friend.get(f"/static/{written}")).status == 404, written


async def test_event_streams_are_so_many_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(app, "STREAMS", 1)
    async with visited(tmp_path) as here:
        head = "\r\n".join(f"{name}: {value}" for name, value in here.friend.usual.items())

        @asynccontextmanager
        async def listen():
            stream, got = await here.friend.dial(), b""
            await stream.send_all(f"GET /events HTTP/1.1\r\n{head}\r\n\r\n".encode())
            while b"changed" not in got and b" 503 " not in got:
                got += await stream.receive_some()
            async with stream:
                yield b"changed" in got

        async with listen() as first, listen() as second:
            assert (first, second) == (True, False)
        heard = False
        while not heard:
            async with listen() as heard:
                pass


async def test_of_all_commands_of_the_daemon_only_those_of_the_list_are_taken(tmp_path):
    named = {one.__struct_config__.tag: set(one.__struct_fields__) for one in COMMANDS}
    taken = {one.__struct_config__.tag for one in get_args(asked._Allowed)}
    assert taken < named.keys() and len(taken) > 20
    assert not [op for op in taken if named[op] & {"path", "directory", "folder"}]
    assert not taken & {"stop", "send_file", "export", "delete", "delete_contact", "link", "device_link", "relink"}
    refused = [json.dumps({"op": op}).encode() for op in sorted(named.keys() - taken)]
    refused += [
        b"",
        b"[]",
        b"\xff",
        b"{}",
        b'{"op":"send"}',
        b'{"op":["send"]}',
        b"[" * 60000,
        b'{"op":"invite","x":1}',
    ]
    refused += [json.dumps({"op": "send_file", "contact": "bob", "path": "/etc/passwd"}).encode()]
    for body in refused:
        try:
            asked.parse_untrusted(body)
        except asked.NotAsked:
            continue
        raise AssertionError(body)
    async with visited(tmp_path, "bob") as here:
        assert (await here.friend.post("/ask", refused[-1])).status == 409
        sent = await here.friend.post("/ask", json.dumps({"op": "send", "contact": "bob", "text": "hi"}).encode())
        assert (sent.status, int(sent.body) > 0) == (200, True)
