"""make demo: the main job on a terminal, its stages killed while it runs."""
import time

from process import Killer
from scenarios import LISTEN, MAPPED, in_run

VICTIMS = {"dpp-listen", "dpp-consume", "dpp-transform", "dpp-deliver"}


class Screen:
    """A line of progress that is redrawn on a terminal, and lines above it."""

    def __init__(self):
        self.start = time.monotonic()

    def say(self, text):
        print(f"  {time.monotonic() - self.start:5.1f} s  {text}", flush=True)


def count(path, letter):
    if not path.exists():
        return 0
    with open(path, "rb") as f:
        return sum(1 for line in f if line[:1] == letter)


def demo(b):
    a = b.a
    url = b.sink()
    stages = ["dpp-consume -t github -g chat -o beginning",
              f"dpp-transform {MAPPED}", f"dpp-deliver -j 16 {url}"]
    listen = b.listen("-t github")
    print("A sender posts GitHub webhooks, signed, and repeats what is not "
          "answered with 2xx:\n")
    print("    dpp-listen -l :8080 -C github -k file:gh.key -t github")
    print("    dpp-run dpp-consume -t github -g chat ! \\\n"
          f"        dpp-transform {MAPPED} ! \\\n"
          "        dpp-deliver http://chat.example/hook\n")
    print(f"{a.events} events; each stage gets SIGKILL {a.kills} "
          "times meanwhile.\n")
    screen = Screen()
    front = b.row("listen", listen, LISTEN)
    b.wait(lambda: front.members(), 10, "dpp-listen does not start")
    feeder = b.feed("--rate", str(a.rate))
    b.wait(lambda: count(b.ledger, b"A"), 10, "nothing is acknowledged")
    back = b.row("segment", in_run(stages), VICTIMS - LISTEN)
    killer = Killer([front, back], a.seed, a.kills, screen.say)
    pause = 0.9 * a.events / a.rate / a.kills / len(VICTIMS)
    while not killer.done():
        time.sleep(killer.rnd.uniform(0.5, 1.5) * pause)
        killer.strike()
        if killer.total() % 3 == 0:
            screen.say(f"{count(b.ledger, b'A'):6} acknowledged, "
                       f"{count(b.record, b'D'):6} delivered")
    b.fed(feeder)
    b.arrived()
    screen.say("all that was acknowledged has been delivered; SIGTERM")
    b.drained("github", "chat")
    b.clean_end(back, "dpp-run")
    b.clean_end(front, "dpp-listen")
    print()
    b.verdict("--body", "mapped")
    print(f"\n{killer.total()} kills; lost 0. A repeated delivery is one that "
          "was in flight at a kill:\nit carries the same Idempotency-Key.")
