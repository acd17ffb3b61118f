"""The table of figures, and what the rows need to take them."""
import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path


class Turns(dict):
    """{name: median}, with what came of each round."""

    def __init__(self, seen):
        super().__init__((n, statistics.median(v)) for n, v in seen.items())
        self.seen = seen

    def ratio(self, name, limit):
        """The median of the rounds' ratios: a load that comes and goes falls
        on both of a round."""
        return statistics.median(
            x / y for x, y in zip(self.seen[name], self.seen[limit]))


class Bench:
    def __init__(self, build, rounds):
        self.bin = build / "bin"
        self.tools = build / "bench"
        self.rounds = rounds
        self.figures = []
        self.work = None
        self.env = dict(os.environ, PATH=f"{self.bin}:{os.environ['PATH']}")
        print(f"{'':44} {'figure':>12} {'limit':>12} {'ratio':>6}  target")

    @contextlib.contextmanager
    def workplace(self):
        """A directory on the disk of build/, gone afterwards."""
        self.work = Path(tempfile.mkdtemp(dir=self.bin.parent, prefix="bench"))
        try:
            yield
        finally:
            shutil.rmtree(self.work, ignore_errors=True)

    def shell(self, text):
        """Seconds that a shell line takes; it must succeed."""
        start = time.perf_counter()
        subprocess.run(["bash", "-euo", "pipefail", "-c", text], check=True,
                       cwd=self.work, env=self.env, stdin=subprocess.DEVNULL)
        return time.perf_counter() - start

    def in_turn(self, warm=0, **ways):
        """What each way returns, taken round by round, there and back: none
        always has the same one before it. The first `warm` rounds do not
        count."""
        seen = {name: [] for name in ways}
        turn = list(ways.items())
        for i in range(warm + self.rounds):
            for name, way in turn:
                value = way()
                if i >= warm:
                    seen[name].append(value)
            turn.reverse()
        return Turns(seen)

    def figure(self, name, value, unit, limit=None, ratio=None, at_least=None,
               at_most=None):
        """One line of the table. The ratio is value / limit unless given."""
        if ratio is None and limit is not None:
            ratio = value / limit
        judged = ratio if ratio is not None else value
        met = None
        if at_least is not None:
            met = judged >= at_least
        elif at_most is not None:
            met = judged <= at_most
        target = "" if met is None else (
            f"{'>=' if at_least is not None else '<='} "
            f"{at_least if at_least is not None else at_most:g}"
            f"{'' if met else '  MISSED'}")
        print(f"{name:44} {show(value):>12}"
              f" {show(limit) if limit is not None else '':>12}"
              f" {f'{ratio:.2f}' if ratio is not None else '':>6}  {target}"
              f"  [{unit}]", flush=True)
        self.figures.append({"name": name, "value": value, "unit": unit,
                             "limit": limit, "ratio": ratio,
                             "at_least": at_least, "at_most": at_most,
                             "met": met})


def show(x):
    return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.3g}"
