"""Every route of the Hub with what it does not expect: an answer always, a 500 never."""

import json
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

import pygit2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from minihub.names import RepoName
from minihub.testing import Hub, serve
from pygit2.enums import FileMode
from starlette.routing import Route

from .asking import ask, commit, file

log = logging.getLogger(__name__)

EXAMPLES = int(os.environ.get("MINIHUB_FUZZ", "400"))

GOOD = {
    "kind": ["models", "models", "models", "datasets", "spaces", "buckets"],
    "ns": ["alice"],
    "name": ["m", "m", "m.git", "b"],
    "rev": ["main", "refs%2Fpr%2F1", "dev", "v1"],
    "path": ["README.md", "sub/a.txt", "sub", "link", "link/hub.db", "big.bin", "module"],
    "oid": ["0" * 64],
    "hash": ["0" * 64],
    "number": ["1"],
}
HOSTILE = [
    *("..", "../../hub.db", "%2e%2e", "%2e%2e%2f%2e%2e%2fhub.db", "..%2f..%2fhub.db", ".git", "%2Egit"),
    *("%00", "a%00b", "%5c..%5c..%5chub.db", "%2fetc%2fpasswd", "/etc/passwd", "C%3A%5Cx", "%0d%0aX: y"),
    *("%ff%fe", "%ed%a0%80", "x" * 5000, "*", "%25%32%65", "~", "-", "--help", "--upload-pack=id"),
    *("refs%2Fheads%2F..", "refs/heads/../../x", "HEAD", "@{-1}", "main~1", "main^{tree}", "main:README.md"),
    *("%C2%B2", "9" * 40, "a" * 40, "%F0%9F%90%A6", "1-0", "-1", "0" * 64),
]
KEYS = [
    *(
        "name",
        "organization",
        "type",
        "files",
        "path",
        "sample",
        "size",
        "objects",
        "oid",
        "operation",
        "tag",
    ),
    *("message", "startingPoint", "deletions", "sha", "paths", "fromRepo", "toRepo", "gated", "key", "value"),
    *("content", "title", "visibility", "xetHash", "private", "repoType", "summary", "parentCommit", "hash"),
]
ODD = [
    *(None, True, -1, 2**70, 1e308, "", "\0", "\ud800", "..", "../x", "a" * 5000, [], [[]], {}, [None], [{}]),
    *("main", "alice/m", "README.md", "0" * 64, "base64", "x\ny", {"path": "\ud800"}, ["\ud800"], "1" * 5000),
    *([{"oid": "0" * 64, "size": 1}], [{"path": "a", "size": -1, "sample": "%"}], {"sha": ["0" * 64]}),
]
OPERATIONS = ["header", "file", "lfsFile", "deletedFile", "deletedFolder", "copyFile", "addFile", 7, None]

values = st.sampled_from(ODD)
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)
lines = st.fixed_dictionaries({"key": st.sampled_from(OPERATIONS), "value": objects | values})
bodies = st.one_of(
    objects.map(lambda value: json.dumps(value).encode()),
    st.lists(lines, max_size=4).map(lambda items: "\n".join(map(json.dumps, items)).encode()),
    st.sampled_from([b"", b"null", b"[1]", b"\xff", b"paths=%ff&paths=..&expand=x", b"[" * 50_000, b"0000"]),
    st.binary(max_size=100),
)
queries = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("recursive", "expand", "cursor", "limit", "p", "create_pr", "service", "blobs", "expires"),
                *("signature", "search", "author", "include_prs", "token", "expand[]", "hash", "key"),
            ]
        ),
        st.sampled_from(
            ["1", "true", "-1", "99999999999999999999", "%00", "..", "%ff", "git-upload-pack", "²"]
        ),
    ),
    max_size=3,
).map(lambda pairs: "&".join(f"{key}={quote(value, safe='%')}" for key, value in pairs))
headers = st.dictionaries(
    st.sampled_from(["Range", "Content-Type", "Content-Encoding", "Git-Protocol", "If-None-Match", "Accept"]),
    st.sampled_from(
        [
            *("bytes=0-", "bytes=5-1", "bytes=-0", "bytes=9999999999999999999-", "gzip", "version=2", "*"),
            *("text/html", "application/json", "application/x-www-form-urlencoded", "\xff"),
        ]
    ),
    max_size=2,
)


def filled(place: str) -> st.SearchStrategy[str]:
    """A route's path with good and hostile values for what varies in it."""
    words = re.split(r"\{(\w+):\w+\}", place)
    parts = [st.just(word) if i % 2 == 0 else parameter(word) for i, word in enumerate(words)]
    return st.tuples(*parts).map("".join)


def parameter(name: str) -> st.SearchStrategy[str]:
    good = GOOD.get(name, ["1"])
    return st.sampled_from(good * (3 * len(HOSTILE) // len(good)) + HOSTILE)  # one in four is hostile


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with serve(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


def fill(hub: Hub, token: str) -> None:
    """The repository that the requests are about, made anew when one of them removed it."""
    if ask(hub.endpoint, "GET", "/api/models/alice/m/revision/v1", token=token).status == 200:
        return
    ask(hub.endpoint, "DELETE", "/api/repos/delete", {"name": "m"}, token)
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, token)
    ask(hub.endpoint, "POST", "/api/buckets/alice/b", {}, token)
    commit(hub.endpoint, token, "alice/m", file("README.md", "# card"), file("sub/a.txt", "x"))
    add_oddities(hub)
    for path in ("branch/dev", "discussions"):
        ask(hub.endpoint, "POST", f"/api/models/alice/m/{path}", {"title": "t", "pullRequest": True}, token)
    ask(hub.endpoint, "POST", "/api/models/alice/m/tag/main", {"tag": "v1"}, token)


def add_oddities(hub: Hub) -> None:
    """What only a mirror can bring: links that lead out of the repository, and a submodule."""
    git = pygit2.Repository(str(hub.state.repos.named(RepoName("model", "alice", "m")).folder))
    head = git.references["refs/heads/main"].peel(pygit2.Commit)
    builder = git.TreeBuilder(head.tree)
    builder.insert("link", git.create_blob(b"../../.."), FileMode.LINK)
    builder.insert("absolute", git.create_blob(b"/etc/passwd"), FileMode.LINK)
    builder.insert("module", head.id, FileMode.COMMIT)
    sign = pygit2.Signature("alice", "a@b.c")
    git.create_commit("refs/heads/main", sign, sign, "odd", builder.write(), [head.id])
    git.free()


def test_no_request_of_any_route_makes_the_hub_fail(hub: Hub) -> None:
    token = hub.user("alice")
    fill(hub, token)
    application = hub._faults._app._app
    routes = [route for route in application.routes if isinstance(route, Route)]
    assert len(routes) > 60
    requests = st.sampled_from(routes).flatmap(
        lambda route: st.tuples(st.sampled_from(sorted(route.methods)), filled(route.path))
    )

    statuses: Counter[int] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(request=requests, query=queries, body=bodies, sent=headers, known=st.booleans())
    def fuzz(request: tuple[str, str], query: str, body: bytes, sent: dict[str, str], known: bool) -> None:
        (method, path), size = request, len(hub.requests)
        line = f"{path}?{query}" if query else path
        named = {key.replace("-", "_"): value for key, value in sent.items()}
        answer = ask(hub.endpoint, method, line, body, token if known else "", **named)
        statuses[answer.status] += 1
        assert answer.status < 500, (method, line, body, sent, answer.body)
        assert b"root:" not in answer.body
        assert b"SQLite format" not in answer.body
        assert len(hub.requests) in {size, size + 1}
        if method not in {"GET", "HEAD"}:
            fill(hub, token)

    fuzz()
    assert statuses[200] > EXAMPLES / 20, statuses  # else the routes themselves were hardly reached
    log.info("requests by status: %s", sorted(statuses.items()))


def test_a_link_in_a_tree_is_shown_and_never_followed(hub: Hub) -> None:
    token = hub.token("alice") if hub.state.accounts.exists("alice") else hub.user("alice")
    fill(hub, token)
    assert ask(hub.endpoint, "GET", "/alice/m/resolve/main/absolute").body == b"/etc/passwd"
    assert ask(hub.endpoint, "GET", "/alice/m/resolve/main/link").body == b"../../.."
    for path in ("link/hub.db", "link/lock", "absolute/x", "module/README.md", "module"):
        for kind in ("resolve", "blob", "tree"):
            assert ask(hub.endpoint, "GET", f"/alice/m/{kind}/main/{path}").status == 404, (kind, path)
        assert ask(hub.endpoint, "GET", f"/api/models/alice/m/tree/main/{path}").status == 404
    listed = ask(hub.endpoint, "GET", "/api/models/alice/m/tree/main?recursive=true").json()
    assert {"link", "absolute"} <= {entry["path"] for entry in listed}
    assert not [entry["path"] for entry in listed if entry["path"].startswith("link/")]
