"""Commits: what a client asks before it uploads, and the commit itself."""

import base64
import binascii
from typing import Any

import pygit2
from anyio import to_thread
from starlette.responses import JSONResponse
from starlette.routing import Route

from minihub.errors import BadRequestError, TooLargeError
from minihub.git import history
from minihub.git.draft import MAX_COMMIT_SIZE, MAX_REGULAR_SIZE, Draft, lines_of, require_steps
from minihub.git.repos import Repo
from minihub.git.trees import entry_at
from minihub.names import repo_path
from minihub.web import globs
from minihub.web.call import REPO_API, Call, revision_of, route, streaming
from minihub.web.cards import (
    front_matter,
    front_matter_errors,
    front_matter_warnings,
    refused_values,
)


def preupload(call: Call) -> Any:
    """For each file: whether it goes through LFS, whether it is ignored, and what is there now."""
    repo, body = call.changing_repo(), call.json()
    files = body.get("files")
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        message = "The request has no list `files`."
        raise BadRequestError(message)
    with call.git(repo) as git:
        tree = revision_of(call, git).tree
        ignored = globs.ignore_rules(str(body.get("gitIgnore") or _text(tree, ".gitignore")))
        large = globs.lfs_rules(_text(tree, ".gitattributes"))
        return {"files": [_advice(tree, large, ignored, file) for file in files]}


def _advice(
    tree: pygit2.Tree, large: list[globs.Rule], ignored: list[globs.Rule], file: dict[str, Any]
) -> dict[str, Any]:
    path = repo_path(str(file.get("path") or ""))
    entry = entry_at(tree, path)
    return {
        "path": path,
        "uploadMode": "lfs" if globs.last_verdict(large, path) or _is_large(file) else "regular",
        "shouldIgnore": globs.last_verdict(ignored, path),
        **({"oid": entry.etag} if entry and not entry.is_folder else {}),
    }


def _is_large(file: dict[str, Any]) -> bool:
    size = file.get("size")
    if isinstance(size, int) and size > MAX_REGULAR_SIZE:
        return True
    try:
        return b"\0" in base64.b64decode(str(file.get("sample") or ""))
    except (binascii.Error, ValueError):
        return False


def _text(tree: pygit2.Tree, name: str) -> str:
    if name not in tree:
        return ""
    found = tree[name]
    return found.data.decode(errors="replace") if isinstance(found, pygit2.Blob) else ""


async def commit(call: Call) -> Any:
    """Carry out the operations that arrive, one a line, as one commit."""
    repo = await to_thread.run_sync(call.changing_repo)
    with call.git(repo) as git:
        draft = Draft(git, lambda oid: call.state.lfs.size(repo, oid))
        await _read(call, draft)
        return await to_thread.run_sync(_finish, call, repo, draft)


async def _read(call: Call, draft: Draft) -> None:
    rest, size = b"", 0
    async for piece in call.pieces():
        size += len(piece)
        if size > MAX_COMMIT_SIZE:
            message = (
                f"The commit has more than {MAX_COMMIT_SIZE} bytes. Split it, or send files through LFS."
            )
            raise TooLargeError(message, headers={"Connection": "close"})
        lines, rest = lines_of(rest + piece)
        if lines:
            await to_thread.run_sync(_read_lines, draft, lines)
    if rest.strip():
        await to_thread.run_sync(draft.read, rest)


def _read_lines(draft: Draft, lines: list[bytes]) -> None:
    for line in lines:
        draft.read(line)


def _finish(call: Call, repo: Repo, draft: Draft) -> dict[str, Any]:
    require_steps(draft)
    require_card(draft)
    branch, base, pull = history.branch_ref(call.param("rev")), None, {}
    with repo.lock:
        call.state.limits.count_commit(repo.key)
        if call.flag("create_pr"):
            number = history.next_number(draft.git)
            base = history.named_commit(draft.git, branch)
            branch = f"refs/pr/{number}"
            pull["pullRequestUrl"] = f"{call.endpoint}/{repo.name.url_path}/discussions/{number}"
        call.state.repos.touch(repo)  # before the branch moves: a refusal must leave it where it was
        head = draft.commit(branch, call.author, base=base)
    return {
        **pull,
        "success": True,
        "commitOid": head,
        "commitUrl": f"{call.endpoint}/{repo.name.url_path}/commit/{head}",
        "hookOutput": "",
    }


def require_card(draft: Draft) -> None:
    """Refuse a card whose facts are none of the Hub's; one that cannot be read here is let pass.

    Raises:
        BadRequestError: With all that is wrong with it.
    """
    errors = list(refused_values(front_matter(draft.card)))
    if errors:
        message = "\n- ".join(["Invalid metadata in README.md.", *errors])
        raise BadRequestError(message)


def check_yaml(call: Call) -> Any:
    """Whether the front matter of a card can be read."""
    text = str(call.json().get("content") or "")
    errors = front_matter_errors(text)
    body = {"errors": errors, "warnings": front_matter_warnings(text)}
    return JSONResponse(body, 400 if errors else 200)


ROUTES = [
    Route(REPO_API + "/preupload/{rev:revision}", route(preupload), methods=["POST"]),
    Route(REPO_API + "/commit/{rev:revision}", streaming(commit), methods=["POST"]),
    Route("/api/validate-yaml", route(check_yaml), methods=["POST"]),
]
