"""What owners do to the past of a repository: squash it, list and remove its large files, share them."""

from typing import Any

from starlette.routing import Route

from minihub.errors import BadRequestError
from minihub.git import history, rewriting
from minihub.git.repos import Repo
from minihub.git.trees import walk_tree
from minihub.names import PLURALS, repo_name
from minihub.web.call import REPO_API, Call, route
from minihub.xet.hashes import from_hex, is_hash

MAX_FILES = 1000


def squash(call: Call) -> Any:
    """Make a branch one commit."""
    repo, message = call.own_repo(), str(call.json().get("message") or "Super-squash")
    with repo.lock, call.git(repo) as git:
        rewriting.squash_branch(git, call.param("rev"), message, call.author)
    return {}


def lfs_files(call: Call) -> Any:
    """Every large file of the repository, with a name that it has or had."""
    repo = call.own_repo()
    with call.git(repo) as git:
        names: dict[str, tuple[str, str | None]] = {}
        for ref in history.list_refs(git, "refs/"):
            for entry in walk_tree(history.resolve_revision(git, ref.ref).tree, recursive=True):
                if entry.pointer:
                    names.setdefault(entry.pointer.oid, (entry.path, ref.ref))
    answers = []
    for item in call.state.lfs.all(repo):
        filename, ref_name = names.get(item.oid, ("", None))
        answers.append(
            {
                "fileOid": item.oid,
                "oid": item.oid,
                "filename": filename,
                "ref": ref_name,
                "pushedAt": item.pushed_at,
                "size": item.size,
            }
        )
    return answers


def remove_lfs_files(call: Call) -> Any:
    """Take large files out of the repository, and out of its history if asked."""
    repo, asked = call.own_repo(), call.json().get("deletions")
    deletions = asked if isinstance(asked, dict) else {}
    listed = deletions.get("sha")
    if not isinstance(listed, list) or len(listed) > MAX_FILES:
        message = f"The request has no list `deletions.sha` of at most {MAX_FILES}."
        raise BadRequestError(message)
    oids = {str(oid) for oid in listed}
    with repo.lock, call.git(repo) as git:
        if deletions.get("rewriteHistory"):
            rewriting.forget_files(git, oids)
        call.state.lfs.remove(repo, oids)
    return {}


def duplicate(call: Call) -> Any:
    """Let another repository hold large files of this one."""
    source, body = call.open_repo(), call.json()
    target, files = _target(call, body.get("target")), body.get("files")
    if not isinstance(files, list) or len(files) > MAX_FILES:
        message = f"The request has no list `files` of at most {MAX_FILES}."
        raise BadRequestError(message)
    failed = []
    for file in files:
        oid = str(file.get("sha256")) if isinstance(file, dict) else ""
        if not _share(call, source, target, oid, str(file.get("xetHash")) if oid else ""):
            failed.append({"sha256": oid, "error": f"{source.name} holds no such large file."})
    return {"success": not failed, "failed": failed}


def _target(call: Call, target: Any) -> Repo:
    facts = target if isinstance(target, dict) else {}
    namespace, _, name = str(facts.get("name")).partition("/")
    repo = call.readable(repo_name(PLURALS.get(str(facts.get("type") or "model"), ""), namespace, name))
    call.may_write(repo.name)
    return repo


def _share(call: Call, source: Repo, target: Repo, oid: str, xet_hash: str) -> bool:
    size = call.state.lfs.size(source, oid)
    if size is None:
        return False
    if is_hash(xet_hash) and call.state.cas.holds(source.key, from_hex(xet_hash)):
        call.state.cas.share(target.key, from_hex(xet_hash))
    call.state.lfs.add(target, oid, size)
    return True


ROUTES = [
    Route(REPO_API + "/super-squash/{rev:revision}", route(squash), methods=["POST"]),
    Route(REPO_API + "/lfs-files", route(lfs_files), methods=["GET"]),
    Route(REPO_API + "/lfs-files/batch", route(remove_lfs_files), methods=["POST"]),
    Route(REPO_API + "/lfs-files/duplicate", route(duplicate), methods=["POST"]),
]
