"""What must not be possible."""

import json
import socket
import time

import pygit2
import pytest
from minihub.errors import BadRequestError
from minihub.names import RepoName
from minihub.testing import Hub
from minihub.web import globs
from minihub.xet.hashes import to_hex
from pygit2.enums import FileMode, ObjectType

from .asking import ask, commit, file

BAD_PATHS = [
    *("..", "../x", "a/../../x", "/etc/passwd", "a//b", "a\\..\\b", "\0", "a\0b", ".git/config", "a/.GIT/x"),
    *("%2e%2e", "C:\\x", "x" * 5000, "a/./b", "\n"),
]


@pytest.fixture
def token(hub: Hub) -> str:
    token = hub.user("alice")
    assert ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, token).status == 200
    return token


@pytest.mark.parametrize("path", [path for path in BAD_PATHS if path != "%2e%2e"])
def test_a_path_that_leads_elsewhere_is_never_committed(hub: Hub, token: str, path: str) -> None:
    for operation in (
        file(path, "x"),
        {"key": "deletedFile", "value": {"path": path}},
        {"key": "lfsFile", "value": {"path": path, "oid": "0" * 64, "size": 1}},
    ):
        assert commit(hub.endpoint, token, "alice/m", operation).status in {404, 422}


@pytest.mark.parametrize(
    "path", ["..%2f..%2fhub.db", "%2e%2e/%2e%2e/hub.db", "../../hub.db", "%00", "%5c..%5chub.db"]
)
@pytest.mark.parametrize(
    "place",
    [
        *("/alice/m/resolve/main/{}", "/alice/m/resolve/{}/a", "/api/models/alice/{}", "/api/models/{}/m"),
        *("/api/models/alice/m/tree/main/{}", "/api/models/alice/m/tree/{}", "/buckets/alice/b/resolve/{}"),
        *("/v1/xorbs/default/{}/0-1", "/v1/reconstructions/{}", "/alice/m.git/info/lfs/objects/{}"),
        *("/api/models/alice/m/revision/{}", "/api/models/alice/m/commits/{}", "/{}/info/refs"),
    ],
)
def test_no_parameter_of_a_path_leads_out_of_the_hub(hub: Hub, token: str, place: str, path: str) -> None:
    answer = ask(hub.endpoint, "GET", place.format(path), token=token)
    assert 400 <= answer.status < 500
    assert b"SQLite" not in answer.body


def test_a_page_in_a_repository_does_not_run_in_the_hubs_name(hub: Hub, token: str) -> None:
    for name in ("page.html", "image.svg"):
        commit(hub.endpoint, token, "alice/m", file(name, "<script>alert(1)</script>"))
        headers = ask(hub.endpoint, "GET", f"/alice/m/resolve/main/{name}").headers
        assert headers["content-disposition"].startswith("attachment")
        assert "sandbox" in headers["content-security-policy"]
        assert headers["content-type"] == "application/octet-stream"
        assert headers["x-content-type-options"] == "nosniff"


def test_bodies_and_headers_have_bounds(hub: Hub, token: str) -> None:
    large = ask(hub.endpoint, "POST", "/api/repos/create", b"x" * (17 << 20), token)
    assert large.status == 413
    line = ask(hub.endpoint, "POST", "/api/models/alice/m/commit/main", b"x" * (15 << 20), token)
    assert line.status == 413
    assert ask(hub.endpoint, "GET", "/api/whoami-v2", token=token, X_Long="x" * 60_000).status in {
        200,
        400,
        431,
    }
    assert ask(hub.endpoint, "GET", "/api/whoami-v2?" + "x" * 66_000, token=token).status in {400, 414, 431}
    many = {f"X_{i}": "y" * 9000 for i in range(9)}
    assert ask(hub.endpoint, "GET", "/api/whoami-v2", token=token, **many).status in {400, 431}
    assert ask(hub.endpoint, "GET", "/api/whoami-v2", token=token).status == 200


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b'{"key":' * 5000, b"\xff\xfe", b"null", b'{"key": [], "value": {}}']
)
def test_a_malformed_commit_is_a_bad_request(hub: Hub, token: str, line: bytes) -> None:
    body = b'{"key":"header","value":{"summary":"s"}}\n' + line
    assert ask(hub.endpoint, "POST", "/api/models/alice/m/commit/main", body, token).status == 400


def test_yaml_that_would_grow_or_run_is_refused(hub: Hub, token: str) -> None:
    for yaml in ("a: &a [1]\nb: [*a, *a]", "a: !!python/object/apply:os.system ['true']"):
        content = f"---\n{yaml}\n---\n"
        assert ask(hub.endpoint, "POST", "/api/validate-yaml", {"content": content}, token).status == 400


def test_a_token_is_kept_as_a_hash_and_never_written_down(
    hub: Hub, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        ask(hub.endpoint, "GET", f"/api/whoami-v2?token={token}", token=token)
    assert token not in caplog.text
    assert all(token not in json.dumps(record.headers) for record in hub.requests)
    hub.state.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    content = (hub.folder / "hub.db").read_bytes()
    assert token.encode() not in content
    assert token.removeprefix("hf_")[10:].encode() not in content


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1] + "!", lambda t: t[:13] + "x" * 24, lambda t: "hf_", lambda t: ""]
)
def test_a_wrong_token_is_nobody(hub: Hub, token: str, spoil) -> None:
    answer = ask(hub.endpoint, "GET", "/api/whoami-v2", Authorization=f"Bearer {spoil(token)}")
    assert answer.status == 401


def test_a_private_repository_looks_like_none(hub: Hub, token: str) -> None:
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "secret", "visibility": "private"}, token)
    stranger = hub.user("mallory")
    for who in ("", stranger):
        for place in ("/api/models/alice/{}", "/alice/{}/resolve/main/a", "/api/models/alice/{}/tree/main"):
            secret, none = (
                ask(hub.endpoint, "GET", place.format(name), token=who) for name in ("secret", "none")
            )
            assert secret.status == none.status == 404
            assert secret.headers["x-error-code"] == none.headers["x-error-code"] == "RepoNotFound"
    listed = ask(hub.endpoint, "GET", "/api/models?author=alice", token=stranger).json()
    assert [repo["id"] for repo in listed] == ["alice/m"]


def test_a_fine_grained_token_reaches_only_what_it_names(hub: Hub, token: str) -> None:
    for name in ("one", "two"):
        ask(hub.endpoint, "POST", "/api/repos/create", {"name": name, "visibility": "private"}, token)
    narrow = hub.token("alice", role="fineGrained", scopes={"alice/one": ["read"]})
    assert ask(hub.endpoint, "GET", "/api/models/alice/one", token=narrow).status == 200
    assert ask(hub.endpoint, "GET", "/api/models/alice/two", token=narrow).status == 404
    assert commit(hub.endpoint, narrow, "alice/one", file("a", "x")).status == 403


def test_a_large_file_of_another_repository_cannot_be_claimed_by_its_hash(hub: Hub, token: str) -> None:
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "secret", "visibility": "private"}, token)
    content, oid = b"secret", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    asked = {"operation": "upload", "objects": [{"oid": oid, "size": len(content)}]}
    batch = ask(hub.endpoint, "POST", "/alice/secret.git/info/lfs/objects/batch", asked, token).json()
    href = batch["objects"][0]["actions"]["upload"]["href"].removeprefix(hub.endpoint)
    assert ask(hub.endpoint, "PUT", href.replace("signature=", "signature=0"), content).status == 403
    assert ask(hub.endpoint, "PUT", href, b"Secret").status == 400
    assert ask(hub.endpoint, "PUT", href, content).status == 200
    mallory = hub.user("mallory")
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, mallory)
    claim = {"key": "lfsFile", "value": {"path": "a.bin", "oid": oid, "size": len(content)}}
    assert commit(hub.endpoint, mallory, "mallory/m", claim).status == 400
    assert commit(hub.endpoint, token, "alice/secret", claim).status == 200


def test_limits_are_told_as_the_hub_tells_them(hub: Hub, token: str) -> None:
    hub.limit(commits_per_hour=2)
    statuses = [commit(hub.endpoint, token, "alice/m", file(f"{i}", "x")).status for i in range(3)]
    assert statuses == [200, 200, 429]
    hub.limit(requests=3)
    answers = [ask(hub.endpoint, "GET", "/api/whoami-v2", token=token) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert '"api";r=0;t=' in answers[3].headers["ratelimit"]


def test_no_pattern_takes_long_to_match() -> None:
    start = time.perf_counter()
    globs.matches_pattern("*a" * 100 + "b", "a" * 200)
    globs.matches_pattern("/".join(["**"] * 60 + ["x"]), "/".join("a" * 200))
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        *(
            ("*.bin", "a/b.bin", True),
            ("*.bin", "b.binx", False),
            ("saved_model/**/*", "saved_model/a/b", True),
        ),
        *(("a/", "a/b", True), ("a/", "a", False), ("/a", "b/a", False), ("?.[a-c]", "x.b", True)),
        *(("**/x", "a/b/x", True), ("*tfevents*", "r/e.tfevents.1", True), ("[!a]", "a", False)),
    ],
)
def test_patterns_match_as_gits_do(pattern: str, path: str, expected: bool) -> None:
    assert globs.matches_pattern(pattern, path) is expected


@pytest.mark.parametrize("half", ["\ud800", "a\udfff", "\udc00\ud800"])
@pytest.mark.parametrize(
    ("place", "body"),
    [
        *(("tag/main", {"tag": "?"}), ("branch/x", {"startingPoint": "?"}), ("discussions", {"title": "?"})),
        *(("preupload/main", {"files": [{"path": "?", "size": 1, "sample": ""}]}), ("branch/?", {"?": 1})),
        *(("super-squash/main", {"message": "?"}), ("lfs-files/batch", {"deletions": {"sha": ["?"]}})),
        *(("commit/main", {"key": "header", "value": {"summary": "?"}}),),
    ],
)
def test_half_a_character_is_refused_where_it_arrives(
    hub: Hub, token: str, place: str, body: object, half: str
) -> None:
    escaped = json.dumps(body).replace("?", json.dumps(half)[1:-1]).encode()
    raw = json.dumps(body).replace("?", half).encode("utf-8", "surrogatepass")
    for sent in (escaped, raw):
        answer = ask(hub.endpoint, "POST", f"/api/models/alice/m/{place.replace('?', 'y')}", sent, token)
        assert answer.status == 400


def test_numbers_that_are_none_are_refused(hub: Hub, token: str) -> None:
    for number in (b"NaN", b"-Infinity", b"1" * 5000):
        body = b'{"name": "n", "private": ' + number + b"}"
        assert ask(hub.endpoint, "POST", "/api/repos/create", body, token).status == 400


@pytest.fixture
def narrow(hub: Hub, token: str) -> str:
    """A fine-grained token that reads one of two private repositories, one public one and nothing else."""
    for name in ("one", "two"):
        ask(hub.endpoint, "POST", "/api/repos/create", {"name": name, "visibility": "private"}, token)
    return hub.token("alice", role="fineGrained", scopes={"alice/one": ["read"], "alice/m": ["read"]})


@pytest.mark.parametrize("repo", ["alice/one", "alice/m"])
def test_a_token_that_reads_changes_and_proposes_nothing(
    hub: Hub, token: str, narrow: str, repo: str
) -> None:
    reading = hub.token("alice", role="read")
    for reader in (narrow, reading):
        for query in ("", "?create_pr=1"):
            place = f"/api/models/{repo}"
            header = json.dumps({"key": "header", "value": {"summary": "s"}}).encode()
            for method, path, body in (
                ("POST", f"commit/main{query}", header + b"\n" + json.dumps(file("a", "x")).encode()),
                ("POST", f"preupload/main{query}", {"files": []}),
                ("GET", f"xet-write-token/main{query}", None),
                ("POST", "discussions", {"title": "t", "pullRequest": True}),
            ):
                answer = ask(hub.endpoint, method, f"{place}/{path}", body, reader)
                assert answer.status == 403, (path, answer.body)
    refs = ask(hub.endpoint, "GET", f"/api/models/{repo}/refs?include_prs=1", token=token).json()
    assert refs["pullRequests"] == []


def test_a_token_that_writes_one_repository_proposes_nothing_to_others(hub: Hub, narrow: str) -> None:
    bob = hub.user("bob")
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, bob)
    writer = hub.token("alice", role="fineGrained", scopes={"alice/one": ["write"]})
    path = "/api/models/{}/xet-write-token/main?create_pr=1"
    statuses = [
        ask(hub.endpoint, "GET", path.format(repo), token=writer).status
        for repo in ("alice/one", "alice/m", "bob/m", "alice/two")
    ]
    assert statuses == [200, 403, 403, 404]
    assert ask(hub.endpoint, "GET", path.format("bob/m"), token=hub.token("alice")).status == 200


def test_a_scope_that_is_none_makes_no_token(hub: Hub, token: str) -> None:
    for wrong in ("write", ["admin"], ["read", "writes"], None):
        with pytest.raises(BadRequestError, match="scope 'alice/m'"):
            hub.token("alice", role="fineGrained", scopes={"alice/m": wrong})  # type: ignore[dict-item]


def test_the_content_of_a_gated_repository_is_not_copied_by_its_hash(hub: Hub, token: str) -> None:
    ask(hub.endpoint, "PUT", "/api/models/alice/m/settings", {"gated": "manual"}, token)
    repo = hub.state.repos.named(RepoName("model", "alice", "m"))
    with hub.state.database.transaction() as connection:
        connection.execute("INSERT INTO xet_files VALUES (?, '', 0, x'')", (b"\1" * 32,))
        connection.execute("INSERT INTO repo_xet_files VALUES (?, ?)", (repo.key, b"\1" * 32))
    copy = {
        "type": "copyFile",
        "path": "a",
        "xetHash": to_hex(b"\1" * 32),
        "sourceRepoType": "model",
        "sourceRepoId": "alice/m",
    }
    for who, status in ((hub.user("mallory"), 422), (token, 200)):
        owner = ask(hub.endpoint, "GET", "/api/whoami-v2", token=who).json()["name"]
        ask(hub.endpoint, "POST", f"/api/buckets/{owner}/b", {}, who)
        answer = ask(hub.endpoint, "POST", f"/api/buckets/{owner}/b/batch", json.dumps(copy).encode(), who)
        assert answer.status == status, (owner, answer.body)


CARDS = [
    *("a: 2024-13-45", "a: 0b_", "a: 0x_", "a: ._", "a: " + "9" * 5000, "a: 0x" + "f" * 5000, "a: ="),
    *("a: 1" + ":59" * 4000, "a: 2001-12-14t21:59:43.10-99:99", "a: " + "[" * 3000 + "]" * 3000),
    *("a: !!int ''", "a: !!bool x", "a: !!timestamp x", "a: !!float ''", "a: !!binary é", "a: !!set {b}"),
    *(
        " " * 10 + "- " * 3000,
        "? {a: 1}\n: b",
        "<<: 1",
        "a: &x [*x]",
        "a: &x [1]\nb: [*x, *x]",
        "- 1",
        "\x01: 1",
    ),
    *(
        "a: {" * 3000,
        "a: " + '"' * 3001,
        "? " * 3000,
        "a: 'b",
        "x: " + "y" * 300_000,
        "a:\tb",
        "%YAML 9.9\n--- a",
    ),
]


@pytest.mark.parametrize("yaml", CARDS, ids=lambda yaml: ascii(yaml[:20]))
def test_no_card_makes_the_hub_fail(hub: Hub, token: str, yaml: str) -> None:
    card = f"---\n{yaml}\n---\n# The rest of the card\n"
    checked = ask(hub.endpoint, "POST", "/api/validate-yaml", {"content": card}, token)
    assert checked.status in {200, 400}
    assert commit(hub.endpoint, token, "alice/m", file("README.md", card)).status == 200
    page = ask(hub.endpoint, "GET", "/alice/m")
    assert page.status == 200
    assert len(card) > 256 << 10 or b"The rest of the card" in page.body


@pytest.mark.parametrize(
    ("fact", "key"),
    [
        ("license: Apache 2.0", "license"),
        ("license: [mit, 'two words']", "license"),
        ("datasets: [AudioSet 2M]", "datasets"),
        ("base_model: o/n@main", "base_model"),
        ("model-index: x", "model-index"),
    ],
)
def test_a_commit_with_a_card_that_the_hub_would_refuse_is_refused(
    hub: Hub, token: str, fact: str, key: str
) -> None:
    card = f"---\n{fact}\n---\n# Card\n"
    before = ask(hub.endpoint, "GET", "/api/models/alice/m", token=token).json()["sha"]
    answer = commit(hub.endpoint, token, "alice/m", file("README.md", card))
    assert answer.status == 400
    assert answer.json()["error"].startswith(f'Invalid metadata in README.md.\n- "{key}"')
    assert ask(hub.endpoint, "GET", "/api/models/alice/m", token=token).json()["sha"] == before
    elsewhere = commit(hub.endpoint, token, "alice/m", file("docs/README.md", card))
    assert elsewhere.status == 200


def test_facts_of_a_card_are_shown_as_they_stand_there(hub: Hub, token: str) -> None:
    card = "---\nlicense: 1.0\ndate: 2024-01-31\nsize: 0x1F\nprivate: yes\ntags: [a, 1_000]\n---\n"
    commit(hub.endpoint, token, "alice/m", file("README.md", card))
    page = ask(hub.endpoint, "GET", "/alice/m").body.decode()
    assert all(text in page for text in ("1.0", "2024-01-31", "0x1F", "True", "1_000"))


@pytest.mark.parametrize("signature", ["%C3%A9", "\xe9", "%ff", "", "%00", "%F0%9F%90%A6", "0" * 64])
def test_a_signature_of_any_characters_is_refused(hub: Hub, token: str, signature: str) -> None:
    objects = "/alice/m.git/info/lfs/objects/" + "0" * 64
    for method, place in (
        ("GET", objects),
        ("PUT", f"{objects}/5"),
        ("GET", f"/v1/xorbs/default/{'0' * 64}/0-9"),
    ):
        for expires in ("9999999999", "%D9%A1", "%C2%B2", "9" * 5000, "-1", ""):
            target = f"{place}?expires={expires}&signature={signature}"
            assert raw(hub, method, target) == (403 if target.isascii() else 400)


@pytest.mark.parametrize(
    "text", ["Bearer \xe9.\xe9", "Bearer ...", "Basic \xe9", "Bearer W10.W10", "Bearer hf_\xff"]
)
def test_credentials_of_any_characters_are_refused(hub: Hub, token: str, text: str) -> None:
    for method, place in (
        ("GET", "/api/whoami-v2"),
        ("GET", f"/v1/reconstructions/{'0' * 64}"),
        ("POST", "/v1/shards"),
    ):
        assert ask(hub.endpoint, method, place, b"", Authorization=text).status == 401


@pytest.mark.parametrize("host", ["[", "\xff", "a:b:c", "", "x y", "[::1", "//", "@", "%00"])
def test_a_host_of_any_characters_is_no_failure(hub: Hub, token: str, host: str) -> None:
    commit(hub.endpoint, token, "alice/m", *(file(f"{i}", "x") for i in range(3)))
    for path in (
        "/api/models/alice/m/tree/main?limit=1",
        "/alice/m",
        "/api/models/alice/m/xet-read-token/main",
    ):
        assert ask(hub.endpoint, "GET", path, None, token, Host=host).status in {200, 400}


def raw(hub: Hub, method: str, target: str) -> int:
    """A request whose line is sent in latin-1, as no client library does."""
    host, port = hub.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        head = f"{method} {target} HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        return int(connection.makefile("rb").readline().split()[1])


ODD_BODIES = [
    *(("POST", "/api/repos/create", {"name": "n", "visibility": []}),),
    *(("PUT", "/api/models/alice/m/settings", {"visibility": {}, "gated": []}),),
    *(("POST", "/api/models/alice/m/paths-info/main", {"paths": ["a"], "expand": []}),),
    *(("POST", "/api/models/alice/m/paths-info/main", {"paths": {"a": 1}, "expand": {}}),),
    *(("POST", "/api/buckets/alice/b/batch", {"type": [], "path": "a"}),),
    *(("POST", "/api/models/alice/m/tag/main", {"tag": "a" * 300, "message": "m"}),),
    *(("POST", "/api/models/alice/m/tag/main", {"tag": "é" * 150, "message": "m"}),),
    *(("POST", "/api/models/alice/m/tag/main", {"tag": "t", "message": "a\0b"}),),
    *(
        ("POST", "/api/models/alice/m/branch/main%2Fx", {}),
        ("POST", f"/api/models/alice/m/branch/{'%C3%A9' * 150}", {}),
    ),
    *(("GET", f"/v1/xorbs/default/{'0' * 64}/0-{'9' * 5000}", None),),
    *(("GET", f"/v1/xorbs/default/{'0' * 64}/{'9' * 18}-{'9' * 18}", None),),
]


@pytest.mark.parametrize(("method", "path", "body"), ODD_BODIES)
def test_a_value_of_another_type_or_size_is_no_failure(
    hub: Hub, token: str, method: str, path: str, body: object
) -> None:
    ask(hub.endpoint, "POST", "/api/buckets/alice/b", {}, token)
    answer = ask(hub.endpoint, method, path, body, token, Content_Type="application/json")
    assert answer.status < 500


def test_the_encoding_of_a_file_is_a_word(hub: Hub, token: str) -> None:
    for encoding in ([], {}, 1, "latin-1"):
        odd = {"key": "file", "value": {"path": "a", "content": "x", "encoding": encoding}}
        assert commit(hub.endpoint, token, "alice/m", odd).status == 400


@pytest.mark.parametrize("depth", [65, 200, 900, 960, 990, 5000])
def test_json_that_is_too_deep_to_be_shown_is_refused(hub: Hub, token: str, depth: int) -> None:
    for name in (b"name", b"organization", b"private"):
        body = b'{"' + name + b'": ' + b"[" * depth + b"]" * depth + b"}"
        assert ask(hub.endpoint, "POST", "/api/repos/create", body, token).status == 400
    assert (
        ask(hub.endpoint, "POST", "/api/repos/create", b'{"name": "n", "gated": 1e400}', token).status == 400
    )


@pytest.mark.parametrize(
    "path",
    [
        *(".git ", ".git.", "git~1/x", "GIT~1", ".g\u200cit/config", "\ufeff.git", ".git::$INDEX_ALLOCATION"),
        *("a/.GiT:x/b", "a/.git . /b"),
    ],
)
def test_a_name_that_some_file_system_takes_for_gits_is_refused(hub: Hub, token: str, path: str) -> None:
    assert commit(hub.endpoint, token, "alice/m", file(path, "x")).status == 422


def test_settings_change_all_at_once_or_not_at_all(hub: Hub, token: str) -> None:
    answer = ask(hub.endpoint, "PUT", "/api/models/alice/m/settings", {"private": True, "gated": "x"}, token)
    assert answer.status == 400
    assert ask(hub.endpoint, "GET", "/api/models/alice/m").json()["private"] is False


def test_what_a_mirror_may_bring_is_shown_or_left_out(hub: Hub, token: str) -> None:
    """Names, authors and times that only another Hub's git can have let in."""
    repo = hub.state.repos.named(RepoName("model", "alice", "m"))
    git = pygit2.Repository(str(repo.folder))
    blob = git.create_blob(b"x")
    names = (b"..", b".git", b"a\\b", b"plain", b"x\x01", b"\xff\xfe")
    tree = git.write(ObjectType.TREE, b"".join(b"100644 " + name + b"\0" + blob.raw for name in names))
    odd = b"tree %b\nauthor \xff <x> 99999999999999999 +9999\ncommitter a <b> 99999999999999999 +0000\n"
    text = odd % str(tree).encode() + b"encoding nonsense\n\n\xff\xfe title\n"
    head = git.write(ObjectType.COMMIT, text)
    git.references.create("refs/heads/odd", head)
    git.references.create("refs/tags/of-a-tree", tree)
    git.references.create("refs/tags/of-a-blob", blob)
    git.free()
    listed = ask(hub.endpoint, "GET", "/api/models/alice/m/tree/odd?expand=1").json()
    assert [entry["path"] for entry in listed] == ["plain"]
    for place in ("/api/models/alice/m/{}", "/alice/m/{}"):
        for path in ("commits/odd", "tree/odd", "tree/of-a-tree", "tree/of-a-blob", "commits/of-a-blob"):
            answer = ask(hub.endpoint, "GET", place.format(path))
            assert answer.status == (404 if "of-a" in path else 200), (path, answer.body)
    refs = ask(hub.endpoint, "GET", "/api/models/alice/m/refs").json()
    assert [ref["name"] for ref in refs["branches"]] == ["main", "odd"]
    assert refs["tags"] == []
    assert commit(hub.endpoint, token, "alice/m", file("b", "y"), branch="odd").status == 200
    assert ask(hub.endpoint, "POST", "/api/models/alice/m/super-squash/odd", {}, token).status == 200
    shared = {"deletions": {"sha": ["0" * 64], "rewriteHistory": True}}
    assert ask(hub.endpoint, "POST", "/api/models/alice/m/lfs-files/batch", shared, token).status == 200


def test_a_tree_deeper_than_any_path_is_walked_as_far_as_paths_reach(hub: Hub, token: str) -> None:
    repo = hub.state.repos.named(RepoName("model", "alice", "m"))
    git = pygit2.Repository(str(repo.folder))
    inner = git.TreeBuilder().write()
    for _ in range(3000):
        builder = git.TreeBuilder()
        builder.insert("a", inner, FileMode.TREE)
        inner = builder.write()
    sign = pygit2.Signature("a", "a@example.org")
    git.create_commit("refs/heads/deep", sign, sign, "deep", inner, [])
    git.free()
    pages, path = [], "/api/models/alice/m/tree/deep?recursive=1&limit=400"
    while path:
        answer = ask(hub.endpoint, "GET", path)
        assert answer.status == 200
        pages += answer.json()
        path = answer.headers.get("link", "").partition(">")[0].removeprefix(f"<{hub.endpoint}")
    assert len(pages) == 512
