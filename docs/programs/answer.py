"""Answers everybody who writes a text: python answer.py PROFILE-FOLDER."""

import asyncio
import sys
import time

from mixnet import client


async def main(profile: str) -> None:
    """Answer what comes from now on, until the daemon ends or somebody presses Ctrl-C."""
    async with client.connect(profile) as me:
        async for message in me.messages(follow=True, since=time.time()):
            if message.outgoing or message.author or message.kind is not client.MessageKind.TEXT:
                continue  # our own answers, texts in groups, files
            await me.send(message.contact, f"Thank you for {len(message.text)} letters. I am a program.")
            await me.mark_read(message.id)


try:
    asyncio.run(main(sys.argv[1]))
except client.MixnetError as error:
    sys.exit(f"answer: {error}")
