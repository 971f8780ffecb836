"""A new set of authorities as its operators put it together: who it is, what to beware of, what to do next.

See spec/05-directory.md 5.12. Pure.
"""

from __future__ import annotations

from pathlib import Path

from mixnet.crypto import Label, digest
from mixnet.directory.consensus import SUCCESSION_LEAD
from mixnet.directory.succession import date_of
from mixnet.errors import LocalError
from mixnet.identity import key_from_text
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.canonical import encode
from mixnet.pki.descriptor import check_address


def changed(before: Bootstrap, remove: tuple[str, ...], add: tuple[str, ...]) -> tuple[AuthorityInfo, ...]:
    """The new set, ascending; raises LocalError."""
    if not remove and not add:
        raise LocalError("say who shall go (--remove) and who shall come (--add)")
    kept = {one.identity: one for one in before.authorities}
    for text in remove:
        del kept[_named(text, list(kept))]
    for text in add:
        info = _info(text)
        if info.identity in kept:
            raise LocalError(f"{text[:16]} is an authority already: to give it another address, --remove it as well")
        if any(info.address == one.address for one in kept.values()):
            raise LocalError(f"two authorities can't both listen at {info.address}: correct the address")
        kept[info.identity] = info
    return tuple(sorted(kept.values(), key=lambda one: one.identity))


def _named(text: str, identities: list[bytes]) -> bytes:
    found = [identity for identity in identities if len(text) >= 8 and identity.hex().startswith(text.lower())]
    if len(found) != 1:
        raise LocalError(f"{text!r} is no authority of now: give at least 8 digits of its identity")
    return found[0]


def _info(text: str) -> AuthorityInfo:
    digits, _, address = text.partition("@")
    identity = key_from_text(digits)
    if identity is None:
        raise LocalError(f"{text!r} is no authority: write IDENTITY@HOST:PORT, with 64 hexadecimal digits")
    check_address(address)
    return AuthorityInfo(identity, address)


def cautions(before: Bootstrap, after: Bootstrap) -> list[str]:
    """What a careful operator would want to be told."""
    new = sum(identity not in before.identities for identity in after.identities)
    said = []
    if len(after.authorities) < 3:
        said.append("caution: fewer than 3 authorities: if one of them fails, there are no documents")
    if len(after.authorities) - new < after.required:
        said.append(
            f"caution: only {len(after.authorities) - new} of those of now stay: unless enough new ones run when they "
            "take over, the network stops, and this can't be taken back"
        )
    return said


def next_steps(after: Bootstrap, file: Path) -> list[str]:
    """What the operators do with the file."""
    latest = date_of(after.epochs, after.first_epoch - SUCCESSION_LEAD - 1)
    return [
        f"written to {file}, fingerprint {fingerprint(after)}. What is next:",
        "  1. All operators compare the fingerprint, by another way than they got the file.",
        f"  2. Each of those of now, before {latest}: mixnet authority propose {file.name} --dir FOLDER",
        "  3. Each of the new ones does the same in its folder, with the old bootstrap file, and starts its authority.",
        "  4. mixnet directory show: says who takes over, once more than half of those of now have proposed it.",
        f"  5. After {date_of(after.epochs, after.first_epoch)}: stop those that go, and give newcomers the file that "
        "`mixnet directory bootstrap` writes.",
    ]


def fingerprint(proposed: Bootstrap) -> str:
    """32 hexadecimal digits that two operators who have the same proposal read alike."""
    return digest(Label.NETWORK, proposed.network_id, encode(proposed.successor)).hex()[:32]
