"""What an observer has of a run: the two files, as if it had recorded them."""

import numpy as np

from mixnet.benchmarks.simulation.ground_truth import Journey
from mixnet.benchmarks.simulation.trace import Trace, TraceRow

LATENCY = 0.01
FRAME = 3118


def recorded(run, *, until=np.inf):
    """The two files that an observer of this run would have, links taking 10 ms."""
    rows, journeys = [], []
    for packet in range(run.packets):
        here = run.visits.only(run.visits.packet == packet)
        order = np.argsort(here.arrival)
        way = [f"client-{run.sender[packet] + 1}", *(f"node-{node}" for node in here.node[order]), "exit"]
        delays = (here.departure - here.arrival)[order]
        now = run.entered[packet]
        sent = now
        for leg in range(len(way) - 1):
            if now < until:
                rows.append(TraceRow(round(now * 1e9), way[leg], way[leg + 1], FRAME))
            now += LATENCY + (delays[leg] if leg < len(delays) else 0.0)
        came = round(now * 1e9) if now < until else None
        path = way[1:] if came else way[1:3]
        journeys.append(Journey(packet, "drop", way[0], "exit", list(delays), path, round(sent * 1e9), came))
    return Trace(sorted(rows)), journeys
