"""The sub-commands of a local network: `demo`, `up`, `status`, `observe` and `down`.

See spec/09-command.md and spec/10-local-network.md 10.3.

Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from mixnet import hints
from mixnet.client.cli.options import Flag, Folder, Json, JsonLines, check_form, network_folder
from mixnet.exclusive import exclusive, option

app = App(name="local")


_UP = exclusive()  # what holds the terminal is for a person


@app.command
async def up(
    *,
    folder: Folder = None,
    layers: int | None = None,
    width: int | None = None,
    providers: int | None = None,
    authorities: int | None = None,
    threshold: int | None = None,
    epoch: float | None = None,
    engine: str | None = None,
    workers: int | None = None,
    port: int | None = None,
    foreground: Annotated[Flag, option(_UP)] = False,
    json: Annotated[Json, option(_UP)] = False,
) -> None:
    """Start a network on this machine and return when it is ready.

    Example: `mixnet up --layers 3 --width 2`

    Parameters
    ----------
    layers
        Layers of mixes, 1 to 3; 3 if not given.
    width
        Mixes in each layer; 2 if not given.
    providers
        Providers, which keep their clients' mailboxes; 2 if not given.
    authorities
        Directory authorities; 3 if not given.
    threshold
        Authorities that must sign a document; more than half if not given. With two thirds of them and one, no
        network split can make two documents of one, but fewer may be missing.
    epoch
        Length of an epoch in seconds; 1200 if not given.
    engine
        What peels packets: `mixnet`, or `sphinxmix` where it is installed.
    workers
        Processes that peel packets for each mix and provider, beside its own: 0 to 8; 0 if not given.
    port
        Port of every node, each on its own loopback address; 7400 if not given.
    foreground
        Hold the terminal until Ctrl-C ends the network.
    """
    from mixnet.deploy.start import start  # noqa: PLC0415

    options: dict[str, Any] = {
        "layers": layers,
        "width": width,
        "providers": providers,
        "authorities": authorities,
        "threshold": threshold,
        "epoch": epoch,
        "engine": engine,
        "workers": workers,
        "port": port,
    }
    given = {name: value for name, value in options.items() if value is not None}
    await start(network_folder(folder), given, foreground=foreground, given=folder, json=json)


@app.command
async def status(
    *, folder: Folder = None, json: Json = False, as_lines: JsonLines = False, follow: Flag = False
) -> int:
    """Show every node: layer, packets in, out and dropped, loops that came back, memory and CPU.

    Example: `mixnet status --follow`

    Parameters
    ----------
    follow
        Show it again every two seconds until Ctrl-C.
    """
    from mixnet.deploy.start import look  # noqa: PLC0415

    check_form(as_json=json, as_lines=as_lines, follow=follow)
    return await look(network_folder(folder), json=json, lines=as_lines, watch=follow)


_RECORDING, _SOURCE = exclusive(), exclusive()  # what is played is nothing that runs, and nothing new


@app.command
async def observe(
    *,
    folder: Folder = None,
    node: Annotated[list[Path] | None, option(_SOURCE), Parameter(negative="")] = None,
    record: Annotated[Path | None, option(_RECORDING)] = None,
    replay: Annotated[Path | None, option(_RECORDING, _SOURCE)] = None,
    port: int | None = None,
) -> int:
    """Show a live page of the network in your browser: what an observer sees, and what really happens.

    It prints a link that works once, and serves the page until Ctrl-C. Looking on changes nothing in the network.

    Example: `mixnet observe`

    Parameters
    ----------
    node
        Instead of a local network, a node of yours, by its configuration (/etc/mixnet/mix-1/config.toml); give it again
        for each. Its links and clients are not shown.
    record
        Also write what is seen to this new file. It says when your clients were busy: keep it to yourself.
    replay
        Show a recording instead of a network.
    port
        Port of the page, then at 127.0.0.1, so that `ssh -L` reaches it; an address of its own if not given.
    """
    from mixnet.pages.extra import needed  # noqa: PLC0415

    with needed():
        from mixnet.deploy.observe.page import observe as serve  # noqa: PLC0415
    from mixnet.deploy.background import until_signal  # noqa: PLC0415
    from mixnet.deploy.display import greet  # noqa: PLC0415

    await until_signal(serve, network_folder(folder), greet, nodes=node or (), record=record, replay=replay, port=port)
    return 0


@app.command
async def down(*, folder: Folder = None, json: Json = False) -> None:
    """End the network that `mixnet up` started.

    Example: `mixnet down`
    """
    from mixnet.deploy.display import say, say_json  # noqa: PLC0415
    from mixnet.deploy.local import down as end_all  # noqa: PLC0415

    count = await end_all(network_folder(folder))
    if json:
        say_json({"ended": count})
        return
    ended = f"ended {count} {'process' if count == 1 else 'processes'}"
    say(hints.here(f"{ended}; start the same network again with `mixnet up`", folder))


_OUTPUT = exclusive()  # what is watched has no end that a program could wait for


@app.command
async def demo(
    *,
    json: Annotated[Json, option(_OUTPUT)] = False,
    file: Path | None = None,
    messages: int = 10,
    keep: Flag = False,
    kill_mix: Flag = False,
    watch: Annotated[Flag, option(_OUTPUT)] = False,
) -> int:
    """Run a whole network, let two people talk through it, and say what happened.

    It prints the link of a live page of the network, if what that needs is installed.

    Example: `mixnet demo --file photo.jpg`

    Parameters
    ----------
    file
        The file to send; 1 MB of random bytes and text from this machine if not given.
    messages
        Texts in each direction.
    keep
        Keep the network's folder, with its logs, afterwards.
    kill_mix
        Kill a mix (SIGKILL) while the file is on its way.
    watch
        Afterwards go on, with a third person who never writes, until Ctrl-C: for the live page.
    """
    from mixnet.deploy.demo import run  # noqa: PLC0415

    return await run(json=json, file=file, messages=messages, keep=keep, kill_mix=kill_mix, watch=watch)
