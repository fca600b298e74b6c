"""Git LFS: the batch API, basic transfers up and down."""

from typing import Any

from anyio import to_thread
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from minihub.errors import BadRequestError, EntryNotFoundError, ForbiddenError, TooLargeError
from minihub.files.lfs import check_signature, signed_query
from minihub.git.pointers import is_sha256
from minihub.git.repos import Repo
from minihub.names import RepoName
from minihub.storage.blobs import READ_SIZE, BlobWriter
from minihub.web.call import Call, route, streaming
from minihub.web.routes.git import cloned_repo
from minihub.web.routes.sending import send_content

LFS_JSON = "application/vnd.git-lfs+json"
MAX_FILE_SIZE = 500 << 30  # bytes; the Hub's own bound for one file
MAX_OBJECTS = 10_000


def batch(call: Call) -> Any:
    """Where to send or fetch each large file."""
    body = call.json()
    objects = body.get("objects")
    if not isinstance(objects, list) or len(objects) > MAX_OBJECTS:
        message = f"The LFS batch needs a list `objects` of at most {MAX_OBJECTS}."
        raise BadRequestError(message)
    upload = body.get("operation") == "upload"
    repo = call.own_repo() if upload else cloned_repo(call)
    answer = _upload if upload else _download
    answers = [answer(call, repo, item) for item in objects]
    content = {"transfer": "basic", "objects": answers, "hash_algo": "sha256"}
    return JSONResponse(content, media_type=LFS_JSON)


def _upload(call: Call, repo: Repo, item: Any) -> dict[str, Any]:
    oid, size = _object(item)
    facts: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
    if call.state.lfs.size(repo, oid) == size:
        return facts
    if size > MAX_FILE_SIZE:
        return {**facts, "error": {"code": 422, "message": f"A file may have at most {MAX_FILE_SIZE} bytes."}}
    query = signed_query(call.state.key, "upload", str(repo.key), oid, str(size))
    place = _place(call, repo.name)
    facts["actions"] = {
        "upload": {"href": f"{place}/{oid}/{size}?{query}", "header": {}},
        "verify": {"href": f"{place}/verify", "header": {}},
    }
    return facts


def _download(call: Call, repo: Repo, item: Any) -> dict[str, Any]:
    oid, size = _object(item)
    if call.state.lfs.size(repo, oid) is None:
        return {"oid": oid, "size": size, "error": {"code": 404, "message": f"{oid} is not in {repo.name}."}}
    query = signed_query(call.state.key, "download", str(repo.key), oid)
    href = f"{_place(call, repo.name)}/{oid}?{query}"
    return {"oid": oid, "size": size, "authenticated": True, "actions": {"download": {"href": href}}}


def _object(item: Any) -> tuple[str, int]:
    oid = item.get("oid") if isinstance(item, dict) else None
    size = item.get("size") if isinstance(item, dict) else None
    if not is_sha256(oid) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        message = "An object of the LFS batch needs `oid`, a sha256, and `size`, a count of bytes."
        raise BadRequestError(message)
    return str(oid), size


def _place(call: Call, name: RepoName) -> str:
    return f"{call.endpoint}/{name.url_path}.git/info/lfs/objects"


async def put(call: Call) -> Response:
    """Take the content of a large file."""
    oid, size, repo = await to_thread.run_sync(_expected, call)
    with call.state.blobs.writer(oid, size) as writer:
        pieces, waiting = [], 0
        async for piece in call.pieces():
            pieces.append(piece)
            waiting += len(piece)
            if waiting >= READ_SIZE:
                await to_thread.run_sync(_write, writer, pieces)
                pieces, waiting = [], 0
        await to_thread.run_sync(_write, writer, pieces)
        await to_thread.run_sync(writer.finish)
    await to_thread.run_sync(call.state.lfs.add, repo, oid, size)
    return Response(headers={"ETag": f'"{oid}"'})


def _expected(call: Call) -> tuple[str, int, Repo]:
    oid, size, repo = call.param("oid"), call.param("size"), call.state.repos.named(call.name())
    if not is_sha256(oid) or not size.isdecimal() or len(size) > 15:
        message = "The address does not name a sha256 and a size. Ask the LFS batch for one."
        raise BadRequestError(message)
    check_signature(call.state.key, "upload", str(repo.key), oid, size, query=dict(call.request.query_params))
    length = call.request.headers.get("content-length", size)
    if length.isdecimal() and len(length) < 16 and int(length) > int(size):
        message = (
            f"The upload of {oid} has {length} bytes: expected {size}. Send the file as it was announced."
        )
        raise TooLargeError(message, headers={"Connection": "close"})
    return oid, int(size), repo


def _write(writer: BlobWriter, pieces: list[bytes]) -> None:
    for piece in pieces:
        writer.write(piece)


def verify(call: Call) -> Any:
    """Whether a large file arrived."""
    repo = call.own_repo()
    oid, size = _object(call.json())
    if call.state.lfs.size(repo, oid) != size:
        message = f"The large file {oid} of {size} bytes is not in {repo.name}. Upload it."
        raise EntryNotFoundError(message)
    return {}


def fetch(call: Call) -> Response:
    """The content of a large file."""
    repo, oid = call.state.repos.named(call.name()), call.param("oid")
    check_signature(call.state.key, "download", str(repo.key), oid, query=dict(call.request.query_params))
    size = call.state.lfs.size(repo, oid) if is_sha256(oid) else None
    if size is None:
        message = f"The large file {oid[:64]} is not in {repo.name}."
        raise ForbiddenError(message)
    return send_content(call, call.state.contents.find(oid), {"ETag": f'"{oid}"'})


def _routes(repo: str) -> list[Route]:
    objects = repo + "/info/lfs/objects"
    return [
        Route(objects + "/batch", route(batch), methods=["POST"]),
        Route(objects + "/verify", route(verify), methods=["POST"]),
        Route(objects + "/{oid:segment}/{size:segment}", streaming(put), methods=["PUT"]),
        Route(objects + "/{oid:segment}", route(fetch), methods=["GET"]),
    ]


ROUTES = [*_routes("/{kind:prefix}/{ns:segment}/{name:segment}"), *_routes("/{ns:segment}/{name:segment}")]
