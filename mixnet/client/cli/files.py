"""`mixnet files`: the files that are coming in and going out, and how far each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mixnet.client.cli import render
from mixnet.client.cli.options import Flag, Folder, Json, JsonLines, Profile, check_form, none_yet, talk

if TYPE_CHECKING:
    from mixnet.client.api.connection import Connection
    from mixnet.client.cli.watching import Watch
    from mixnet.client.model.views import MessageInfo, Transfer

_AWAY = "not confirmed yet, which takes until the daemon of {} runs and has it; meanwhile the message waits, or expires"


async def files(
    name: Profile,
    /,
    *,
    follow: Flag = False,
    folder: Folder = None,
    as_json: Json = False,
    as_lines: JsonLines = False,
) -> None:
    """Show the files that are coming in (←) and going out (→): how far each is, how fast, and how long it will take.

    Complete ones are messages: `mixnet inbox` says where they are. `mixnet message NAME NUMBER --wait` waits for one.

    Example: `mixnet files alice --follow`

    Parameters
    ----------
    follow
        Go on showing how they come along, until Ctrl-C.
    """
    from mixnet.client.cli import render_files  # noqa: PLC0415

    check_form(as_json=as_json, as_lines=as_lines, follow=follow)
    async with talk(folder, name) as me:
        if not follow:
            known = await me.files.under_way()
            if as_json:
                render.jsons(known)
            elif as_lines:
                _Changed()(known)
            elif known:
                render_files.files(known)
            else:
                none_yet("no file is on its way: send one with `mixnet send PROFILE CONTACT --file PATH`", name, folder)
        elif as_lines:
            await me.files.changes(_Changed())
        else:
            with render_files.bars() as show:
                await me.files.changes(show)


class _Changed:
    """Prints each that has changed, a line for each."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[str, str, int]] = {}

    def __call__(self, under_way: Sequence[Transfer]) -> None:
        now = {one.message.id: (one.message.state.value, one.leg.value, one.done) for one in under_way}
        for one in under_way:
            if self._before.get(one.message.id) != now[one.message.id]:
                render.json(one)
        self._before = now


async def until_settled(me: Connection, number: int, watch: Watch) -> MessageInfo:
    """Show how far a message is until it is delivered or, if it is a file that comes, here; NotDelivered, NotComplete.

    A text that came is here already.
    """
    from mixnet.client.model.views import UNDER_WAY, MessageKind  # noqa: PLC0415

    found = await me.message(number)
    if found.state in UNDER_WAY and found.outgoing:
        watch.accepted_message(number)
    elif found.state in UNDER_WAY:
        watch.accepted(f"the daemon goes on taking it in: look with `mixnet message PROFILE {number}`")
    if found.kind is MessageKind.FILE:
        return await until_across(me, number)
    if not found.outgoing:
        return found
    with render.waiting(f"sending to {render.harmless(found.contact)}", message=True) as show:
        async with watch.long(_AWAY.format(render.harmless(found.contact))):
            return await me.wait_delivered(number, show)


async def until_across(me: Connection, number: int, *, fetched: bool = False) -> MessageInfo:
    """Show how far a file is until it is across; NotComplete."""
    from mixnet.client.cli.render_files import bars  # noqa: PLC0415

    wait = me.files.wait_fetched if fetched else me.files.wait
    with bars() as show:
        return (await wait(number, lambda one: show([one]))).message
