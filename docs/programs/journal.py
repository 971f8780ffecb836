"""Writes each message that came to a file, a JSON object a line: python journal.py PROFILE-FOLDER FILE.

It may be run as often as one likes: it goes on where it was.
"""

import json
import sys
from pathlib import Path
from typing import TextIO

import trio

from mixnet import client


def last_number(file: Path) -> int:
    """The number of the last message in the file."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return int(json.loads(lines[-1])["number"]) if lines else 0


async def main(profile: str, journal: TextIO, last: int) -> None:
    """Write what came after the message of that number."""
    async with client.connect(profile) as me:
        async for message in me.messages(after=last):
            if not message.outgoing:
                line = {"number": message.id, "from": message.contact, "text": message.text}
                journal.write(json.dumps(line) + "\n")


try:
    path = Path(sys.argv[2])
    last = last_number(path)
    with path.open("a", encoding="utf-8") as journal:
        trio.run(main, sys.argv[1], journal, last)
except client.MixnetError as error:
    sys.exit(f"journal: {error}")
