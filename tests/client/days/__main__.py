"""`make fortnight`: the story of test_days.py, for as long as is wanted.

    python -m tests.client.days [--days 14] [--seed 1]

Exit status 0 only if everybody has the same history in the end; else every complaint is printed, with the seed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.client.days.plan import draw
from tests.client.days.player import play


def main() -> int:
    """Play one story and say how it goes."""
    parser = argparse.ArgumentParser(prog="python -m tests.client.days", description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=float, default=14.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begun = time.monotonic()

    def tell(line: str) -> None:
        print(f"{(time.monotonic() - begun) / 60:5.1f} min  {line}", flush=True)

    with tempfile.TemporaryDirectory(prefix="mixnet-days-") as folder:
        player, complaints = play(draw(options.seed, options.days), Path(folder), tell)
    for complaint in complaints:
        print(f"WRONG: {complaint}")
    deaths = sum(device.deaths for device in player.devices.values())
    print(f"{len(player.meant)} messages, {deaths} deaths, {player.village.lost} packets lost, {len(complaints)} wrong")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
