"""Numbered events whose bytes follow from their names.

A name tells everything: "p1-000041-k7-n5" is event 41 of seed 1, the fifth of
key k7, in the plain style. The body is derived from the name, so the sink can
judge every byte without having seen what was sent.

Styles: p  plain: survives a filter that reprints JSON (compact, short numbers)
        s  sacred: what only a byte-for-byte path keeps (0.1, 1e2, 20 digits,
           \\u0000, pretty-printed bodies, padding)
"""
import hashlib
import random
import re

NAME = re.compile(rb"[ps]\d+-\d+-k\d+-n\d+")


def names(style, seed, count, keys):
    """The events of a run in order: (name, key number)."""
    rnd = random.Random(seed)
    counter = [0] * keys
    for i in range(count):
        k = rnd.randrange(keys)
        counter[k] += 1
        yield f"{style}{seed}-{i:06d}-k{k}-n{counter[k]}", k


def split(name):
    """Key and counter of a name."""
    _, _, key, n = name.split("-")
    return key, int(n[1:])


def digest(name):
    return hashlib.sha256(name.encode()).hexdigest()


def message(name):
    """The text in the body; what a mapping to {"text": …} delivers."""
    return f"event {name}: {digest(name)[:24]}"


def body(name):
    """The bytes that are sent."""
    hexes = digest(name)
    key, n = split(name)
    text = (
        '{"ref":"refs/heads/%s","name":"%s",'
        '"repository":{"full_name":"%s"},"n":%d,'
        '"head_commit":{"message":"%s","author":"Zo\u00eb"},"pad":"%s"'
        % (hexes[:6], name, key, n, message(name),
           hexes * (int(hexes[0], 16) // 4))
    )
    if name[0] == "p":
        return (text + "}").encode()
    odd = ',"odd":[0.1,1e2,-0,12345678901234567890,1.0,"\\u0000\\/\\ud800"]'
    kind = int(hexes[1], 16)
    if kind == 0:
        return (text.replace(",", ",\n  ") + odd + "\n}\n").encode()
    if kind == 1:
        return (" " + text + odd + "}").encode()
    return (text + odd + "}").encode()


def mapped(name):
    """The bytes that '.data |= {text: .head_commit.message}' delivers."""
    return ('{"text":"%s"}' % message(name)).encode()


def fingerprint(data):
    return hashlib.sha1(data).hexdigest()[:16]


def find_name(data):
    m = NAME.search(data)
    return m.group().decode() if m else None
