"""`mixnet client init|start|stop|status`: a profile, and its daemon."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from mixnet.client.cli import render
from mixnet.client.cli.options import (
    Flag,
    Folder,
    Json,
    PassphraseFile,
    Profile,
    command,
    identity,
    network_folder,
    profile_folder,
    talk,
    unlock,
)
from mixnet.errors import LocalError
from mixnet.exclusive import exclusive, option

_PASSPHRASE = exclusive()
_STARTED = exclusive()  # what holds the terminal is for a person
_NO_PROVIDER = "a provider's identity has 64 hexadecimal digits: `mixnet directory show` lists them"

daemon = App(
    name="client", help="Make a profile; start, stop and look at its daemon.\n\nExample: `mixnet client init alice`"
)


@daemon.command
async def init(
    name: Annotated[str, Parameter(name="PROFILE")],
    /,
    *,
    folder: Folder = None,
    passphrase: Annotated[Flag, option(_PASSPHRASE)] = False,
    passphrase_file: Annotated[PassphraseFile, option(_PASSPHRASE)] = None,
    provider: str | None = None,
    source: str | None = None,
    bootstrap: Path | None = None,
    as_json: Json = False,
) -> None:
    """Make a profile: your keys, contacts and messages, in an encrypted store.

    Example: `mixnet client init alice`

    Parameters
    ----------
    name
        Your name, as invitations show it.
    passphrase
        Ask for a passphrase that locks the store; without one a key file in the profile's folder opens it.
    provider
        Identity (64 hexadecimal digits) of the provider to register with; a random one if not given.
    source
        Local IP address to dial from.
    bootstrap
        The network's bootstrap file; `bootstrap.json` in the network's folder if not given.
    """
    import trio  # noqa: PLC0415

    from mixnet.client.profile import passphrase as secrets  # noqa: PLC0415
    from mixnet.client.profile.profile import PassphraseNeeded, create  # noqa: PLC0415

    words = secrets.given(passphrase_file)
    if words is None and passphrase:
        words = secrets.asked(twice=True)
        if words is None:
            raise PassphraseNeeded
    directory = profile_folder(folder, name)
    trusted = bootstrap or network_folder(folder) / "bootstrap.json"
    if bootstrap is None and not trusted.exists():
        raise LocalError(
            f"there is no network in {trusted.parent}: make one with `mixnet up`, or name a --bootstrap file"
        )
    await trio.to_thread.run_sync(
        lambda: create(
            directory,
            name=name,
            bootstrap=trusted,
            passphrase=words,
            source=source,
            provider=None if provider is None else identity(provider, _NO_PROVIDER),
        )
    )
    if as_json:
        render.json({"profile": name, "folder": str(directory)})
        return
    sys.stdout.write(f"made {directory}: start its daemon with `{command(folder, 'client', 'start', name)}`\n")


@daemon.command
async def start(
    name: Profile,
    /,
    *,
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    foreground: Annotated[Flag, option(_STARTED)] = False,
    as_json: Annotated[Json, option(_STARTED)] = False,
) -> None:
    """Start the daemon of a profile: cover traffic runs from now on.

    Example: `mixnet client start alice`

    Parameters
    ----------
    foreground
        Become the daemon instead of starting one in the background.
    """
    directory = profile_folder(folder, name)
    words = unlock(directory, passphrase_file)
    if foreground:
        from mixnet.client.daemon import process  # noqa: PLC0415

        await process.serve_profile(directory, words, render.note)
        return
    from mixnet.client.daemon import background  # noqa: PLC0415

    with render.waiting("waiting for the network"):
        lacks = await background.start(directory, words, render.note)
    if as_json:
        render.json({"profile": name, "waits_for": lacks or None})
        return
    stop_it = command(folder, "client", "stop", name)
    if lacks:
        sys.stdout.write(f"the daemon of {name} runs, and goes on {lacks}; stop it with `{stop_it}`\n")
        return
    sys.stdout.write(f"the daemon of {name} runs: stop it with `{stop_it}`\n")


@daemon.command
async def stop(name: Profile, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Stop the daemon of a profile, and its cover traffic with it.

    Example: `mixnet client stop alice`
    """
    from mixnet.client.daemon import background  # noqa: PLC0415

    await background.stop(profile_folder(folder, name))
    if as_json:
        render.json({"profile": name, "stopped": True})
        return
    sys.stdout.write(f"the daemon of {name} has stopped\n")


@daemon.command
async def status(name: Profile, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Show whether a daemon is connected, what it has sent, and whether its loops return.

    Example: `mixnet client status alice --json`
    """
    async with talk(folder, name) as me:
        figures = await me.status()
    render.json(figures) if as_json else render.status(name, figures)
