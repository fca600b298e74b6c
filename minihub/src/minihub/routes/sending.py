"""Files in answers: whole or in part, read in pieces, never whole in memory."""

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from anyio import to_thread
from starlette.responses import Response, StreamingResponse

from minihub.blobs import READ_SIZE
from minihub.call import Call
from minihub.errors import EntryNotFoundError, HubError

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

SAFE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def send_file(call: Call, path: Path, size: int, headers: dict[str, str]) -> Response:
    """A file on disk, or the part that the request asks for."""
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        message = f"The content of {path.name} is not on this Hub. Upload the file again."
        raise EntryNotFoundError(message) from error
    return send(call, file, size, headers)


def send_bytes(call: Call, content: bytes, headers: dict[str, str]) -> Response:
    """Bytes in memory, or the part that the request asks for."""
    return send(call, io.BytesIO(content), len(content), headers)


def send(call: Call, file: BinaryIO, size: int, headers: dict[str, str]) -> Response:
    """An open file of known size, which is closed at the end."""
    headers = {**SAFE_HEADERS, **headers, "Accept-Ranges": "bytes"}
    try:
        span = asked_range(call.request.headers.get("range", ""), size)
    except HubError:
        file.close()
        raise
    start, end = span or (0, size)
    headers["Content-Length"] = str(end - start)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    if call.request.method == "HEAD":
        file.close()
        return Response(status_code=200, headers={**headers, "Content-Length": str(size)})
    return StreamingResponse(
        _pieces(file, start, end),
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


def attachment(path: str) -> str:
    """The `Content-Disposition` that makes a browser save the file, whatever it holds."""
    name = path.rpartition("/")[2]
    plain = re.sub(r"[^\x20-\x7e]|[\"\\%]", "_", name)
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}; filename=\"{plain}\";"


async def _pieces(file: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    with file:
        file.seek(start)
        while start < end:
            piece = await to_thread.run_sync(file.read, min(READ_SIZE, end - start))
            if not piece:
                return
            start += len(piece)
            yield piece
