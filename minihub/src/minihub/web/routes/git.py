"""Clone and fetch: the smart HTTP of git, for reading."""

from typing import IO

from anyio import to_thread
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from minihub.errors import ForbiddenError, GatedRepoError, HubError, RepoNotFoundError, UnauthorizedError
from minihub.git.repos import Repo, not_found
from minihub.git.uploadpack import Pack, advertise_refs, received_request
from minihub.web.call import Call, route, streaming

NO_CACHE = {"Cache-Control": "no-cache, max-age=0, must-revalidate"}
SIGN_IN = {"WWW-Authenticate": 'Basic realm="minihub"'}


def cloned_repo(call: Call) -> Repo:
    """The repository in the path; git asks for a user and a token only when told to sign in."""
    try:
        return call.open_repo()
    except (RepoNotFoundError, GatedRepoError) as error:
        if call.viewer.name:
            raise
        raise UnauthorizedError(error.message, code=error.code, headers=SIGN_IN) from error


def references(call: Call) -> Response:
    """The first request of a clone: which references there are."""
    repo, service = cloned_repo(call), call.query("service")
    if service != "git-upload-pack":
        message = (
            f"git can only read from this Hub: {service[:40] or 'plain file access'!r} is not served. "
            "Write with huggingface_hub, and clone with a git that speaks smart HTTP."
        )
        raise ForbiddenError(message)
    try:
        content = advertise_refs(repo.folder, _protocol(call))
    except HubError as error:
        if call.state.repos.is_gone(repo):
            raise not_found(repo.name) from error
        raise
    return Response(content, headers=NO_CACHE, media_type="application/x-git-upload-pack-advertisement")


async def fetch(call: Call) -> Response:
    """The second: the commits that the client lacks."""
    repo = await to_thread.run_sync(cloned_repo, call)
    with received_request(call.request.headers.get("content-encoding", "")) as request:
        async for piece in call.pieces():
            await to_thread.run_sync(request.write, piece)
        return _PackResponse(await to_thread.run_sync(_pack, call, repo, request.file))


def _pack(call: Call, repo: Repo, request: IO[bytes]) -> Pack:
    if call.state.repos.is_gone(repo):  # git would begin its answer and end it at once
        raise not_found(repo.name)
    return Pack(repo.folder, request, _protocol(call))


def push(_call: Call) -> Response:
    """What `git push` asks for."""
    message = "git can only read from this Hub. Write with huggingface_hub or the `hf` command."
    raise ForbiddenError(message)


class _PackResponse(StreamingResponse):
    def __init__(self, pack: Pack) -> None:
        super().__init__(pack.pieces(), headers=NO_CACHE, media_type="application/x-git-upload-pack-result")
        self._pack = pack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._pack.end()


def _protocol(call: Call) -> str:
    return call.request.headers.get("git-protocol", "")


def _routes(repo: str) -> list[Route]:
    return [
        Route(repo + "/info/refs", route(references), methods=["GET"]),
        Route(repo + "/git-upload-pack", streaming(fetch), methods=["POST"]),
        Route(repo + "/git-receive-pack", route(push), methods=["POST"]),
    ]


ROUTES = [*_routes("/{kind:prefix}/{ns:segment}/{name:segment}"), *_routes("/{ns:segment}/{name:segment}")]
