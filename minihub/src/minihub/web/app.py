"""The Hub as one ASGI application: routes, and errors as clients read them."""

import logging
import re
import secrets

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from minihub.errors import HubError
from minihub.state import State
from minihub.web.routes import (
    administration,
    buckets,
    commit,
    files,
    git,
    lfs,
    pages,
    people,
    pulls,
    refs,
    repositories,
    tree,
    xet,
)

MAX_HEADERS = 64 << 10  # bytes

ROUTES = [
    *(*people.ROUTES, *repositories.ROUTES, *refs.ROUTES, *tree.ROUTES, *commit.ROUTES, *lfs.ROUTES),
    *(*administration.ROUTES, *pulls.ROUTES, *git.ROUTES, *xet.ROUTES, *buckets.ROUTES, *files.ROUTES),
    *(*pages.ROUTES, *repositories.NAMELESS),
]

log = logging.getLogger(__name__)


class RawPath:
    """Routes match the path as it was sent, so that an encoded slash does not part a name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with the raw path, and give every answer a number."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        if len(raw) + sum(len(key) + len(value) for key, value in scope["headers"]) > MAX_HEADERS:
            refusal = JSONResponse({"error": f"The headers have more than {MAX_HEADERS} bytes."}, 431)
            await refusal(scope, receive, send)
            return
        scope = {**scope, "path": raw.decode("latin-1"), "request_id": secrets.token_hex(8)}

        async def send_numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", scope["request_id"].encode())]
            await send(message)

        await self._app(scope, receive, send_numbered)


def make_app(state: State) -> ASGIApp:
    """The application of one Hub."""
    app = Starlette(
        routes=ROUTES,
        exception_handlers={HubError: _refuse, HTTPException: _no_route, Exception: _fail},
    )
    app.state.hub = state
    app.router.redirect_slashes = False
    return RawPath(app)


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)  # noqa: S101 - it is registered for that class
    headers = {"X-Error-Message": _one_line(error.message), **error.headers}
    if error.code:
        headers["X-Error-Code"] = error.code
    return JSONResponse({"error": error.message}, error.status, headers)


async def _no_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for that class
    message = (
        "Sorry, we can't find the page you are looking for." if error.status_code == 404 else error.detail
    )
    return JSONResponse({"error": message}, error.status_code, error.headers)


async def _fail(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": "Internal error: the Hub's log says more."}, 500)


def _one_line(text: str) -> str:
    return re.sub(r"[^ -~]", "?", text.replace("\n", " "))[:1000]
