"""The door of a page: who gets in, and what every answer carries (docs/pages.md).

Promises: nobody gets past it but a browser that opened a link of `link`, each of which works once; a request that a
page of somebody else made, or that came by another name of this machine, is refused whatever cookie it brings; every
answer, a refusal too, tells the browser to load, run and send nothing that isn't of this page, and to keep nothing.
Comparisons of secrets take the same time. Whatever is behind the door needs no check of its own.
Never: a secret or an address of a request in an error.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mixnet.faults import named

COOKIE = "mixnet"
ENTRANCE = "/enter"
AT_ONCE = 48  # requests, those for events among them
BODY_LIMIT = 1 << 16  # bytes of a request, where the page gives no other limit
MOST_BROWSERS = 32  # that are let in, and links that are open; the oldest goes first
_SECRET = 32  # bytes
_DIGITS = 20  # of a length

HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "cache-control": "no-store",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_OURS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_NAMES = {name for name, _ in _OURS}
_READING = frozenset({"GET", "HEAD"})


class Door:
    """An ASGI application that lets requests through to another one."""

    def __init__(
        self,
        inside: ASGIApp,
        authority: str,
        *,
        report: Callable[[str], None],
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """Guard `inside` at `authority`, such as 127.0.0.1:4000.

        `limits` are bytes of a request by its path; `report` hears of faults in what is inside, as `named` tells them.
        """
        self._inside, self._authority = inside, authority
        self._origin = f"http://{authority}"
        self._limits = limits or {}
        self._report = report
        self._open: list[str] = []  # tokens of links that nobody used yet
        self._known: list[str] = []  # cookies of those that came in
        self._cookie = f"{COOKIE}-{authority.rpartition(':')[2]}"  # cookies know no ports: pages at one address differ
        self._busy = 0

    def link(self) -> str:
        """A new link that lets one browser in."""
        token = _add_secret(self._open)
        return f"{self._origin}{ENTRANCE}?token={token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; nothing but HTTP is spoken."""
        if scope["type"] == "lifespan":
            await self._inside(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._answer(scope, receive, _guarded(send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = _Head(scope)
        refusal = self._foreign(head)
        if refusal is None and scope["path"] == ENTRANCE:
            return await self._enter(head)(scope, receive, send)
        refusal = refusal or self._stranger(head) or self._wrong(head)
        if refusal is not None:
            return await refusal(scope, receive, send)
        if self._busy >= AT_ONCE:
            return await _refusal(503, "too much is asked at once")(scope, receive, send)
        self._busy += 1
        try:
            await self._inside(scope, receive, send)
        except Exception as error:  # the server would forget it
            self._report(named(error))
        finally:
            self._busy -= 1
        return None

    def _foreign(self, head: _Head) -> PlainTextResponse | None:
        """Refuse what another page asks for, and what was sent here under a name that isn't ours (DNS rebinding)."""
        if head.every("host") != [self._authority]:
            return _refusal(421, "this page is found under the address of its link only")
        if head.every("origin") not in ([], [self._origin]):
            return _refusal(403, "another page may not ask here")
        if not {"same-origin", "none"}.issuperset(head.every("sec-fetch-site")):
            return _refusal(403, "paste the link into the browser's address line: other pages may not lead here")
        return None

    def _stranger(self, head: _Head) -> PlainTextResponse | None:
        """Refuse whoever has no cookie of ours."""
        if any(_is_among(one, self._known) for one in head.cookies(self._cookie)):
            return None
        return _refusal(403, "open the link that the command printed: it lets one browser in, once")

    def _wrong(self, head: _Head) -> PlainTextResponse | None:
        """Refuse a change that doesn't say that this page asks for it, and bodies of unknown or great length."""
        sizes = head.every("content-length")
        if head.every("transfer-encoding"):  # which counts for more than a length does
            return _refusal(411, "say how long the request is")
        if head.method in _READING:
            return None
        if not head.every("origin"):
            return _refusal(403, "another page may not ask here")
        if len(sizes) != 1 or not (sizes[0].isascii() and sizes[0].isdigit()):
            return _refusal(411, "say how long the request is")
        if len(sizes[0]) > _DIGITS or int(sizes[0]) > self._limits.get(head.path, BODY_LIMIT):
            return _refusal(413, "that is too long")
        return None

    def _enter(self, head: _Head) -> PlainTextResponse | RedirectResponse:
        """Exchange a link's token for a cookie. A browser that is in already is simply led on."""
        answer = RedirectResponse("/", 303)
        if self._stranger(head) is None:
            return answer
        token = _is_among(head.asked("token"), self._open) if head.method == "GET" else None
        if token is None:
            return _refusal(403, "this link was used, or is not of this page: ask the command for a new one")
        self._open.remove(token)
        answer.set_cookie(self._cookie, _add_secret(self._known), httponly=True, samesite="strict", path="/")
        return answer


class _Head:
    """What the door looks at in a request."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        self._query: bytes = scope["query_string"]

    def every(self, name: str) -> list[str]:
        """All values of a header."""
        return [value.decode("latin-1") for key, value in self._headers if key.lower() == name.encode()]

    def cookies(self, ours: str) -> list[str]:
        """All values of our cookie: a browser may bring several of one name, from other programs of the address."""
        found = []
        for pair in ";".join(self.every("cookie")).split(";"):
            try:
                jar = SimpleCookie(pair.strip())
            except CookieError:
                continue
            found += [one.value for name, one in jar.items() if name == ours]
        return found

    def asked(self, name: str) -> str:
        """The one value of a parameter; empty if there is none, or more than one."""
        try:
            values = parse_qs(self._query.decode("latin-1"), max_num_fields=8).get(name, [])
        except ValueError:  # too many
            return ""
        return values[0] if len(values) == 1 else ""


def _refusal(status: int, why: str) -> PlainTextResponse:
    return PlainTextResponse(why + "\n", status)


def _add_secret(among: list[str]) -> str:
    """A new secret at the end of a list that doesn't grow without bounds."""
    among.append(secrets.token_urlsafe(_SECRET))
    del among[:-MOST_BROWSERS]
    return among[-1]


def _is_among(given: str, secret: list[str]) -> str | None:
    """Which of the secrets it is; all are compared."""
    found = [one for one in secret if hmac.compare_digest(one.encode(), given.encode(errors="replace"))]
    return found[0] if found else None


def _guarded(send: Send) -> Send:
    """Send answers with our headers, whatever they had of these names themselves."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = _with_headers(message)
        await send(message)

    return guarded


def _with_headers(message: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # Of two policies a browser keeps both: an answer may have a stricter one beside ours.
    own = [
        pair for pair in message.get("headers", ()) if pair[0].lower() not in _NAMES or pair[1].startswith(b"sandbox;")
    ]
    return {**message, "headers": [*own, *_OURS]}
