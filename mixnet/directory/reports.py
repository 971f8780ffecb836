"""What the authorities' answers say together, for somebody who looks at the network (spec/05-directory.md 5.11).

Pure. Promises: what can be verified is verified here; what can't is told as the word of the authority that said it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mixnet.directory.evidence import ProvenContradiction, check_evidence_untrusted
from mixnet.errors import RemoteError
from mixnet.pki.bootstrap import Bootstrap, Trusted
from mixnet.pki.document import Document, parse_untrusted
from mixnet.pki.requests import EvidenceAnswer, NodeAnswer, RoundReport
from mixnet.pki.views import timeless_untrusted


def verified_evidence(
    answers: Mapping[bytes, EvidenceAnswer], trust: Trusted
) -> list[tuple[ProvenContradiction, bytes]]:
    """The proofs that verify and their bytes, one for each subject, by epoch; who told them does not matter."""
    found: dict[tuple[int, str], tuple[ProvenContradiction, bytes]] = {}
    for answer in answers.values():
        for raw in answer.evidence:
            try:
                proof = check_evidence_untrusted(raw, trust)
            except RemoteError:
                continue  # a proof that proves nothing
            found.setdefault((proof.epoch, proof.subject), (proof, raw))
    return [found[subject] for subject in sorted(found)]


_REASONS = {
    "Unapproved": "it came in another role or from another network than it is approved for",
    "TooMany": "it brings another descriptor all the time: find out why it makes new keys",
    "Unreachable": "its address lies inside a machine or a private network: correct `address`",
    "Untimely": "it was made for another time: check the node's clock",
    "Forged": "its signature does not verify",
}


def place_of(identity: bytes, document: Document) -> str | None:
    """Where a node stands in the document; None if it is absent."""
    node = document.node(identity)
    if node is None:
        return None
    layer = document.layer_of(identity)
    return "provider" if layer is None else f"layer {layer + 1}"


def word_about(answer: NodeAnswer | None, coming: int) -> str:
    """What one authority says about a node that should stand in the document for the epoch `coming`."""
    if answer is None:
        return "gives no answer"
    if answer.role is None:
        tried = ", though it asked to be listed" if answer.refused else ""
        return f"has not approved it{tried}: `mixnet authority approve`"
    if any(epoch in answer.epochs for epoch in (coming, coming - 1)):
        return f"votes for it as a {answer.role}"
    if answer.refused:
        why = _REASONS.get(answer.refused, "it is malformed")
        return f"has approved it as a {answer.role} and refused its descriptor: {why}"
    return f"has approved it as a {answer.role} and has no descriptor of it: start the node, and see that it gets here"


def why(
    identity: bytes, document: Document | None, answers: Mapping[bytes, NodeAnswer], trust: Bootstrap, coming: int
) -> tuple[str, dict[bytes, str]]:
    """One sentence about a node's place, and what each authority says."""
    words = {one: word_about(answers.get(one), coming) for one in trust.identities}
    voting = sum(word.startswith("votes") for word in words.values())
    place = None if document is None else place_of(identity, document)
    if place is not None:
        sentence = f"it is listed: {place}"
    elif voting >= trust.majority:
        sentence = f"it is absent, and {voting} authorities vote for it: it comes with the document for epoch {coming}"
    else:
        sentence = f"it is absent: {voting} of {len(words)} authorities vote for it, {trust.majority} are needed"
    return sentence, words


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One epoch: its document, if there is one, with the signatures that all authorities hold together."""

    epoch: int
    document: Document | None
    signed: tuple[bytes, ...]
    missing: tuple[bytes, ...]
    silent: tuple[bytes, ...]  # those of the missing whom no other one heard in any round for it, as these told
    answering: tuple[bytes, ...]  # who answered when asked about it, just now
    attempt: int | None  # of the round that made it: 0 the regular one, else a late one; None if nobody told
    failures: tuple[str, ...]  # why rounds for it failed, as authorities told
    joined: tuple[bytes, ...]
    left: tuple[bytes, ...]
    moved: tuple[bytes, ...]
    parameters_changed: bool
    took_over: bool  # the authorities are others than those of the epoch before
    introduces: int | None  # the first epoch of authorities that are still to take over


def merged_untrusted(copies: Sequence[bytes], trust: Trusted, epoch: int) -> tuple[Document | None, set[bytes]]:
    """The document for `epoch` among what authorities gave, verified, and all who signed it."""
    found: Document | None = None
    signers: set[bytes] = set()
    for raw in copies:
        try:
            document = timeless_untrusted(raw, trust)
            signed = set(parse_untrusted(raw)[1])
        except RemoteError:
            continue
        if document.epoch == epoch and (found is None or document == found):
            found = document
            signers |= signed
    return found, signers


def epoch_report(
    epoch: int,
    found: tuple[Document | None, set[bytes]],
    told: Mapping[bytes, Sequence[RoundReport]],
    before: Document | None,
    trust: Trusted,
) -> EpochReport:
    """What happened in one epoch; `before` is the newest document of an earlier one."""
    document, signers = found
    rounds = [report for reports in told.values() for report in reports]
    places = {} if document is None else {node.identity: place_of(node.identity, document) for node in document.nodes}
    earlier = {} if before is None else {node.identity: place_of(node.identity, before) for node in before.nodes}
    compared = document is not None and before is not None
    missing = () if document is None else tuple(sorted(set(trust.at(epoch).identities) - signers))
    return EpochReport(
        epoch,
        document,
        tuple(sorted(signers)),
        missing,
        tuple(one for one in missing if rounds and not any(one in report.heard for report in rounds)),
        tuple(sorted(told)),
        min((report.attempt for report in rounds if not report.problem), default=None) if document else None,
        tuple(dict.fromkeys(report.problem for report in rounds if report.problem)),
        tuple(sorted(places.keys() - earlier.keys())) if compared else (),
        tuple(sorted(earlier.keys() - places.keys())) if compared else (),
        tuple(sorted(one for one in places.keys() & earlier.keys() if places[one] != earlier[one])) if compared else (),
        document is not None and before is not None and document.parameters != before.parameters,
        document is not None and before is not None and document.authorities != before.authorities,
        None if document is None or document.successor is None else document.successor.first_epoch,
    )


@dataclass(frozen=True, slots=True)
class Absence:
    """An authority that did not sign the newest document."""

    authority: bytes
    since: int  # the first epoch of those in a row whose documents it did not sign
    earlier: bool  # whether it may be missing for longer than the reports tell
    silent: bool  # not heard by the others in the last rounds
    answers: bool  # just now


def absences(reports: Sequence[EpochReport]) -> list[Absence]:
    """Who is missing now and since when; `reports` ascend by epoch."""
    made = [report for report in reports if report.document is not None]
    found = []
    for one in made[-1].missing if made else ():
        since = made[-1]
        for report in reversed(made):
            if one not in report.missing:
                break
            since = report
        answers = one in reports[-1].answering
        found.append(Absence(one, since.epoch, since is made[0], one in made[-1].silent, answers))
    return found


def sentence_about(absence: Absence) -> str:
    """What is known of an absent authority, and what to do."""
    further = " (`--epochs` looks further back)" if absence.earlier else ""
    signed = f"has signed no document from epoch {absence.since} on{further}"
    if not absence.answers:
        return f"{signed}, and gives no answer: start it, or see that it can be reached"
    if absence.silent:
        return f"{signed}: it answers, but the others did not hear it: it takes part again soon, or can't reach them"
    return f"{signed}, though it takes part: read `problem` in its status"
