"""What the authorities' answers say together, for somebody who looks at the network (SPEC.md section 5.11).

Pure. Promises: what can be verified is verified here; what can't is told as the word of the authority that said it.
"""

from __future__ import annotations

from collections.abc import Mapping

from directory.evidence import Contradiction, check_evidence_untrusted
from mixnet.errors import RemoteError
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.requests import EvidenceAnswer


def verified_evidence(answers: Mapping[bytes, EvidenceAnswer], trust: Bootstrap) -> list[tuple[Contradiction, bytes]]:
    """The proofs that verify and their bytes, one for each subject, by epoch; who told them does not matter."""
    found: dict[tuple[int, str], tuple[Contradiction, bytes]] = {}
    for answer in answers.values():
        for raw in answer.evidence:
            try:
                proof = check_evidence_untrusted(raw, trust)
            except RemoteError:
                continue  # a proof that proves nothing
            found.setdefault((proof.epoch, proof.subject), (proof, raw))
    return [found[subject] for subject in sorted(found)]
