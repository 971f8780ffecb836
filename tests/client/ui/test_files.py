"""Files through the page: what is uploaded, what of that stays, and what may be saved."""

import json
import stat
from contextlib import aclosing
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.model import paths
from mixnet.client.model.views import MessageKind
from mixnet.client.ui import uploads
from tests.client.chat.screen import receive
from tests.client.ui.visit import visited

BINARY = {"content_type": "application/octet-stream"}


def kept(folder: Path) -> list[Path]:
    return sorted((folder / paths.UPLOADS).glob("*/*"))


async def test_a_file_lies_where_only_its_user_reads_it_until_it_is_not_under_way(tmp_path):
    async with visited(tmp_path, "bob") as here:
        content = bytes(range(256)) * 1000
        sent = await here.friend.post("/upload?to=bob&name=a%20b.txt", content, **BINARY)
        assert sent.status == 200
        (path,) = kept(tmp_path)
        assert (path.name, path.read_bytes()) == ("a b.txt", content)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert {stat.S_IMODE(one.stat().st_mode) for one in (path.parent, path.parent.parent)} == {0o700}
        second = await here.friend.post("/upload?to=bob&name=c.txt", b"more", **BINARY)
        assert [one.name for one in kept(tmp_path)] in (["a b.txt", "c.txt"], ["c.txt", "a b.txt"])
        for number in (sent.body, second.body):
            cancel = json.dumps({"op": "cancel", "number": int(number)}).encode()
            assert (await here.friend.post("/ask", cancel)).status == 200
        await here.friend.post("/upload?to=bob&name=d.txt", b"last", **BINARY)
        assert [one.name for one in kept(tmp_path)] == ["d.txt"]


async def test_what_can_t_be_queued_leaves_nothing(tmp_path, monkeypatch):
    async with visited(tmp_path, "bob") as here:
        for path in ("/upload?to=nobody&name=x", "/upload?name=x", "/upload"):
            assert (await here.friend.post(path, b"content", **BINARY)).status == 409
        monkeypatch.setattr(uploads, "RESERVE", 1 << 60)
        full = await here.friend.post("/upload?to=bob&name=x", b"content", **BINARY)
        assert full.status == 409 and b"disk" in full.body
        assert not list((tmp_path / paths.UPLOADS).iterdir())
        long = {"content-length": str(uploads.LIMIT + 1), **here.friend.posting}
        assert (await here.friend.ask("PUT", "/upload", long)).status in (405, 413)


async def test_so_many_files_are_taken_at_once_and_no_more(tmp_path):
    files = uploads.Uploads(tmp_path)
    gate = trio.Event()

    async def content():
        await gate.wait()
        yield b"x"

    class Daemon:
        async def send_file(self, _contact: str, _path: Path) -> int:
            return 1

    async with trio.open_nursery() as nursery:
        for _ in range(uploads.AT_ONCE):
            nursery.start_soon(files.send, Daemon(), "bob", "name", content())
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(uploads.TooManyUploads):
            async with aclosing(content()) as third:
                await files.send(Daemon(), "bob", "name", third)
        gate.set()


NAMES = [
    "../../x",
    "..",
    ".",
    "",
    "/etc/passwd",
    "a\\..\\b",
    "\0",
    "x\n.txt",
    "." * 300,
    "n" * 300 + ".tar.gz",
    "é" * 200 + ".jpg",
]


@given(st.one_of(st.sampled_from(NAMES), st.text(max_size=300)))
def test_no_name_of_a_file_leads_out_of_its_folder_and_its_ending_stays(name):
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    made = uploads.file_name(name)
    assert made not in ("", ".", "..") and "/" not in made and "\0" not in made
    assert 0 < len(made.encode()) <= 200
    if name.endswith((".jpg", ".gz")):
        assert made.endswith(name[name.rindex(".") :])


async def test_a_file_that_came_is_given_to_save_and_nothing_else_is_given(tmp_path):
    there = tmp_path / 'odd "name"\r\nx: ü.html'
    there.write_bytes(b"<script>")
    (tmp_path / "link").symlink_to(there)
    async with visited(tmp_path, "bob") as here:
        file = {"kind": MessageKind.FILE, "size": 8}
        good = receive(here.world, "bob", "name", path=str(there), **file)
        others = [
            receive(here.world, "bob", "name", path=str(one), **file)
            for one in (tmp_path / "gone", tmp_path / "link", tmp_path, "/dev/zero", "")
        ]
        others.append(receive(here.world, "bob", "a text"))
        await here.friend.post("/upload?to=bob&name=mine", b"mine", **BINARY)
        got = await here.friend.get(f"/file/{good}")
        assert (got.status, got.body) == (200, b"<script>")
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''odd%20")
        assert "x" not in got.headers and got.headers["x-content-type-options"] == "nosniff"
        assert got.raw.count(b"content-security-policy: ") == 2 and b"sandbox; default-src 'none'" in got.raw
        for number in (*others, others[-1] + 1, 0, 999, 1 << 70):
            refused = await here.friend.get(f"/file/{number}")
            assert refused.status == 409, number


@pytest.mark.parametrize("given", ["<b>&", "\u202eabc", "a\x1b[31m", "name\u2066"])
async def test_what_others_chose_is_harmless_in_what_the_page_gets(tmp_path, given):
    async with visited(tmp_path, "bob") as here:
        receive(here.world, "bob", given)
        receive(here.world, "bob", given, kind=MessageKind.FILE, size=3)
        asked = json.dumps({"op": "history", "contact": "bob"}).encode()
        shown = [one["shown"] for one in json.loads((await here.friend.post("/ask", asked)).body)]
        assert len(shown) == 2
        assert not {"\u202e", "\x1b", "\u2066"} & set("".join(shown))
