"""terminal.py ANSWER... -- COMMAND...: COMMAND on a terminal of its own.

Each ANSWER is typed, with a line end, when a prompt (text that ends with ": ")
has come; if it is "^C", that key is pressed, and what begins with "!" is a
command that runs before the next one is typed. What came out goes to standard
output, and the status is the command's; 128 + N for a signal.
"""
import os
import pty
import select
import subprocess
import sys
import time

LIMIT = 60


def main():
    cut = sys.argv.index("--")
    answers, command = sys.argv[1:cut], sys.argv[cut + 1:]
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    out, asked = b"", 0
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            got = os.read(fd, 4096)
        except OSError:     # the other end is closed
            break
        if not got:
            break
        out += got
        if out[asked:].endswith(b": ") and answers:
            asked = len(out)
            while answers[0].startswith("!"):
                subprocess.run(answers.pop(0)[1:], shell=True, check=True,
                               timeout=30)
            text = answers.pop(0)
            os.write(fd, b"\x03" if text == "^C" else text.encode() + b"\n")
    else:
        os.kill(pid, 9)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.stdout.buffer.write(out)
    sys.exit(status if status >= 0 else 128 - status)


main()
