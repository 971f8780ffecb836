"""A page of a few files, and requests to it, on real sockets."""

import trio

from mixnet.pages.door import Door


async def fetch(link: str, path: str, *headers: str) -> tuple[bytes, trio.SocketStream]:
    """The head of an answer, and the stream that gives the rest."""
    authority = link.split("/")[2]
    host, _, port = authority.partition(":")
    stream = await trio.open_tcp_stream(host, int(port))
    await stream.send_all("\r\n".join([f"GET {path} HTTP/1.1", f"host: {authority}", *headers, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        part = await stream.receive_some(1)
        assert part
        head += part
    return head, stream


def static(folder):
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "page.js").write_text("'use strict'")
    (folder / "secret.key").write_text("no")
    return folder


def quiet(fault: str) -> None:
    raise AssertionError(fault)


async def enter(door: Door) -> tuple[str, str]:
    link = door.link()
    head, stream = await fetch(link, link.partition("/enter")[1] + link.partition("/enter")[2])
    await stream.aclose()
    assert head.startswith(b"HTTP/1.1 303")
    cookie = next(line for line in head.decode().split("\r\n") if line.lower().startswith("set-cookie"))
    return link, "cookie:" + cookie.partition(":")[2].partition(";")[0]
