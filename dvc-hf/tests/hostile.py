"""A server that answers in ways that no Hub has, and counts what a client takes of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHUNK = 64 * 1024
MOST_SENT = 32 * 1024 * 1024  # far more than any client's buffers
Answer = Callable[[BaseHTTPRequestHandler], None]


class HostileServer(ThreadingHTTPServer):
    """Answers every question in a way of its own, and counts what it sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Answer = plain(b"")
        self.sent = 0
        self.ranges: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HostileServer

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers["Range"])
        self.close_connection = True
        try:
            self.server.answer(self)
        except OSError:
            return  # the client hung up

    do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass

    def begin(self, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    def send(self, data: bytes) -> None:
        self.server.sent += len(data)  # before: who reads the last byte may look at once
        self.wfile.write(data)


def plain(content: bytes, **headers: object) -> Answer:
    def answer(handler: Any) -> None:
        handler.begin(Content_Length=len(content), **headers)
        handler.send(content)

    return answer


def endless(handler: Any) -> None:
    handler.begin(Transfer_Encoding="chunked")
    while handler.server.sent < MOST_SENT:
        handler.send(b"%x\r\n" % CHUNK + bytes(CHUNK) + b"\r\n")


def too_long(handler: Any) -> None:
    handler.begin(Content_Length=MOST_SENT)
    while handler.server.sent < MOST_SENT:
        handler.send(bytes(CHUNK))


@contextmanager
def serve_hostile() -> Iterator[HostileServer]:
    """Serve until the end of the block."""
    server = HostileServer()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
