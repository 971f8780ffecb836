"""A proof names who contradicted itself, to anybody, and nobody else can make one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.crypto import Label, SigningKey
from mixnet.directory.broadcast import fingerprint, statement
from mixnet.directory.evidence import ProvenContradiction, StatementKind, check_evidence_untrusted, round_context
from mixnet.directory.reports import verified_evidence
from mixnet.pki.errors import Forged, Malformed, Oversized, Refused, WrongNetwork
from mixnet.pki.requests import EvidenceAnswer
from mixnet.pki.trust import Trust
from tests.directory.succession_world import successors
from tests.mixnet.pki.builders import Town, key

TOWN = Town()
TRUST = TOWN.bootstrap
LIAR = TOWN.authorities[2]


def proof(
    author: SigningKey = LIAR, town: Town = TOWN, *, values: tuple[bytes, bytes] = (b"left", b"right"), epoch: int = 3
) -> ProvenContradiction:
    network_id = town.bootstrap.network_id
    context = round_context(network_id, epoch, 1)
    prints = [fingerprint(Label.VOTE, value) for value in values]
    first, second = (
        (one, author.sign(Label.VOTE, statement(Label.VOTE, context, author.public, one))) for one in prints
    )
    return ProvenContradiction(network_id, epoch, 1, StatementKind.VOTE, author.public, first, second)


GOOD = proof()


def test_a_proof_verifies_with_the_bootstrap_file_alone() -> None:
    assert check_evidence_untrusted(GOOD.encode(), TRUST) == GOOD
    assert len(GOOD.encode()) < 400


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        pytest.param(msgspec.structs.replace(GOOD, epoch=4), Forged, id="of another epoch"),
        pytest.param(msgspec.structs.replace(GOOD, attempt=2), Forged, id="of another attempt"),
        pytest.param(msgspec.structs.replace(GOOD, kind=StatementKind.REVEAL), Forged, id="of another kind"),
        pytest.param(msgspec.structs.replace(GOOD, author=TOWN.authorities[0].public), Forged, id="of an honest one"),
        pytest.param(proof(key("stranger")), WrongNetwork, id="of a stranger"),
        pytest.param(proof(town=Town(name="other ")), WrongNetwork, id="of another network"),
        pytest.param(proof(values=(b"same", b"same")), Malformed, id="of one statement"),
        pytest.param(
            msgspec.structs.replace(GOOD, second=(GOOD.second[0], GOOD.first[1])), Forged, id="with one signature"
        ),
    ],
)
def test_what_proves_nothing_is_refused(wrong: ProvenContradiction, refusal: type[Refused]) -> None:
    with pytest.raises(refusal):
        check_evidence_untrusted(wrong.encode(), TRUST)


@given(position=st.integers(0, len(GOOD.encode()) - 1), flip=st.integers(1, 255))
def test_no_byte_of_it_can_be_changed(position: int, flip: int) -> None:
    raw = bytearray(GOOD.encode())
    raw[position] ^= flip
    with pytest.raises(Refused):
        check_evidence_untrusted(bytes(raw), TRUST)


@given(raw=st.binary(max_size=100))
def test_garbage_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused):
        check_evidence_untrusted(raw, TRUST)


def test_a_large_proof_is_oversized() -> None:
    with pytest.raises(Oversized):
        check_evidence_untrusted(bytes(5000), TRUST)


def test_of_many_answers_what_verifies_is_told_once_by_epoch() -> None:
    later, false = proof(epoch=9), msgspec.structs.replace(GOOD, epoch=4)
    answers = {
        TOWN.authorities[0].public: EvidenceAnswer((later.encode(), GOOD.encode())),
        TOWN.authorities[1].public: EvidenceAnswer((GOOD.encode(), false.encode(), b"garbage")),
    }
    assert [found for found, _ in verified_evidence(answers, TRUST)] == [GOOD, later]


def test_each_epoch_has_its_own_authorities() -> None:
    """Who was replaced stays named for what he did before; later statements of his are nobody's."""
    heir = key("authority 3")
    trust = Trust(TRUST, [TOWN.signed(1, successor=successors(TOWN, [0, 1, 3], 4).successor)])
    for proven in (GOOD, proof(heir, epoch=4), proof(TOWN.authorities[0], epoch=4)):
        assert check_evidence_untrusted(proven.encode(), trust) == proven
    for nothing in (proof(epoch=4), proof(heir, epoch=3)):
        with pytest.raises(WrongNetwork):
            check_evidence_untrusted(nothing.encode(), trust)
