"""`mixnet device link|accept|list|revoke|rename|fetch`: several devices of one user."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from mixnet.client.cli import render
from mixnet.client.cli.invitations import hand_over, taken
from mixnet.client.cli.options import (
    Flag,
    Folder,
    Image,
    Json,
    PrivateFile,
    Profile,
    QrFile,
    ShortQr,
    checked,
    command,
    none_yet,
    talk,
)
from mixnet.exclusive import argument, exclusive, option

if TYPE_CHECKING:
    from mixnet.client.model.views import DeviceInfo

_INVITED = exclusive(required=True)
_HOME_AWAY = (
    "no answer yet: the daemon of your home device must run; if this invitation was used before, nobody answers: then"
    " make a new profile, and another invitation at home"
)
HomeProfile = Annotated[str, Parameter(name="PROFILE", help="Your home profile.")]
Device = Annotated[str, Parameter(name="DEVICE")]
NewName = Annotated[str, Parameter(name="NEW-NAME")]

device = App(
    name="device",
    help="""Use one identity from several devices: a home device, and satellites that follow it.

The home device is the profile that your contacts know. A satellite is a new profile, on another computer or the same
one, that shows the home's contacts, groups and messages, and lets the home send, read, rename or delete what you say
there. It is the home that talks to your contacts: while its daemon is off, satellites receive nothing new, and what you
send there waits as `queued`. Keep the home's daemon running. A satellite never has your identity's keys, so a lost one
can be revoked; what it showed, it showed. What needs those keys (invitations, codes, signatures, anonymous messages) is
done at home.

Example: `mixnet device link alice --as phone` at home, then `mixnet device accept alice-phone TEXT` on the phone
""",
)


@device.command
async def link(
    name: HomeProfile,
    /,
    *,
    called: Annotated[str | None, Parameter(name="--as")] = None,
    qr: ShortQr = False,
    qr_file: QrFile = None,
    out: PrivateFile = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """At home: make an invitation for another device of yours, once; whoever has it can read your messages, so hide it.

    Example: `mixnet device link alice --as phone --out for-phone.txt`

    Parameters
    ----------
    called
        What to call the device; as its profile is called, if not given.
    """
    async with talk(folder, name) as me:
        text = await me.devices.link(called)
        then = f"on the other device, make a new profile and give it {out} with `mixnet device accept`; hide it"
        await hand_over(me, text, out, then, qr=qr, qr_file=qr_file, as_json=as_json)


@device.command
async def accept(
    name: Annotated[str, Parameter(name="PROFILE")],
    invitation: Annotated[str | None, argument(_INVITED), Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    image: Annotated[Image, option(_INVITED)] = None,
    wait: bool = True,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Make a new profile a satellite of your home device; its contacts and messages come by and by, the newest first.

    Example: `mixnet device accept alice-phone for-phone.txt`

    Parameters
    ----------
    name
        The new profile, without contacts and messages; its daemon must run, and that of the home too.
    invitation
        Its text (`mixnet1-device:...`), its short code (`MIXNET:...`), a file that holds one, or - for standard input.
    wait
        Wait until the home has answered; --no-wait returns at once.
    """
    # One for contacts begins with mixnet1: and is wrong here, which the daemon says better than "no such file".
    from mixnet.client.cli import watching  # noqa: PLC0415

    with watching.Watch(name, folder) as watch:
        async with talk(folder, name) as me:
            home = await me.devices.accept(await taken(me, invitation, image, "mixnet1-device:", "mixnet1:"))
            watch.accepted("the daemon goes on linking: see how far it is with `mixnet device list PROFILE`")
            if wait:
                with render.waiting(f"waiting for {render.harmless(home.name)}, your home device, to answer"):
                    async with watch.long(_HOME_AWAY):
                        home = await me.devices.wait_linked()
    if as_json:
        render.json(home)
        return
    _show([home])
    sys.stderr.write(f"see what has come so far: `{command(folder, 'device', 'list', name)}`\n")


@device.command(name="list")
async def list_(name: Profile, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """List your other devices: at home the satellites; on a satellite the home, and what waits for it.

    Example: `mixnet device list alice`
    """
    async with talk(folder, name) as me:
        known = await me.devices.all()
    if as_json:
        render.jsons(known)
    elif known:
        _show(known)
    else:
        none_yet("no other devices yet: make an invitation for one with `mixnet device link PROFILE`", name, folder)


@device.command
async def revoke(name: HomeProfile, called: Device, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """At home: send nothing more to a satellite and do nothing that it asks for; what it has already, it keeps.

    Example: `mixnet device revoke alice phone`

    Parameters
    ----------
    called
        The device, as `mixnet device list` shows it.
    """
    async with talk(folder, name) as me:
        revoked = await me.devices.revoke(called)
    render.json(revoked) if as_json else _show([revoked])


@device.command
async def rename(
    name: Profile, called: Device, new: NewName, /, *, folder: Folder = None, as_json: Json = False
) -> None:
    """Call another device by another name; only this profile knows it.

    Example: `mixnet device rename alice phone "old phone"`

    Parameters
    ----------
    called
        The device.
    new
        Its new name.
    """
    async with talk(folder, name) as me:
        renamed = await me.devices.rename(called, new)
    render.json(renamed) if as_json else _show([renamed])


@device.command
async def fetch(
    name: Annotated[str, Parameter(name="PROFILE")],
    number: int,
    /,
    *,
    wait: Flag = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """On a satellite: bring the file of a message here from the home device; `mixnet files` shows how far it is.

    Once it is here, `mixnet message` says where.

    Example: `mixnet device fetch alice-phone 7 --wait`

    Parameters
    ----------
    name
        Your satellite.
    number
        The message's number, as `mixnet inbox` shows it.
    wait
        Return only when it is here, and show how far it is.
    """
    from mixnet.client.cli import watching  # noqa: PLC0415
    from mixnet.client.cli.files import until_across  # noqa: PLC0415

    with watching.Watch(name, folder) as watch:
        async with talk(folder, name) as me:
            await me.devices.fetch(checked(number))
            watch.accepted("the daemon goes on fetching it: see how far it is with `mixnet files PROFILE`")
            message = await until_across(me, number, fetched=True) if wait else await me.message(number)
    render.json(message) if as_json else render.message(message)
    if not message.path:
        render.note(f"your home device is asked for it: see how far it is with `{command(folder, 'files', name)}`")


def _show(known: Sequence[DeviceInfo]) -> None:
    import time  # noqa: PLC0415

    rows = [
        (
            one.name,
            str(one.role),
            str(one.state),
            "never" if not one.last_seen else time.strftime("%Y-%m-%d", time.gmtime(one.last_seen)),
            _waits(one),
            one.problem or "-",
        )
        for one in known
    ]
    render.table(("name", "role", "state", "last heard of", "waiting", "problem"), rows)


def _waits(one: DeviceInfo) -> str:
    """What is still to come across, in words."""
    from mixnet.client.model.views import DeviceRole, DeviceState  # noqa: PLC0415

    what = "changes to tell" if one.role is DeviceRole.SATELLITE else "requests to be done at home"
    said = [f"{one.waiting} {what}"] if one.waiting else []
    if one.history and one.state is not DeviceState.REVOKED:
        said.append(f"{one.history} older messages")
    return ", ".join(said) or "nothing"
