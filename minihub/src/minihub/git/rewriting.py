"""Changes to what was committed long ago: a branch made one commit, and files taken out of all history."""

import pygit2
from pygit2.enums import SortMode

from minihub.git import history
from minihub.git.trees import TreeEdit, walk_tree


def squash_branch(git: pygit2.Repository, branch: str, message: str, author: history.Author) -> None:
    """Let a branch be one commit with the tree that it has now."""
    head = history.resolve_revision(git, branch)
    sign = author.signature()
    commit = history.write_commit(git, sign, sign, message, head.tree_id, [])
    history.move_branch(git, history.branch_ref(branch), commit, expected=head.id)


def forget_files(git: pygit2.Repository, oids: set[str]) -> None:
    """Take large files out of every commit of every branch, tag and pull request."""
    rewritten: dict[pygit2.Oid, pygit2.Oid] = {}
    for ref in history.list_refs(git, "refs/"):
        head = history.resolve_revision(git, ref.commit)
        for commit in git.walk(head.id, SortMode.TOPOLOGICAL | SortMode.REVERSE):
            if commit.id not in rewritten:
                rewritten[commit.id] = _without(git, commit, oids, rewritten)
        if rewritten[head.id] != head.id:
            git.references.create(ref.ref, rewritten[head.id], force=True)


def _without(
    git: pygit2.Repository, commit: pygit2.Commit, oids: set[str], rewritten: dict[pygit2.Oid, pygit2.Oid]
) -> pygit2.Oid:
    edit, parents = TreeEdit(git, commit.tree), [rewritten[parent] for parent in commit.parent_ids]
    gone = [e.path for e in walk_tree(commit.tree, recursive=True) if e.pointer and e.pointer.oid in oids]
    if not gone and parents == list(commit.parent_ids):
        return commit.id
    for path in gone:
        edit.remove(path)
    message = history.message_of(commit)
    return history.write_commit(git, commit.author, commit.committer, message, edit.write(), parents)
