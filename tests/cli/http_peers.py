#!/usr/bin/env python3
"""Do other servers read the requests that we accept as we do?

    http_peers.py node|nginx CASES

Sends each case of CASES that must be accepted to a server of that kind, in
fresh connections, and compares method, target and body (nginx: that it accepts
the request). One line for each that is read in another way; status 1 then.
"""
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KNOWN = "GET", "POST", "PUT", "OPTIONS"
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t"}

NODE = """
const server = require('http').createServer((q, a) => {
    const body = [];
    q.on('data', d => body.push(d));
    q.on('end', () => {
        a.setHeader('Connection', 'close');
        a.end(JSON.stringify({method: q.method, url: q.url,
            body: Buffer.concat(body).toString('latin1')}));
    });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""

NGINX = """
daemon off;
pid {dir}/pid;
error_log {dir}/error;
events {{}}
http {{
    access_log off;
    client_body_temp_path {dir};
    proxy_temp_path {dir}/p;
    fastcgi_temp_path {dir}/f;
    uwsgi_temp_path {dir}/u;
    scgi_temp_path {dir}/s;
    keepalive_timeout 0;
    large_client_header_buffers 4 32k;
    server {{ listen 127.0.0.1:{port}; return 200 "taken"; }}
}}
"""


def unescape(text):
    out, i = b"", 0
    while i < len(text):
        if text[i] != "\\":
            out += text[i].encode("latin-1")
            i += 1
        elif text[i + 1] == "x":
            out += bytes([int(text[i + 2:i + 4], 16)])
            i += 4
        elif text[i + 1] == "{":
            end = text.index("}", i)
            times, piece = text[i + 2:end].split("*", 1)
            out += unescape(piece) * int(times)
            i = end + 1
        else:
            out += ESCAPES.get(text[i + 1], text[i + 1].encode())
            i += 2
    return out


def cases(path):
    """(title, bytes, what must come) of the accepted ones."""
    title, data = "", b""
    for line in Path(path).read_text().splitlines():
        if line.startswith("# "):
            title = line[2:]
        elif line.startswith("> "):
            data += unescape(line[2:])
        elif line:
            m = re.match(r'ok (\S+) (\S+) (\S+) \d+ "(.*)"(?: rest (\d+))?',
                         line)
            if m and m[1] in KNOWN:
                # What follows would be another request.
                yield title, data[:len(data) - int(m[5] or 0)], m
            data = b""


def ask(port, data):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(data)
        got = b""
        try:
            while more := s.recv(65536):
                got += more
        except OSError:
            pass
    # The last answer: a 100 may come before.
    start = got.rfind(b"HTTP/1.1 ")
    head, _, body = got[start:].partition(b"\r\n\r\n")
    if b"chunked" in head:
        body = body.partition(b"\r\n")[2].rpartition(b"\r\n0\r\n")[0]
    return head[9:12].decode(), body


def node_differs(m, status, body):
    if status != "200":
        return f"answered {status}"
    got = json.loads(body.decode())
    url = m[2] if m[3] == "-" else f"{m[2]}?{m[3]}"
    if "..." in m[0]:               # a long one is cut in the cases
        return None
    want = {"method": m[1], "url": url,
            "body": unescape(m[4]).decode("latin-1")}
    got["url"] = got["url"].rstrip("?")
    return None if got == want else f"read as {got}"


def nginx_differs(_, status, body):
    return None if status == "200" else f"answered {status}"


def start_node(where):
    p = subprocess.Popen(["node", "-e", NODE], stdout=subprocess.PIPE)
    return p, int(p.stdout.readline())


def start_nginx(where):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    conf = Path(where) / "conf"
    conf.write_text(NGINX.format(dir=where, port=port))
    p = subprocess.Popen(["nginx", "-p", where, "-c", str(conf)],
                         stderr=subprocess.DEVNULL)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return p, port
        except OSError:
            time.sleep(0.02)
    sys.exit("nginx does not start")


def main():
    kind, path = sys.argv[1:]
    start, differs = {"node": (start_node, node_differs),
                      "nginx": (start_nginx, nginx_differs)}[kind]
    asked = wrong = 0
    with tempfile.TemporaryDirectory() as where:
        p, port = start(where)
        try:
            for title, data, m in cases(path):
                asked += 1
                why = differs(m, *ask(port, data))
                if why:
                    wrong += 1
                    print(f"{kind}: {title}: {why}")
        finally:
            p.terminate()
            p.wait()
    print(f"{kind}: {asked} accepted requests, {wrong} read in another way")
    sys.exit(wrong > 0)


main()
