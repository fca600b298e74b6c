"""Buckets over HTTP."""

from itertools import islice
from typing import Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from minihub.errors import (
    BadRequestError,
    ConflictError,
    EntryNotFoundError,
    ForbiddenError,
    GatedRepoError,
    RepoNotFoundError,
    TooLargeError,
)
from minihub.files.buckets import EMPTY
from minihub.files.contents import Content
from minihub.git.repos import Repo
from minihub.jsontext import parse_json
from minihub.names import PLURALS, RepoName, repo_name, repo_path
from minihub.web.call import Call, route
from minihub.web.routes.repositories import already_exists, wants_private
from minihub.web.routes.sending import attachment_header, send_bytes, send_content
from minihub.web.routes.tree import ENTRIES_PER_PAGE, refuse_many
from minihub.web.routes.xet import token_response
from minihub.xet.hashes import from_hex, is_hash, to_hex

MAX_CHANGES = 1000


def create(call: Call) -> Any:
    """Make a bucket."""
    viewer, body = call.signed_in(), call.json()
    namespace = viewer.name if call.param("ns") == "me" else call.param("ns")
    name = repo_name("buckets", namespace, call.param("name"))
    url = f"{call.endpoint}/{name.url_path}"
    if not viewer.belongs_to(name.namespace):
        message = f"You don't have the rights to create a bucket under the namespace {namespace!r}."
        raise ForbiddenError(message)
    existing = call.state.repos.find(name)
    if existing is not None and call.state.repos.shows(existing, viewer):
        return already_exists(f"You already created this bucket: {name.id}", url)
    call.may_write(name)
    try:
        call.state.repos.create(name, private=wants_private(call, body, name), author=call.author)
    except ConflictError as error:  # somebody was faster
        return already_exists(str(error), url)
    return {"url": url, "id": name.id, "name": name.id}


def info(call: Call) -> Any:
    """A bucket."""
    return _describe(call, _bucket(call))


def listing(call: Call) -> Any:
    """The buckets of a namespace that the viewer may see."""
    namespace = call.signed_in().name if call.param("ns") == "me" else call.param("ns")
    if not call.state.accounts.exists(namespace):
        message = f"There is no user or organisation {namespace[:99]!r}."
        raise RepoNotFoundError(message)
    found = call.state.repos.all("bucket", namespace, call.query("search"))
    visible = [b for b in found if call.state.repos.shows(b, call.viewer)]
    return [_describe(call, bucket) for bucket in visible]


def nameless(call: Call) -> Any:
    """A bucket has an owner and a name."""
    message = f"There is no bucket {call.param('ns')[:99]!r}: expected `owner/name`."
    raise RepoNotFoundError(message)


def delete(call: Call) -> Any:
    """Remove a bucket."""
    call.state.repos.delete(_own(call))
    return {}


def settings(call: Call) -> Any:
    """Change who may see a bucket."""
    bucket, body = _own(call), call.json()
    if isinstance(body.get("private"), bool):
        call.state.repos.update(bucket, private=body["private"])
    return _describe(call, _bucket(call))


def tree(call: Call) -> Any:
    """Files of a bucket, in pages."""
    bucket, limit = _bucket(call), call.number("limit", ENTRIES_PER_PAGE, ENTRIES_PER_PAGE)
    prefix = call.request.path_params.get("path", "")
    recursive = call.flag("recursive") or not call.query("recursive")
    entries = call.state.buckets.entries(bucket, prefix, call.query("cursor"), recursive=recursive)
    page = list(islice(entries, limit + 1))
    response = JSONResponse(page[:limit])
    if len(page) > limit:
        last = page[limit - 1]
        cursor = last["path"] + ("/" if last["type"] == "directory" else "")
        query = [(k, v) for k, v in call.request.query_params.multi_items() if k != "cursor"]
        response.headers["Link"] = f'<{call.here}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'
    return response


def paths_info(call: Call) -> Any:
    """Facts about given paths; those that do not exist are left out."""
    bucket, paths = _bucket(call), call.json().get("paths")
    if not isinstance(paths, list):
        message = "The request has no list `paths`."
        raise BadRequestError(message)
    refuse_many(paths)
    found = [call.state.buckets.find(bucket, str(path)) for path in paths]
    return [file.as_json() for file in found if file]


def batch(call: Call) -> Any:
    """Add, copy and delete files."""
    bucket, operations = _own(call), _operations(call.body)
    refused = []
    for operation in operations:
        if operation.get("type") == "copyFile":
            refused += _share(call, bucket, operation)
    wanted = [operation for operation in operations if operation not in refused]
    call.state.repos.touch(bucket)
    failed = call.state.buckets.apply(bucket, wanted)
    failed += [{"path": str(o.get("path")), "error": "The source has no such file."} for o in refused]
    status = 422 if failed and len(failed) == len(operations) else 200
    return JSONResponse({"success": not failed, "failed": failed}, status)


def _operations(body: bytes) -> list[dict[str, Any]]:
    lines = [line for line in body.split(b"\n") if line.strip()]
    if len(lines) > MAX_CHANGES:
        message = f"{len(lines)} operations were sent at once: at most {MAX_CHANGES}. Send them in parts."
        raise TooLargeError(message)
    try:
        operations = [parse_json(line) for line in lines]
    except ValueError as error:
        message = "A line of the batch is not JSON."
        raise BadRequestError(message) from error
    known = ("addFile", "copyFile", "deleteFile")
    if not all(isinstance(o, dict) and o.get("type") in known for o in operations):
        message = f"An operation of the batch has an unknown type: expected one of {', '.join(known)}."
        raise BadRequestError(message)
    return operations


def _share(call: Call, bucket: Repo, operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Let the bucket hold what it copies from a place that the viewer may read; else the operation."""
    kind = PLURALS.get(str(operation.get("sourceRepoType")), "")
    namespace, _, name = str(operation.get("sourceRepoId")).partition("/")
    try:
        source = call.opened(call.readable(repo_name(kind, namespace, name)))
    except (RepoNotFoundError, GatedRepoError):
        return [operation]
    text = str(operation.get("xetHash"))
    if not is_hash(text) or not call.state.cas.holds(source.key, from_hex(text)):
        return [operation]
    call.state.cas.share(bucket.key, from_hex(text))
    return []


def resolve(call: Call) -> Response:
    """The content of a file."""
    bucket, path = _bucket(call), repo_path(call.param("path"))
    file = call.state.buckets.find(bucket, path)
    if file is None:
        message = f"Entry not found: {path!r} is not in {bucket.name}."
        raise EntryNotFoundError(message)
    address = f"{call.endpoint}/api/buckets/{bucket.name.id}/xet-read-token"
    headers = {
        "ETag": f'"{to_hex(file.hash)}"',
        "X-Linked-Etag": f'"{to_hex(file.hash)}"',
        "X-Linked-Size": str(file.size),
        "X-Xet-Hash": to_hex(file.hash),
        "X-Xet-Refresh-Route": address,
        "Link": f'<{address}>; rel="xet-auth"',
        "Content-Disposition": attachment_header(path),
    }
    xet = call.state.cas.file(file.hash)
    if xet is None or file.hash == EMPTY:
        return send_bytes(call, b"", headers)
    return send_content(call, Content(file.size, xet=xet), headers)


def read_token(call: Call) -> Response:
    """A token that reads the bucket's files from the store."""
    return token_response(call, _bucket(call), write=False)


def write_token(call: Call) -> Response:
    """A token that adds files of the bucket to the store."""
    return token_response(call, _own(call), write=True)


def _name(call: Call) -> RepoName:
    namespace = call.viewer.name if call.param("ns") == "me" else call.param("ns")
    return repo_name("buckets", namespace, call.param("name"))


def _bucket(call: Call) -> Repo:
    try:
        return call.readable(_name(call))
    except RepoNotFoundError as error:
        if not call.viewer.name:
            error.status = 401
        raise


def _own(call: Call) -> Repo:
    bucket = _bucket(call)
    call.may_write(bucket.name)
    return bucket


def _describe(call: Call, bucket: Repo) -> dict[str, Any]:
    files, size = call.state.buckets.totals(bucket)
    return {
        "id": bucket.name.id,
        "author": bucket.name.namespace,
        "private": bucket.private,
        "createdAt": bucket.created_at,
        "updatedAt": bucket.updated_at,
        "size": size,
        "totalFiles": files,
    }


_BUCKET = "/api/buckets/{ns:segment}/{name:segment}"

ROUTES = [
    Route("/api/buckets/{ns:segment}", route(listing), methods=["GET"]),
    Route("/api/buckets/{ns:segment}", route(nameless), methods=["DELETE", "POST", "PUT"]),
    Route(_BUCKET, route(create), methods=["POST"]),
    Route(_BUCKET, route(info), methods=["GET"]),
    Route(_BUCKET, route(delete), methods=["DELETE"]),
    Route(_BUCKET + "/settings", route(settings), methods=["PUT"]),
    Route(_BUCKET + "/tree", route(tree), methods=["GET"]),
    Route(_BUCKET + "/tree/{path:rest}", route(tree), methods=["GET"]),
    Route(_BUCKET + "/paths-info", route(paths_info), methods=["POST"]),
    Route(_BUCKET + "/batch", route(batch), methods=["POST"]),
    Route(_BUCKET + "/xet-read-token", route(read_token), methods=["GET"]),
    Route(_BUCKET + "/xet-write-token", route(write_token), methods=["GET"]),
    Route(
        "/buckets/{ns:segment}/{name:segment}/resolve/{path:rest}", route(resolve), methods=["GET", "HEAD"]
    ),
]
