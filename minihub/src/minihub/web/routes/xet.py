"""Xet: tokens for its store, and the store's own API over HTTP."""

from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from minihub import tickets
from minihub.errors import BadRequestError, EntryNotFoundError, ForbiddenError, TooLargeError
from minihub.files.contents import Content
from minihub.files.lfs import check_signature, signed_query
from minihub.git.repos import Repo
from minihub.storage.durable import draft_file, sync_file
from minihub.web.call import REPO_API, Call, route, streaming
from minihub.web.routes.sending import asked_range, send_content
from minihub.xet.hashes import from_hex, is_hash, to_hex
from minihub.xet.reconstruction import reconstruction
from minihub.xet.shards import MAX_SHARD_SIZE, read_files, write_shard
from minihub.xet.xorbs import MAX_STORED_SIZE


def read_token(call: Call) -> Response:
    """A token that reads the repository's files from the store."""
    return token_response(call, call.open_repo(), write=False)


def write_token(call: Call) -> Response:
    """A token that adds files of the repository to the store."""
    return token_response(call, call.changing_repo(), write=True)


def token_response(call: Call, repo: Repo, *, write: bool) -> Response:
    """A token for the store, in headers and as JSON: some clients read these, some that."""
    ticket = tickets.issue_ticket(repo.key, call.viewer.token, write=write)
    token = ticket.sign(call.state.key)
    headers = {
        "X-Xet-Cas-Url": call.endpoint,
        "X-Xet-Access-Token": token,
        "X-Xet-Token-Expiration": str(ticket.expires_at),
    }
    body = {"casUrl": call.endpoint, "accessToken": token, "exp": ticket.expires_at}
    return JSONResponse(body, headers=headers)


def _ticket(call: Call, *, write: bool = False) -> Repo:
    """The repository of the ticket that came; what the token behind it may do is looked up again."""
    scheme, _, value = call.request.headers.get("authorization", "").partition(" ")
    ticket = tickets.read_ticket(call.state.key, value.strip() if scheme.lower() == "bearer" else "")
    if write and not ticket.write:
        message = "This Xet access token only reads. Ask the Hub for one that writes."
        raise ForbiddenError(message)
    call.viewer = call.state.accounts.bearer(ticket.token)
    repo = call.opened(call.state.repos.at(ticket.repo))
    return call.may_propose(repo) if write else repo


def _hash(call: Call) -> bytes:
    text = call.param("hash")
    if not is_hash(text):
        message = f"{text[:80]!r} is no hash: expected 64 hexadecimal digits."
        raise BadRequestError(message)
    return from_hex(text)


async def put_xorb(call: Call) -> Any:
    """Take a xorb."""
    repo, xorb = await to_thread.run_sync(partial(_ticket, call, write=True)), _hash(call)
    with draft_file(call.state.drafts) as (path, file):
        size = 0
        async for piece in call.pieces():
            size += len(piece)
            if size > MAX_STORED_SIZE:
                message = f"The xorb has more than {MAX_STORED_SIZE} bytes."
                raise TooLargeError(message, headers={"Connection": "close"})
            file.write(piece)
        await to_thread.run_sync(sync_file, file)
        file.close()
        senders = {call.viewer.name, call.viewer.sender}
        is_new = await to_thread.run_sync(call.state.cas.add_xorb, repo.key, senders, xorb, path)
    return {"was_inserted": is_new}


async def put_shard(call: Call) -> Any:
    """Take the description of files whose xorbs are here."""
    repo = await to_thread.run_sync(partial(_ticket, call, write=True))
    await call.read_body(MAX_SHARD_SIZE)
    await to_thread.run_sync(_add_files, call, repo)
    return {"result": 1}


def _add_files(call: Call, repo: Repo) -> None:
    """All of them or none: the checks, which take long, come first."""
    cas, reader = call.state.cas, call.state.reader(call.viewer)
    files = [(info, cas.check_file(info, reader)) for info in read_files(call.body)]
    with call.state.database.transaction():
        for info, first_chunk in files:
            cas.keep_file(repo.key, info, first_chunk)
            if info.sha256:
                call.state.lfs.add(repo, info.sha256, info.size)


def reconstruct(call: Call) -> Any:
    """How to put a file together."""
    _ticket(call)
    hash_ = _hash(call)
    may_read = call.state.cas.may_read(hash_, call.state.reader(call.viewer))
    info = call.state.cas.file(hash_) if may_read else None
    if info is None:
        message = f"There is no file {to_hex(hash_)} in a repository that you may read."
        raise EntryNotFoundError(message)
    span = asked_range(call.request.headers.get("range", ""), info.size) or (0, info.size)

    def address(xorb: bytes, first: int, last: int) -> str:
        name = to_hex(xorb)
        query = signed_query(call.state.key, "xorb", name, str(first), str(last))
        return f"{call.endpoint}/v1/xorbs/default/{name}/{first}-{last}?{query}"

    return reconstruction(call.state.cas, info, span, address)


def xorb_part(call: Call) -> Response:
    """Some bytes of a xorb."""
    xorb, first, last = _hash(call), call.param("first"), call.param("last")
    query = dict(call.request.query_params)
    check_signature(call.state.key, "xorb", to_hex(xorb), first, last, query=query)
    path: Path = call.state.cas.path(xorb)
    size = call.state.cas.xorb(xorb).chunks[-1].end
    start, end = asked_range(call.request.headers.get("range", ""), size) or (int(first), int(last) + 1)
    if start < int(first) or end > int(last) + 1:
        message = f"This address gives the bytes {first} to {last} of the xorb, not {start} to {end - 1}."
        raise ForbiddenError(message)
    return send_content(call, Content(size, path=path), {})


def chunk(call: Call) -> Response:
    """What is known of a chunk: the chunks around it, which need not be sent again."""
    _ticket(call)
    known = call.state.cas.known_chunks(_hash(call), call.state.reader(call.viewer))
    if not known:
        message = "No file here has that chunk."
        raise EntryNotFoundError(message)
    return Response(write_shard(known), media_type="application/octet-stream")


def telemetry(_call: Call) -> Any:
    """Clients tell how fast they were; nothing is kept."""
    return {}


ROUTES = [
    Route(REPO_API + "/xet-read-token/{rev:revision}", route(read_token), methods=["GET"]),
    Route(REPO_API + "/xet-write-token/{rev:revision}", route(write_token), methods=["GET"]),
    Route("/v1/xorbs/{prefix:segment}/{hash:segment}", streaming(put_xorb, identify=False), methods=["POST"]),
    Route(
        "/v1/xorbs/{prefix:segment}/{hash:segment}/{first:count}-{last:count}",
        route(xorb_part, identify=False),
        methods=["GET"],
    ),
    Route("/v1/shards", streaming(put_shard, identify=False), methods=["POST"]),
    Route("/v1/reconstructions/{hash:segment}", route(reconstruct, identify=False), methods=["GET"]),
    Route("/v1/chunks/{prefix:segment}/{hash:segment}", route(chunk, identify=False), methods=["GET"]),
    Route("/v1/telemetry", route(telemetry, identify=False), methods=["POST"]),
]
