"""The commands of a person who talks over the mixnet, each in the module of what it is about.

Promises: a command is a short talk with a running daemon and never sends anything itself, since starting cover traffic
when one has something to say would give that away; what goes wrong is raised as a MixnetError, of which the `mixnet`
command makes one line. Never, in any of these modules: an import of anything heavy before a command runs.
"""

from __future__ import annotations

from cyclopts import App

from mixnet.client.cli import (
    anonymous,
    archive,
    chat,
    codes,
    contacts,
    daemon,
    devices,
    files,
    groups,
    inbox,
    mailbox,
    matching,
    messages,
    notify,
    privacy,
    profile,
    proofs,
    ui,
    voice,
)

app = App(name="messages", help="Commands of a person who talks over the mixnet.")
app.command(daemon.daemon)
app.command(contacts.invite)
app.command(contacts.accept)
app.command(contacts.contacts)
app.command(codes.codes)
app.command(matching.match)
app.command(chat.chat)
app.command(ui.ui)
app.command(messages.send)
app.command(inbox.inbox)
app.command(notify.notify)
app.command(messages.message)
app.command(messages.cancel)
app.command(messages.edit)
app.command(messages.disappear)
app.command(files.files)
app.command(voice.voice)
app.command(voice.play)
app.command(groups.group)
app.command(anonymous.address)
app.command(anonymous.anonymous)
app.command(anonymous.reply)
app.command(proofs.proof)
app.command(proofs.forge)
app.command(archive.search)
app.command(archive.export)
app.command(archive.import_, name="import")
app.command(archive.retention)
app.command(archive.delete)
app.command(devices.device)
app.command(privacy.privacy)
app.command(mailbox.mailbox)
app.command(profile.profile)
