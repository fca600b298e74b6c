"""Branches, tags and the log."""

from typing import Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse
from starlette.routing import Route

from minihub.git import history
from minihub.web.call import REPO_API, Call, revision_of, route
from minihub.web.routes.description import commit_json

COMMITS_PER_PAGE = 50


def refs(call: Call) -> Any:
    """All branches and tags, and pull requests if asked."""
    with call.git(call.repo()) as git:
        kinds = {"branches": "refs/heads/", "converts": "refs/convert/", "tags": "refs/tags/"}
        if call.flag("include_prs"):
            kinds["pullRequests"] = "refs/pr/"
        return {
            key: [ref.as_json() for ref in history.list_refs(git, prefix)] for key, prefix in kinds.items()
        }


def commits(call: Call) -> Any:
    """The log of a revision, in pages."""
    limit, page = call.number("limit", COMMITS_PER_PAGE, 1000), call.number("p", 0, 10**8)
    with call.git(call.repo()) as git:
        commit = revision_of(call, git)
        formatted = "formatted" in call.request.query_params.getlist("expand[]")
        wanted, more = [], False
        for index, item in enumerate(history.walk_history(git, commit)):
            more = index >= (page + 1) * limit
            if more:
                break
            if index >= page * limit:
                wanted.append(commit_json(item, formatted=formatted))
    response = JSONResponse(wanted)
    if more:
        query = [(k, v) for k, v in call.request.query_params.multi_items() if k != "p"]
        response.headers["Link"] = f'<{call.here}?{urlencode([*query, ("p", page + 1)])}>; rel="next"'
    return response


def create_branch(call: Call) -> Any:
    """Start a branch."""
    repo, body = call.own_repo(), call.json()
    with repo.lock, call.git(repo) as git:
        start = history.resolve_revision(git, str(body.get("startingPoint") or "main"))
        history.create_branch(git, call.param("rev"), start)
    return {}


def delete_branch(call: Call) -> Any:
    """Remove a branch."""
    repo = call.own_repo()
    with repo.lock, call.git(repo) as git:
        history.delete_branch(git, call.param("rev"))
    return {}


def create_tag(call: Call) -> Any:
    """Name a revision."""
    repo, body = call.own_repo(), call.json()
    with repo.lock, call.git(repo) as git:
        commit = revision_of(call, git)
        history.create_tag(
            git, str(body.get("tag") or ""), commit, str(body.get("message") or ""), call.author
        )
    return {}


def delete_tag(call: Call) -> Any:
    """Remove a tag."""
    repo = call.own_repo()
    with repo.lock, call.git(repo) as git:
        history.delete_tag(git, call.param("rev"))
    return {}


ROUTES = [
    Route(REPO_API + "/refs", route(refs), methods=["GET"]),
    Route(REPO_API + "/commits/{rev:revision}", route(commits), methods=["GET"]),
    Route(REPO_API + "/branch/{rev:revision}", route(create_branch), methods=["POST"]),
    Route(REPO_API + "/branch/{rev:revision}", route(delete_branch), methods=["DELETE"]),
    Route(REPO_API + "/tag/{rev:revision}", route(create_tag), methods=["POST"]),
    Route(REPO_API + "/tag/{rev:revision}", route(delete_tag), methods=["DELETE"]),
]
