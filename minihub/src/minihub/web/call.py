"""One request, as the routes see it: who asks, for what, with which body."""

import base64
import binascii
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any
from urllib.parse import parse_qs

import pygit2
from anyio import to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from minihub.accounts import ANYONE, Viewer
from minihub.errors import (
    BadRequestError,
    ForbiddenError,
    GatedRepoError,
    HubError,
    StorageFullError,
    TooLargeError,
    UnauthorizedError,
)
from minihub.git import history
from minihub.git.repos import Repo, not_found, repo_gone
from minihub.jsontext import parse_json
from minihub.names import RepoName, repo_name
from minihub.state import State
from minihub.storage.fulldisk import is_full
from minihub.web.convertors import register_convertors

MAX_BODY_SIZE = 16 << 20  # bytes of a request that is read whole
MAX_DRAINED = 256 << 20  # bytes of a refused body that are let pass, so that the client reads the answer

REPO_API = "/api/{kind:kind}/{ns:segment}/{name:segment}"  # where the routes about one repository begin

register_convertors()  # every route is made with what stands here, so this comes first
Route = Callable[[Request], Awaitable[Response]]


class Call:
    """A request with its viewer and its body."""

    def __init__(self, request: Request, state: State) -> None:
        self.request = request
        self.state = state
        self.viewer: Viewer = ANYONE
        self.body = b""
        self._ended = False  # whether the body was read to its end

    # ---- what was sent

    def param(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """A value of the query."""
        return self.request.query_params.get(name, default)

    def flag(self, name: str) -> bool:
        """Whether a value of the query says yes."""
        return self.query(name).lower() in {"1", "true", "yes"}

    def number(self, name: str, default: int, most: int) -> int:
        """A count from the query, within bounds."""
        text = self.query(name)
        return min(max(int(text), 1), most) if text.isdecimal() and len(text) < 10 else default

    def json(self) -> dict[str, Any]:
        """The body, a JSON object."""
        try:
            value = parse_json(self.body or b"{}")
        except ValueError as error:
            message = f"The body of the request is not JSON: {error}"
            raise BadRequestError(message) from error
        if not isinstance(value, dict):
            message = f"The body of the request is a JSON {type(value).__name__}: expected an object."
            raise BadRequestError(message)
        return value

    def form(self) -> dict[str, list[str]]:
        """The body, a JSON object or a form."""
        if "json" in self.request.headers.get("content-type", ""):
            return {key: value if isinstance(value, list) else [value] for key, value in self.json().items()}
        try:
            return parse_qs(self.body.decode(), keep_blank_values=True, max_num_fields=100_000)
        except ValueError as error:
            message = "The body of the request is not a form."
            raise BadRequestError(message) from error

    @property
    def endpoint(self) -> str:
        """This Hub's address, as the client wrote it."""
        return str(self.request.base_url).rstrip("/")

    @property
    def here(self) -> str:
        """The address of this request, without its query."""
        return f"{self.endpoint}{self.request.scope['path']}"

    # ---- who asks

    def identify(self) -> None:
        """Find out who asks, from the token in the request."""
        scheme, _, value = self.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and value.strip():
            self.viewer = self.state.accounts.viewer(value.strip())
        elif scheme.lower() == "basic":
            self.viewer = self.state.accounts.viewer(_password(value))
        client = self.request.client.host if self.request.client else ""
        rate = self.state.limits.count_request(self.viewer.name or client)
        self.request.scope["rate"] = rate  # each answer tells it

    def signed_in(self) -> Viewer:
        """Who asks, who must be somebody."""
        if not self.viewer.name:
            message = "Invalid username or password."
            raise UnauthorizedError(message, headers={"WWW-Authenticate": 'Basic realm="minihub"'})
        return self.viewer

    @property
    def author(self) -> history.Author:
        """Who a commit is by."""
        viewer = self.signed_in()
        facts = self.state.accounts.describe(viewer.name)
        return history.Author(viewer.name, str(facts["email"]))

    # ---- which repository

    def name(self) -> RepoName:
        """The repository in the path."""
        plural = self.request.path_params.get("kind", "models")
        return repo_name(plural, self.param("ns"), self.param("name"))

    def repo(self) -> Repo:
        """The repository in the path, if the viewer may know of it."""
        return self.readable(self.name())

    def readable(self, name: RepoName) -> Repo:
        """A repository, if the viewer may know of it."""
        repo = self.state.repos.named(name)
        if not self.state.repos.shows(repo, self.viewer):
            raise not_found(name)
        return repo

    def open_repo(self) -> Repo:
        """The repository in the path, if the viewer may read its files."""
        return self.opened(self.repo())

    def opened(self, repo: Repo) -> Repo:
        """A repository, if the viewer may read its files."""
        if not self.state.repos.shows(repo, self.viewer):
            raise not_found(repo.name)
        if not self.state.repos.opens(repo, self.viewer):
            message = (
                f"Access to {repo.name} is restricted and you are not in the authorized list. "
                "Ask its owner for access."
            )
            raise GatedRepoError(message, status=403 if self.viewer.name else 401)
        return repo

    def own_repo(self) -> Repo:
        """The repository in the path, if the viewer may change it."""
        repo = self.repo()
        self.may_write(repo.name)
        return repo

    def changing_repo(self) -> Repo:
        """The repository in the path, if the viewer may change it or propose a change to it."""
        return self.proposing_repo() if self.flag("create_pr") else self.own_repo()

    def proposing_repo(self) -> Repo:
        """The repository in the path, if the viewer may propose a change to it."""
        self.signed_in()
        return self.may_propose(self.open_repo())

    def may_propose(self, repo: Repo) -> Repo:
        """A repository, if the viewer may propose a change to it."""
        viewer = self.viewer
        if not viewer.may_propose(repo.name.namespace, repo.name.id):
            message = (
                f"A change to {repo.name} was refused: the token {viewer.token_name!r} of {viewer.name} "
                f"has the role {viewer.role} and may not write there. Use one that may."
            )
            raise ForbiddenError(message)
        return repo

    def may_write(self, name: RepoName) -> None:
        """Refuse unless the viewer may change this repository."""
        viewer = self.signed_in()
        if not viewer.may_write(name.namespace, name.id):
            message = (
                f"You don't have the rights to change {name}: the token {viewer.token_name!r} of "
                f"{viewer.name} has the role {viewer.role}. Use one that may write to {name.namespace}."
            )
            raise ForbiddenError(message)

    @contextmanager
    def git(self, repo: Repo) -> Iterator[pygit2.Repository]:
        """The repository's git, open."""
        git = None
        try:
            git = pygit2.Repository(str(repo.folder))
            yield git
        except (pygit2.GitError, OSError, KeyError) as error:
            if self.state.repos.is_gone(repo):  # another request deleted it meanwhile
                raise not_found(repo.name) from error
            raise
        finally:
            if git is not None:
                git.free()

    # ---- bodies too large to be read whole

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        async for piece in self.request.stream():
            if piece:
                yield piece
        self._ended = True

    async def read_body(self, limit: int = MAX_BODY_SIZE) -> None:
        """Read the body whole, refusing a large one before it is in memory."""
        pieces, size = [], 0
        async for piece in self.pieces():
            size += len(piece)
            if size > limit:
                message = f"The body of the request has more than {limit} bytes. Send less at once."
                raise TooLargeError(message)
            pieces.append(piece)
        self.body = b"".join(pieces)

    async def drain(self) -> None:
        """Let the rest of a refused body pass, within bounds."""
        left = 0 if self._ended else MAX_DRAINED
        if not left:
            return
        with suppress(RuntimeError):  # it was the last piece that was refused
            async for piece in self.pieces():
                left -= len(piece)
                if left < 0:
                    return


def route(handler: Callable[[Call], Any], *, identify: bool = True) -> Route:
    """A handler that reads its body whole and runs in a thread; it returns JSON or a response.

    Args:
        handler: what answers.
        identify: whether the request's token is one of an account; the handler looks at others itself.
    """

    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        call = Call(request, request.app.state.hub)
        if request.method not in {"GET", "HEAD"}:
            try:
                await call.read_body()
            except TooLargeError:
                await call.drain()
                raise
        return await run_in_threadpool(_answer, handler, call, identify)

    return endpoint


def streaming(handler: Callable[[Call], Awaitable[Any]], *, identify: bool = True) -> Route:
    """A handler that takes the body as it arrives; `identify` as for `route`."""

    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        call = Call(request, request.app.state.hub)
        try:
            with _understood(call):
                if identify:
                    await to_thread.run_sync(call.identify)
                return _response(await handler(call))
        except ClientDisconnect:
            return Response(status_code=400)
        except HubError:
            await call.drain()
            raise

    return endpoint


def _answer(handler: Callable[[Call], Any], call: Call, identify: bool) -> Response:
    with _understood(call):
        if identify:
            call.identify()
        return _response(handler(call))


@contextmanager
def _understood(call: Call) -> Iterator[None]:
    """What a full disk looks like from below, and a repository that went meanwhile, as refusals."""
    try:
        yield
    except (OSError, sqlite3.Error, pygit2.GitError) as error:
        if is_full(error, call.state.drafts):
            raise StorageFullError from error
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            raise repo_gone() from error
        raise


def _response(result: Any) -> Response:
    return result if isinstance(result, Response) else JSONResponse(result)


def _password(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError) as error:
        message = "Invalid credentials in Authorization header"
        raise UnauthorizedError(message) from error


# The revision that a request names.
def revision_of(call: Call, git: pygit2.Repository) -> pygit2.Commit:
    """The commit of the revision in the path, or of `main`."""
    return history.resolve_revision(git, call.request.path_params.get("rev", "main"))


def read_revision(call: Call, git: pygit2.Repository) -> pygit2.Commit:
    """The same for one who reads: a branch that has just moved may be seen where it was."""
    name = call.request.path_params.get("rev", "main")
    return history.seen_revision(git, name, call.state.manners.lag_s)
