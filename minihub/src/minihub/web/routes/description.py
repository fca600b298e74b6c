"""Repositories and entries in the words of the API."""

from html import escape
from typing import Any

import pygit2

from minihub.clock import stamp
from minihub.git import history
from minihub.git.repos import Repo
from minihub.git.trees import TreeEntry, walk_tree
from minihub.web.call import Call


def describe_briefly(repo: Repo) -> dict[str, Any]:
    """A repository without its files: an element of a list."""
    return {
        "_id": f"{repo.key:024x}",
        "id": repo.name.id,
        **({"modelId": repo.name.id} if repo.name.type == "model" else {}),
        "author": repo.name.namespace,
        "private": repo.private,
        "gated": repo.gated or False,
        "disabled": False,
        "createdAt": repo.created_at,
        "lastModified": repo.updated_at,
        "likes": 0,
        "downloads": 0,
        "tags": [],
        **({"sdk": repo.details["sdk"]} if "sdk" in repo.details else {}),
    }


def describe_whole(call: Call, repo: Repo, commit: pygit2.Commit, *, blobs: bool) -> dict[str, Any]:
    """A repository with the files of a revision."""
    files = [entry for entry in walk_tree(commit.tree, recursive=True) if not entry.is_folder]
    return {
        **describe_briefly(repo),
        "sha": str(commit.id),
        "lastModified": stamp(commit.commit_time),
        "siblings": [_file(entry, blobs=blobs) for entry in files],
        "usedStorage": call.state.lfs.used_storage(repo),
        "xetEnabled": True,  # clients before 1.0 ask, and send through LFS otherwise
    }


def _file(entry: TreeEntry, *, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": entry.path}
    facts: dict[str, Any] = {"rfilename": entry.path, "size": entry.content_size, "blobId": entry.oid}
    if entry.pointer:
        facts["lfs"] = {
            "sha256": entry.pointer.oid,
            "size": entry.pointer.size,
            "pointerSize": entry.size,
        }
    return facts


def entry_json(entry: TreeEntry, xet_hash: str = "") -> dict[str, Any]:
    """An element of a tree."""
    if entry.is_folder:
        return {"type": "directory", "oid": entry.oid, "size": 0, "path": entry.path}
    facts: dict[str, Any] = {
        "type": "file",
        "oid": entry.oid,
        "size": entry.content_size,
        "path": entry.path,
    }
    if entry.pointer:
        facts["lfs"] = {
            "oid": entry.pointer.oid,
            "size": entry.pointer.size,
            "pointerSize": entry.size,
        }
    if xet_hash:
        facts["xetHash"] = xet_hash
    return facts


def commit_json(commit: pygit2.Commit, *, formatted: bool = False) -> dict[str, Any]:
    """An element of a log."""
    title, body = history.title_and_body(commit)
    facts: dict[str, Any] = {
        "id": str(commit.id),
        "title": title,
        "message": body,
        "authors": [{"user": history.author_of(commit), "avatar": ""}],
        "date": stamp(commit.commit_time),
    }
    if formatted:
        facts["formatted"] = {"title": escape(title), "message": escape(body)}
    return facts
