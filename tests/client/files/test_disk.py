import errno
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mixnet.client.e2e.bodies import CHUNK_SIZE, Reason
from mixnet.client.files.disk import FileTrouble, chain, discard, examine, finish, read_chunk, safe_name, write_chunk
from mixnet.client.model.errors import FileMissing
from mixnet.letters import composed, without_hidden


@given(st.text(max_size=300))
@example("../../etc/passwd")
@example("..")
@example("C:\\Windows\\system32\\evil.exe")
@example(".bashrc")
@example("CON.txt")
@example("a\x00b\n.txt")
@example("\u202egpj.exe")
@example("x" * 300 + ".tar.gz")
@example("/")
@example("")
@example("photo.jpg" + " " * 40 + ".exe")
@example("a\u2215b\u3164.txt")
@example("com\u00b9.txt")
@example("x.e\u200bxe. .")
@example("a\U000e0061.pdf")
def test_a_strange_name_stays_in_the_folder(wanted):
    name = safe_name(wanted)
    assert name and not name.startswith(".") and not set(name) & set('/\\\0\n<>:"|?*')
    assert len(name.encode()) <= 200 and Path(name).name == name
    assert name.partition(".")[0].lower() not in {"con", "nul", "com1"}
    assert without_hidden(name) == name and "  " not in name and composed(name) == name
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("../a.txt", "a.txt"),
        ("Bericht Mai.pdf", "Bericht Mai.pdf"),
        ("...", "file"),
        ("cafe\u0301.pdf", "caf\u00e9.pdf"),
        *((f"{name}.jpg", f"{name}.jpg") for name in ("می‌خواهم", "👨‍👩‍👧", "葛󠄀", "❤️", "zed\U0001fabf", "ཧྐྵྨླྺྼྻྂ")),
        ("CON.txt", "_CON.txt"),
        ("lpt\u00b2.tar.gz", "_lpt\u00b2.tar.gz"),
        ("-rf ~.sh", "rf ~.sh"),
        ("~.profile", "profile"),
        ("\u202egpj.exe", "gpj.exe"),
        ("a\tb\u3000c\xa0d.txt", "a b c d.txt"),
        ("nul", "_nul"),
    ],
)
def test_a_good_name_is_kept(wanted, name):
    assert safe_name(wanted) == name


@pytest.mark.parametrize("letter", ["x", "漢", "👨‍👩‍👧", "e\u0323\u0302", "é"])
@pytest.mark.parametrize("ending", [".jpeg", ".tar.gz", ".numbers-template", ""])
def test_of_a_long_name_the_middle_goes_and_no_letter_is_halved(letter, ending):
    name = safe_name(letter * 300 + ending)
    begin, _, end = name.partition("…")
    assert 140 < len(name.encode()) <= 180 and name.endswith(ending) and safe_name(name) == name
    for part in (begin, end.removesuffix(ending)):
        assert composed(letter) * (len(part) // len(composed(letter))) == part != ""


def test_a_file_is_read_and_put_together(tmp_path):
    content = os.urandom(CHUNK_SIZE + 100)
    source = tmp_path / "source"
    source.write_bytes(content)
    size, stamp = examine(source)
    partial = tmp_path / "new" / "folder" / ".x.part"
    position = 0
    while position < size:
        chunk = read_chunk(source, position, stamp)
        write_chunk(partial, position, chunk)
        write_chunk(partial, position, chunk)
        position += len(chunk)
    path = finish(partial, size, "../result.bin")
    assert path == tmp_path / "new" / "folder" / "result.bin" and path.read_bytes() == content
    assert finish(partial, size, "../result.bin") == path, "done again after a crash it finds the same name"
    discard(partial)
    discard(partial)
    assert [file.name for file in path.parent.iterdir()] == ["result.bin"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_file_is_replaced(tmp_path):
    for number, expected in enumerate(["a.txt", "a (2).txt", "a (3).txt"]):
        partial = tmp_path / f".{number}.part"
        write_chunk(partial, 0, b"%d" % number)
        path = finish(partial, 1, "a.txt")
        assert path.name == expected and path.read_bytes() == b"%d" % number


def test_without_hard_links_no_file_is_replaced_either(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a.txt").write_bytes(b"precious")
    for number in range(2):
        partial = tmp_path / f".{number}.part"
        write_chunk(partial, 0, b"%d" % number)
        assert finish(partial, 1, "a.txt").read_bytes() == b"%d" % number
    assert (tmp_path / "a.txt").read_bytes() == b"precious" and len(list(tmp_path.iterdir())) == 3


def test_a_link_in_the_way_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / ".x.part").symlink_to(victim)
    with pytest.raises(FileTrouble):
        write_chunk(tmp_path / ".x.part", 0, b"evil")
    (tmp_path / "b.txt").symlink_to(victim)
    write_chunk(tmp_path / ".y.part", 0, b"good")
    assert finish(tmp_path / ".y.part", 4, "b.txt").name == "b (2).txt"
    assert victim.read_bytes() == b"precious"


def test_an_empty_file_arrives(tmp_path):
    assert finish(tmp_path / ".e.part", 0, "empty").read_bytes() == b""


@pytest.mark.parametrize("change", ["gone", "longer", "other"])
def test_a_file_that_changes_is_given_up(tmp_path, change):
    source = tmp_path / "source"
    source.write_bytes(b"content")
    _, stamp = examine(source)
    assert read_chunk(source, 0, stamp) == b"content"
    source.unlink()
    if change == "longer":
        source.write_bytes(b"content and more")
    if change == "other":
        (tmp_path / "keeps-the-inode").write_bytes(b"")
        source.write_bytes(b"Content")
        os.utime(source, ns=(1, 1))
    with pytest.raises(FileTrouble) as caught:
        read_chunk(source, 0, stamp)
    assert caught.value.reason is (Reason.VANISHED if change == "gone" else Reason.CHANGED)


@pytest.mark.parametrize("what", ["missing", "folder"])
def test_what_can_t_be_read_is_named(tmp_path, what):
    path = tmp_path if what == "folder" else tmp_path / "missing"
    with pytest.raises(FileMissing):
        examine(path)


def test_what_can_t_be_written_is_no_room(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileTrouble) as caught:
        write_chunk(tmp_path / "file" / ".x.part", 0, b"x")
    assert caught.value.reason is Reason.NO_ROOM
    write_chunk(tmp_path / ".x.part", 0, b"short")
    with pytest.raises(FileTrouble) as caught:
        finish(tmp_path / ".x.part", 100, "x")
    assert caught.value.reason is Reason.DAMAGED
    with pytest.raises(FileTrouble):
        finish(tmp_path / ".missing.part", 100, "x")


def test_the_digest_depends_on_order():
    assert chain(chain(bytes(32), b"a"), b"b") != chain(chain(bytes(32), b"b"), b"a")
    assert chain(chain(bytes(32), b"a"), b"b") != chain(bytes(32), b"ab")
