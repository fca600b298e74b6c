"""Files of a revision: `resolve`, and where it leads if the Hub has the real one's manners."""

import pygit2
from starlette.responses import Response
from starlette.routing import Route

from minihub.git.repos import Repo
from minihub.git.trees import file_at
from minihub.names import PLURALS, repo_path
from minihub.web.call import Call, read_revision, route
from minihub.web.routes.sending import attachment_header, send_bytes, send_content
from minihub.web.routes.store import to_cache, to_store


def resolve(call: Call) -> Response:
    """The content of a file at a revision, or where it is."""
    return _resolved(call, leads_away=call.state.manners.redirects)


def cached(call: Call) -> Response:
    """The content of a small file, where `resolve` has led."""
    return _resolved(call, leads_away=False)


def _resolved(call: Call, *, leads_away: bool) -> Response:
    repo = call.open_repo()
    with call.git(repo) as git:
        commit = read_revision(call, git)
        path = repo_path(call.param("path"))
        entry = file_at(commit, path)
        headers = {
            "ETag": f'"{entry.etag}"',
            "X-Repo-Commit": str(commit.id),
            "Content-Disposition": attachment_header(path),
            "Cache-Control": "no-cache",
        }
        if entry.pointer is None and leads_away and not repo.private and not repo.gated:
            return to_cache(repo, str(commit.id), path, headers)
        if entry.pointer is None:
            return send_bytes(call, _bytes_of(git, entry.oid), headers)
    content = call.state.contents.find(entry.pointer.oid)
    headers["X-Linked-Etag"] = headers["ETag"]
    headers["X-Linked-Size"] = str(content.size)
    headers |= _xet_headers(call, repo, entry.pointer.oid, str(commit.id))
    if leads_away:
        return to_store(call, entry.pointer.oid, path, headers)
    return send_content(call, content, headers)


def _bytes_of(git: pygit2.Repository, oid: str) -> bytes:
    blob = git[oid]
    return blob.data if isinstance(blob, pygit2.Blob) else b""


def _xet_headers(call: Call, repo: Repo, oid: str, commit: str) -> dict[str, str]:
    xet_hash = call.state.contents.xet_hash(repo.key, oid)
    if not xet_hash:
        return {}
    address = f"{call.endpoint}/api/{PLURALS[repo.name.type]}/{repo.name.id}/xet-read-token/{commit}"
    return {
        "X-Xet-Hash": xet_hash,
        "X-Xet-Refresh-Route": address,
        "Link": f'<{address}>; rel="xet-auth"',
    }


_FILE = "/{ns:segment}/{name:segment}/resolve/{rev:revision}/{path:rest}"

_CACHED = "/api/resolve-cache/{kind:kind}/{ns:segment}/{name:segment}/{rev:revision}/{path:rest}"

ROUTES = [
    Route(_CACHED, route(cached), methods=["GET", "HEAD"]),
    Route(_FILE, route(resolve), methods=["GET", "HEAD"]),
    Route("/{kind:prefix}" + _FILE, route(resolve), methods=["GET", "HEAD"]),
]
