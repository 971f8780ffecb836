"""Serves a page to browsers on this machine: its own files, its routes, behind a door (docs/pages.md).

Promises: it listens on a loopback address only; without a port of the user's choice that address is drawn anew, since
browsers send cookies to all ports of an address; the files are read once, and no request names a path.
Never: a line in a log.
"""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import trio
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from mixnet.errors import Unavailable
from mixnet.network import Address
from mixnet.pages.connections import serving
from mixnet.pages.door import Door

INDEX = "index.html"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
PATIENCE = 5_000  # milliseconds after which a browser that takes nothing any more loses its connection
_STANDARD = "127.0.0.1"


async def serve_page(
    routes: Sequence[BaseRoute],
    static: Path,
    *,
    report: Callable[[str], None],
    port: int | None = None,
    limits: Mapping[str, int] | None = None,
    task_status: trio.TaskStatus[Door] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled: `index.html` of the folder `static` as `/`, its files as `/static/NAME`, and `routes`.

    Started with the door, whose `link` lets a browser in. With a `port` it listens there on 127.0.0.1, so that
    `ssh -L` finds it; Unavailable if another program does. `limits` and `report`: see Door.
    """
    listening = _listen(port)
    host, chosen = listening.getsockname()
    app = Starlette(routes=[*_files(static), *routes])
    door = Door(app, f"{host}:{chosen}", limits=limits, report=report)
    app.router.redirect_slashes = False
    async with serving(door, listening):
        task_status.started(door)
        await trio.sleep_forever()


def _listen(port: int | None) -> socket.socket:
    """A socket that is bound; where there is one loopback address only, that one. LocalError if the port is none."""
    Address(_STANDARD, port or 0)
    drawn = f"127.{128 + secrets.randbelow(127)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
    for host in (_STANDARD,) if port is not None else (drawn, _STANDARD):
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections inherit it. Hypercorn shields what it sends, so a browser that is stuck would hold our end.
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PATIENCE)
        try:
            found.bind((host, port or 0))
        except OSError as error:
            found.close()
            if error.errno == errno.EADDRNOTAVAIL and host != _STANDARD:
                continue
            advice = "another program listens there" if error.errno == errno.EADDRINUSE else "the system forbids it"
            raise Unavailable(f"can't listen at {host}:{port or 0}: {advice}; choose another port") from None
        return found
    raise Unavailable("this machine has no loopback address")


def _files(folder: Path) -> list[Route]:
    """Routes to what is in the folder now."""
    answers = {
        path.name: Response(path.read_bytes(), media_type=KINDS[path.suffix])
        for path in sorted(folder.iterdir())
        if path.suffix in KINDS
    }
    paths = {"/": answers[INDEX], "/favicon.ico": Response(status_code=204)}
    paths |= {f"/static/{name}": answer for name, answer in answers.items()}
    return [Route(path, answer, methods=["GET"]) for path, answer in paths.items()]
