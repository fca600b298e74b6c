"""The Hub as one ASGI application: routes, and errors as clients read them."""

import html
import logging
import re
import secrets

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from minihub.errors import HubError, TooManyRequestsError
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
    store,
    tree,
    xet,
)

MAX_HEADERS = 64 << 10  # bytes

ROUTES = [
    *(*people.ROUTES, *repositories.ROUTES, *refs.ROUTES, *tree.ROUTES, *commit.ROUTES, *lfs.ROUTES),
    *(*administration.ROUTES, *pulls.ROUTES, *git.ROUTES, *xet.ROUTES, *buckets.ROUTES, *store.ROUTES),
    *(*files.ROUTES, *pages.ROUTES, *repositories.NAMELESS),
]

_PAGE = "<!DOCTYPE html><html><head><title>429</title></head><body><h1>429</h1><p>{}</p></body></html>"

log = logging.getLogger(__name__)


class RawPath:
    """Routes match the path as it was sent, so that an encoded slash does not part a name."""

    def __init__(self, app: ASGIApp, prefix: str = "") -> None:
        self._app = app
        self._prefix = prefix.encode("latin-1")

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
        if not raw.startswith(self._prefix + b"/"):
            message = f"This Hub answers below {self._prefix.decode('latin-1')}/ alone."
            await JSONResponse({"error": message}, 404)(scope, receive, send)
            return
        path, prefix = raw[len(self._prefix) :].decode("latin-1"), self._prefix.decode("latin-1")
        scope = {**scope, "path": path, "root_path": prefix, "request_id": secrets.token_hex(8)}

        async def send_numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = {"x-request-id": scope["request_id"], **scope.get("rate", {})}
                raw = [(name.lower().encode(), value.encode()) for name, value in more.items()]
                message["headers"] = [*message["headers"], *raw]
            await send(message)

        await self._app(scope, receive, send_numbered)


def make_app(state: State, prefix: str = "") -> ASGIApp:
    """The application of one Hub; with a prefix, what a proxy passes on of that part of a site."""
    app = Starlette(
        routes=ROUTES,
        exception_handlers={HubError: _refuse, HTTPException: _no_route, Exception: _fail},
    )
    app.state.hub = state
    app.router.redirect_slashes = False
    return RawPath(app, prefix)


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)  # noqa: S101 - it is registered for that class
    if isinstance(error, TooManyRequestsError):
        return HTMLResponse(_PAGE.format(html.escape(error.message)), error.status, error.headers)
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
