"""Notices each fault of the program that a client counts in a test: no world should have one that nobody asked for."""

import sys

from mixnet.client.concurrency.lasting import Lasting
from mixnet.client.core.changes import Changes
from mixnet.client.traffic.receiver import PacketReceiver
from mixnet.client.traffic.sender import PacketSender
from mixnet.faults import named

NOTED: list[str] = []  # since the last test ended


class Noticed:
    """In the place of a counter `faults`: says what each one was."""

    def __get__(self, one, _owner=None):
        return 0 if one is None else one.__dict__.get("faults", 0)

    def __set__(self, one, count):
        if count > one.__dict__.get("faults", 0):
            error = sys.exc_info()[1]
            NOTED.append(type(one).__name__ if error is None else named(error))
        one.__dict__["faults"] = count


def watch() -> None:
    """From now on, in all worlds of this process."""
    for counting in (Changes, PacketReceiver, PacketSender, Lasting):
        counting.faults = Noticed()


def taken() -> list[str]:
    """What was noted, once."""
    noted, NOTED[:] = NOTED[:], []
    return noted
