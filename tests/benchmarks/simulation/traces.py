"""Looking things up in a trace."""

from mixnet.benchmarks.simulation.trace import Trace, TraceRow


def link(trace: Trace, src: str, dst: str) -> list[tuple[int, int]]:
    """The (t_ns, bytes) of every write from `src` to `dst`, in order: one direction of one link."""
    return [(row.t_ns, row.size) for row in trace if row.src == src and row.dst == dst]


def around(trace: Trace, host: str) -> list[TraceRow]:
    """Every write from or to `host`, by time, then by direction: two writes of one instant have no order."""
    return sorted(row for row in trace if host in {row.src, row.dst})


def hosts(trace: Trace) -> set[str]:
    """Every host that sent or was sent anything."""
    return {row.src for row in trace} | {row.dst for row in trace}
