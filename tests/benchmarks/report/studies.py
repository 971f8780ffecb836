"""Parts for reports that measure nothing in no time, and that fail in every way."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mixnet.benchmarks.base.figures import Bound, Control, Figure, Finding, at_least
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, exact
from mixnet.benchmarks.report.children import ReportOptions


def piece(*, number, log):
    with Path(log).open("a") as file:
        file.write(f"{number}\n")
    return number


def finding(name, *, won=1.0, threats=("P1",), key="gap_bits"):
    curve = {"x": [1.0, 10.0], "y": [0.5, 0.6], "low": [0.4, 0.5], "high": [0.6, 0.7]}
    return Finding(
        name, f"What {name} found <here>", threats, "external, global, passive", "mixing | cover", "a setting",
        (Figure(key, "H* - H & more", Estimate(0.1, 0.05, 0.15), "bit", Bound(0.2), Bound(0.05)),
         Figure(f"{name}_auc", "an area", Estimate(0.5, 0.4, 0.6))),
        (Control.positive("without the defence", exact(won), at_least(0.99)),),
        {"auc_window": curve, "roc": curve},
    )  # fmt: skip


@dataclass(frozen=True)
class Study:
    """A part that does `way`; `log` is where its pieces leave a line."""

    name: str
    way: str = "well"
    alone: bool = False
    log: str = os.devnull

    def measure(self, size, run, seed, say):
        say("measuring")
        match self.way:
            case "raises":
                raise ValueError(f"no such thing in {Path.home() / 'secret.txt'}")
            case "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            case "says who":
                Path(self.log).write_text(str(os.getpid()))
                return [finding(self.name)]
            case "lasts":
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
                Path(self.log).write_text(f"{os.getpid()} {child.pid}")
                time.sleep(600)
            case "loses":
                return [finding(self.name, won=0.9)]
        run(piece, [{"number": number, "log": self.log} for number in range(3)])
        return [finding(self.name)]


def wish(size=Size.QUICK, **others):
    return ReportOptions(size, 1, **others)
