"""A provider that is a list of answers, in the place of real questions."""

import msgspec
import trio

from mixnet.client.traffic.provider_mailbox import ProviderMailbox
from mixnet.errors import Unavailable

KEPT = {"packets": 3, "bytes": 9216, "expires": 2e9, "next_expiry": 1.9e9}


class Provider:
    """In the place of Requests: remembers the questions, gives the answers, and None is silence."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.forgotten = 0

    async def ask(self, request, *, timeout):  # noqa: ASYNC109
        self.asked.append((msgspec.msgpack.decode(request), timeout))
        await trio.lowlevel.checkpoint()
        answer = self.answers.pop(0)
        if answer is None:
            raise Unavailable
        return answer

    def post(self, *, connected=True, rates=(2.0, 4.0)):
        def forget():
            self.forgotten += 1

        return ProviderMailbox(b"m" * 32, b"p" * 32, self, lambda: rates, lambda: connected, forget)
