"""Repositories: make, describe, list, change, move, delete."""

from typing import Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from minihub.errors import BadRequestError, ConflictError, ForbiddenError, RepoNotFoundError
from minihub.names import PLURALS, REPO_TYPES, RepoName, repo_name
from minihub.web.call import REPO_API, Call, read_revision, route
from minihub.web.routes.description import describe_briefly, describe_whole

GATED = {"auto": "auto", "manual": "manual", "True": "auto", "False": ""}
DETAILS = ("sdk", "hardware", "license")


def create(call: Call) -> Any:
    """Make a repository."""
    body = call.json()
    name = _new_name(call, body)
    viewer = call.signed_in()
    if not viewer.belongs_to(name.namespace):
        message = (
            f'You don\'t have the rights to create a {name.type} under the namespace "{name.namespace}".'
        )
        raise ForbiddenError(message)
    url = f"{call.endpoint}/{name.url_path}"
    existing = call.state.repos.find(name)
    if existing is not None and existing.name == name and call.state.repos.shows(existing, viewer):
        return already_exists(f"You already created this {name.type} repo: {name.id}", url)
    call.may_write(name)
    details = {key: body[key] for key in DETAILS if isinstance(body.get(key), str)}
    try:
        repo = call.state.repos.create(
            name, private=wants_private(call, body, name), author=call.author, **details
        )
    except ConflictError as error:  # somebody was faster
        return already_exists(str(error), url)
    return {"url": url, "name": name.id, "id": str(repo.key)}


def already_exists(message: str, url: str) -> JSONResponse:
    """The answer of which clients with `exist_ok` read the url."""
    return JSONResponse({"error": message, "url": url}, 409, headers={"X-Error-Message": message})


def delete(call: Call) -> Any:
    """Remove a repository."""
    name = _new_name(call, call.json())
    call.request.path_params.update(kind=PLURALS[name.type], ns=name.namespace, name=name.name)
    call.state.repos.delete(call.own_repo())
    return {}


def move(call: Call) -> Any:
    """Rename a repository, or give it to another namespace."""
    body = call.json()
    kind = _kind(body)
    old, new = (_split(kind, body.get(key)) for key in ("fromRepo", "toRepo"))
    call.request.path_params.update(kind=kind, ns=old.namespace, name=old.name)
    repo = call.own_repo()
    call.may_write(new)
    if call.state.repos.find(new) not in (None, repo):
        message = f"A {new.type} repository called {new.id} already exists. Choose another name."
        raise ConflictError(message)
    call.state.repos.move(repo, new)
    return {}


def settings(call: Call) -> Any:
    """Change who may see a repository, and who may read its files."""
    repo, body = call.own_repo(), call.json()
    private = _visibility(body)
    changes: dict[str, bool | str] = {}
    if private is not None:
        changes["private"] = private
    if "gated" in body:
        changes["gated"] = _gate(body["gated"])
    call.state.repos.update(repo, **changes)
    return {key: body[key] if key == "gated" else value for key, value in changes.items()}


def info(call: Call) -> Any:
    """A repository at a revision: its head, its files, its facts."""
    repo = call.repo()
    with call.git(repo) as git:
        commit = read_revision(call, git)
        return describe_whole(call, repo, commit, blobs=call.flag("blobs"))


def listing(call: Call) -> Any:
    """Repositories by owner and words, the latest first."""
    kind, limit = call.param("kind"), call.number("limit", 1000, 1000)
    found = call.state.repos.all(REPO_TYPES[kind], call.query("author"), call.query("search"))
    visible = [r for r in found if call.state.repos.shows(r, call.viewer)]
    return [describe_briefly(repo) for repo in visible[:limit]]


def auth_check(call: Call) -> Any:
    """Whether the viewer may read the files."""
    call.open_repo()
    return {}


def auth_check_write(call: Call) -> Any:
    """Whether the viewer may change the repository."""
    call.own_repo()
    return {}


def _kind(body: dict[str, Any]) -> str:
    kind = PLURALS.get(str(body.get("type") or "model"))
    if kind is None:
        message = (
            f"There is no repository type {str(body.get('type'))[:20]!r}: expected {', '.join(PLURALS)}."
        )
        raise BadRequestError(message)
    return kind


def _split(kind: str, repo_id: object) -> RepoName:
    namespace, slash, name = str(repo_id).partition("/")
    if not slash:
        message = f"{str(repo_id)[:99]!r} is no repository: expected `owner/name`."
        raise BadRequestError(message)
    return repo_name(kind, namespace, name)


def _new_name(call: Call, body: dict[str, Any]) -> RepoName:
    name, owner = str(body.get("name") or ""), body.get("organization") or call.signed_in().name
    if "/" in name:
        return _checked(_kind(body), *name.split("/", 1))
    return _checked(_kind(body), str(owner), name)


def _checked(kind: str, namespace: str, name: str) -> RepoName:
    if not name:
        message = "The repository has no name: send `name`."
        raise BadRequestError(message)
    return RepoName(REPO_TYPES[kind], namespace, name)


def _gate(asked: object) -> str:
    gate = GATED.get(str(asked))
    if gate is None:
        message = f"`gated` cannot be {str(asked)[:20]!r}: expected 'auto', 'manual' or false."
        raise BadRequestError(message)
    return gate


def _visibility(body: dict[str, Any]) -> bool | None:
    if body.get("visibility") in ("private", "public"):
        return bool(body["visibility"] == "private")
    return body["private"] if isinstance(body.get("private"), bool) else None


def wants_private(call: Call, body: dict[str, Any], name: RepoName) -> bool:
    """Whether a new repository is private: as the request says, else as its owner does."""
    private = _visibility(body)
    return call.state.accounts.is_private_by_default(name.namespace) if private is None else private


def nameless(call: Call) -> Any:
    """A repository has an owner and a name."""
    message = f"There is no repository {call.param('name')[:99]!r}: expected `owner/name`."
    raise RepoNotFoundError(message)


ROUTES = [
    Route("/api/repos/create", route(create), methods=["POST"]),
    Route("/api/repos/delete", route(delete), methods=["DELETE"]),
    Route("/api/repos/move", route(move), methods=["POST"]),
    Route("/api/{kind:kind}", route(listing), methods=["GET"]),
    Route("/api/{kind:kind}/{name:segment}", route(nameless), methods=["GET"]),
    Route("/api/{kind:kind}/{name:segment}/revision/{rev:revision}", route(nameless), methods=["GET"]),
    Route(REPO_API, route(info), methods=["GET"]),
    Route(REPO_API + "/revision/{rev:revision}", route(info), methods=["GET"]),
    Route(REPO_API + "/settings", route(settings), methods=["PUT"]),
    Route(REPO_API + "/auth-check", route(auth_check), methods=["GET"]),
    Route(REPO_API + "/auth-check/write", route(auth_check_write), methods=["GET"]),
]

# After all others: what is left has no owner in it.
NAMELESS = [
    Route(
        "/api/{kind:kind}/{name:segment}/{verb:verb}/{rest:rest}", route(nameless), methods=["GET", "POST"]
    ),
    Route("/{name:segment}/resolve/{rev:revision}/{path:rest}", route(nameless), methods=["GET", "HEAD"]),
]
