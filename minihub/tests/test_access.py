"""Who may do what: every route of the router's own table, with every kind of token and repository."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from minihub.git.history import Author
from minihub.git.repos import Repo
from minihub.names import RepoName
from minihub.testing import Hub, serve
from minihub.web.app import ROUTES
from minihub.xet import hashes
from minihub.xet.shards import FileInfo
from starlette.routing import Route

from .asking import Answer, ask, file
from .stored import file_of, shard_of, xorb_of

KNOW, READ, PROPOSE, WRITE = "know of it", "read its files", "propose a change", "change it"
SIGNED_IN, ANYBODY, NOBODY = "be somebody", "anybody", "nobody"
OWNER = "acme"
REPOS = ["open", "closed", "gated"]
BUCKETS = ["open", "closed"]
OTHERS = ["new", "moved"]  # what requests make; removed after each


@dataclass(frozen=True)
class Token:
    """One kind of token, and what it is good for in the owner's repositories."""

    kind: str
    reads: bool = False
    writes: bool = False
    proposes: bool = False
    granted: bool = False  # the files of the gated repository

    def may(self, what: str, repo: str) -> bool:
        """What the matrix expects."""
        knows = self.reads or repo != "closed"
        opens = self.reads or repo in {"open", "new"} or (repo == "gated" and self.granted)
        return {
            KNOW: knows,
            READ: opens,
            PROPOSE: opens and self.proposes,
            WRITE: self.writes,
            SIGNED_IN: self.kind != "none",
            ANYBODY: True,
            NOBODY: False,
        }[what]


TOKENS = [
    Token("none"),
    Token("stranger who writes", proposes=True),
    Token("stranger who reads"),
    Token("granted stranger", proposes=True, granted=True),
    Token("member who reads", reads=True, proposes=True),
    Token("reads", reads=True),
    Token("fine-grained, reads", reads=True),
    Token("fine-grained, writes elsewhere"),
    Token("fine-grained, writes here", reads=True, writes=True, proposes=True),
    Token("member who writes", reads=True, writes=True, proposes=True),
    Token("admin", reads=True, writes=True, proposes=True),
]


@dataclass(frozen=True)
class Request:
    """How one route is asked, and what a token must be good for."""

    needs: str
    body: Any = None
    query: str = ""


HEADER = json.dumps({"key": "header", "value": {"summary": "s"}}).encode() + b"\n"
COMMIT = HEADER + json.dumps(file("a", "x")).encode()
OID = hashlib.sha256(b"large").hexdigest()
DOWN = {"operation": "download", "objects": [{"oid": OID, "size": 5}]}
UP = {"operation": "upload", "objects": [{"oid": "1" * 64, "size": 5}]}
SHARE = {"target": {"name": f"{OWNER}/open"}, "files": []}
PULL = {"title": "t", "pullRequest": True}
CREATE, MOVE = {"name": f"{OWNER}/new"}, {"fromRepo": f"{OWNER}/REPO", "toRepo": f"{OWNER}/moved"}
ADD = json.dumps({"type": "addFile", "path": "a", "xetHash": "0" * 64}).encode()

REPO = "/api/{kind:kind}/{ns:segment}/{name:segment}"
BUCKET = "/api/buckets/{ns:segment}/{name:segment}"
MATRIX: dict[tuple[str, str], list[Request]] = {
    ("GET", "/api/whoami-v2"): [Request(SIGNED_IN)],
    ("POST", "/api/repos/create"): [Request(WRITE, CREATE)],
    ("DELETE", "/api/repos/delete"): [Request(WRITE, {"name": f"{OWNER}/REPO"})],
    ("POST", "/api/repos/move"): [Request(WRITE, MOVE)],
    ("GET", "/api/{kind:kind}"): [Request(ANYBODY)],
    ("GET", "/api/{kind:kind}/{name:segment}"): [Request(NOBODY)],
    ("GET", "/api/{kind:kind}/{name:segment}/revision/{rev:revision}"): [Request(NOBODY)],
    ("GET", REPO): [Request(KNOW)],
    ("GET", REPO + "/revision/{rev:revision}"): [Request(KNOW)],
    ("PUT", REPO + "/settings"): [Request(WRITE, {})],
    ("GET", REPO + "/auth-check"): [Request(READ)],
    ("GET", REPO + "/auth-check/write"): [Request(WRITE)],
    ("GET", REPO + "/refs"): [Request(KNOW)],
    ("GET", REPO + "/commits/{rev:revision}"): [Request(KNOW)],
    ("POST", REPO + "/branch/{rev:revision}"): [Request(WRITE, {})],
    ("DELETE", REPO + "/branch/{rev:revision}"): [Request(WRITE)],
    ("POST", REPO + "/tag/{rev:revision}"): [Request(WRITE, {"tag": "t"})],
    ("DELETE", REPO + "/tag/{rev:revision}"): [Request(WRITE)],
    ("GET", REPO + "/tree/{rev:revision}"): [Request(KNOW)],
    ("GET", REPO + "/tree/{rev:revision}/{path:rest}"): [Request(KNOW)],
    ("POST", REPO + "/paths-info/{rev:revision}"): [Request(KNOW, b"paths=README.md")],
    ("POST", REPO + "/preupload/{rev:revision}"): [
        Request(WRITE, {"files": []}),
        Request(PROPOSE, {"files": []}, "?create_pr=1"),
    ],
    ("POST", REPO + "/commit/{rev:revision}"): [
        Request(WRITE, COMMIT),
        Request(PROPOSE, COMMIT, "?create_pr=1"),
    ],
    ("POST", "/api/validate-yaml"): [Request(ANYBODY, {"content": ""})],
    ("POST", REPO + "/super-squash/{rev:revision}"): [Request(WRITE, {})],
    ("GET", REPO + "/lfs-files"): [Request(WRITE)],
    ("POST", REPO + "/lfs-files/batch"): [Request(WRITE, {"deletions": {"sha": []}})],
    ("POST", REPO + "/lfs-files/duplicate"): [Request(WRITE, SHARE)],
    ("POST", REPO + "/discussions"): [Request(PROPOSE, PULL)],
    ("GET", REPO + "/discussions/{number:segment}"): [Request(KNOW)],
    ("GET", REPO + "/xet-read-token/{rev:revision}"): [Request(READ)],
    ("GET", REPO + "/xet-write-token/{rev:revision}"): [
        Request(WRITE),
        Request(PROPOSE, None, "?create_pr=1"),
    ],
    ("GET", "/api/buckets/{ns:segment}"): [Request(ANYBODY)],
    **{(method, "/api/buckets/{ns:segment}"): [Request(NOBODY)] for method in ("DELETE", "POST", "PUT")},
    ("POST", BUCKET): [Request(WRITE, {})],
    ("GET", BUCKET): [Request(KNOW)],
    ("DELETE", BUCKET): [Request(WRITE)],
    ("PUT", BUCKET + "/settings"): [Request(WRITE, {})],
    ("GET", BUCKET + "/tree"): [Request(KNOW)],
    ("GET", BUCKET + "/tree/{path:rest}"): [Request(KNOW)],
    ("POST", BUCKET + "/paths-info"): [Request(KNOW, {"paths": []})],
    ("POST", BUCKET + "/batch"): [Request(WRITE, ADD)],
    ("GET", BUCKET + "/xet-read-token"): [Request(KNOW)],
    ("GET", BUCKET + "/xet-write-token"): [Request(WRITE)],
    ("GET", "/"): [Request(ANYBODY)],
    ("GET", "/api/resolve-cache/{kind:kind}/{ns:segment}/{name:segment}/{rev:revision}/{path:rest}"): [
        Request(READ)
    ],
    ("GET", "/buckets/{ns:segment}/{name:segment}/resolve/{path:rest}"): [Request(KNOW)],
    ("GET", "/{name:segment}/resolve/{rev:revision}/{path:rest}"): [Request(NOBODY)],
    **{
        (method, "/api/{kind:kind}/{name:segment}/{verb:verb}/{rest:rest}"): [Request(NOBODY)]
        for method in ("GET", "POST")
    },
}
for prefix in ("", "/{kind:prefix}"):
    place = prefix + "/{ns:segment}/{name:segment}"
    page = prefix + "/{ns:owner}/{name:segment}"
    MATRIX |= {
        ("POST", place + "/info/lfs/objects/batch"): [Request(READ, DOWN), Request(WRITE, UP)],
        ("POST", place + "/info/lfs/objects/verify"): [Request(WRITE, {"oid": OID, "size": 5})],
        ("GET", place + "/info/refs"): [Request(READ, None, "?service=git-upload-pack")],
        ("POST", place + "/git-upload-pack"): [Request(READ, b"0000")],
        ("POST", place + "/git-receive-pack"): [Request(NOBODY)],
        ("GET", place + "/resolve/{rev:revision}/{path:rest}"): [Request(READ)],
        ("GET", page): [Request(READ)],
        ("GET", page + "/tree/{rev:revision}"): [Request(READ)],
        ("GET", page + "/tree/{rev:revision}/{path:rest}"): [Request(READ)],
        ("GET", page + "/blob/{rev:revision}/{path:rest}"): [Request(READ)],
        ("GET", page + "/commits/{rev:revision}"): [Request(READ)],
    }

# Not for account tokens: these want a ticket, or an address that the Hub signed.
TICKETS = {
    ("POST", "/v1/xorbs/{prefix:segment}/{hash:segment}"),
    ("POST", "/v1/shards"),
    ("GET", "/store/{oid}/{path:rest}"),
    ("GET", "/v1/reconstructions/{hash:segment}"),
    ("GET", "/v1/chunks/{prefix:segment}/{hash:segment}"),
}
SIGNED = {
    ("GET", "/v1/xorbs/{prefix:segment}/{hash:segment}/{first:count}-{last:count}"),
    *(
        (method, prefix + "/{ns:segment}/{name:segment}/info/lfs/objects/{oid:segment}" + rest)
        for prefix in ("", "/{kind:prefix}")
        for method, rest in (("GET", ""), ("PUT", "/{size:segment}"))
    ),
}
FREE = {("POST", "/v1/telemetry")}

TABLE = {
    (method, route.path)
    for route in ROUTES
    if isinstance(route, Route)
    for method in route.methods or ()
    if method != "HEAD"  # answered by the same function as GET
}


@dataclass
class Place:
    """A Hub with one repository and bucket of each kind, and a token of each kind."""

    hub: Hub
    tokens: dict[str, str]

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Answer:
        return ask(self.hub.endpoint, method, path, body, token)

    def repair(self) -> None:
        """What a request removed is there again, and what it made is gone."""
        repos = self.hub.state.repos
        for kind, names in (("model", REPOS), ("dataset", REPOS), ("bucket", BUCKETS)):
            for name in OTHERS:
                extra = repos.find(RepoName(kind, OWNER, name))
                if extra is not None:
                    repos.delete(extra)
            for name in names:
                if repos.find(RepoName(kind, OWNER, name)) is None:
                    self.make(RepoName(kind, OWNER, name))

    def make(self, name: RepoName) -> Repo:
        author = Author("ada", "ada@example.org")
        repo = self.hub.state.repos.create(name, private=name.name == "closed", author=author)
        if name.type == "bucket":
            return repo
        if name.name == "gated":
            self.hub.state.repos.update(repo, gated="manual")
            guest = "INSERT INTO grants VALUES (?, 'gus')"
            self.hub.state.database.write(guest, repo.key)
        self.hub.state.lfs.add(repo, OID, 5)
        plural = f"{name.type}s"
        for path, body in (
            ("commit/main", HEADER + json.dumps(file("README.md", "x")).encode()),
            ("discussions", PULL),
        ):
            place = f"/api/{plural}/{name.id}/{path}"
            assert self.ask("POST", place, body, self.tokens["admin"]).status == 200
        return repo

    def forget(self, repo: str, info: FileInfo) -> None:
        """Let a repository hold a file of the store no more."""
        key = self.hub.state.repos.named(RepoName("model", OWNER, repo)).key
        for table, held in (
            ("repo_xet_files WHERE file", info.hash),
            ("repo_xorbs WHERE xorb", info.terms[0].xorb),
        ):
            self.hub.state.database.write(f"DELETE FROM {table} = ? AND repo = ?", held, key)

    def seen(self) -> Any:
        """All that a request could have changed."""
        rows = self.hub.state.database.rows
        tables = ("repos", "renames", "lfs_objects", "bucket_files", "repo_xet_files", "repo_xorbs")
        refs = [
            self.ask("GET", f"/api/{kind}/{OWNER}/{name}/refs?include_prs=1", None, self.tokens["admin"]).body
            for kind in ("models", "datasets")
            for name in REPOS
        ]
        return refs, [[tuple(row) for row in rows(f"SELECT * FROM {table}")] for table in tables]


def tokens(hub: Hub) -> dict[str, str]:
    everything = [f"{OWNER}/{name}" for name in (*REPOS, *OTHERS)]
    for user in ("ada", "ben", "rita", "mallory", "gus"):
        hub.state.accounts.add_user(user)
    hub.state.accounts.add_org(OWNER)
    for user, role in (("ada", "admin"), ("ben", "write"), ("rita", "read")):
        hub.state.accounts.add_member(OWNER, user, role=role)

    def fine(permission: str, *places: str) -> str:
        return hub.token("ada", role="fineGrained", scopes={place: [permission] for place in places})

    return {
        "none": "",
        "stranger who writes": hub.token("mallory"),
        "stranger who reads": hub.token("mallory", role="read"),
        "granted stranger": hub.token("gus"),
        "member who reads": hub.token("rita"),
        "reads": hub.token("ada", role="read"),
        "fine-grained, reads": fine("read", *everything),
        "fine-grained, writes elsewhere": fine("write", "ada", f"{OWNER}/other"),
        "fine-grained, writes here": fine("write", *everything),
        "member who writes": hub.token("ben"),
        "admin": hub.token("ada"),
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serve(tmp_path_factory.mktemp("access")) as hub:
        found = Place(hub, tokens(hub))
        assert [token.kind for token in TOKENS] == list(found.tokens)
        found.repair()
        yield found


def filled(path: str, name: str) -> str:
    values = {
        "kind:kind": "models",
        "kind:prefix": "datasets",
        "name:segment": name,
        "rest:rest": "main",
        "ns:segment": OWNER,
        "ns:owner": OWNER,
        "rev:revision": "main",
        "path:rest": "README.md",
        "number:segment": "1",
        "verb:verb": "tree",
    }
    if "/branch/" in path:
        values["rev:revision"] = "dev"  # `main` is nobody's to delete
    return re.sub(r"\{([^}]+)\}", lambda match: values[match[1]], path)


def addressed(body: Any, name: str) -> Any:
    return json.loads(json.dumps(body).replace("REPO", name)) if isinstance(body, dict) else body


def is_refused(answer: Answer) -> bool:
    return answer.status in {401, 403} or answer.headers.get("x-error-code") in {"RepoNotFound", "GatedRepo"}


def test_the_matrix_knows_every_route_of_the_router() -> None:
    assert set(MATRIX) | TICKETS | SIGNED | FREE == TABLE


def names_for(method: str, path: str, request: Request) -> list[str]:
    """Of which repositories a route is asked."""
    if request.body is CREATE or (method, path) == ("POST", BUCKET):
        return ["new"]
    names = BUCKETS if "/buckets/" in path else REPOS
    return names if "name" in path or "REPO" in str(request.body) else names[:1]


@pytest.mark.parametrize(("method", "path"), sorted(MATRIX))
def test_each_token_does_what_it_may_and_no_more(place: Place, method: str, path: str) -> None:
    for request in MATRIX[method, path]:
        for name in names_for(method, path, request):
            place.repair()
            before = place.seen()
            for token in (token for token in TOKENS if not token.may(request.needs, name)):
                check_one(place, method, path, request, name, token)
            assert place.seen() == before
            for token in (token for token in TOKENS if token.may(request.needs, name)):
                check_one(place, method, path, request, name, token)
                place.repair()


def check_one(place: Place, method: str, path: str, request: Request, name: str, token: Token) -> None:
    asked = filled(path, name) + request.query
    body = addressed(request.body, name)
    answer = place.ask(method, asked, body, place.tokens[token.kind])
    said = f"{token.kind}: {method} {asked} to {request.needs}: {answer.status} {answer.body!r}"
    assert answer.status < 500, said
    assert is_refused(answer) is not token.may(request.needs, name), said
    if name == "closed" and not token.reads and request.needs in {KNOW, READ, PROPOSE, WRITE}:
        assert answer.status == 401 or answer.headers["x-error-code"] == "RepoNotFound", said


def test_lists_show_what_each_token_may_know_of(place: Place) -> None:
    place.repair()
    for token in TOKENS:
        for path in ("/api/models", f"/api/models?author={OWNER}&search=c", f"/api/buckets/{OWNER}", "/"):
            answer = place.ask("GET", path, None, place.tokens[token.kind])
            if answer.status == 200:
                assert (b"/closed" in answer.body) is token.reads, (token.kind, path)


# ---- tickets and signed addresses


def ticket(place: Place, token: Token, repo: str, kind: str, query: str = "") -> str:
    path = f"/api/models/{OWNER}/{repo}/xet-{kind}-token/main{query}"
    answer = place.ask("GET", path, None, place.tokens[token.kind])
    return str(answer.json()["accessToken"]) if answer.status == 200 else ""


@pytest.fixture(scope="module")
def stored(place: Place) -> dict[str, FileInfo]:
    """A file in the store for each repository, uploaded by its own client."""
    place.repair()
    files, admin = {}, TOKENS[-1]
    for repo in REPOS:
        content = repo.encode() * 1000
        body, hash_ = xorb_of(content)
        writing = ticket(place, admin, repo, "write")
        path = f"/v1/xorbs/default/{hashes.to_hex(hash_)}"
        assert place.ask("POST", path, body, writing).status == 200
        files[repo] = file_of(content)
        assert place.ask("POST", "/v1/shards", shard_of(files[repo]), writing).status == 200
    return files


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.kind)
@pytest.mark.parametrize("repo", REPOS)
def test_a_ticket_for_one_repository_reads_what_its_token_may(
    place: Place, stored: dict[str, FileInfo], token: Token, repo: str
) -> None:
    reading = ticket(place, token, repo, "read")
    assert bool(reading) is token.may(READ, repo)
    for other, info in stored.items() if reading else ():
        path = f"/v1/reconstructions/{hashes.to_hex(info.hash)}"
        expected = 200 if token.may(READ, other) else 404
        assert place.ask("GET", path, None, reading).status == expected, other
        chunk = hashes.to_hex(hashes.chunk_hash(other.encode() * 1000))
        assert place.ask("GET", f"/v1/chunks/default/{chunk}", None, reading).status == expected, other


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.kind)
@pytest.mark.parametrize("repo", REPOS)
def test_a_ticket_writes_only_for_a_token_that_writes(
    place: Place, stored: dict[str, FileInfo], token: Token, repo: str
) -> None:
    body, hash_ = xorb_of(b"another file")
    path = f"/v1/xorbs/default/{hashes.to_hex(hash_)}"
    reading = ticket(place, token, repo, "read")
    for ticket_or_token in (reading, place.tokens[token.kind], ""):
        assert place.ask("POST", path, body, ticket_or_token).status in {401, 403}
        assert place.ask("POST", "/v1/shards", shard_of(stored[repo]), ticket_or_token).status in {401, 403}
    writing = ticket(place, token, repo, "write", "?create_pr=1")
    assert bool(writing) is token.may(PROPOSE, repo)
    for other, info in stored.items() if writing else ():
        claimed = place.ask("POST", "/v1/shards", shard_of(info), writing)
        assert (claimed.status == 200) is token.may(READ, other), other
        if other != repo:
            place.forget(repo, info)


def test_an_address_that_was_not_signed_for_this_gives_nothing(
    place: Place, stored: dict[str, FileInfo]
) -> None:
    batch = {"operation": "download", "objects": [{"oid": OID, "size": 5}]}
    admin = place.tokens["admin"]
    signed = {}
    for repo in REPOS:
        answer = place.ask("POST", f"/{OWNER}/{repo}.git/info/lfs/objects/batch", batch, admin).json()
        signed[repo] = answer["objects"][0]["actions"]["download"]["href"].partition("?")[2]
    for repo in REPOS:
        path = f"/{OWNER}/{repo}.git/info/lfs/objects/{OID}"
        for query in (
            "",
            "expires=9999999999&signature=",
            "signature=%C3%A9&expires=9999999999",
            *signed.values(),
        ):
            answer = place.ask("GET", f"{path}?{query}", None, admin)
            expected = 404 if query == signed[repo] else 403  # the content itself was never uploaded
            assert answer.status == expected, (repo, query)
            assert place.ask("PUT", f"{path}/5?{query}", b"large", admin).status == 403
            xorb = hashes.to_hex(stored[repo].terms[0].xorb)
            assert place.ask("GET", f"/v1/xorbs/default/{xorb}/0-9?{query}", None, admin).status == 403
