"""Sends a file and waits until it is there: python deliver.py PROFILE-FOLDER CONTACT FILE."""

import sys

import anyio

from mixnet import client


def show(transfer: client.Transfer) -> None:
    """Print how far the file is."""
    print(f"{transfer.done:,} of {transfer.message.size:,} bytes")


async def main(profile: str, contact: str, file: str) -> None:
    """Send the file, and print how far it has come whenever that changes."""
    async with client.connect(profile) as me:
        number = await me.send_file(contact, file)
        seconds = await me.estimate(number)
        if seconds is not None:
            print(f"this takes about {seconds / 60:.0f} minutes")
        done = await me.files.wait(number, show)
        print(f"{contact} has {done.message.text}")


try:
    profile, contact, file = sys.argv[1:]
    anyio.run(main, profile, contact, file)  # asyncio; with backend="trio" it runs under Trio
except client.MixnetError as error:
    sys.exit(f"deliver: {error}")
