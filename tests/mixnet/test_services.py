"""Questions and answers have one size and one encoding each; anything else is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.errors import LocalError, RemoteError
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.document import Node
from mixnet.services import BODY_LIMIT, Operation, Question, ServiceAnswer, ServiceStatus, provider_for
from mixnet.sphinx import GEOMETRY

SURB = bytes(range(256)) + bytes(148)
BODIES = st.binary(max_size=60) | st.binary(min_size=BODY_LIMIT - 2, max_size=BODY_LIMIT)
QUESTIONS = st.builds(Question, st.integers(0, 255), st.binary(min_size=32, max_size=32), BODIES)
ANSWERS = st.builds(ServiceAnswer, st.sampled_from(ServiceStatus), BODIES)


@settings(deadline=None, max_examples=50)
@given(QUESTIONS)
def test_a_question_comes_back_as_it_was_and_fits_into_a_packet(question: Question) -> None:
    raw = question.encode(SURB)
    assert len(raw) == 2640 <= GEOMETRY.message_size
    parsed, surb = Question.parse_untrusted(raw)
    assert parsed == question
    assert surb.serialize() == SURB


@settings(deadline=None, max_examples=50)
@given(ANSWERS)
def test_an_answer_comes_back_as_it_was_and_fits_into_a_packet(answer: ServiceAnswer) -> None:
    raw = answer.encode()
    assert len(raw) == 2204 <= GEOMETRY.message_size
    assert ServiceAnswer.parse_untrusted(raw) == answer


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=64) | QUESTIONS.map(lambda one: one.encode(SURB)), st.data())
def test_whatever_parses_is_what_encodes(raw: bytes, data: st.DataObject) -> None:
    """Cut, prolonged, altered anywhere: refused, or another question of the same one encoding."""
    if raw:
        place = data.draw(st.integers(0, len(raw) - 1))
        raw = raw[:place] + data.draw(st.binary(max_size=2)) + raw[place + 1 :]
    for parse in (_question, _answer):
        try:
            again = parse(raw)
        except RemoteError:
            continue
        assert again == raw


def _question(raw: bytes) -> bytes:
    question, surb = Question.parse_untrusted(raw)
    return question.encode(surb.serialize())


def _answer(raw: bytes) -> bytes:
    return ServiceAnswer.parse_untrusted(raw).encode()


@pytest.mark.parametrize(
    "altered",
    [
        lambda raw: raw[:-1],
        lambda raw: raw + b"\0",
        lambda raw: b"\x07" + raw[1:],
        lambda raw: raw[:-1] + b"\x01",  # after the body's end
        lambda raw: raw[:438] + b"\xff\xff" + raw[440:],  # a body longer than there is room for
    ],
)
def test_no_question(altered) -> None:
    with pytest.raises(RemoteError):
        Question.parse_untrusted(altered(Question(Operation.READ, bytes(32), b"x").encode(SURB)))


def test_no_answer() -> None:
    raw = ServiceAnswer(ServiceStatus.DONE, b"x").encode()
    for altered in (raw[:-1], b"\x08" + raw[1:], raw[:1] + b"\x09" + raw[2:], raw[:-1] + b"\x01"):
        with pytest.raises(RemoteError):
            ServiceAnswer.parse_untrusted(altered)


def test_what_can_t_be_encoded_is_our_mistake() -> None:
    for make in (
        lambda: Question(256, bytes(32)),
        lambda: Question(1, bytes(31)),
        lambda: Question(1, bytes(32), bytes(BODY_LIMIT + 1)),
        lambda: Question(1, bytes(32)).encode(bytes(403)),
        lambda: ServiceAnswer(ServiceStatus.DONE, bytes(BODY_LIMIT + 1)),
    ):
        with pytest.raises(LocalError):
            make()


def test_names_are_spread_over_providers_and_few_move_when_one_leaves() -> None:
    nodes = [Node(bytes([n]) * 32, NodeRole.PROVIDER, f"10.0.0.{n}:1", 0, (bytes(32),)) for n in range(1, 6)]
    names = [bytes([n]) * 4 for n in range(200)]
    before = {name: provider_for(name, nodes) for name in names}
    after = {name: provider_for(name, reversed(nodes[1:])) for name in names}
    assert set(before.values()) == {node.identity for node in nodes}
    moved = {name for name in names if before[name] != after[name]}
    assert moved == {name for name in names if before[name] == nodes[0].identity}
    assert 20 < len(moved) < 60
    with pytest.raises(LocalError):
        provider_for(b"x", [])
