"""Where the Hub's manners lead to: a cache for small files, and a store on another host for large ones."""

import time
from typing import Any
from urllib.parse import quote

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from minihub.errors import BadRequestError, ForbiddenError
from minihub.files.lfs import check_signature, signed_query
from minihub.git.repos import Repo
from minihub.manners import another_host
from minihub.names import PLURALS
from minihub.web.call import Call, route
from minihub.web.routes.sending import attachment_header, send_content


def to_cache(repo: Repo, commit: str, path: str, headers: dict[str, str]) -> Response:
    """To a small file, at the commit that it was asked at: 307, with an address on this host."""
    name = repo.name
    where = f"/api/resolve-cache/{PLURALS[name.type]}/{name.id}/{commit}/{quote(path)}"
    etag = headers["ETag"].replace('"', "%22")
    kept = {"X-Repo-Commit": commit, "Location": f"{where}?{quote(path)}=&etag={etag}"}
    return PlainTextResponse(f"Temporary Redirect. Redirecting to {where}", 307, kept)


def to_store(call: Call, oid: str, path: str, headers: dict[str, str]) -> Response:
    """To a large file: 302, with an address that is good for a while, and for the part that was asked for."""
    part = call.request.headers.get("range", "")
    expires_at = int(time.time() + call.state.manners.store_life_s)
    query = signed_query(call.state.key, "store", oid, path, part, expires_at=expires_at)
    bound = f"&part={quote(part)}" if part else ""
    where = f"{another_host(call.endpoint)}/store/{oid}/{quote(path)}?{query}{bound}"
    kept = {name: value for name, value in headers.items() if name.startswith("X-") or name == "Link"}
    kept |= {"Location": where, "Vary": "Origin, Accept", "Accept-Ranges": "bytes"}
    return PlainTextResponse(f"Found. Redirecting to {where}", 302, kept)


def stored(call: Call) -> Any:
    """A large file, for the bearer of a signed address and nobody else."""
    if "authorization" in call.request.headers:
        message = "Only one way to prove who asks: this address is signed, and a token came with it."
        raise BadRequestError(message)
    oid, path, part = call.param("oid"), call.param("path"), call.query("part")
    check_signature(call.state.key, "store", oid, path, part, query=dict(call.request.query_params))
    if part and part != call.request.headers.get("range"):
        message = f"This address is good for {part} alone. Ask for a new one."
        raise ForbiddenError(message)
    headers = {"ETag": f'"{oid}"', "Content-Disposition": attachment_header(path)}
    return send_content(call, call.state.contents.find(oid), headers)


ROUTES = [Route("/store/{oid}/{path:rest}", route(stored, identify=False), methods=["GET", "HEAD"])]
