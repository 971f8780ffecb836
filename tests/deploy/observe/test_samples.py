"""A recording is what was written, or refused with its line; and nobody else can read it."""

import stat

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.deploy.observe.recording import Recording, add, writing
from mixnet.deploy.observe.samples import BadRecording, Sample, read_recording, write_line
from mixnet.errors import LocalError
from tests.deploy.observe.acted import HEADING, act

WHOLE = [write_line(HEADING), *map(write_line, act(3))]


def read(lines):
    heading, samples = read_recording(lines)
    return heading, list(samples)


def test_it_comes_back_as_it_was():
    assert read(WHOLE) == (HEADING, list(act(3)))


@pytest.mark.parametrize("wrong", [b"", b"\n", b"{}", b"[]", b"{" * 10_000, b"\xff", b'{"at": 1e400}', b'{"at": -1}'])
@pytest.mark.parametrize("line", [0, 3])
def test_what_is_malformed_is_refused_with_its_line(wrong, line):
    lines = [*WHOLE[:line], wrong, *WHOLE[line + 1 :]]
    with pytest.raises(BadRecording, match=f"line {line + 1}"):
        read(lines)


def test_nothing_at_all_is_no_recording():
    with pytest.raises(BadRecording):
        read([])


@given(st.data())
def test_no_change_of_a_byte_does_more_than_be_refused(data):
    raw = bytearray(b"".join(WHOLE[:4]))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(raw).split(b"\n")[:-1])
    except BadRecording:
        return


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"tick": 0},
        {"epoch_length": 0},
        {"nodes": {f"n{number}": "mix" for number in range(300)}},
        {"nodes": {"x" * 65: "mix"}},
        {"title": "x" * 301},
        {"more": 1},
    ],
)
def test_a_heading_has_limits(change):
    line = msgspec.json.encode({**msgspec.to_builtins(HEADING), **change})
    with pytest.raises(BadRecording):
        read([line])


def test_time_does_not_go_back():
    with pytest.raises(BadRecording, match=r"line 3 .* earlier"):
        read([write_line(HEADING), write_line(Sample(2.0)), write_line(Sample(1.0))])


async def test_a_file_is_new_private_and_played_in_its_time(tmp_path, autojump_clock):
    path = tmp_path / "run.rec"
    with writing(path, HEADING) as file:
        for sample in act(3):
            add(file, sample)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(LocalError, match="choose another name"), writing(path, HEADING):
        pass
    played = []

    async def take(sample):
        played.append((sample, round(autojump_clock.current_time() - begun, 3)))

    begun = autojump_clock.current_time()
    await Recording(path).run(take)
    assert played == [(sample, sample.at) for sample in act(3)]


def test_a_recording_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(LocalError, match="can't read the recording"):
        Recording(tmp_path / "nothing")
