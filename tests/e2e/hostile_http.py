#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
What nobody in his right mind sends to the control socket. Prints "NAME STATUS" for each request, "closed" or "silent" where
no status came. At the end as many connections as there may be are left half-sent, until standard input ends.

usage: hostile_http.py SOCKET
"""
import io
import socket
import sys
import tarfile

HOST = b" HTTP/1.1\r\nHost: x\r\n"
PUSH = b"POST /v1/push" + HOST


def archive(*members, format=tarfile.USTAR_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for name, octets, changes in members:
            info = tarfile.TarInfo(name)
            info.size = len(octets)
            for field, value in changes.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(octets))
    return out.getvalue()


def push(body):
    return PUSH + b"Content-Length: %d\r\n\r\n" % len(body) + body


MAIN = b"server: {addresses: [198.18.0.1]}\n"
REQUESTS = {
    "no-such-path": b"GET /v2/status" + HOST + b"\r\n",
    "wrong-method": b"DELETE /v1/status" + HOST + b"\r\n",
    "head": b"HEAD /v1/status" + HOST + b"\r\n",
    "not-http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n" * 3,
    "http-2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "long-path": b"GET /" + b"a" * 100000 + HOST + b"\r\n",
    "many-headers": b"GET /v1/status" + HOST + b"A: b\r\n" * 5000 + b"\r\n",
    "negative-length": PUSH + b"Content-Length: -5\r\n\r\nabc",
    "two-lengths": PUSH + b"Content-Length: 5\r\nContent-Length: 3\r\n\r\nabcde",
    "huge-length": PUSH + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "large-length": PUSH + b"Content-Length: 9223372036854775807\r\n\r\n",
    "huge-chunk": PUSH + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "empty-push": push(b""),
    "not-a-tar": push(b"garbage" * 200),
    "cut-tar": push(archive(("main.yaml", MAIN * 100, {}))[:700]),
    "no-file": push(archive()),
    "symlink": push(archive(("main.yaml", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}))),
    "hard-link": push(archive(("a", b"", {}), ("main.yaml", b"", {"type": tarfile.LNKTYPE, "linkname": "a"}))),
    "device": push(archive(("main.yaml", b"", {"type": tarfile.CHRTYPE}))),
    "there-twice": push(archive(("main.yaml", MAIN, {}), ("./main.yaml", MAIN, {}))),
    "names-what-it-lacks": push(archive(("main.yaml", MAIN + b"include: /etc/passwd\n", {}))),
    "climbing-name": push(archive(("main.yaml", b"not a configuration", {}), ("../../../tmp/ecsdns-climbed", MAIN, {}))),
    "absolute-name": push(archive(("/tmp/ecsdns-climbed", b"not a configuration", {}))),
    "sparse": push(archive(("main.yaml", b"", {"pax_headers": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
                            "GNU.sparse.name": "x", "GNU.sparse.realsize": "99999999999"}}), format=tarfile.PAX_FORMAT)),
    "rollback-words": b"POST /v1/rollback?generation=one" + HOST + b"Content-Length: 0\r\n\r\n",
    "rollback-zero": b"POST /v1/rollback?generation=0" + HOST + b"Content-Length: 0\r\n\r\n",
    "rollback-dry-words": b"POST /v1/rollback?dry_run=1&generation=-1" + HOST + b"Content-Length: 0\r\n\r\n",
    "rollback-get": b"GET /v1/rollback?generation=1" + HOST + b"\r\n",
    "rollback-list": b"POST /v1/rollback?list=99999999999" + HOST + b"Content-Length: 0\r\n\r\n",
    "rollback-reason-octets": b"POST /v1/rollback?reason=%ff%0a" + HOST + b"Content-Length: 0\r\n\r\n",
    "rollback-reason-long": b"POST /v1/rollback?reason=" + b"x" * 300 + HOST + b"Content-Length: 0\r\n\r\n",
    "push-list-negative": PUSH.replace(b"push", b"push?list=-1") + b"Content-Length: 5\r\n\r\nabcde",
    "dump-words": b"GET /v1/dump?generation=../../draw.key" + HOST + b"\r\n",
    "dump-none": b"GET /v1/dump?generation=4294967295" + HOST + b"\r\n",
    "dump-beyond": b"GET /v1/dump?generation=4294967296" + HOST + b"\r\n",
    "dump-post": b"POST /v1/dump" + HOST + b"Content-Length: 0\r\n\r\n",
    "admin-body": b"POST /v1/admin?object=tokyo&action=drain" + HOST + b"Content-Length: 100000\r\n\r\n" + b"x" * 100000,
    "admin-chunks": b"POST /v1/admin?object=tokyo&action=drain" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" +
                    (b"2000\r\n" + b"x" * 8192 + b"\r\n") * 4 + b"0\r\n\r\n",
    "status-body": b"GET /v1/status" + HOST + b"Content-Length: 5000\r\n\r\n" + b"x" * 5000,
    "explain-nothing": b"GET /v1/explain" + HOST + b"\r\n",
    "explain-octets": b"GET /v1/explain?name=%ff%00%0a&client=1.2.3.4%0d%0a" + HOST + b"\r\n",
}


def ask(path, request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(path)
        try:
            connection.sendall(request)
        except OSError:
            pass		# it has heard enough, and says so
        try:
            reply = connection.recv(4096)
        except socket.timeout:
            return "silent"
        except OSError:
            return "closed"
    return reply.split(b" ")[1].decode() if reply.startswith(b"HTTP/") else "closed"


def main():
    path = sys.argv[1]
    for name, request in REQUESTS.items():
        print(name, ask(path, request), flush=True)
    slow = []
    for _ in range(32):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        connection.sendall(PUSH + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000)
        slow.append(connection)
    print("waiting", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
