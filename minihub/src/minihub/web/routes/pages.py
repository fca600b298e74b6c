"""The web page of a repository, at the Hub's own addresses; it works without a script."""

from itertools import islice
from typing import Any

import pygit2
from starlette.responses import Response
from starlette.routing import Route

from minihub.git import history
from minihub.git.history import last_commits
from minihub.git.repos import Repo
from minihub.git.trees import TreeEntry, entry_at, file_at, folder_at, walk_tree
from minihub.names import folder_path, repo_path
from minihub.web import pages
from minihub.web.call import Call, revision_of, route
from minihub.web.routes.description import commit_json
from minihub.web.routes.git import cloned_repo

ROWS_PER_PAGE = 100
COMMITS_SHOWN = 50
REPOS_SHOWN = 1000
MAX_TEXT_SIZE = 256 << 10  # bytes of a file that is shown


def home(call: Call) -> Response:
    """The repositories that the viewer may know of."""
    repos = call.state.repos
    seen = [repo for repo in repos.all() if repo.name.type != "bucket" and repos.shows(repo, call.viewer)]
    return pages.render_page("home.html", repos=seen[:REPOS_SHOWN])


def files(call: Call) -> Response:
    """The files of a folder, and below those of the root the card."""
    repo = cloned_repo(call)
    with call.git(repo) as git:
        commit = revision_of(call, git)
        folder = folder_path(call.request.path_params.get("path", ""))
        prefix, after = (f"{folder}/" if folder else ""), folder_path(call.query("cursor"))
        found = walk_tree(folder_at(commit, folder), prefix, recursive=False, after=after)
        entries = list(islice(found, ROWS_PER_PAGE + 1))
        more, entries = len(entries) > ROWS_PER_PAGE, entries[:ROWS_PER_PAGE]
        return pages.render_page(
            "files.html",
            **_shared(call, repo, git, commit, "files"),
            **({"facts": [], "card": ""} if folder else _card(call, repo, git, commit)),
            folders=_parts(folder),
            entries=entries,
            changed=last_commits(git, commit, [entry.path for entry in entries]),
            after=entries[-1].path.removeprefix(prefix) if more else "",
        )


def file(call: Call) -> Response:
    """One file: its facts, and its text when it is short."""
    repo = cloned_repo(call)
    with call.git(repo) as git:
        commit, path = revision_of(call, git), repo_path(call.param("path"))
        entry = file_at(commit, path)
        return pages.render_page(
            "file.html",
            **_shared(call, repo, git, commit, "file"),
            folders=_parts(path),
            entry=entry,
            changed=last_commits(git, commit, [path])[path],
            text=_text(git, entry),
        )


def log(call: Call) -> Response:
    """The history of a revision."""
    repo, page = cloned_repo(call), call.number("p", 0, 10**6)
    page = 0 if call.query("p") in {"", "0"} else page
    with call.git(repo) as git:
        commit = revision_of(call, git)
        start = page * COMMITS_SHOWN
        items = list(islice(history.walk_history(git, commit), start, start + COMMITS_SHOWN + 1))
        return pages.render_page(
            "history.html",
            **_shared(call, repo, git, commit, "history"),
            commits=[commit_json(item) for item in items[:COMMITS_SHOWN]],
            older=page + 1 if len(items) > COMMITS_SHOWN else None,
        )


def _shared(
    call: Call, repo: Repo, git: pygit2.Repository, commit: pygit2.Commit, here: str
) -> dict[str, Any]:
    refs = [ref.name for kind in ("refs/heads/", "refs/tags/") for ref in history.list_refs(git, kind)]
    return {
        "repo": repo,
        "root": _root(repo),
        "here": here,
        "endpoint": call.endpoint,
        "revision": _revision(call),
        "commit": str(commit.id),
        "refs": refs,
    }


def _card(call: Call, repo: Repo, git: pygit2.Repository, commit: pygit2.Commit) -> dict[str, Any]:
    entry = entry_at(commit.tree, "README.md")
    text = _text(git, entry) if entry else None
    if text is None:
        return {"facts": [], "card": ""}
    revision = pages.quote_address(_revision(call), safe="")
    places = (f"{_root(repo)}/{kind}/{revision}/" for kind in ("blob", "resolve"))
    return {"facts": pages.card_facts(text), "card": pages.render_card(text, *places)}


def _text(git: pygit2.Repository, entry: TreeEntry) -> str | None:
    blob = git.get(entry.oid)
    if not isinstance(blob, pygit2.Blob) or entry.pointer or blob.size > MAX_TEXT_SIZE:
        return None
    try:
        text = blob.data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _parts(path: str) -> list[dict[str, str]]:
    names = path.split("/") if path else []
    return [{"name": name, "path": "/".join(names[: i + 1])} for i, name in enumerate(names)]


def _root(repo: Repo) -> str:
    return "/" + pages.quote_address(repo.name.url_path)


def _revision(call: Call) -> str:
    return str(call.request.path_params.get("rev", "main"))


def _routes(repo: str) -> list[Route]:
    return [
        Route(repo, route(files), methods=["GET"]),
        Route(repo + "/tree/{rev:revision}", route(files), methods=["GET"]),
        Route(repo + "/tree/{rev:revision}/{path:rest}", route(files), methods=["GET"]),
        Route(repo + "/blob/{rev:revision}/{path:rest}", route(file), methods=["GET"]),
        Route(repo + "/commits/{rev:revision}", route(log), methods=["GET"]),
    ]


ROUTES = [
    Route("/", route(home), methods=["GET"]),
    *_routes("/{kind:prefix}/{ns:owner}/{name:segment}"),
    *_routes("/{ns:owner}/{name:segment}"),
]
