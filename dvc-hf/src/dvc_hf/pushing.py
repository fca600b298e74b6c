"""A push of DVC as one commit of the Hub, and a failed commit as a failed push."""

import re
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from dvc_hf import publish, running
from dvc_hf.advice import refuse_web_page
from dvc_hf.copying import is_hub
from dvc_hf.location import parse_path
from dvc_hf.log import logger
from dvc_hf.transaction import transaction

Original = Callable[..., Any]
_TEMPORARY = re.compile(r"(^|/)files/md5/\.[^/]+\.tmp$")


def to_remote(original: Original, *args: Any, **kwargs: Any) -> Any:
    """Run ``--to-remote``; what DVC leaves under a temporary name is not committed."""
    with transaction.held():
        result = original(*args, **kwargs)
        transaction.drop(_TEMPORARY.search)
        return result


def push(original: Original, repo: Any, *args: Any, **kwargs: Any) -> Any:
    """Run ``dvc push``: everything that it writes goes into one commit."""
    from dvc.repo import lock_repo

    refuse_web_page(repo, kwargs.get("remote"), is_read=False)
    with lock_repo(repo), transaction.held(), running.during(repo, kwargs.get("remote")):
        transaction.forget_commits()
        return original(repo, *args, **kwargs)


def push_indexes(original: Original, idxs: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
    """Push, publish, commit; what the commit lost is counted as failed."""
    indexes = list(idxs)
    with transaction.held():
        pushed, failed = original(indexes, *args, **kwargs)
        publish.stage_names()
        lost = _commit()
    if lost:
        _report(lost)
        for index in indexes:
            _forget(index.storage_map[()].data)
    return max(0, pushed - len(lost)), failed + len(lost)


def transfer(original: Original, src: Any, dest: Any, *args: Any, **kwargs: Any) -> Any:
    """Transfer objects; where no push holds the commit back, commit here."""
    if not is_hub(dest.fs) or transaction.depth:
        return original(src, dest, *args, **kwargs)
    with transaction.held():
        result = original(src, dest, *args, **kwargs)
        lost = _commit()
    if not lost:
        return result
    _report(lost)
    if kwargs.get("dest_index"):
        kwargs["dest_index"].clear()
    failed = {info for info in result.transferred if _path(dest, info) in lost}
    return type(result)(result.transferred - failed, result.failed | failed)


def _commit() -> dict[str, Exception]:
    """Commit, with a line of its own: DVC's bars are full by now, and the Hub may still take a minute."""
    from dvc.progress import Tqdm

    with Tqdm(desc="Committing to the Hub", bar_format=Tqdm.BAR_FMT_NOTOTAL, leave=False):
        return transaction.commit()


def _path(odb: Any, hash_info: Any) -> str:
    return parse_path(odb.oid_to_path(hash_info.value)).path_in_repo


def _report(lost: dict[str, Exception]) -> None:
    """Say each reason once: a failed commit loses all its files for the same one."""
    for reason in {id(error): error for error in lost.values()}.values():
        paths = [path for path, error in lost.items() if error is reason]
        logger.error("%s (%d file%s)", reason, len(paths), "s" * (len(paths) != 1))


def _forget(data: Any) -> None:
    """Drop DVC's memory of what is on a remote: it was written before the commit failed."""
    from dvc_data.hashfile.db import get_index

    odb = getattr(data, "odb", None)
    if odb is not None and is_hub(odb.fs):
        with closing(get_index(odb)) as index:
            index.clear()


def gc(original: Original, repo: Any, *args: Any, **kwargs: Any) -> Any:
    """Run ``dvc gc``: one commit, of objects only."""
    with transaction.held(objects_only=True):
        return original(repo, *args, **kwargs)
