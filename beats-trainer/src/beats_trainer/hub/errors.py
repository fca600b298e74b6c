"""The Hub's errors, and those on the way to it, as ours: what failed, on what, and what to do next."""

from __future__ import annotations

import errno
from collections.abc import Callable

from huggingface_hub import constants, errors

from beats_trainer.errors import AccessError, FetchError, NotCachedError
from beats_trainer.hub import credential
from beats_trainer.hub.session import certificate_fault, session_fault
from beats_trainer.pins.address import PREFIXES, SCHEME, Place
from beats_trainer.pins.origin import origin_of
from beats_trainer.redaction import veil_causes, veiled

# The client changed its HTTP library twice; its own error always derives from that library's.
HUB_ERRORS: tuple[type[Exception], ...] = (errors.HfHubHTTPError.__mro__[1], OSError)


class CutShortError(OSError):
    """The body of an answer ended before its time."""


class ExpiredError(OSError):
    """The signed address of a file, on another host than the Hub's, is good no more."""


# The HTTP libraries' own names for trouble on the way.
NETWORK_WORDS = ("Timeout", "Connect", "Protocol", "Network", "ReadError", "WriteError", "ChunkedEncoding")
REFUSED = {401, 403, 404}  # what a Hub answers to one who may not see something, and shows no token
RETRIED = {408, 425, 429, 500, 502, 503, 504}


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error came with."""
    return getattr(getattr(error, "response", None), "status_code", None)


def words_of(error: BaseException) -> str:
    """What the Hub itself says of an error, all of it, on one line; empty where it says nothing."""
    found = [str(getattr(link, "server_message", None) or "") for link in (error, error.__cause__) if link]
    lines = [line.strip() for text in found for line in text.splitlines()]
    return veiled(" ".join(dict.fromkeys(line for line in lines if line)))


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment."""
    error = _cause_of(error)
    if isinstance(error, CutShortError | ExpiredError):
        return True
    if isinstance(error, FetchError | errors.OfflineModeIsEnabled | errors.LocalEntryNotFoundError):
        return False
    status = status_of(error)
    if status is not None:
        return status in RETRIED
    return _is_network(error)


def is_unreachable(error: BaseException) -> bool:
    """Whether no connection was made at all: nobody wants to wait long for that."""
    return "Connect" in type(_cause_of(error)).__name__


def _cause_of(error: BaseException) -> BaseException:
    """What lies behind huggingface_hub's "check your connection"."""
    hidden = isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None
    return error.__cause__ or error if hidden else error


def _is_network(error: BaseException) -> bool:
    name = type(error).__name__
    return any(word in name for word in NETWORK_WORDS)


def translate_error(error: BaseException, place: Place, label: str) -> FetchError:
    """One of our errors for anything that huggingface_hub or its HTTP client raises."""
    error = _cause_of(error)
    veil_causes(error)  # whoever answers may write into it what was asked
    if isinstance(error, FetchError):
        return error
    if status_of(error) in REFUSED and credential.is_withheld(place):
        return _withheld(error, place, label)
    for types, message in _TYPES:
        if isinstance(error, types):
            return message(error, place, label)
    return _by_status(error, place, label)


def _where(place: Place) -> str:
    return f"{place} at {credential.address_of(place)}"


def _withheld(error: BaseException, place: Place, label: str) -> FetchError:
    origin = origin_of(place.endpoint)
    message = (
        f"cannot fetch {label}: {_where(place)} does not show it (status {status_of(error)}), and was asked "
        "without your token: a token goes to the Hub of HF_ENDPOINT only, and a file names this address. "
        f"If you trust {origin} with your token, say so: {credential.VARIABLE}={origin}."
    )
    return AccessError(message)


def not_cached(place: Place | None, label: str, reason: str) -> NotCachedError:
    """The file is wanted, is not here, and may or can not be fetched now."""
    source = f" It comes from {_where(place)}." if place else ""
    message = (
        f"{label} is not in the cache {constants.HF_HUB_CACHE}, and {reason}.{source} "
        f"Run `beats fetch {label}` where there is network; for a machine without, carry it with "
        "`beats bundle create` and `beats bundle install`, or point BEATS_CHECKPOINTS at a folder "
        "that holds it."
    )
    return NotCachedError(message)


def _offline(_: BaseException, place: Place, label: str) -> FetchError:
    reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the network may not be used"
    return not_cached(place, label, reason)


def _gated(error: BaseException, place: Place, label: str) -> FetchError:
    token = "your token's account" if credential.token_for(place) else "an account, then set HF_TOKEN"
    message = (
        f"cannot fetch {label}: {_where(place)} is gated (status {status_of(error)}). "
        f"Accept its terms on {_page(place)} with {token}, and try again."
    )
    return AccessError(message)


def _no_revision(_: BaseException, place: Place, label: str) -> FetchError:
    message = (
        f"cannot fetch {label}: {place.repo_id} has no revision {place.revision!r} ({_where(place)}, 404). "
        f"Its branches and tags are on {_page(place)}/tree/main."
    )
    return FetchError(message)


def _no_entry(_: BaseException, place: Place, label: str) -> FetchError:
    message = (
        f"cannot fetch {label}: {place.repo_id} has no file {place.path!r} at revision {place.revision!r} "
        f"({_where(place)}, 404). Its files are on {_page(place)}/tree/{place.revision}."
    )
    return FetchError(message)


def _no_repository(error: BaseException, place: Place, label: str) -> FetchError:
    if status_of(error) == 401 and credential.token_for(place):
        return _bad_token(place, label)
    hint = (
        "the token that is set may not read it: use one of an account that may"
        if credential.token_for(place)
        else "it is private: set HF_TOKEN, or run `hf auth login`"
    )
    message = (
        f"cannot fetch {label}: {_where(place)} cannot be seen (status {status_of(error)}). "
        f"Either there is no {place.repo_type} {place.repo_id}, or {hint}.{_other_type(place)}"
    )
    return AccessError(message)


def _other_type(place: Place) -> str:
    if place.repo_type != "model":
        return ""
    return f" A dataset of that name is {SCHEME}{PREFIXES['dataset']}{place.repo_id}."


def _bad_token(place: Place, label: str) -> FetchError:
    message = (
        f"cannot fetch {label}: the Hub does not accept the token that is set ({_where(place)}, 401). "
        "Log in again with `hf auth login`, or unset HF_TOKEN for public files."
    )
    return AccessError(message)


def _by_status(error: BaseException, place: Place, label: str) -> FetchError:
    status = status_of(error)
    if status == 401:
        return (
            _bad_token(place, label) if credential.token_for(place) else _no_repository(error, place, label)
        )
    if status == 403:
        message = (
            f"cannot fetch {label}: the token that is set may not read {_where(place)} (403). "
            "Use a token with read access to this repository."
        )
        return AccessError(message)
    return FetchError(f"cannot fetch {label}: {_cause(error, status, place)}")


def _cause(error: BaseException, status: int | None, place: Place) -> str:
    where = _where(place)
    if status == 429:
        return (
            f"too many requests ({where}, 429), and the limit lasts longer than is waited for here. Try "
            "again in some minutes; a token (HF_TOKEN) raises the limit."
        )
    if status is not None and status >= 500:
        return f"the Hub has a fault ({where}, status {status}). Try again later; what arrived is kept."
    if status == 404:
        return (
            f"nothing is there ({where}, 404). Compare the place with the page {_page(place)}, and "
            "HF_ENDPOINT with the address of a Hub."
        )
    if status is not None:
        return (
            f"the Hub refused the request ({where}, status {status}). Run `beats doctor`, and compare "
            "HF_ENDPOINT with the address of a Hub."
        )
    return _of_this_machine(error, where) or _on_the_way(error, where)


def _of_this_machine(error: BaseException, where: str) -> str:
    """What its own environment and disk did; empty where they did nothing."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"{where} is not whom it should be, or your site looks into what passes: {certificate_fault()}"
    if "SOCKS" in str(error):
        return session_fault(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return (
            f"the disk of the cache {constants.HF_HUB_CACHE} is full ({where}). Free some room, or set "
            "HF_HUB_CACHE to a folder on another disk, and try again: what arrived is kept."
        )
    return ""


def _on_the_way(error: BaseException, where: str) -> str:
    if isinstance(error, ExpiredError):
        return f"the signed addresses that it gives for the file are refused ({where}: {error}). Try again."
    if "Timeout" in type(error).__name__:
        return (
            f"no answer in time from {where}. Try again: what arrived is kept. HF_HUB_DOWNLOAD_TIMEOUT "
            "(seconds) allows slower answers."
        )
    if is_unreachable(error):
        return (
            f"no connection to {where} ({type(error).__name__}). Check the network, a proxy, and HF_ENDPOINT."
        )
    if _is_network(error) or isinstance(error, CutShortError):
        return (
            f"the connection to {where} broke again and again ({error}). Try again: what arrived is kept. If "
            "that does not help, look at what stands between, such as a proxy."
        )
    return (
        f"{type(error).__name__}: {error} ({where}). Can the cache be written? Expected a folder with the "
        "right to write and room for the file: set HF_HUB_CACHE to one, or free some room."
    )


def _page(place: Place) -> str:
    prefix = {"dataset": "datasets/", "space": "spaces/"}.get(place.repo_type, "")
    return f"{credential.address_of(place)}/{prefix}{place.repo_id}"


_TYPES: tuple[tuple[type[BaseException], Callable[[BaseException, Place, str], FetchError]], ...] = (
    (errors.OfflineModeIsEnabled, _offline),
    (errors.GatedRepoError, _gated),
    (errors.RevisionNotFoundError, _no_revision),
    (errors.LocalEntryNotFoundError, _offline),
    (errors.EntryNotFoundError, _no_entry),
    (errors.RepositoryNotFoundError, _no_repository),
)
