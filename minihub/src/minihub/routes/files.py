"""Files of a revision: `resolve`."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from minihub.call import Call, route
from minihub.names import repo_path
from minihub.routes.revision import revision_of
from minihub.routes.sending import attachment, send_bytes, send_file
from minihub.trees import file_at


def resolve(call: Call) -> Response:
    """The content of a file at a revision."""
    repo = call.open_repo()
    with call.git(repo) as git:
        commit = revision_of(call, git)
        path = repo_path(call.param("path"))
        entry = file_at(commit, path)
        headers = {
            "ETag": f'"{entry.etag}"',
            "X-Repo-Commit": str(commit.id),
            "Content-Disposition": attachment(path),
            "Cache-Control": "no-cache",
        }
        if entry.pointer is None:
            return send_bytes(call, _content(git, entry.oid), headers)
    headers["X-Linked-Etag"] = headers["ETag"]
    headers["X-Linked-Size"] = str(entry.pointer.size)
    return send_file(call, call.state.blobs.path(entry.pointer.oid), entry.pointer.size, headers)


def _content(git: Any, oid: str) -> bytes:
    return bytes(git[oid].data)


_FILE = "/{ns:segment}/{name:segment}/resolve/{rev:revision}/{path:rest}"

ROUTES = [
    Route(_FILE, route(resolve), methods=["GET", "HEAD"]),
    Route("/{kind:prefix}" + _FILE, route(resolve), methods=["GET", "HEAD"]),
]
