"""Files in answers: whole or in part, read in pieces, never whole in memory."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse

from minihub.errors import HubError
from minihub.files.contents import Content
from minihub.web.call import Call

SAFE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def send_content(call: Call, content: Content, headers: dict[str, str]) -> Response:
    """A large file, or the part that the request asks for."""

    def pieces(start: int, end: int) -> Iterator[bytes]:
        return call.state.contents.pieces(content, start, end)

    return send_pieces(call, pieces, content.size, headers)


def send_bytes(call: Call, content: bytes, headers: dict[str, str]) -> Response:
    """Bytes in memory, or the part that the request asks for."""
    return send_pieces(call, lambda start, end: iter([content[start:end]]), len(content), headers)


def send_pieces(
    call: Call, pieces: Callable[[int, int], Iterator[bytes]], size: int, headers: dict[str, str]
) -> Response:
    """Bytes that come in pieces, all or the part that the request asks for."""
    span = asked_range(call.request.headers.get("range", ""), size)
    start, end = span or (0, size)
    headers = {**SAFE_HEADERS, **headers, "Accept-Ranges": "bytes", "Content-Length": str(end - start)}
    if call.request.method == "HEAD":
        return Response(headers={**headers, "Content-Length": str(size)})
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(
        iterate_in_threadpool(pieces(start, end)),
        status_code=200 if span is None else 206,
        headers=headers,
        media_type="application/octet-stream",
    )


def asked_range(header: str, size: int) -> tuple[int, int] | None:
    """The half-open range of bytes that a `Range` header asks for, or None for all."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
    else:
        start, end = max(size - int(last), 0), size
    if start >= end:
        message = f"The range {header.strip()} is outside of the {size} bytes of the file."
        raise HubError(message, status=416, headers={"Content-Range": f"bytes */{size}"})
    return start, end


def attachment_header(path: str) -> str:
    """The `Content-Disposition` that makes a browser save the file, whatever it holds."""
    name = path.rpartition("/")[2]
    plain = re.sub(r"[^\x20-\x7e]|[\"\\%]", "_", name)
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}; filename=\"{plain}\";"
