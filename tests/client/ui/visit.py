"""A page before a daemon's real API, and requests to it, byte by byte as somebody sends them."""

import re
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import trio

from mixnet.client.api.connection import connect
from mixnet.client.ui.app import page
from mixnet.client.ui.desk import Desk
from tests.client.chat.screen import conversation


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes  # all before the body


class Visitor:
    """Somebody who sends requests to a page; `cookie`: as a browser that came by the link."""

    def __init__(self, authority: str) -> None:
        self.authority, self.cookie = authority, ""

    @property
    def usual(self) -> dict[str, str]:
        """What a browser sends along."""
        return {"host": self.authority, "sec-fetch-site": "same-origin", "cookie": self.cookie}

    @property
    def posting(self) -> dict[str, str]:
        return self.usual | {"origin": f"http://{self.authority}", "content-type": "application/json"}

    async def enter(self, link: str) -> Answer:
        got = await self.ask("GET", link.partition(self.authority)[2], self.usual | {"sec-fetch-site": "none"})
        self.cookie = got.headers.get("set-cookie", "").partition(";")[0]
        return got

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path, self.usual)

    async def post(self, path: str, body: bytes, **more: str) -> Answer:
        given = self.posting | {name.replace("_", "-"): value for name, value in more.items()}
        return await self.ask("POST", path, given, body)

    async def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """One request on a connection of its own."""
        given = headers | ({"content-length": str(len(body))} if method == "POST" else {}) | {"connection": "close"}
        head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value)]
        return await self.raw("\r\n".join([*head, "", ""]).encode() + body)

    async def dial(self) -> trio.SocketStream:
        host, _, port = self.authority.partition(":")
        return await trio.open_tcp_stream(host, int(port))

    async def raw(self, sent: bytes) -> Answer:
        """The answer to these bytes, read to its end."""
        with trio.fail_after(30):
            async with await self.dial() as stream:
                got = b""
                with suppress(trio.BrokenResourceError):  # it may be refused before its end
                    await stream.send_all(sent)
                with suppress(trio.BrokenResourceError):
                    async for part in stream:
                        got += part
        head, _, content = got.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(re.split(": ?", line, maxsplit=1) for line in lines)
        return Answer(int(first.split()[1]), headers, content, head)


@asynccontextmanager
async def visited(folder: Path, *contacts: str):
    """A page of alice's with these contacts, and two who visit it: one came by the link, the other did not."""
    async with conversation(folder, *contacts) as world:
        desk = Desk("alice", lambda: connect(folder))
        async with page(desk, folder) as door:
            link = door.link()
            friend, stranger = [Visitor(link.split("/")[2]) for _ in range(2)]
            assert (await friend.enter(link)).status == 303
            with trio.fail_after(30):
                while b"conversations" not in (await friend.get("/overview")).body:
                    await trio.sleep(0.01)
            yield SimpleNamespace(world=world, door=door, friend=friend, stranger=stranger, folder=folder)
