"""The page's program: what is behind its door (spec/07-client.md 7.24).

Promises: whatever is asked is asked of the daemon, and its errors are sentences for the page's user; a file that came
is given as bytes to save, and never as something to show.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import msgspec
import trio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mixnet.client.api.messages import Message
from mixnet.client.ui import asked, uploads
from mixnet.client.ui.desk import PAUSE, Desk
from mixnet.errors import LocalError, MixnetError
from mixnet.pages.door import Door
from mixnet.pages.events import EventStream, Tell
from mixnet.pages.serve import serve_page

Answer = Callable[[Scope, Receive, Send], Awaitable[None]]
Verb = Callable[[Request], Awaitable[Answer]]

STREAMS = 4  # of events: browsers have 6 connections to a page; who gets none looks every few seconds
PIECE = 1 << 16  # bytes
LIMITS = {"/upload": uploads.LIMIT}


class NoFile(LocalError):
    """This file isn't here: it did not come, or was moved or removed."""


class Page:
    """The routes, before one daemon."""

    def __init__(self, desk: Desk, files: uploads.Uploads) -> None:
        """Nobody listens to events yet."""
        self._desk, self._files = desk, files
        self._streams = 0

    def routes(self) -> list[Route]:
        """All but the page's own files."""
        return [
            Route("/events", self._answered(self._events), methods=["GET"]),
            Route("/overview", self._answered(self._overview), methods=["GET"]),
            Route("/file/{number:int}", self._answered(self._file), methods=["GET"]),
            Route("/ask", self._answered(self._ask), methods=["POST"]),
            Route("/upload", self._answered(self._upload), methods=["POST"]),
        ]

    def _answered(self, verb: Verb) -> Verb:
        """`verb`, whose errors are answers too."""

        async def answer(request: Request) -> Answer:
            try:
                return await verb(request)
            except (MixnetError, OSError) as error:
                return _json({"error": self._desk.said(error)}, 409)
            except ClientDisconnect:
                return Response(status_code=400)  # which nobody reads

        return answer

    async def _events(self, request: Request) -> Response | EventStream:
        return Response(status_code=503) if self._streams >= STREAMS else EventStream(self._feed)

    async def _feed(self, tell: Tell) -> None:
        self._streams += 1
        try:
            while self._streams <= STREAMS:
                change = self._desk.next_change()
                await tell("changed")
                await change.wait()
                await trio.sleep(PAUSE)
        finally:
            self._streams -= 1

    async def _overview(self, request: Request) -> Response:
        return _json(await self._desk.overview())

    async def _ask(self, request: Request) -> Response:
        command = asked.parse_untrusted(await request.body())
        return _json(asked.plain(await self._desk.ask(command)))

    async def _upload(self, request: Request) -> Response:
        contact, name = request.query_params.get("to", ""), request.query_params.get("name", "")
        me = self._desk.me
        await self._files.sweep(me)
        async with aclosing(request.stream()) as content:
            return _json(await self._files.send(me, contact, name, content))

    async def _file(self, request: Request) -> SavedFile:
        one = await self._desk.ask(Message(number=min(request.path_params["number"], (1 << 63) - 1)))
        if one.outgoing or not one.path:
            raise NoFile
        return SavedFile(Path(one.path))


class SavedFile:
    """An answer with a file to save. NoFile."""

    def __init__(self, path: Path) -> None:
        """Open it, if it is a file."""
        self._name = path.name
        self._file, self._size = _opened(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; Starlette's own way would cancel Hypercorn while that ends the connection, which then stayed."""
        name = quote(self._name.encode(errors="replace"), safe="")
        headers = {
            "content-type": "application/octet-stream",
            "content-security-policy": "sandbox; default-src 'none'",
            "content-disposition": f"attachment; filename*=UTF-8''{name}",
            "content-length": str(self._size),
        }
        with self._file:
            raw = [(key.encode(), value.encode()) for key, value in headers.items()]
            await send({"type": "http.response.start", "status": 200, "headers": raw})
            left = self._size
            while left and (piece := await trio.to_thread.run_sync(self._file.read, min(PIECE, left))):
                left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def page(
    desk: Desk, profile: Path, port: int | None = None, report: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Door]:
    """The page, as long as the block runs; `report` hears of our own faults."""
    routes = Page(desk, uploads.Uploads(profile)).routes()
    static = Path(__file__).parent / "static"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.stay_connected)
        yield await nursery.start(partial(serve_page, routes, static, report=report, port=port, limits=LIMITS))
        nursery.cancel_scope.cancel()


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, {"content-type": "application/json"})


def _opened(path: Path) -> tuple[BinaryIO, int]:
    """A regular file, and its size; NoFile."""
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW), "rb")
    except OSError:
        raise NoFile from None
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        file.close()
        raise NoFile
    return file, found.st_size
