"""dpp-vault: one entry of a small vault, the list of a large one; sealing."""
import os
import subprocess
import time

LARGE = 10000
PAYLOADS = 1, 4, 16, 64      # KiB


def milliseconds(bench, *args):
    """Until the program has ended, its start included."""
    start = time.perf_counter()
    subprocess.run(args, check=True, cwd=bench.work, env=bench.env,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def seal(bench):
    """Events under a key, beside libsodium in the same process."""
    bench.shell("dpp-vault -q init; echo random | dpp-vault put a --kind key")
    for kib in PAYLOADS:
        rates = []
        for _ in range(bench.rounds):
            out = subprocess.run([bench.tools / "sealrate", "a",
                                  str(kib * 1024)], check=True, text=True,
                                 env=bench.env, stdout=subprocess.PIPE)
            rates.append([float(x) for x in out.stdout.split()])
        alone, ours = sorted(rates, key=lambda r: r[1] / r[0])[len(rates) // 2]
        bench.figure(f"sealing events of {kib} KiB; libsodium alone", ours,
                     "MB/s", alone, at_least=0.8)


def run(bench):
    for name in "DATA", "CONFIG", "STATE":
        bench.env[f"XDG_{name}_HOME"] = str(bench.work / name.lower())
    bench.shell("(umask 077; head -c 32 /dev/urandom >key)")
    for path, n in ("small", 10), ("large", LARGE):
        bench.shell(f"dpp-vault -s {path} -k file:key init")
        subprocess.run([bench.tools / "vaultfill", path, "key", str(n)],
                       check=True, cwd=bench.work, env=bench.env)
    open_small = ["-s", "small", "-k", "file:key"]
    open_large = ["-s", "large", "-k", "file:key"]
    took = bench.in_turn(
        start=lambda: milliseconds(bench, "dpp-vault", "-V"),
        get=lambda: milliseconds(bench, "dpp-vault", *open_small, "get",
                                 "entry-000003"),
        get_large=lambda: milliseconds(bench, "dpp-vault", *open_large, "get",
                                       "entry-000003"),
        listed=lambda: milliseconds(bench, "dpp-vault", *open_large, "list"))
    size = os.path.getsize(bench.work / "large") / 2 ** 20
    bench.figure("dpp-vault get, 10 entries", took["get"], "ms", at_most=5)
    bench.figure("... the start of the program alone", took["start"], "ms")
    bench.figure(f"dpp-vault get, {LARGE:,} entries, {size:.1f} MiB",
                 took["get_large"], "ms")
    bench.figure(f"dpp-vault list, {LARGE:,} entries", took["listed"], "ms",
                 at_most=100)
    seal(bench)
