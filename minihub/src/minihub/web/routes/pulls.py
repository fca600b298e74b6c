"""Pull requests, as far as uploads open them; discussions are not kept here."""

from typing import Any

from starlette.routing import Route

from minihub.clock import stamp
from minihub.errors import BadRequestError, EntryNotFoundError
from minihub.git import history
from minihub.git.repos import Repo
from minihub.web.call import REPO_API, Call, route


def create(call: Call) -> Any:
    """Open a pull request at the head of `main`."""
    repo, body = call.proposing_repo(), call.json()
    if not body.get("pullRequest"):
        message = "This Hub keeps no discussions: only pull requests can be opened."
        raise BadRequestError(message)
    title, description = str(body.get("title") or ""), str(body.get("description") or "")
    with repo.lock, call.git(repo) as git:
        number = history.next_number(git)
        facts = {"title": title[:200], "description": description[:65536], "author": call.viewer.name}
        call.state.repos.remember(repo, f"pull {number}", facts)
        git.references.create(f"refs/pr/{number}", history.resolve_revision(git, "main").id)
    return {"num": number, "url": f"{call.endpoint}/{repo.name.url_path}/discussions/{number}"}


def details(call: Call) -> Any:
    """A pull request."""
    repo, number = call.repo(), call.param("number")
    with call.git(repo) as git:
        found = history.find_ref(git, f"refs/pr/{number}")
        if found is None:
            message = f"{repo.name} has no pull request {number[:20]}."
            raise EntryNotFoundError(message)
        head = history.resolve_revision(git, f"refs/pr/{number}")
        created_at = stamp(head.commit_time)
    return _describe(repo, int(number), created_at)


def _describe(repo: Repo, number: int, created_at: str) -> dict[str, Any]:
    facts = repo.details.get(f"pull {number}", {})
    author = {"name": facts.get("author", repo.name.namespace)}
    comment = {
        "id": f"{number:024x}",
        "type": "comment",
        "createdAt": created_at,
        "author": author,
        "data": {"edited": False, "hidden": False, "latest": {"raw": facts.get("description", "")}},
    }
    return {
        "num": number,
        "title": facts.get("title", f"Pull request {number}"),
        "status": "draft",
        "author": author,
        "createdAt": created_at,
        "isPullRequest": True,
        "events": [comment],
        "repo": {"name": repo.name.id, "type": repo.name.type},
        "changes": {"base": "refs/heads/main", "mergeCommitId": None},
        "filesWithConflicts": [],
        "diff": "",
    }


ROUTES = [
    Route(REPO_API + "/discussions", route(create), methods=["POST"]),
    Route(REPO_API + "/discussions/{number:segment}", route(details), methods=["GET"]),
]
