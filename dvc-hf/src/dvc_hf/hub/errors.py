"""The Hub's errors as standard errors that say what to do next: the one door for foreign errors."""

import errno
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from dvc_objects.fs.errors import AuthError, ConfigError
from huggingface_hub.errors import (
    BucketNotFoundError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import parse_ratelimit_headers

from dvc_hf import masks
from dvc_hf.hub.location import Location

TRANSIENT = frozenset({408, 409, 412, 425, 429, 500, 502, 503, 504})
_LATE = re.compile(r"LFS pointer.{0,200}(does not exist|not found)", re.IGNORECASE | re.DOTALL)
_OF_ROOM = re.compile(r"\b(storage|quota|space|room|limits?|plan|billing|payment|upgrade)\b", re.IGNORECASE)
_OF_RIGHTS = re.compile(r"\b(rights?|permissions?|authori[sz]ed|role|scope)\b", re.IGNORECASE)
_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_HTTP_LIBRARIES = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3"})
_ASTRAY = frozenset({"TooManyRedirects", "UnsupportedProtocol", "InvalidURL"})  # the same every time
# What huggingface_hub raises while it reads an answer of another shape than a Hub's.
_NOT_A_HUBS = (
    json.JSONDecodeError,
    UnicodeDecodeError,
    RecursionError,
    LookupError,
    TypeError,
    AttributeError,
)
_LONGEST_SAID = 1000  # letters of the Hub's own words


class HubUnavailableError(ConnectionError):
    """The Hub did not answer, or answered with an error of its own."""


class LostVersionError(ConfigError):
    """The repository has no such commit any more: its history was squashed, or it was made anew."""


class RejectedError(OSError):
    """The Hub took the request and said no."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.EINVAL, message)
        self.message = message

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Failure:
    """What failed: the error as it came, and what was being done where."""

    error: Exception
    doing: str
    place: Location
    endpoint: str
    token: str | None = field(repr=False)
    refusal: str = ""
    """Why no token was sent, where that was not for want of one."""
    namesake: Location | None = None
    """Where no such repository is: one of the same name and another type."""

    @property
    def start(self) -> str:
        """The first part of every message."""
        return f"cannot {self.doing} {self.place.root.url}"

    @property
    def status(self) -> int | None:
        """The HTTP status, if there was an answer."""
        return status_of(self.error)

    @property
    def said(self) -> str:
        """What the Hub itself said, in one line."""
        said = getattr(self.error, "server_message", None) or str(self.error)
        lines = [line.strip() for line in str(said).splitlines() if line.strip()]
        text = lines[0] if lines else type(self.error).__name__
        return masks.mask_secrets(text)[:_LONGEST_SAID]

    @property
    def all_said(self) -> str:
        """All that the Hub itself said, as one paragraph that ends in a stop."""
        said = str(getattr(self.error, "server_message", None) or self.said)
        lines = dict.fromkeys(line.strip() for line in said.splitlines() if line.strip())
        text = masks.mask_secrets(" ".join(lines))[:_LONGEST_SAID]
        return text if text.endswith((".", "!", "?")) else f"{text}."

    @property
    def page(self) -> str:
        """The repository's page for a browser."""
        path = str(self.place.root.at(None)).removeprefix("models/")
        return f"{self.endpoint}/{path}"


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error stands for, if any."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return int(status) if status is not None else None


def asked_wait_s(error: Exception) -> float | None:
    """What the Hub's headers ask for; they say it whole, so one second is added."""
    if status_of(error) not in (429, 503):
        return None
    headers = error.response.headers  # type: ignore[attr-defined]
    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds) + 1
    after = headers.get("Retry-After", "")
    return float(after) + 1 if after.isdigit() else None


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, OfflineModeIsEnabled | HubUnavailableError):
        return False  # the second has been waited for already
    if isinstance(error, HfHubHTTPError):
        return status_of(error) in TRANSIENT or _is_late_upload(error)
    if isinstance(error, json.JSONDecodeError):
        return True  # an answer that was damaged on its way
    if _is_astray(error):
        return False
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, ConnectionError | TimeoutError) or library in _HTTP_LIBRARIES


def _is_astray(error: BaseException) -> bool:
    """Whether an answer led to no address at all."""
    return type(error).__name__ in _ASTRAY or "in location header" in str(error)


def _is_late_upload(error: HfHubHTTPError) -> bool:
    """Whether a commit was refused for a file that the Hub's store has just taken, and does not see yet."""
    said = str(error.server_message or error)
    return status_of(error) == 400 and _LATE.search(said) is not None


def raise_first(failed: dict[str, Exception]) -> None:
    """Raise the reason of the first failure, if there is one."""
    for error in failed.values():
        raise error


def explain_failure(failure: Failure) -> Exception:
    """The error to raise instead: what failed, on which place, and what to do."""
    for kinds, words in _BY_KIND:
        if isinstance(failure.error, kinds):
            return words(failure)
    if failure.status is not None:
        return _by_status(failure, failure.status)
    fault = _network_fault(failure)
    if fault:
        return ConfigError(f"{failure.start}: {fault}")
    if is_transient(failure.error):
        return HubUnavailableError(
            f"{failure.start}: no answer from {failure.endpoint} ({failure.said}). "
            "Check the network and the address ('endpointurl' or HF_ENDPOINT), then run it again."
        )
    if masks.mask_secrets(str(failure.error)) != str(failure.error):
        return RejectedError(f"{failure.start}: {failure.said}")
    return failure.error


def _network_fault(failure: Failure) -> str:
    """What the environment or the network itself got in the way, and the remedy; empty where neither did."""
    error = failure.error
    if "SOCKS" in str(error):
        return (
            f"{_set(_PROXIES)} names a SOCKS proxy, and what speaks with one is not installed. Install it "
            "('pip install socksio pysocks'), or unset the variable."
        )
    if isinstance(error, ValueError) and "proxy" in str(error).lower():
        return f"{_set(_PROXIES)} names no proxy of use. Write it as http://HOST:PORT, or unset it."
    if isinstance(error, FileNotFoundError) and not error.filename and _set(_CERTIFICATES):
        return (
            f"{_set(_CERTIFICATES)} names certificates that cannot be read. Name another file, or unset it."
        )
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            f"the certificate of {failure.endpoint} is signed by nobody whom this machine knows. If your "
            "site has certificates of its own, name their file in SSL_CERT_FILE and REQUESTS_CA_BUNDLE."
        )
    if _is_astray(error):
        return (
            f"an answer of {failure.endpoint} leads nowhere ({failure.said}). Check the address "
            "('endpointurl' or HF_ENDPOINT), and what stands between, such as a proxy."
        )
    if isinstance(error, _NOT_A_HUBS) or type(error) is ValueError:  # the last: a number too long to be one
        return (
            f"{failure.endpoint} answered with something else than a Hub does ({type(error).__name__}): "
            "the page of a network that wants a login, or of a proxy. Open it in a browser, then run it "
            "again."
        )
    return ""


def _set(variables: tuple[str, ...]) -> str:
    """Those of some variables that are set, in either form of letters."""
    return ", ".join(sorted(name for name in os.environ if name.upper() in variables and os.environ[name]))


def _repository(failure: Failure) -> Exception:
    place = failure.place
    if failure.status == 401 and failure.token is not None:
        return AuthError(_unauthorised(failure))  # the Hub says 404 to a good token of somebody else
    if failure.namesake:
        other = failure.namesake
        return ConfigError(
            f"{failure.start}: there is no {place.repo_type} of this name at {failure.endpoint}, and there "
            f"is a {other.repo_type}: if you mean that, its url is {other.url}: "
            f"'dvc remote modify NAME url {other.url}'. Else make this one: "
            f"'hf repos create {place.repo_id}{_kind(place)}'."
        )
    if place.repo_type == "bucket":
        make = f"hf buckets create {place.repo_id}"
    else:
        make = f"hf repos create {place.repo_id}{_kind(place)}"
    if failure.token is None:
        hint = failure.refusal or "No token was sent: if it is private, run 'hf auth login' or set HF_TOKEN."
    else:
        hint = "If it is private, the token must belong to someone who may read it."
    return ConfigError(
        f"{failure.start}: the {place.kind} does not exist at {failure.endpoint}, "
        f"or this user may not see it. {hint} To make it: '{make}', "
        "or 'dvc remote modify NAME create public' (or private) and push again."
    )


def _gated(failure: Failure) -> Exception:
    return AuthError(
        f"{failure.start}: access is gated. Ask for it at {failure.page}, "
        f"then run it again with a token of the user that was let in. {failure.refusal}".rstrip()
    )


def _revision(failure: Failure) -> Exception:
    place = failure.place
    if place.version:
        return LostVersionError(
            f"{failure.start}: the repository has no commit {place.version}. If it was pushed just now, run "
            "this again in a minute. Else its history was rewritten, or it was made anew, and the versions "
            "that .dvc files name went with it: push from a clone that has the files in its cache, then "
            "commit the .dvc files; that records versions that are there."
        )
    return ConfigError(
        f"{failure.start}: the repository has no branch, tag or commit '{place.branch}'. Make it with "
        f"'hf repos branch create {place.repo_id} {place.branch}{_kind(place)}', "
        "or name another one in the url, after '@'."
    )


def _entry(failure: Failure) -> Exception:
    return FileNotFoundError(errno.ENOENT, "no such file on the Hub", failure.place.url)


def _offline(failure: Failure) -> Exception:
    return HubUnavailableError(
        f"{failure.start}: HF_HUB_OFFLINE is set, so {failure.endpoint} is not asked. Unset it to go on."
    )


def _by_status(failure: Failure, status: int) -> Exception:
    if status == 401 or (status == 403 and failure.refusal):
        return AuthError(_unauthorised(failure))
    if status == 403:
        return AuthError(_forbidden(failure))
    if status == 429:
        return HubUnavailableError(
            f"{failure.start}: the Hub's rate limit is reached ({failure.said}). "
            f"Wait {_minutes(failure.error)}, then run it again: what was uploaded is kept."
        )
    if status in TRANSIENT or status >= 500:
        return HubUnavailableError(
            f"{failure.start}: the Hub answered {status} ({failure.said}). "
            "Run it again in a while: what was uploaded is kept."
        )
    return RejectedError(f"{failure.start}: the Hub refused it with {status}: {failure.all_said}")


def _unauthorised(failure: Failure) -> str:
    if failure.refusal:
        return f"{failure.start}: this needs a token. {failure.refusal}"
    if failure.token is None:
        return (
            f"{failure.start}: no token was sent. Run 'hf auth login', or set HF_TOKEN, or "
            "'dvc remote modify --local NAME token TOKEN', with a token that has write permission."
        )
    return (
        f"{failure.start}: the Hub does not accept the token (revoked, expired or misspelt). "
        f"Make a new one at {failure.endpoint}/settings/tokens, then run 'hf auth login' or set HF_TOKEN."
    )


def _forbidden(failure: Failure) -> str:
    """The Hub's own words first; a token is advised where these speak of rights, or say nothing."""
    said = failure.all_said
    if _OF_ROOM.search(said) and not _OF_RIGHTS.search(said):
        return (
            f"{failure.start}: the Hub does not allow it: {said} Nothing was committed. Look at the limits "
            f"of the account at {failure.endpoint}/settings/billing, or free room, then push again."
        )
    return (
        f"{failure.start}: the Hub does not allow it: {said} If it speaks of rights: a push needs a token "
        f"with write permission to the {failure.place.kind}; make one at {failure.endpoint}/settings/tokens, "
        "then run 'hf auth login' or set HF_TOKEN."
    )


def _minutes(error: Exception) -> str:
    """How long to wait; a limit of commits an hour says nothing in its headers."""
    seconds = asked_wait_s(error)
    if seconds is None or seconds > 86_400:
        return "up to an hour" if seconds is None else "more than a day, it says,"
    return f"{seconds:.0f} seconds"


def _kind(place: Location) -> str:
    return "" if place.repo_type == "model" else f" --repo-type {place.repo_type}"


_BY_KIND: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Callable[[Failure], Exception]], ...] = (
    (GatedRepoError, _gated),
    ((RepositoryNotFoundError, BucketNotFoundError), _repository),
    (RevisionNotFoundError, _revision),
    (EntryNotFoundError, _entry),
    (OfflineModeIsEnabled, _offline),
)
