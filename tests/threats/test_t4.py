"""T4, repudiation: who signed can't deny it before a third party, who has one file; and nobody can make another say it.

The proofs come from a whole network of real nodes, where a provider that is neither sender nor receiver is the witness.
"""

from types import SimpleNamespace

import msgspec
import pytest
import trio

from mixnet import timestamp
from mixnet.benchmarks.simulation.world import WorldConfig, run_world
from mixnet.client.cli import proofs
from mixnet.client.e2e.proof import BadProof, Proof, Stated, verify_untrusted
from mixnet.client.e2e.statements import Origin, ReceiptKind, sign_receipt, text_digest
from mixnet.client.e2e.timestamp import Timestamp, commitment
from mixnet.client.model.views import MessageState, ReceiptState
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.canonical import decode_untrusted
from mixnet.pki.document import parse_untrusted
from mixnet.pki.parameters import Parameters

RULES = Parameters(
    mean_delay=0.05,
    payload_rate=3.0,
    loop_rate=0.2,
    drop_rate=0.2,
    downlink_rate=6.0,
    node_loop_rate=0.05,
    link_latency=0.01,
)
DEBT, OTHER, TO_CAROL, UNSIGNED = "I owe you ten", "I owe you twenty", "I owe carol ten", "just between us"
MALLORY = SigningKey(b"m" * 32)


async def befriend(inviter, acceptor, name):
    await acceptor.accept(await inviter.invite(), name)
    await acceptor.wait_established(name)


async def reaches(me, number, wanted):
    """Wait until a message of ours has this receipt, and a witness."""
    while True:
        change = await me.next_change()
        if (await me.message(number)).receipt is wanted:
            raw = await me.proofs.export(number)
            if verify_untrusted(raw).submission is not None:
                return raw
        with trio.move_on_after(2):
            await change.wait()


@pytest.fixture(scope="module")
def town():
    """Proofs of three signed messages of alice's, and all that the people around had of them."""
    found = SimpleNamespace()

    async def program(world):
        alice, bob, carol = world.clients
        await befriend(alice, bob, "alice")
        await befriend(alice, carol, "alice")
        names = [contact.name for contact in await alice.contacts()]
        await bob.proofs.set_rule("always")
        with trio.fail_after(300):
            numbers = [await alice.send(names[0], text, signed=True) for text in (DEBT, OTHER)]
            numbers.append(await alice.send(names[1], TO_CAROL, signed=True))
            plain = await alice.send(names[0], UNSIGNED)
            await alice.wait_delivered(plain)
            async for message in bob.messages():
                await bob.mark_read(message.id)
            found.debt, found.other = [await reaches(alice, number, ReceiptState.READ) for number in numbers[:2]]
            found.carol = await reaches(alice, numbers[2], ReceiptState.AWAITED)
            with pytest.raises(Exception, match="not signed"):
                await alice.proofs.export(plain)
        found.came = [message async for message in bob.messages()]
        found.bobs = await bob.proofs.export(found.came[0].id)
        found.alice, found.bob = [bytes.fromhex(await one.proofs.identity()) for one in (alice, bob)]
        found.network = world.plan.bootstrap
        found.providers = {world.plan.identity(one).public for one in world.plan.actors if "provider" in one.name}
        (one,) = [client for client in world.clients if client is bob]
        found.bob_key = one._channel._daemon.user._core.signatures._key
        found.now = world.clock.now()

    run_world(program, WorldConfig(seed=4, clients=3, parameters=RULES, codec="plain"))
    return found


def as_proof(raw) -> Proof:
    return decode_untrusted(raw, Proof, limit=1 << 22)


def changed(proof, **changes) -> bytes:
    return msgspec.structs.replace(proof, **changes).encode()


def refused(raw) -> bool:
    try:
        verify_untrusted(raw)
    except BadProof:
        return True
    return False


def test_a_third_party_verifies_origin_submission_delivery_and_receipt(town, tmp_path, capsys):
    proven = verify_untrusted(town.debt)
    assert (proven.text, proven.origin.sender, proven.origin.receiver) == (DEBT, town.alice, town.bob)
    assert proven.origin.network == town.network.network_id
    assert [one.kind for one in proven.receipts] == list(ReceiptKind)
    assert proven.submission.witness in town.providers - {town.alice, town.bob}
    assert town.now - 600 < proven.origin.time <= proven.submission.time <= town.now
    assert proven.receipts[0].time <= proven.receipts[1].time <= town.now
    (tmp_path / "proof").write_bytes(town.debt)
    town.network.save(tmp_path / "bootstrap.json")
    proofs.verify(
        tmp_path / "proof",
        identity=town.alice.hex(),
        receiver=town.bob.hex(),
        bootstrap=tmp_path / "bootstrap.json",
    )
    shown = capsys.readouterr().out
    for what in ("origin", "submission", "delivery", "reading"):
        assert f"\nproven: {what}: " in shown and f"not proven: {what}" not in shown
    assert town.alice.hex() in shown and "not proven: who owns the keys" in shown
    proofs.verify(tmp_path / "proof", as_json=True)
    told = msgspec.json.decode(capsys.readouterr().out)
    assert told["evidence"] and told["submission"]["witness"] in {one.hex() for one in town.providers}
    assert told["submission"]["first_authorities"] == [one.hex() for one in town.network.identities]


def test_it_is_refused_for_another_person_or_network_than_asked_for(town, tmp_path):
    (tmp_path / "proof").write_bytes(town.debt)
    other = msgspec.structs.replace(town.network, genesis=town.network.genesis + 1)
    other.save(tmp_path / "bootstrap.json")
    for asked in (
        {"identity": town.bob.hex()},
        {"receiver": town.alice.hex()},
        {"bootstrap": tmp_path / "bootstrap.json"},
    ):
        with pytest.raises(RemoteError, match="genuine, and"):
            proofs.verify(tmp_path / "proof", **asked)


def test_the_receiver_has_the_proof_of_origin_too(town):
    proven = verify_untrusted(town.bobs)
    assert (proven.text, proven.origin) == (DEBT, verify_untrusted(town.debt).origin)
    signed = {message.text: message.signed for message in town.came}
    assert signed == {DEBT: True, OTHER: True, UNSIGNED: False}
    assert all(message.state is MessageState.READ for message in town.came)


def test_any_altered_byte_is_refused(town):
    assert not refused(town.debt)
    for at in range(len(town.debt)):
        altered = bytearray(town.debt)
        altered[at] ^= 1 << at % 8
        assert refused(bytes(altered)), at
    assert refused(town.debt[:-1]) and refused(town.debt + b"\0") and refused(b"")


def test_what_is_left_out_is_not_proven_and_the_rest_is(town):
    """Statements stand alone: who exports may keep some back, which the verifier is told."""
    genuine = as_proof(town.debt)
    assert verify_untrusted(changed(genuine, submission=None)).submission is None
    assert [one.kind for one in verify_untrusted(changed(genuine, receipts=genuine.receipts[1:])).receipts] == [
        ReceiptKind.READING
    ]
    assert refused(changed(genuine, receipts=genuine.receipts[::-1]))
    assert refused(changed(genuine, receipts=(genuine.receipts[0],) * 2))


SWAPPED = {
    "another text": lambda proof: {"content": (OTHER.encode(),)},
    "another text and its digest": lambda proof: {
        "content": (OTHER.encode(),),
        "origin": msgspec.structs.replace(proof.origin, size=len(OTHER), digest=text_digest(OTHER)),
    },
    "another receiver": lambda proof: {"origin": msgspec.structs.replace(proof.origin, receiver=MALLORY.public)},
    "another sender": lambda proof: {"origin": msgspec.structs.replace(proof.origin, sender=MALLORY.public)},
    "another network": lambda proof: {"origin": msgspec.structs.replace(proof.origin, network=b"n" * 32)},
    "another number": lambda proof: {"origin": msgspec.structs.replace(proof.origin, number=proof.origin.number + 1)},
    "another time": lambda proof: {"origin": msgspec.structs.replace(proof.origin, time=proof.origin.time + 1)},
    "called a file": lambda proof: {"origin": msgspec.structs.replace(proof.origin, kind="file")},
}


@pytest.mark.parametrize("what", SWAPPED)
def test_a_proof_with_one_thing_swapped_is_refused(town, what):
    genuine = as_proof(town.debt)
    for without in ({}, {"submission": None, "receipts": ()}):
        assert not refused(changed(genuine, **without))
        assert refused(changed(genuine, **{**SWAPPED[what](genuine), **without}))


def test_statements_about_another_message_are_refused(town):
    """Of the same people, and of others: a receipt or timestamp is for one message only."""
    debt = as_proof(town.debt)
    for other in (as_proof(town.other), as_proof(town.carol)):
        assert refused(changed(debt, signature=other.signature, submission=None, receipts=()))
        assert refused(changed(debt, submission=other.submission))
        for one in other.receipts:
            assert refused(changed(debt, receipts=(one,)))
    first, second = debt.receipts
    for swapped in (
        Stated(ReceiptKind.READING, first.time, first.signature),
        Stated(ReceiptKind.DELIVERY, second.time, second.signature),
    ):
        assert refused(changed(debt, receipts=(swapped,)))


def test_nobody_else_can_make_the_statements(town):
    """Mallory, and the receiver himself, who has all that was said and his own key, try to make alice say something."""
    debt = as_proof(town.debt)
    lie = msgspec.structs.replace(debt.origin, size=len(TO_CAROL), digest=text_digest(TO_CAROL))
    for forger in (MALLORY, town.bob_key):
        raw = changed(debt, origin=lie, signature=lie.sign(forger), content=(TO_CAROL.encode(),))
        assert refused(raw) and refused(changed(as_proof(raw), submission=None, receipts=()))
    for kind in ReceiptKind:
        forged = Stated(kind, debt.origin.time, sign_receipt(MALLORY, kind, debt.origin, debt.origin.time))
        assert refused(changed(debt, receipts=(forged,)))
    own = msgspec.structs.replace(lie, sender=town.bob)  # control: the same with the key that the statement names
    alone = {"submission": None, "receipts": (), "content": (TO_CAROL.encode(),)}
    assert not refused(changed(debt, origin=own, signature=own.sign(town.bob_key), **alone))


def test_a_witness_is_believed_only_as_a_provider_of_the_network_in_its_time(town):
    debt = as_proof(town.debt)
    genuine = debt.submission
    committed = commitment(debt.origin, debt.signature, genuine.salt)

    def testified(witness, time, consensus=genuine.consensus):
        said = timestamp.TimestampToken.issue(witness, debt.origin.network, committed, time)
        made = Timestamp(witness.public, said.time, said.signature, genuine.salt, consensus)
        return refused(changed(debt, submission=made))

    assert testified(MALLORY, genuine.time)  # who is no provider
    assert testified(town.bob_key, genuine.time)
    alone = Bootstrap(genuine.consensus.genesis, genuine.consensus.epoch_length, town.network.authorities[:1])
    for changes in (
        {"required": 1},
        {"authorities": alone.identities, "required": 1},
        {"genesis": genuine.consensus.genesis + 1},
        {"introductions": (genuine.consensus.document,)},
    ):
        consensus = msgspec.structs.replace(genuine.consensus, **changes)
        assert refused(changed(debt, submission=msgspec.structs.replace(genuine, consensus=consensus)))


def test_a_minority_of_authorities_lists_no_witness(town):
    debt = as_proof(town.debt)
    document, signatures = parse_untrusted(debt.submission.consensus.document)
    few = dict(list(signatures.items())[:1])
    consensus = msgspec.structs.replace(debt.submission.consensus, document=document.encode(few))
    assert refused(changed(debt, submission=msgspec.structs.replace(debt.submission, consensus=consensus)))
    consensus = msgspec.structs.replace(consensus, document=document.encode(signatures))  # the control
    assert not refused(changed(debt, submission=msgspec.structs.replace(debt.submission, consensus=consensus)))


def test_the_origin_is_what_was_said(town):
    origin = as_proof(town.debt).origin
    assert Origin.decode_untrusted(origin.encode()) == origin
    with pytest.raises(RemoteError):
        Origin.decode_untrusted(origin.encode() + b"\0")
