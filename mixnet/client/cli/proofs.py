"""The commands about proofs and forgeries: `mixnet proof`, `mixnet forge`.

Promises: `verify` needs no profile, no daemon and no network.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from mixnet.client.cli import options, render
from mixnet.client.cli.options import Flag, Folder, Json, Profile, checked, talk
from mixnet.errors import LocalError, RemoteError

if TYPE_CHECKING:
    from mixnet.client.e2e.proof import Proven

proof = App(
    name="proof",
    help="Show others that a signed message was sent, came, and was read; decide about receipts.\n\n"
    "Example: `mixnet send alice bob --signed 'I owe you ten'`, then `mixnet proof export alice 7`",
)
Rule = Literal["never", "ask", "always"]


class OtherPerson(RemoteError):
    """The proof is genuine, and not about the key that you gave: don't take it for one of that person's."""


@proof.command
async def export(
    name: Profile, number: int, /, *, out: Path | None = None, folder: Folder = None, as_json: Json = False
) -> None:
    """Write the proof of a signed message, with the receipts for it so far, to a new file for others to verify.

    Whoever has the file can read the message and see who sent it to whom.

    Example: `mixnet proof export alice 7 --out debt.proof`

    Parameters
    ----------
    number
        The message, which you sent or got, as `mixnet inbox` and `mixnet send` number it.
    out
        The file; message-NUMBER.proof in this folder if not given.
    """
    from mixnet.client.cli import render_proof  # noqa: PLC0415
    from mixnet.client.e2e.proof import verify_untrusted  # noqa: PLC0415
    from mixnet.client.profile.atomic_file import write_new  # noqa: PLC0415

    target = out or Path(f"message-{number}.proof")
    async with talk(folder, name) as me:
        raw = await me.proofs.export(checked(number))
    proven = verify_untrusted(raw)
    write_new(target, raw)
    if as_json:
        render.json({"file": str(target), **render_proof.as_map(proven)})
        return
    render.line(f"{render.harmless(str(target))}: verify it with `mixnet proof verify`")
    render.note("whoever gets this file can read the message, and prove who sent it to whom")


@proof.command
def verify(
    file: Path,
    /,
    *,
    identity: str | None = None,
    receiver: str | None = None,
    content: Path | None = None,
    bootstrap: Path | None = None,
    as_json: Json = False,
) -> None:
    """Say what a proof proves, and what it doesn't; a file with any byte altered is refused. No profile is needed.

    Example: `mixnet proof verify debt.proof --identity 6f1d…`

    Parameters
    ----------
    file
        What `mixnet proof export` or `mixnet forge` wrote.
    identity
        Refuse it unless this key (64 hexadecimal digits, `mixnet proof identity`) is the sender's.
    receiver
        Refuse it unless this key is the receiver's.
    content
        For a signed file: refuse it unless this is the file.
    bootstrap
        Refuse it unless it is of the network of this bootstrap file.
    """
    from mixnet.client.cli import render_proof  # noqa: PLC0415
    from mixnet.client.e2e.proof import PROOF_LIMIT, verify_untrusted  # noqa: PLC0415
    from mixnet.client.signing import transcript  # noqa: PLC0415

    raw = _read(file, max(PROOF_LIMIT, transcript.TRANSCRIPT_LIMIT))
    if raw.startswith(b"{"):
        _show_transcript(raw, as_json=as_json)
        return
    proven = verify_untrusted(raw)
    for given, key, whose in (
        (identity, proven.origin.sender, "sender"),
        (receiver, proven.origin.receiver, "receiver"),
    ):
        if given is not None and _key(given) != key:
            raise OtherPerson(f"the proof is genuine, and its {whose} is another: {key.hex()}")
    if content is not None:
        _compare(proven, content)
    if bootstrap is not None:
        _check_network(proven, bootstrap)
    if as_json:
        render.json(render_proof.as_map(proven))
        return
    render.told(*render_proof.said(proven))
    for sentence in render_proof.sentences(proven):
        render.told("", sentence)


def _show_transcript(raw: bytes, *, as_json: bool) -> None:
    from mixnet.client.cli import render_proof  # noqa: PLC0415
    from mixnet.client.signing import transcript  # noqa: PLC0415

    shown = transcript.verify_untrusted(raw)
    if as_json:
        render.json(render_proof.transcript_map(shown))
        return
    for record in shown.records:
        render.told("text: ", record.text)
    for sentence in render_proof.transcript_sentences(shown):
        render.told("", sentence)


def _read(file: Path, limit: int) -> bytes:
    if file.exists() and not file.is_file():
        raise LocalError(f"{file} is not a file: give the path of a proof")
    with file.open("rb") as opened:
        return opened.read(limit + 1)


def _key(given: str) -> bytes:
    return options.identity(given, "an identity has 64 hexadecimal digits: `mixnet proof identity` shows yours")


def _compare(proven: Proven, content: Path) -> None:
    from mixnet.client.files.disk import chain_of  # noqa: PLC0415

    if proven.chain is None:
        raise LocalError("this is the proof of a text, which stands in it: leave out --content")
    if (proven.origin.size, proven.chain) != chain_of(content):
        raise OtherPerson(f"the proof is genuine, and {content} is not the file that it is about")


def _check_network(proven: Proven, bootstrap: Path) -> None:
    from mixnet.pki.bootstrap import Bootstrap  # noqa: PLC0415

    if Bootstrap.load(bootstrap).network_id != proven.origin.network:
        raise OtherPerson(f"the proof is genuine, and of another network: {proven.origin.network.hex()}")


@proof.command
async def identity(name: Profile, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Show the key that your signed messages and receipts are verified with: give it to whoever shall verify them.

    Example: `mixnet proof identity alice`
    """
    async with talk(folder, name) as me:
        key = await me.proofs.identity()
    render.json({"identity": key}) if as_json else render.line(key)


@proof.command
async def consent(
    name: Profile, number: int, /, *, refuse: Flag = False, folder: Folder = None, as_json: Json = False
) -> None:
    """Sign receipts for a signed message that came: that you have it, and once you read it, that you did.

    A receipt can be shown to anybody and can't be taken back. Given again, it is sent again.

    Example: `mixnet proof consent bob 12` or `mixnet proof consent bob 12 --refuse`

    Parameters
    ----------
    number
        The message, as `mixnet inbox` numbers it.
    refuse
        Tell the sender that no receipt will come.
    """
    async with talk(folder, name) as me:
        message = await me.proofs.consent(checked(number), give=not refuse)
    render.json(message) if as_json else render.message(message)


@proof.command
async def receipts(
    name: Profile,
    rule: Rule | None = None,
    /,
    *,
    contact: str | None = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Say what is done when a signed message asks for a receipt, or show it: never, ask (at first) or always.

    A receipt is evidence against you. With ask, nothing is signed until you say so (`mixnet proof consent`); with
    never, senders are told that none will come; with always, receipts are signed as messages come and are read.

    Example: `mixnet proof receipts bob always --contact alice`

    Parameters
    ----------
    rule
        never, ask or always.
    contact
        Only for messages of this contact.
    """
    async with talk(folder, name) as me:
        if rule is not None:
            await me.proofs.set_rule(rule, contact)
        now = await me.proofs.rule(contact)
    if as_json:
        render.json({"contact": contact, "receipts": now.value})
        return
    whom = "all contacts of whom nothing else was said" if contact is None else render.harmless(contact)
    render.line(f"receipts for {whom}: {now.value}")


async def forge(
    name: Profile,
    contact: Annotated[str, Parameter(name="CONTACT")],
    /,
    *texts: Annotated[str, Parameter(name="TEXT", allow_leading_hyphen=True)],
    out: Path | None = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Make a transcript in which a contact has said whatever you like, as good as a genuine one. Nothing is sent.

    It shows why messages without --signed prove nothing to others: all that protects them is known to both of you.

    Example: `mixnet forge bob alice "the moon is made of cheese" --out forged.jsonl`

    Parameters
    ----------
    contact
        Who shall have said it.
    texts
        What, in this order.
    out
        A new file for it, instead of printing it; `mixnet proof verify` accepts it.
    """
    from mixnet.client.profile.atomic_file import write_new  # noqa: PLC0415

    if not texts:
        raise LocalError('say what the contact shall have said: mixnet forge PROFILE CONTACT "text"')
    async with talk(folder, name) as me:
        made = await me.proofs.forge(contact, texts)
    if out is None:
        render.json({"transcript": made}) if as_json else sys.stdout.write(made)
        return
    write_new(out, made.encode())
    if as_json:
        render.json({"file": str(out), "messages": len(texts)})
    else:
        render.line(f"{render.harmless(str(out))}: {len(texts)} messages that {render.harmless(contact)} never sent")
