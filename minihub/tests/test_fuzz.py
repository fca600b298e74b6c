"""Every route of the Hub with what it does not expect: an answer always, a 500 never."""

import json
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote

import pygit2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from minihub.names import RepoName
from minihub.testing import Hub, serve
from minihub.web.app import ROUTES
from pygit2.enums import FileMode

from .asking import Answer, ask, commit, file

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
    *(
        "%C2%B2",
        "9" * 5000,
        "%D9%A1",
        "main%2Fx",
        "%C3%A9" * 200,
        "git~1",
        "9" * 40,
        "a" * 40,
        "%F0%9F%90%A6",
        "1-0",
        "-1",
        "0" * 64,
    ),
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
        "encoding",
        "expand",
        "description",
        "pullRequest",
        "target",
    ),
    *("sourceRepoType", "sourceRepoId", "mtime", "contentType", "rewriteHistory", "sdk", "fullname"),
    *("message", "startingPoint", "deletions", "sha", "paths", "fromRepo", "toRepo", "gated", "key", "value"),
    *("content", "title", "visibility", "xetHash", "private", "repoType", "summary", "parentCommit", "hash"),
]
ODD = [
    *(None, True, -1, 2**70, 1e308, "", "\0", "\ud800", "..", "../x", "a" * 5000, [], [[]], {}, [None], [{}]),
    *("main", "alice/m", "README.md", "0" * 64, "base64", "x\ny", {"path": "\ud800"}, ["\ud800"], "1" * 5000),
    *(
        "\u00e9",
        "\U0001f426",
        1e15,
        [1] * 70,
        "model",
        "refs/pr/1",
        ".g\u200cit",
        "git~1",
        [[[[[[[[{}]]]]]]]],
    ),
    *([{"oid": "0" * 64, "size": 1}], [{"path": "a", "size": -1, "sample": "%"}], {"sha": ["0" * 64]}),
]
OPERATIONS = ["header", "file", "lfsFile", "deletedFile", "deletedFolder", "copyFile", "addFile", 7, None]

values = st.sampled_from(ODD)
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)
# ---- cards and the files that say how others are treated: what a stranger may commit, and the Hub reads

scalars = st.sampled_from(
    [
        *(
            "mit",
            "1.0",
            "2024-13-45",
            "0x_",
            "0b_",
            "._",
            ".inf",
            "yes",
            "~",
            "=",
            "''",
            "1:59:59",
            "é",
            '"\\ud800"',
        ),
        *("9" * 5000, "0x" + "f" * 5000, "2001-12-14t21:59:43.10-99:99", "*a", "*b", "!!int ''", "!!bool x"),
        *(
            "!!timestamp x",
            "!!binary é",
            "!!python/name:os.system",
            "[" * 200,
            "- " * 200,
            "{? a",
            "\t",
            "|",
            "&a",
        ),
    ]
)
nodes = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(inner, max_size=3).map(lambda items: "{" + ", ".join(f"k: {item}" for item in items) + "}"),
        st.tuples(st.sampled_from(["&a ", "&b ", "!!set ", "!!omap ", "!!str ", "- "]), inner).map("".join),
    ),
    max_leaves=8,
)
names = st.sampled_from(
    ["license", "tags", "model-index", "a", "b", "<<", "? [x]", "*a", "&a k", "1", "~", "- "]
)
cards = st.lists(st.tuples(names, nodes).map(": ".join), max_size=6).map(
    lambda facts: "---\n" + "\n".join(facts) + "\n---\n# Title\n"
)
patterns = st.lists(
    st.tuples(
        st.sampled_from(
            ["*", "**/*", "[", "[!", "[]-a]", "[z-a]", "!", "\\", "/", "a" * 300, "é", "#", "?" * 90]
        ),
        st.sampled_from(["", " filter=lfs", " -filter", " !filter", " filter=lfs -text", "/**", "/"]),
    ).map("".join),
    max_size=6,
).map("\n".join)
descriptions = st.one_of(
    st.tuples(st.just("README.md"), cards),
    st.tuples(st.sampled_from([".gitattributes", ".gitignore"]), patterns),
)

lines = st.fixed_dictionaries({"key": st.sampled_from(OPERATIONS), "value": objects | values})
bodies = st.one_of(
    cards.map(lambda card: json.dumps({"content": card}).encode()),
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
                *(
                    "signature",
                    "signature",
                    "search",
                    "author",
                    "include_prs",
                    "token",
                    "expand[]",
                    "hash",
                    "key",
                ),
            ]
        ),
        st.sampled_from(
            [
                *("1", "true", "-1", "99999999999999999999", "%00", "..", "%ff", "git-upload-pack", "²"),
                *("é", "%D9%A1", "9999999999", "%F0%9F%90%A6", "0" * 64),
            ]
        ),
    ),
    max_size=3,
).map(lambda pairs: "&".join(f"{key}={quote(value, safe='%')}" for key, value in pairs))
headers = st.dictionaries(
    st.sampled_from(
        ["Range", "Content-Type", "Content-Encoding", "Git-Protocol", "If-None-Match", "Accept", "Host"]
    ),
    st.sampled_from(
        [
            *("bytes=0-", "bytes=5-1", "bytes=-0", "bytes=9999999999999999999-", "gzip", "version=2", "*"),
            *("text/html", "application/json", "application/x-www-form-urlencoded", "\xff", "["),
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


@dataclass(frozen=True)
class Shot:
    """One request."""

    method: str
    path: str
    body: bytes = b""
    sent: dict[str, str] = field(default_factory=dict)
    token: str = ""


def shots(known: list[str]) -> st.SearchStrategy[Shot]:
    """Requests of every route, and commits of the files that the Hub itself reads."""
    place = "/api/models/alice/m/commit/main"
    described = descriptions.map(lambda drawn: Shot("POST", place, commit_of(*drawn), {}, known[0]))
    anything = st.sampled_from(ROUTES).flatmap(
        lambda route: st.builds(
            Shot,
            method=st.sampled_from(sorted(route.methods or ())),
            path=st.tuples(filled(route.path), queries).map(lambda parts: "?".join(filter(None, parts))),
            body=bodies,
            sent=headers,
            token=st.sampled_from(known),
        )
    )
    return st.integers(0, 9).flatmap(lambda number: anything if number else described)


def commit_of(path: str, content: str) -> bytes:
    lines = [{"key": "header", "value": {"summary": "described"}}, file(path, content)]
    return "\n".join(map(json.dumps, lines)).encode()


def answered(hub: Hub, shot: Shot) -> Answer:
    """The answer, which must not be that the Hub failed, nor hold what no request may read."""
    named = {key.replace("-", "_"): value for key, value in shot.sent.items()}
    answer = ask(hub.endpoint, shot.method, shot.path, shot.body, shot.token, **named)
    assert answer.status < 500, (shot, answer.body)
    assert b"root:" not in answer.body
    assert b"SQLite format" not in answer.body
    return answer


def look(hub: Hub, token: str) -> None:
    """Let the Hub read what was committed: the card, and which files go where."""
    asked = {"files": [{"path": path, "size": 1} for path in ("a/b.bin", "é", "README.md")]}
    answered(hub, Shot("GET", "/alice/m", token=token))
    place = "/api/models/alice/m/preupload/main"
    answered(hub, Shot("POST", place, json.dumps(asked).encode(), token=token))


def test_no_request_of_any_route_makes_the_hub_fail(hub: Hub) -> None:
    """One after the other, and two at the same time: each may take away what the other works on."""
    token = hub.user("alice")
    fill(hub, token)
    assert len(ROUTES) > 60
    ticket = ask(hub.endpoint, "GET", "/api/models/alice/m/xet-write-token/main", token=token).json()
    known = [token, token, token, "", "\xe9.\xe9", "hf_\xff", ticket["accessToken"]]
    statuses: Counter[int] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(together=st.lists(shots(known), min_size=1, max_size=2))
    def fuzz(together: list[Shot]) -> None:
        size = len(hub.requests)
        statuses.update(answer.status for answer in pool.map(partial(answered, hub), together))
        assert len(hub.requests) <= size + len(together)
        if any(b'"described"' in shot.body for shot in together):
            look(hub, token)
        if any(shot.method not in {"GET", "HEAD"} for shot in together):
            fill(hub, token)

    with ThreadPoolExecutor(2) as pool:
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
