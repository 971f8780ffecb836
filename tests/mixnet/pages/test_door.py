"""The door refuses all but the browser that was let in, whatever a request tries; each answer carries the headers."""

from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse

from mixnet.pages import door
from mixnet.pages.door import BODY_LIMIT, COOKIE, HEADERS, MOST_BROWSERS, Door

HERE = "127.130.1.2:4000"
ORIGIN = f"http://{HERE}"
Answer = tuple[int, dict[str, str], str]


class Asked:
    """A door with something behind it that notes what reaches it."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.faults: list[str] = []
        self.door = Door(self._inside, HERE, report=self.faults.append, limits={"/upload": 10 * BODY_LIMIT})

    async def _inside(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append(scope["path"])
        if scope["path"] == "/broken":
            raise KeyError("a secret")
        headers = {"cache-control": "public", "Content-Security-Policy": "default-src *"}
        await PlainTextResponse("inside", headers=headers)(scope, receive, send)

    async def ask(self, path: str = "/", *, method: str = "GET", query: str = "", **changes: Any) -> Answer:
        """`changes` of the headers of a browser that is on our page; None takes one away, a list gives several."""
        headers = {"host": HERE, "sec-fetch-site": "same-origin"}
        if method != "GET":
            headers |= {"origin": ORIGIN, "content-length": "2"}
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        pairs = [
            (name.encode(), one.encode("latin-1"))
            for name, value in headers.items()
            for one in (value if isinstance(value, list) else [value])
            if one is not None
        ]
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": pairs}
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        await self.door(scope, receive, send)
        if not sent:
            return 0, {}, ""
        got = [(name.decode().lower(), value.decode()) for name, value in sent[0]["headers"]]
        assert len({name for name, _ in got}) == len(got), "a header twice"
        return sent[0]["status"], dict(got), b"".join(one.get("body", b"") for one in sent[1:]).decode()

    async def enter(self) -> str:
        """Let a browser in; the header with its cookie."""
        status, headers, _ = await self.ask("/enter", query=self.door.link().partition("?")[2], sec_fetch_site="none")
        assert (status, headers["location"]) == (303, "/")
        _, *rules = [part.strip().lower() for part in headers["set-cookie"].split(";")]
        assert {"httponly", "samesite=strict", "path=/"} <= set(rules)
        return headers["set-cookie"].partition(";")[0]


async def test_a_link_lets_one_browser_in_once():
    asked = Asked()
    link = asked.door.link()
    assert link.startswith(f"{ORIGIN}/enter?token=")
    query = link.partition("?")[2]
    status, headers, _ = await asked.ask("/enter", query=query)
    assert status == 303
    cookie = headers["set-cookie"].partition(";")[0]
    assert (await asked.ask(cookie=cookie))[::2] == (200, "inside")
    assert (await asked.ask("/enter", query=query))[0] == 403
    assert (await asked.ask("/enter", query=query, cookie=cookie))[0] == 303, "its own browser is led on"
    assert query.partition("=")[2] not in cookie


REFUSED = [
    ({"cookie": None}, 403),
    ({"cookie": f"{COOKIE}="}, 403),
    ({"cookie": f"{COOKIE}=\u00e9"}, 403),
    ({"cookie": "other={value}"}, 403),
    ({"host": None}, 421),
    ({"host": "localhost:4000"}, 421),
    ({"host": "attacker.example:4000"}, 421),
    ({"host": "127.130.1.2"}, 421),
    ({"host": [HERE, HERE]}, 421),
    ({"origin": "http://attacker.example"}, 403),
    ({"origin": "null"}, 403),
    ({"origin": "http://127.130.1.2:4001"}, 403),
    ({"origin": [ORIGIN, "http://attacker.example"]}, 403),
    ({"sec_fetch_site": "cross-site"}, 403),
    ({"sec_fetch_site": "same-site"}, 403),
]
REFUSED_CHANGES = [
    ({"origin": None}, 403),
    ({"content_length": None}, 411),
    ({"content_length": ["2", "3"]}, 411),
    ({"content_length": "-1"}, 411),
    ({"content_length": "\u00b2"}, 411),
    ({"content_length": str(BODY_LIMIT + 1)}, 413),
    ({"content_length": "9" * 5000}, 413),
]


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/upload", "/enter", "/nothing", "//enter"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT"])
async def test_no_method_and_no_path_gets_by(path, method):
    asked = Asked()
    cookie = await asked.enter()
    for changes, status in REFUSED if path != "/enter" else REFUSED[4:]:
        tried = {"cookie": cookie} | changes
        if isinstance(value := tried["cookie"], str):
            tried["cookie"] = value.replace("{value}", cookie.partition("=")[2])
        got, headers, _ = await asked.ask(path, method=method, query="token=", **tried)
        assert (got, asked.reached) == (status, []), changes
        assert HEADERS.items() <= headers.items()


@pytest.mark.parametrize(("changes", "status"), REFUSED_CHANGES)
async def test_a_change_says_where_it_comes_from_and_how_long_it_is(changes, status):
    asked = Asked()
    cookie = await asked.enter()
    assert (await asked.ask("/send", method="POST", cookie=cookie, **changes))[0] == status
    assert asked.reached == []
    assert (await asked.ask("/send", method="POST", cookie=cookie))[0] == 200
    long = {"content_length": str(BODY_LIMIT + 1)}
    assert (await asked.ask("/upload", method="POST", cookie=cookie, **long))[0] == 200


async def test_our_headers_win_over_those_from_inside():
    asked = Asked()
    _, headers, _ = await asked.ask(cookie=await asked.enter())
    assert HEADERS.items() <= headers.items()


async def test_a_cookie_of_another_program_is_no_hindrance():
    asked = Asked()
    cookie = await asked.enter()
    for others in ("a[]=1; ", f"{COOKIE}=old; ", '"; ', "; ; "):
        assert (await asked.ask(cookie=others + cookie))[0] == 200, others


@given(st.text(st.characters(max_codepoint=255), max_size=60), st.text(max_size=60))
async def test_no_guess_gets_in_or_hurts(cookie, query):
    asked = Asked()
    asked.door.link()
    await asked.enter()
    got, _, _ = await asked.ask(cookie=[cookie, f"{COOKIE}={cookie}"])
    entered, _, _ = await asked.ask("/enter", query=query)
    assert (got, entered, asked.reached, asked.faults) == (403, 403, [], [])


async def test_a_fault_inside_is_reported_without_what_it_says():
    asked = Asked()
    await asked.ask("/broken", cookie=await asked.enter())
    assert len(asked.faults) == 1
    assert "KeyError" in asked.faults[0]
    assert "secret" not in asked.faults[0]


async def test_links_and_browsers_are_bounded_and_the_newest_stay():
    asked = Asked()
    links = [asked.door.link() for _ in range(MOST_BROWSERS + 1)]
    cookies = []
    for link in links:
        status, headers, _ = await asked.ask("/enter", query=link.partition("?")[2])
        assert status == (403 if link == links[0] else 303)
        cookies.append(headers.get("set-cookie", "").partition(";")[0])
    await asked.enter()
    allowed = [(await asked.ask(cookie=cookie))[0] for cookie in cookies]
    assert allowed == [403, 403] + [200] * (MOST_BROWSERS - 1)


async def test_so_many_requests_are_answered_at_once_and_no_more(nursery, monkeypatch):
    monkeypatch.setattr(door, "AT_ONCE", 2)
    asked, gate = Asked(), trio.Event()
    cookie = await asked.enter()
    answer = asked.door._inside

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        await answer(scope, receive, send)

    monkeypatch.setattr(asked.door, "_inside", slow)
    for _ in range(2):
        nursery.start_soon(partial(asked.ask, cookie=cookie))
    await trio.testing.wait_all_tasks_blocked()
    assert (await asked.ask(cookie=cookie))[0] == 503
    gate.set()
    await trio.testing.wait_all_tasks_blocked()
    assert (await asked.ask(cookie=cookie))[0] == 200


async def test_a_web_socket_is_closed():
    sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    asked = Asked()
    await asked.door({"type": "websocket", "path": "/", "headers": []}, lambda: None, send)
    assert [one["type"] for one in sent] == ["websocket.close"]
    assert asked.reached == []


async def test_a_body_of_a_length_that_nobody_knows_is_refused_at_every_method():
    """One that comes in pieces counts for more than the length beside it, which alone is looked at."""
    asked = Asked()
    _, headers, _ = await asked.ask("/enter", query=asked.door.link().partition("?")[2])
    cookie = headers["set-cookie"].partition(";")[0]
    for method in ("GET", "HEAD", "POST", "PUT"):
        assert (await asked.ask(method=method, cookie=cookie, transfer_encoding="chunked"))[0] == 411
    for length in (str(BODY_LIMIT + 1), f"{BODY_LIMIT + 1:024}", "9" * 400):
        assert (await asked.ask(method="POST", cookie=cookie, content_length=length))[0] == 413
    assert asked.reached == []


async def test_whatever_the_entrance_is_asked_the_answer_is_a_refusal_with_the_headers():
    asked = Asked()
    for query in ("&".join(f"token={number}" for number in range(9)), "token=%ff%00", "&" * 99, ";", "token"):
        status, headers, _ = await asked.ask("/enter", query=query)
        assert status == 403
        assert HEADERS.items() <= headers.items()
