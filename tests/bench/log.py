"""Appending and reading, by the tool that measures them against the limit."""
import json
import statistics
import subprocess


def run(bench):
    seen = {}
    for _ in range(bench.rounds):
        out = subprocess.run([bench.tools / "lograte", bench.work / "log"],
                             check=True, capture_output=True, text=True).stdout
        for line in out.splitlines():
            f = json.loads(line)
            seen.setdefault(f["name"], []).append(f)
    for name, figures in seen.items():
        median = statistics.median
        bench.figure(name, median(f["value"] for f in figures),
                     figures[0]["unit"],
                     ratio=median(f["ratio"] for f in figures),
                     at_least=figures[0]["target"])
