"""Questions and answers about the directory."""

from __future__ import annotations

import contextlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.errors import RemoteError
from mixnet.pki.requests import (
    NEWEST,
    AskDocument,
    AskIntroduction,
    AskStep,
    DocumentAnswer,
    IntroductionAnswer,
    Request,
    StepAnswer,
    Upload,
    UploadAnswer,
    encode,
    parse_answer_untrusted,
    parse_request_untrusted,
)

numbers = st.integers(0, 2**48 - 1)
requests = st.one_of(
    st.builds(AskDocument, st.one_of(st.just(NEWEST), numbers)),
    st.builds(Upload, st.binary(max_size=300)),
    st.builds(AskIntroduction, numbers),
    st.builds(AskStep, numbers, numbers, numbers),
)


@given(request=requests)
def test_questions_come_back(request: Request) -> None:
    assert parse_request_untrusted(encode(request)) == request


@given(document=st.none() | st.binary(max_size=300), taken=st.booleans())
def test_answers_come_back(document: bytes | None, taken: bool) -> None:
    for answer in (DocumentAnswer(document), StepAnswer(document), UploadAnswer(taken)):
        assert parse_answer_untrusted(encode(answer), type(answer)) == answer
    introduced = IntroductionAnswer(document)
    assert parse_answer_untrusted(encode(introduced), IntroductionAnswer) == introduced


def test_a_question_is_a_map_that_names_its_op() -> None:
    assert msgpack.unpackb(encode(AskDocument(3))) == {"op": "document", "epoch": 3}


@given(raw=st.binary(max_size=100))
def test_garbage_is_a_remote_error(raw: bytes) -> None:
    with contextlib.suppress(RemoteError):
        parse_request_untrusted(raw)
    with contextlib.suppress(RemoteError):
        parse_answer_untrusted(raw, DocumentAnswer)


@pytest.mark.parametrize(
    "question",
    [
        {"op": "introduction", "first_epoch": -1},
        {"op": "introduction"},
        {"op": "document", "epoch": -2},
        {"op": "surprise"},
        {"epoch": 3},
        {"op": "document", "epoch": 1, "more": 2},
        7,
    ],
)
def test_other_questions_are_refused(question: object) -> None:
    with pytest.raises(RemoteError):
        parse_request_untrusted(msgpack.packb(question))


def test_an_answer_to_another_question_is_refused() -> None:
    with pytest.raises(RemoteError):
        parse_answer_untrusted(encode(UploadAnswer(True)), DocumentAnswer)
