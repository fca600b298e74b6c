"""A host between client and Hub that spoils answers on the wire: each fault for each method and path."""

from __future__ import annotations

import contextlib
import fnmatch
import gzip
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

OTHER = "a" * 64
PIECES = 6
MB = 1 << 20
FLOOD = 64 * MB  # of a body without end: where nobody stops it
OUTSIDE = "../../../../outside.pt"


@dataclass
class Answer:
    """What the Hub said."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_head: bool

    @property
    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} ."] + [f"{key}: {value}" for key, value in self.headers.items()]
        return ("\r\n".join([*lines, "Connection: close", "", ""])).encode("latin-1")

    def with_body(self, body: bytes) -> Answer:
        """Another body; its length is said as it is."""
        return Answer(self.status, self.headers | {"content-length": str(len(body))}, body, self.is_head)


# What a fault makes of an answer: the pieces that are sent, with the seconds to wait before each.
Fault = Callable[[Answer, "Spoiler"], Iterator[tuple[float, bytes]]]


@dataclass
class Spoiler:
    """Where it is, what it spoils, and whom it showed a token."""

    hub: str
    url: str = ""
    elsewhere: str = ""
    method: str = ""
    path: str = ""
    fault: Fault | None = None
    times: int = 0
    skip: int = 0
    spoilt: int = 0
    tokens_here: list[str | None] = field(default_factory=list)
    tokens_elsewhere: list[str | None] = field(default_factory=list)
    poured: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spoil(self, method: str, path: str, fault: Fault, times: int, skip: int = 0) -> None:
        """Spoils so many requests to come; those before are let pass."""
        self.method, self.path, self.fault, self.times, self.skip = method, path, fault, times, skip
        self.spoilt = self.poured = 0
        self.tokens_here.clear()
        self.tokens_elsewhere.clear()

    def recover(self) -> None:
        self.times = 0

    def due(self, method: str, path: str) -> Fault | None:
        """The fault for a request; counts it."""
        with self._lock:
            if self.times == 0 or method != self.method or not fnmatch.fnmatchcase(path, self.path):
                return None
            if self.skip:
                self.skip -= 1
                return None
            self.times -= 1
            self.spoilt += 1
            return self.fault


@contextlib.contextmanager
def serve_spoiler(hub: str) -> Iterator[Spoiler]:
    """Stands before a Hub under one name, and before the same Hub under another one, which spoils nothing."""
    spoiler = Spoiler(hub)
    with _server(spoiler, spoils=True) as here, _server(spoiler, spoils=False) as there:
        spoiler.url = f"http://127.0.0.1:{here}"
        spoiler.elsewhere = f"http://localhost:{there}"
        yield spoiler


@contextlib.contextmanager
def _server(spoiler: Spoiler, *, spoils: bool) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen = spoiler.tokens_here if spoils else spoiler.tokens_elsewhere
            seen.append(self.headers.get("Authorization"))
            fault = (spoiler.due(self.command, self.path) if spoils else None) or as_it_is
            answer = ask(spoiler.hub, self)
            self.close_connection = True
            with contextlib.suppress(OSError):  # the client may have given up
                for pause, piece in fault(answer, spoiler):
                    time.sleep(pause)
                    self.wfile.write(piece)
                    self.wfile.flush()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def ask(hub: str, request: BaseHTTPRequestHandler) -> Answer:
    """The Hub's own answer."""
    connection = http.client.HTTPConnection(urlsplit(hub).netloc, timeout=30)
    headers = {key: value for key, value in request.headers.items() if key.lower() != "host"}
    connection.request(request.command, request.path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    dropped = {"transfer-encoding", "connection"}
    kept = {key.lower(): value for key, value in response.getheaders() if key.lower() not in dropped}
    connection.close()
    is_head = request.command == "HEAD"
    answer = Answer(response.status, kept, body, is_head)
    return answer if is_head else answer.with_body(body)


def as_it_is(answer: Answer, _: Spoiler) -> Iterator[tuple[float, bytes]]:
    yield 0.0, answer.head + (b"" if answer.is_head else answer.body)


def status(code: int, error_code: str = "") -> Fault:
    """Another status, with the Hub's own word for it."""

    def fault(answer: Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
        headers = {"content-type": "application/json"} | ({"X-Error-Code": error_code} if error_code else {})
        refusal = Answer(code, headers, b"", answer.is_head).with_body(b'{"error": "spoilt"}')
        yield from as_it_is(refusal, spoiler)

    return fault


def silence(seconds: float) -> Fault:
    """No answer in time."""

    def fault(answer: Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
        yield seconds, b""
        yield from as_it_is(answer, spoiler)

    return fault


def cut(answer: Answer, _: Spoiler) -> Iterator[tuple[float, bytes]]:
    """The connection ends in the middle: of the body, or of its first line where there is no body."""
    if answer.is_head:
        yield 0.0, answer.head[:5]
    else:
        yield 0.0, answer.head + answer.body[: min(70_000, len(answer.body) // 2 + 1)]


def wrong_bytes(answer: Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
    """Other bytes of the same length; a head that announces another digest."""
    if answer.is_head:
        headers = {
            k: f'"{OTHER}"' if k in ("etag", "x-linked-etag") else v for k, v in answer.headers.items()
        }
        yield from as_it_is(Answer(answer.status, headers, b"", True), spoiler)
    else:
        yield from as_it_is(answer.with_body(bytes(byte ^ 0x55 for byte in answer.body)), spoiler)


def longer(answer: Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
    """More bytes than there are, in the answer or in what the head announces."""
    yield from _resized(answer, spoiler, 4)


def shorter(answer: Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
    """Fewer bytes than there are, and the length says so."""
    yield from _resized(answer, spoiler, -4)


def _resized(answer: Answer, spoiler: Spoiler, by: int) -> Iterator[tuple[float, bytes]]:
    if answer.is_head:
        sizes = ("content-length", "x-linked-size")
        headers = {k: str(int(v) + by) if k in sizes else v for k, v in answer.headers.items()}
        yield from as_it_is(Answer(answer.status, headers, b"", True), spoiler)
    else:
        body = answer.body + b"more" if by > 0 else answer.body[:by]
        yield from as_it_is(answer.with_body(body), spoiler)


def html(answer: Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
    """The page of somebody in between, with status 200."""
    page = b"<!DOCTYPE html><html><body>Sign in to the network</body></html>"
    headers = {"content-type": "text/html"}
    yield from as_it_is(Answer(200, headers, b"", answer.is_head).with_body(page), spoiler)


def redirect(path_of: str) -> Fault:
    """To the same file on another host; a head says what it is, as the Hub does."""

    def fault(answer: Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
        linked = {k: v for k, v in answer.headers.items() if k.startswith("x-")}
        linked |= {"x-linked-etag": answer.headers.get("etag", ""), "location": spoiler.elsewhere + path_of}
        linked |= {"x-linked-size": answer.headers.get("content-length", "0")} if answer.is_head else {}
        moved = Answer(302, linked, b"", answer.is_head).with_body(b"")
        yield from as_it_is(moved, spoiler)

    return fault


def drip(pause: float) -> Fault:
    """Piece by piece, each in time, all together later than any timeout."""

    def fault(answer: Answer, _: Spoiler) -> Iterator[tuple[float, bytes]]:
        whole = answer.head + (b"" if answer.is_head else answer.body)
        step = max(1, -(-len(whole) // PIECES))
        for at in range(0, len(whole), step):
            yield pause, whole[at : at + step]

    return fault


def endless(answer: Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
    """A body that goes on and on, and no word of its size, which a head does not say either."""
    kept = {k: v for k, v in answer.headers.items() if k not in ("content-length", "x-linked-size")}
    yield 0.0, Answer(answer.status, kept, b"", answer.is_head).head
    while not answer.is_head and spoiler.poured < FLOOD:
        spoiler.poured += MB
        yield 0.0, bytes(MB)


def endless_refusal(answer: Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
    """A refusal whose explanation goes on and on."""
    yield from endless(Answer(403, {"content-type": "application/json"}, b"", answer.is_head), spoiler)


def packed(answer: Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
    """A small body that unfolds to a large one, though nobody asked for a packed one."""
    headers = answer.headers | {"content-encoding": "gzip"}
    body = b"" if answer.is_head else gzip.compress(bytes(FLOOD), 9)
    bomb = Answer(answer.status, headers, b"", answer.is_head)
    yield from as_it_is(bomb if answer.is_head else bomb.with_body(body), spoiler)


def hostile(*names: str) -> Fault:
    """Headers, and fields of a description, that would lead out of the cache."""

    def fault(answer: Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
        headers = {k: OUTSIDE if k in names else v for k, v in answer.headers.items()}
        changed = Answer(answer.status, headers, answer.body, answer.is_head)
        if "json" in answer.headers.get("content-type", ""):
            changed = changed.with_body(_with_fields(answer.body, names))
        yield from as_it_is(changed, spoiler)

    return fault


def _with_fields(body: bytes, names: tuple[str, ...]) -> bytes:
    def change(table: dict[str, object]) -> dict[str, object]:
        return {key: OUTSIDE if key in names else value for key, value in table.items()}

    return json.dumps(json.loads(body, object_hook=change)).encode()
