"""A testbed without processes: nodes of stated cost and lateness, in virtual time."""

import random

import trio

from mixnet.benchmarks.processes.load.meter import MeterReading
from mixnet.benchmarks.processes.load.testbed import CLEAR, HEAVIER, HELPED, MEAN_DELAY, NODE, PATH, TWIN

FLOOR = 72e-6
CAPACITY = 5000.0
HELD_LATE = 0.005  # of all packets


class FakeTestbed:
    """Every node that is driven takes `ratios[name]` floors a packet and is late by `late[name]` seconds."""

    def __init__(self, ratios=None, late=None, lost=0, wanted=1.0, own=0.0001, generators=0.1, machine=1.5, worker=1.0):
        self.ratios = {NODE: 2.0, TWIN: 2.05, HEAVIER: 3.0, CLEAR: 0.5, HELPED: 1.1} | (ratios or {})
        self.late = {NODE: 0.0003, HEAVIER: 0.0053, "": own} | (late or {})
        self.lost, self.wanted, self.generators, self.others = lost, wanted, generators, machine
        self.worker = worker
        self.made, self.drives = {}, []

    async def make(self, stock, route, count, *, holds=0, mean=0.0, clear=False, seed=1):
        await trio.lowlevel.checkpoint()
        self.made[stock] = (list(route), count, holds, mean)

    async def drive(self, stock, target, seconds, *, rate=0.0, window=0, warm=0.0, seed=1):
        self.drives.append((stock, target, seconds, rate))
        await trio.sleep(seconds)
        route, _, holds, mean = self.made[stock]
        rng = random.Random(seed)
        per_second = rate or CAPACITY / len(route)
        sent = int(per_second * seconds)
        late = self.late.get(target, 0.0003) * max(1, len(route))
        delays = [sum(rng.expovariate(1 / mean) for _ in range(holds)) if mean else 0.0 for _ in range(sent)]
        overheads = [late * rng.uniform(0.9, 1.1) for _ in range(sent)]
        counts = {"sent": sent, "returned": sent - self.lost, "doubled": 0, "spoilt": 0, "strange": 0}
        return [
            {
                "seconds": seconds,
                "cpu": seconds * self.generators,
                "left": 0,
                **counts,
                "overheads": overheads,
                "delays": delays,
            }
        ]

    async def watch(self, name, readings, every=1.0):
        while True:
            now = trio.current_time()
            packets = round(CAPACITY * now)
            cpu = packets * self.ratios.get(name, 2.0) * FLOOR
            workers = {4711: packets * self.worker * FLOOR} if name == HELPED else {}
            readings.append(MeterReading(now, cpu, max(0.0, self.wanted * now - cpu), packets, 50.0, FLOOR, workers))
            await trio.sleep(every)

    async def held(self, name):
        await trio.lowlevel.checkpoint()
        sent = sum(rate * seconds for _, target, seconds, rate in self.drives if target == name)
        return round(sent), round(sent * HELD_LATE)

    def rested_floor(self):
        return [1.5] * 9

    def machine(self):
        return trio.current_time() * self.others

    async def time_floor(self):
        await trio.sleep_forever()

    async def dropped(self, names):
        await trio.lowlevel.checkpoint()
        assert set(names) >= {*PATH}
        return {"peel_full": 3 + self.lost * len(self.drives), "replayed": 2}


__all__ = ["CAPACITY", "FLOOR", "MEAN_DELAY", "FakeTestbed"]
