"""For tests of clients: a log of all requests, and faults on demand."""

import asyncio
import fnmatch
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Record:
    """One request and its answer."""

    method: str
    path: str
    query: str
    status: int = 0
    sent: int = 0  # bytes of the answer's body
    received: int = 0  # bytes of the request's body
    headers: dict[str, str] = field(default_factory=dict)  # of the request, without credentials


class RequestLog:
    """The requests in the order of their arrival."""

    def __init__(self) -> None:
        self._records: deque[Record] = deque(maxlen=100_000)

    def add(self, record: Record) -> None:
        """Append one."""
        self._records.append(record)

    def clear(self) -> None:
        """Forget all."""
        self._records.clear()

    def matching(self, method: str = "*", path: str = "*") -> list[Record]:
        """The requests whose method and path match; `*` stands for anything, slashes too."""
        return [
            r for r in list(self._records) if method in ("*", r.method) and fnmatch.fnmatchcase(r.path, path)
        ]

    def count(self, method: str = "*", path: str = "*") -> int:
        """How many requests match."""
        return len(self.matching(method, path))

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records))

    def __len__(self) -> int:
        return len(self._records)


@dataclass
class Fault:
    """What goes wrong, where, and how often."""

    method: str
    path: str
    status: int | None = None
    delay: float = 0.0  # seconds before the request is looked at
    cut_after: int | None = None  # bytes of the answer's body after which the connection ends
    corrupt: bool = False  # the answer's body has wrong bytes
    headers: dict[str, str] = field(default_factory=dict)
    times: int | None = 1  # None: always
    skip: int = 0  # that many requests pass first
    answer_delay: float = 0.0  # seconds before the answer to what was done

    def applies(self, method: str, path: str) -> bool:
        """Whether the fault is for this request; counts it if so."""
        if self.method not in ("*", method) or not fnmatch.fnmatchcase(path, self.path) or self.times == 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Cut(Exception):  # noqa: N818 - not an error of the Hub: the connection ends because a test asked for it
    """The connection ends here."""


class Faults:
    """Middleware that records every request and spoils those it was told to."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self.log = RequestLog()
        self.faults: list[Fault] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or spoil it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = _record(scope)
        self.log.add(record)
        fault = self._fault(record)
        counted = _Counted(record, receive, send, fault)
        if fault is not None:
            await asyncio.sleep(fault.delay)
        if fault is not None and fault.status is not None:
            await counted.refuse(fault)
            return
        try:
            await self._app(scope, counted.receive, counted.send)
        except Cut:
            return  # an answer that never ends: the server closes the connection

    def _fault(self, record: Record) -> Fault | None:
        with self._lock:
            return next((f for f in self.faults if f.applies(record.method, record.path)), None)


class _Counted:
    """The two ends of one connection, counting."""

    def __init__(self, record: Record, receive: Receive, send: Send, fault: Fault | None) -> None:
        self._record, self._receive, self._send, self._fault = record, receive, send, fault

    async def receive(self) -> Message:
        message = await self._receive()
        self._record.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._fault is not None:
                await asyncio.sleep(self._fault.answer_delay)
            self._record.status = message["status"]
        elif message["type"] == "http.response.body" and self._fault is not None:
            message = self._spoil(message, self._fault)
        self._record.sent += len(message.get("body", b""))
        await self._send(message)
        if self._fault is not None and self._record.sent == self._fault.cut_after:
            raise Cut

    def _spoil(self, message: Message, fault: Fault) -> Message:
        body = message.get("body", b"")
        if fault.corrupt:
            body = bytes(byte ^ 0x55 for byte in body)
        if fault.cut_after is not None and self._record.sent + len(body) >= fault.cut_after:
            return {**message, "body": body[: fault.cut_after - self._record.sent], "more_body": True}
        return {**message, "body": body}

    async def refuse(self, fault: Fault) -> None:
        body = b'{"error": "a fault that a test asked for"}'
        headers = {"content-type": "application/json", "content-length": str(len(body)), **fault.headers}
        while (await self.receive()).get("more_body"):
            pass
        raw = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
        await self.send({"type": "http.response.start", "status": fault.status, "headers": raw})
        body = b"" if self._record.method == "HEAD" else body
        await self.send({"type": "http.response.body", "body": body})


def _record(scope: Scope) -> Record:
    headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
    headers.pop("authorization", None)
    path = scope.get("raw_path", b"").decode("latin-1") or scope["path"]
    query = scope["query_string"].decode("latin-1")
    return Record(scope["method"], path, query, headers=headers)
