"""huggingface_hub's HTTP session, or one sentence why this machine can have none."""

from __future__ import annotations

import os
from typing import Any

from huggingface_hub.utils import get_session

from beats_trainer.errors import FetchError
from beats_trainer.foreign.measure import shown

PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def open_session() -> Any:
    """The session that all requests go through.

    Raises:
        FetchError: The environment names a proxy or certificates that cannot be used.
    """
    try:
        return get_session()
    except (ImportError, ValueError, OSError) as error:
        message = f"no connection can be made: {session_fault(error)}"
        raise FetchError(message) from error


def session_fault(error: BaseException) -> str:
    """What in the environment is wrong, and what to do about it."""
    if "SOCKS" in str(error):
        return (
            f"{_named(PROXIES)} names a SOCKS proxy, and what speaks with one is not installed. Install it: "
            "`pip install socksio pysocks`; or unset the variable."
        )
    if isinstance(error, ValueError):
        return (
            f"{_named(PROXIES)} names no proxy that can be used ({shown(str(error).rpartition('@')[2])}). "
            "Write it as http://HOST:PORT, or unset the variable."
        )
    return (
        f"{_named(CERTIFICATES)} names certificates that cannot be read ({type(error).__name__}). Name a "
        "file with the certificates of your site in it, or unset the variable."
    )


def certificate_fault() -> str:
    """What to do about a certificate that nobody known has signed."""
    return (
        "its certificate is signed by nobody whom this machine knows. If your site has certificates of its "
        f"own, name their file in SSL_CERT_FILE and REQUESTS_CA_BUNDLE ({_named(CERTIFICATES)} is set)."
    )


def _named(variables: tuple[str, ...]) -> str:
    """Those of some variables that are set, in either form of letters."""
    found = [name for name in os.environ if name.upper() in variables and os.environ[name]]
    return ", ".join(sorted(found)) or "none of them"
