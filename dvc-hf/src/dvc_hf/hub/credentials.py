"""Which token goes to a remote's Hub: one goes only where the user said so, outside of the repository."""

import contextlib
import os
from dataclasses import dataclass, field
from typing import Any

from dvc_objects.fs.errors import ConfigError
from huggingface_hub import constants, get_token

from dvc_hf import masks
from dvc_hf.hub import provenance
from dvc_hf.hub.endpoint import Endpoint, origin_of, parse_endpoint

ORIGINS = "HF_TOKEN_ORIGINS"
LIBRARY = "dvc-hf"
_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


@dataclass(frozen=True)
class Credential:
    """The remote's own token, or the reason why its Hub gets none; neither means the user's login."""

    token: str | None = field(default=None, repr=False)
    refusal: str = ""


LOGIN = Credential()


def choose_credential(endpointurl: str | None, token: str | None) -> Credential:
    """The credential for a remote, from its options and from who said them.

    Raises:
        ConfigError: the endpoint is no address, or the token cannot be one.
    """
    endpoint = parse_endpoint(endpointurl, "endpointurl") if endpointurl else home_endpoint()
    own = parse_token(token, "the remote's option 'token'") if token else None
    if endpoint.origin in (home_endpoint().origin, *_named_origins()) or provenance.is_users(endpointurl):
        return Credential(own)
    if own and provenance.are_of_one_source(endpointurl, token):
        return Credential(own)
    return Credential(refusal=_refusal(endpoint))


def home_endpoint() -> Endpoint:
    """The Hub that the user's login belongs to."""
    return parse_endpoint(constants.ENDPOINT, "HF_ENDPOINT")


def _named_origins() -> set[str]:
    """Origins that the user named for this process, in its environment or command line."""
    named = [name for name in os.environ.get(ORIGINS, "").split(",") if name.strip()]
    return {*(parse_endpoint(name, ORIGINS).origin for name in named), *_typed_origins()}


def _typed_origins() -> set[str]:
    """Those of the command line; it may be about a remote of another kind, whose address has its own form."""
    origins = set()
    for text in provenance.typed_endpoints:
        with contextlib.suppress(ConfigError):
            origins.add(parse_endpoint(text, "endpointurl").origin)
    return origins


def _refusal(endpoint: Endpoint) -> str:
    return (
        f"No token was sent: the repository itself names {endpoint.origin} (in .dvc/config or a .dvc file), "
        f"and you do not. If you trust it: 'dvc remote modify --local NAME endpointurl {endpoint.shown}', or "
        f"{ORIGINS}={endpoint.origin} in the environment."
    )


def parse_token(text: str, named: str) -> str | None:
    """Read a token; the line end that a file or an editor added is dropped.

    Raises:
        ConfigError: something in it cannot be sent; the value is not shown.
    """
    token = text.strip()
    masks.remember_secret(text)
    for at, letter in enumerate(token, 1):
        if not "!" <= letter <= "~":
            message = (
                f"the token of {named} cannot be one: expected ASCII letters, digits and signs alone, got "
                f"{_kind(letter)} at place {at} of {len(token)}. Copy it once more, whole and alone."
            )
            raise ConfigError(message)
    return token or None


def _kind(letter: str) -> str:
    if letter in "\r\n":
        return "a line end"
    if letter.isspace():
        return "a space"
    return "a control character" if letter.isascii() else "a character that is not ASCII"


def login_token() -> str | None:
    """The token of whoever is logged in, checked.

    Raises:
        ConfigError: it cannot be sent.
    """
    if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:
        return None
    for name in _VARIABLES:  # looked at here: the client takes line ends out of the middle too
        parse_token(os.environ.get(name, ""), name)
    try:
        token = get_token()
    except UnicodeDecodeError:
        message = f"the file {constants.HF_TOKEN_PATH} is no text, so it holds no token. Run 'hf auth login'."
        raise ConfigError(message) from None
    return parse_token(token, "'hf auth login'") if token else None


# the last gate ---------------------------------------------------------------------------------------

_own: dict[str, set[str]] = {}
_logins: set[str] = set()


def permit_token(endpoint: Endpoint, token: str | None) -> None:
    """Let a token go to an endpoint; without one, the login."""
    origins = {endpoint.origin, endpoint.upgraded}
    if token is None:
        _logins.update(origins)
    else:
        _own.setdefault(token, set()).update(origins)


def guard_request(request: Any) -> None:
    """Take the token out of a request of ours to an origin that it was not permitted for.

    A redirect, the link to a listing's next page and the address where an upload is confirmed are all the
    Hub's to choose; and the client adds the login to some requests by itself.
    """
    value = request.headers.get("authorization", "")
    if not value.startswith("Bearer ") or LIBRARY not in request.headers.get("user-agent", ""):
        return
    token = value.removeprefix("Bearer ")
    origin = origin_of(request.url.scheme, request.url.host, request.url.port)
    is_login = token not in _own or token == login_token()
    if origin not in _own.get(token, set()) | (_logins if is_login else set()):
        del request.headers["authorization"]
