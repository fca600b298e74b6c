"""A push of DVC as one commit of the Hub, and a failed commit as a failed push."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dvc_hf.commit import running
from dvc_hf.commit.transaction import transaction
from dvc_hf.hooks.refusals import refuse_web_page
from dvc_hf.hooks.transfer import is_hub
from dvc_hf.hooks.wanted import Wanted
from dvc_hf.log import logger
from dvc_hf.publish import publish
from dvc_hf.publish.plan import README

Original = Callable[..., Any]
SOME = 5  # names that a message lists
_OBJECT = re.compile(r"(?:^|/)([0-9a-f]{2})/([0-9a-f]{30}(?:\.dir)?)$")
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
    targets = args[0] if args else kwargs.get("targets")
    how = {name: bool(kwargs.get(name)) for name in ("with_deps", "recursive")}
    with (
        lock_repo(repo),
        transaction.held(),
        running.while_pushing(repo, kwargs.get("remote"), running.Targets(targets, how) if targets else None),
    ):
        transaction.forget_commits()
        return original(repo, *args, **kwargs)


def push_indexes(original: Original, idxs: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
    """Push, publish, commit; what the commit lost, or what is nowhere, is counted as failed."""
    with transaction.held():
        pushed, failed = original(list(idxs), *args, **kwargs)
        publish.stage_names()
        lost = _commit()
        failed += len(transaction.absent)
    _report(lost, running.running_push())
    return max(0, pushed - len(lost)), failed + len(lost)


def transfer(
    original: Original, src: Any, dest: Any, obj_ids: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """Transfer objects and all that their listings name; where no push holds the commit back, commit here."""
    if not is_hub(dest.fs):
        return original(src, dest, obj_ids, *args, **kwargs)
    wanted = Wanted.of(src, dest, obj_ids)
    kwargs.update(cache_odb=src, validate_status=wanted.noting(kwargs.get("validate_status")))
    kwargs.pop("dest_index", None)  # what is on the Hub is asked for, not remembered
    with transaction.held():
        result = original(src, dest, wanted.objects, *args, **kwargs)
        failed = result.failed | wanted.absent
        wanted.keep(failed)
        lost = {} if transaction.depth > 1 else _commit()
    _report(lost)
    failed |= {info for info in wanted.objects if wanted.path(info) in lost}
    return type(result)(result.transferred - failed, failed)


def _commit() -> dict[str, Exception]:
    """Commit, with a line of its own: DVC's bars are full by now, and the Hub may still take a minute."""
    from dvc.progress import Tqdm

    with Tqdm(desc="Committing to the Hub", bar_format=Tqdm.BAR_FMT_NOTOTAL, leave=False):
        return transaction.commit()


def _report(lost: dict[str, Exception], push: running.Push | None = None) -> None:
    """Say each reason once: a failed commit loses all its files for the same one."""
    for reason in {id(error): error for error in lost.values()}.values():
        paths = [path for path, error in lost.items() if error is reason]
        named = ", ".join(_named(paths, str(reason), push))
        about = f": {named}" if named else ""
        logger.error("%s (%d file%s%s)", reason, len(paths), "s" * (len(paths) != 1), about)


def _named(paths: list[str], reason: str, push: running.Push | None) -> Iterator[str]:
    """The files that a reason is about, by the user's names: those that it names, a card, else some."""
    objects = {found[1] + found[2]: path for path in paths if (found := _OBJECT.search(path))}
    known = push.names_of(objects) if push else {}
    spoken = [md5 for md5, path in objects.items() if path in reason]
    cards = [path for path in paths if path.rpartition("/")[2] == README]
    shown = dict.fromkeys(known[md5] for md5 in spoken or objects if md5 in known)
    names = cards + [name for name in shown if name not in cards]
    yield from names[:SOME]
    if len(names) > SOME:
        yield "…"
