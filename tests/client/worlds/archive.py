"""A messenger with an archive that is filled by hand, without a network."""

import random

from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.core.outgoing import MessengerSettings
from mixnet.client.devices.devices import Devices
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.destination import Destination, Home
from mixnet.client.model.views import ContactState, MessageKind, MessageState
from mixnet.client.storage.messages import NewMessage
from mixnet.crypto import SymmetricKey
from tests.client.worlds.service import make_service

KEY = SymmetricKey(b"k" * 32)
NOW = 1_800_000_000.0


def messenger_of(store):
    home = Home("alice", bytes(32), Destination(bytes(32), bytes(32), bytes(31) + b"\x09"))
    messenger = Messenger(store, MessengerSettings(), random.Random(1), home, None, pauses=random.Random(2))
    if not messenger.contacts():
        for number, name in enumerate(("bob", "carol"), 1):
            messenger._core.contacts.add(name, bytes([number]) * 32, ContactState.ESTABLISHED, NOW)
    return messenger


def file(messenger, text, *, when=NOW, contact=1, state=MessageState.DELIVERED, kind=MessageKind.TEXT):
    remote = None if state in (MessageState.DELIVERED, MessageState.QUEUED, MessageState.SENT) else 7
    return messenger._core.messages.add(NewMessage(contact, kind, state, text, remote=remote), when)


def access(messenger):
    service = make_service()
    service._devices = Devices(messenger)
    return Connection(DirectChannel(service)).archive
