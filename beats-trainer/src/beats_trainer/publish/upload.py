"""The files of a model repository -> the Hub, in one commit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, constants

from beats_trainer.errors import AccessError, FetchError
from beats_trainer.hub.credential import VARIABLE, is_withheld, token_for
from beats_trainer.hub.errors import HUB_ERRORS, RETRIED, status_of, words_of
from beats_trainer.hub.session import open_session
from beats_trainer.pins.address import Place
from beats_trainer.pins.origin import origin_of
from beats_trainer.redaction import veil_causes

LOGIN = "Use a token with write access of an account that owns it: `hf auth login`."
_REFUSED_SHARD = re.compile(r"\b40[04]\b.{0,200}/shards\b", re.DOTALL)
FAILURES: tuple[type[Exception], ...] = (RuntimeError, *HUB_ERRORS)


def send_files(
    files: Sequence[Path], place: Place, *, private: bool = False, tag: str = "", message: str = ""
) -> str:
    """Makes the repository if it is missing, commits all files at once, and returns the commit.

    Raises:
        AccessError: There is no token, or it may not write there.
        FetchError: The Hub could not take it; nothing was committed.
    """
    token = token_for(place)
    if not token:
        raise _no_token(place)
    open_session()
    api = HfApi(endpoint=place.endpoint or None, token=token)
    is_new = False
    try:
        is_new = _make_missing(api, place, private=private)
        commit = api.create_commit(
            place.repo_id,
            [CommitOperationAdd(path_in_repo=path.name, path_or_fileobj=path) for path in files],
            repo_type=place.repo_type,
            commit_message=message or f"Publish {files[0].name} and its card",
        )
    except FAILURES as error:
        if is_new and _is_final(error):  # an empty repository of that name would be all that is left
            with suppress(*FAILURES):
                api.delete_repo(place.repo_id, repo_type=place.repo_type, missing_ok=True)
        raise _refused(error, place) from error
    if tag:
        _tag(api, place, tag, str(commit.oid))
    return str(commit.oid)


def _make_missing(api: HfApi, place: Place, *, private: bool) -> bool:
    """Makes the repository, unless there is one; whether it did."""
    is_there = api.repo_exists(place.repo_id, repo_type=place.repo_type)
    api.create_repo(place.repo_id, repo_type=place.repo_type, private=private, exist_ok=True)
    return not is_there


def _is_final(error: BaseException) -> bool:
    """Whether the Hub has read the request and said no."""
    status = _status(error)
    return status is not None and 400 <= status < 500 and status not in RETRIED


def _no_token(place: Place) -> AccessError:
    if not is_withheld(place):
        message = f"cannot publish to {place}: there is no token. Run `hf auth login`, or set HF_TOKEN."
        return AccessError(message)
    origin = origin_of(place.endpoint)
    message = (
        f"cannot publish to {place} at {origin}: your token goes to the Hub of HF_ENDPOINT only. If you "
        f"trust that address with it, say so: {VARIABLE}={origin}. Nothing was sent."
    )
    return AccessError(message)


def _tag(api: HfApi, place: Place, tag: str, commit: str) -> None:
    try:
        api.create_tag(place.repo_id, tag=tag, repo_type=place.repo_type, revision=commit)
    except FAILURES as error:
        status = status_of(error)
        cause = "a tag of this name exists (409)" if status == 409 else _kind(error)
        message = (
            f"published to {place} as commit {commit}, and the tag {tag!r} was not made: {cause}. The files "
            "are there; publish again with another tag, or make it: "
            f"`hf repos tag create {place.repo_id} {tag} --revision {commit}`."
        )
        raise FetchError(message) from error


def _refused(error: BaseException, place: Place) -> FetchError:
    veil_causes(error)
    if _REFUSED_SHARD.search(str(error)[:4000]):
        return _old_cache(place)
    status, said = _status(error), words_of(error)
    told = f"{said} (status {status})" if said else f"status {status}"
    if status == 401:
        message = f"cannot publish to {place}: the Hub does not accept the token ({told}). {LOGIN}"
        return AccessError(message)
    if status == 403:
        message = (
            f"cannot publish to {place}: the Hub does not allow it: {told}. If it speaks of rights: {LOGIN} "
            "If of room or a plan, look at that on the Hub's page. Nothing was committed."
        )
        return AccessError(message)
    if status == 429:
        message = (
            f"cannot publish to {place}: too many requests or commits ({told}). Nothing was committed. The "
            "Hub counts them by the hour: wait, and run the same command again."
        )
        return FetchError(message)
    if _is_final(error):
        message = (
            f"cannot publish to {place}: the Hub refuses it: {told}. Nothing was committed. Correct what it "
            "names: the same would be refused again."
        )
        return FetchError(message)
    return FetchError(
        f"cannot publish to {place}: {_kind(error)}. Run the same command again: if the commit was made "
        "after all, the same files make no second one."
    )


def _old_cache(place: Place) -> FetchError:
    """What hf_xet noted as sent is not sent again: once the Hub has collected it, it is always refused."""
    cache = getattr(constants, "HF_XET_CACHE", "~/.cache/huggingface/xet")
    return FetchError(
        f"cannot publish to {place}: the Hub no longer has what the Xet cache says was sent before. Nothing "
        f"was committed. Remove the folder {cache}, and run the same command again."
    )


def _kind(error: BaseException) -> str:
    status = _status(error)
    return f"the Hub answered with status {status}" if status else f"{type(error).__name__}: {error}"


def _status(error: BaseException) -> int | None:
    return status_of(error) or status_of(error.__cause__ or error)
