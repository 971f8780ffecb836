"""`mixnet bench anonymity` and `mixnet plan` (spec/13-measurements.md 13.1).

Promises: `--json` prints one object for programs and nothing else. Never: an import of anything heavy until a command
runs.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from mixnet.benchmarks.base.extra import needed
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cli.options import (
    Above,
    Count,
    Json,
    Seed,
    SizeSwitch,
    Workers,
    listed,
    print_json,
    show,
    size_of,
)
from mixnet.errors import LocalError

if TYPE_CHECKING:
    from mixnet.benchmarks.anonymity.network import NetworkModel
    from mixnet.benchmarks.base.jobs import Run
    from mixnet.benchmarks.plan.plan import ParameterPlan, PlanGoal, Refusal

Share = Annotated[float, Parameter(validator=Number(gte=0, lte=1))]
_RATE = re.compile(r"([0-9]*\.?[0-9]+)\s*(|k|M)(|B|bit|b)(|/s|ps)")
_SCALE = {"": 1.0, "k": 1e3, "M": 1e6}
RELAY = 3.0  # CPU time of a relayed packet over the floor, the whole process: what docs/measuring.md allows at most


def anonymity(
    *,
    clients: Count | None = None,
    rate: Above | None = None,
    delay: Above | None = None,
    layers: Count | None = None,
    width: Count | None = None,
    providers: Annotated[int, Parameter(validator=Number(gte=0))] | None = None,
    corrupt: Share | None = None,
    sweep: str | None = None,
    trace: Path | None = None,
    truth: Path | None = None,
    skip: Annotated[float, Parameter(validator=Number(gte=0))] = 0.0,
    workers: Workers = 1,
    scheduler: str | None = None,
    quick: SizeSwitch = False,
    full: SizeSwitch = False,
    seed: Seed = 1,
    as_json: Json = False,
) -> int:
    """Measure how well packets hide: entropy against its optimum, on the real actors and on a model of any size.

    Without a network, a sweep or a trace: all figures with targets and controls. With a network or a sweep: the model
    alone. With a trace and its truth: the entropy of what was recorded.

    Example: `mixnet bench anonymity --clients 1000000 --width 50 --sweep delay,corrupt`

    Args:
        clients: Users of the modelled network, up to a million and more.
        rate: Packets a second of each user.
        delay: Mean hold at each node in seconds, 1/µ.
        layers: Layers of mixes.
        width: Mixes in a layer.
        providers: Entry providers, which hold packets too; 0: only mixes do.
        corrupt: Share of the mixes that tell the observer everything.
        sweep: Properties to vary, with commas: users, rate, delay, pool, layers, width, corrupt.
        trace: A recorded trace, as `mixnet bench world` writes it.
        truth: The truth that belongs to it.
        skip: Seconds of the trace to leave out, until everybody was connected.
        scheduler: Address of a dask scheduler whose workers share it instead, such as tcp://10.0.0.1:8786.
        quick: A glance: a minute or two of one core that is idle, longer on a busy machine.
        full: At full size, hours.
    """
    size = size_of(quick, full)
    chosen = {"users": clients, "rate": rate, "delay": delay, "layers": layers, "width": width}
    given = {
        name: value
        for name, value in {**chosen, "providers": providers, "corrupt": corrupt}.items()
        if value is not None
    }
    if (trace is None) != (truth is None):
        raise LocalError("a trace and its truth belong together: name both, or none")
    with needed():
        if trace is not None and truth is not None:
            _recorded(trace, truth, skip, as_json=as_json)
            return 0
        from mixnet.benchmarks.anonymity.measure import measure  # noqa: PLC0415
        from mixnet.benchmarks.base.jobs import shared  # noqa: PLC0415

        with shared(workers, scheduler) as run:
            if not given and not sweep:
                return show(measure(size, run, seed=seed), as_json=as_json)
            _model(given, listed(sweep or ""), size, run, seed, as_json=as_json)
        return 0


def plan(
    *,
    clients: Count,
    latency: Above,
    entropy: Annotated[float, Parameter(validator=Number(gte=0))],
    bandwidth: str,
    meant: Annotated[Literal["p95", "mean"], Parameter(name="--latency-is")] = "p95",
    layers: Annotated[int, Parameter(validator=Number(gte=1, lte=3))] | None = None,
    packet_cpu: Above | None = None,
    seed: int = 1,
    as_json: Json = False,
) -> int:
    """Find the parameters of a network that give its users what they wish for, at the least cost to them.

    Exit status 1 if there are none; then what would have to change is said.

    Example: `mixnet plan --clients 1000 --latency 10 --entropy 12 --bandwidth 10kB/s`

    Args:
        clients: Clients that are connected at a time.
        latency: Seconds that a text may take, from one person's screen to the other's.
        entropy: Bits that must hide a packet: 10 are as good as 1,024 packets that look alike.
        bandwidth: What a client may use, both ways together: 10kB/s, 200 kbit/s, or bytes a second.
        meant: Whether that is the latency of 95 texts of 100, or the mean.
        layers: Layers of mixes, 1 to 3. If not given: 3, or fewer if the wish can't be had with 3.
        packet_cpu: Microseconds of CPU that a packet costs a node; if not given, 3 times two X25519 operations here.
        seed: What the simulation that checks the plan follows from.
    """
    with needed():
        from mixnet.benchmarks.plan import plan as planning  # noqa: PLC0415
        from mixnet.benchmarks.plan import tables  # noqa: PLC0415

        cost = packet_cpu * 1e-6 if packet_cpu is not None else RELAY * tables.floor()
        allowed = bytes_a_second(bandwidth)

        def attempt(count: int) -> ParameterPlan | Refusal:
            return planning.find(wish(count), seed=seed)

        def wish(count: int) -> PlanGoal:
            return planning.PlanGoal(clients, latency, entropy, allowed, planning.Meant(meant), count, cost)

        found = first = attempt(layers or 3)
        for fewer in () if layers else (2, 1):
            if isinstance(found, planning.ParameterPlan):
                break
            found = attempt(fewer)
        answer = found if isinstance(found, planning.ParameterPlan) else first
        if as_json:
            print_json(tables.as_map(answer))
        else:
            tables.show(answer, asked=layers)
        return 0 if isinstance(answer, planning.ParameterPlan) else 1


def bytes_a_second(text: str) -> float:
    """Bytes a second that `10kB/s`, `80 kbit/s` or `10000` stand for; LocalError if that can't be told."""
    found = _RATE.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise LocalError(f"`{text}` is no bandwidth: write something like 10kB/s, 80kbit/s, or a number of bytes")
    bits = found[3] in {"bit", "b"}
    return float(found[1]) * _SCALE[found[2]] / (8 if bits else 1)


def _recorded(trace: Path, truth: Path, since: float, *, as_json: bool) -> None:
    """The entropy of a recorded network."""
    from mixnet.benchmarks.anonymity import actors, tables  # noqa: PLC0415
    from mixnet.benchmarks.simulation import ground_truth as truths  # noqa: PLC0415
    from mixnet.benchmarks.simulation import trace as traces  # noqa: PLC0415

    seen = actors.observe(traces.read(trace), truths.read(truth), since=since)
    if as_json:
        print_json(tables.recorded(seen))
    else:
        tables.show_recorded(seen)


def _model(given: dict[str, Any], names: list[str], size: Size, run: Run, seed: int, *, as_json: bool) -> None:
    """One modelled network, or sweeps around it."""
    from mixnet.benchmarks.anonymity import model, sweep, tables  # noqa: PLC0415
    from mixnet.benchmarks.anonymity.measure import BASE  # noqa: PLC0415
    from mixnet.benchmarks.anonymity.network import NetworkModel  # noqa: PLC0415

    network: NetworkModel = NetworkModel(**{**asdict(BASE), **given})
    targets = sweep.TARGETS[size]
    if not names:
        [row] = run(model.point, [{"network": asdict(network), "targets": targets, "seed": seed}])
        if as_json:
            print_json({"network": asdict(network), "seed": seed, **row})
        else:
            tables.show_point(network, row)
        return
    for name in names:
        sweep.around(network, name)  # a wrong name is refused before anything is measured
    found = {name: sweep.sweep(network, name, targets, run, seed=seed) for name in names}
    if as_json:
        print_json({"network": asdict(network), "targets": targets, "seed": seed, "sweeps": found})
        return
    for name, rows in found.items():
        tables.show_sweep(name, rows)
