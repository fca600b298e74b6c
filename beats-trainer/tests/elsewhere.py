"""Another host, as a Hub redirects to: it serves one file whole, by range, or drop by drop."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Elsewhere:
    data: bytes
    drop: int = 0
    pause_s: float = 0.0
    url: str = ""
    seen: list[dict[str, str]] = field(default_factory=list)
    cut_after: int | None = None  # bytes, after which the first answer breaks
    good_for: int | None = None  # answers: then the signature of the address has expired


@contextlib.contextmanager
def serve_elsewhere(data: bytes, *, drop: int = 0, pause_s: float = 0.0) -> Iterator[Elsewhere]:
    """Serves `data`, in drops of `drop` bytes with pauses, on a port of its own."""
    place = Elsewhere(data, drop, pause_s)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place.seen.append({key.lower(): value for key, value in self.headers.items()})
            if place.good_for is not None and len(place.seen) > place.good_for:
                self.send_error(403, "Request has expired")
                return
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            body = place.data[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut, place.cut_after = place.cut_after, None
            if cut is not None:
                self.wfile.write(body[:cut])
                self.close_connection = True
                return
            step = place.drop or max(1, len(body))
            for at in range(0, len(body), step):
                self.wfile.write(body[at : at + step])
                self.wfile.flush()
                time.sleep(place.pause_s)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        place.url = f"http://127.0.0.1:{server.server_port}/file"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield place
        finally:
            server.shutdown()
            thread.join()
