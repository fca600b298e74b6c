"""A token goes only where the user said so: what came with somebody's repository cannot call it elsewhere."""

import http.client
import http.server
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from minihub.testing import Hub

LOGIN = "hf_loginloginloginlogin00"
OWN = "Remotes-Own.Of_Another/Form+00=="  # nothing that looks like a token
PLACE = "hf://datasets/alice/checkpoints"
OBJECT = "a" * 32
Reply = tuple[int, dict[str, str], bytes]


class Elsewhere:
    """Another server: it keeps what it is asked, headers included, and answers as it is told."""

    def __init__(self, answer: Callable[[http.server.BaseHTTPRequestHandler, bytes], Reply]) -> None:
        self.asked: list[tuple[str, str]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.path, str(self.headers)))
                status, headers, content = answer(self, body)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = handle_one  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def was_given(self, token: str) -> bool:
        return any(token in headers for _, headers in self.asked)


def nothing_here(*_: Any) -> Reply:
    return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"


@pytest.fixture
def serve() -> Iterator[Callable[..., Elsewhere]]:
    servers: list[Elsewhere] = []

    def start(answer: Callable[..., Reply] = nothing_here) -> Elsewhere:
        servers.append(Elsewhere(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.server.shutdown()
        server.server.server_close()


@pytest.fixture
def elsewhere(serve: Callable[..., Elsewhere]) -> Elsewhere:
    """A server that a stranger's files point to."""
    return serve()


@pytest.fixture
def clone(make_project: Callable[..., Any], bare_env: dict[str, str]) -> Callable[..., Any]:
    """A stranger's project with one tracked file, on the machine of somebody who is logged in on the Hub."""

    def make(folder: str = "clone", **options: str) -> Any:
        project = make_project(PLACE, folder, **options)
        project.env = {**bare_env, "HF_TOKEN": LOGIN, "HF_HUB_DISABLE_XET": "1"}
        project.write("m.pt.dvc", f"outs:\n- md5: {OBJECT}\n  size: 5\n  hash: md5\n  path: m.pt\n")
        return project

    return make


def section(**options: str) -> str:
    return "['remote \"hub\"']\n" + "".join(f"    {key} = {value}\n" for key, value in options.items())


# what came with the repository names the address ------------------------------------------------------


@pytest.mark.parametrize("command", [("pull",), ("status", "--cloud"), ("push",)])
def test_the_login_does_not_go_where_only_the_clone_says(clone, elsewhere, command) -> None:
    project = clone(endpointurl=elsewhere.endpoint)
    project.write(".dvc/cache/files/md5/aa/" + "a" * 30, "12345")
    result = project.dvc(*command, ok=False)
    assert elsewhere.asked
    assert not elsewhere.was_given(LOGIN)
    assert f"the repository itself names {elsewhere.endpoint}" in result.text
    assert f"HF_TOKEN_ORIGINS={elsewhere.endpoint}" in result.text
    assert LOGIN not in result.text


def test_a_remote_built_on_another_is_the_clones_too(clone, elsewhere) -> None:
    project = clone()
    base = f"['remote \"base\"']\n    url = {PLACE}\n    endpointurl = {elsewhere.endpoint}\n"
    project.write(".dvc/config", f"[core]\n    remote = hub\n{section(url='remote://base/sub')}{base}")
    project.write(".dvc/config.local", section(token=OWN))
    project.dvc("pull", ok=False)
    assert elsewhere.asked
    assert not elsewhere.was_given(LOGIN)
    assert not elsewhere.was_given(OWN)


def test_a_token_for_the_default_hub_does_not_follow_the_remote_elsewhere(clone, elsewhere) -> None:
    project = clone(endpointurl=elsewhere.endpoint)
    project.write(".dvc/config.local", section(token=OWN))
    assert "the repository itself names" in project.dvc("pull", ok=False).text
    assert elsewhere.asked
    assert not elsewhere.was_given(OWN)
    assert not elsewhere.was_given(LOGIN)


@pytest.mark.parametrize("link", [False, True], ids=["file", "link"])
def test_a_local_config_that_came_with_the_clone_is_the_clones(clone, elsewhere, link: bool) -> None:
    project = clone()
    text = section(endpointurl=elsewhere.endpoint)
    if link:
        project.write("settings", text)
        (project.folder / ".dvc/config.local").symlink_to("../settings")
    else:
        project.write(".dvc/config.local", text)
    project.git("add", "--force", "--all", ".")
    project.dvc("pull", ok=False)
    assert elsewhere.asked
    assert not elsewhere.was_given(LOGIN)


def test_a_dvc_file_may_name_an_address_and_gets_no_token(clone, elsewhere) -> None:
    project = clone()
    dep = f"deps:\n- path: {PLACE}/x\n  fs_config:\n    endpointurl: {elsewhere.endpoint}\n"
    project.write("x.dvc", f"{dep}frozen: true\nouts:\n- path: x\n")
    project.dvc("update", "x.dvc", ok=False)
    assert elsewhere.asked
    assert not elsewhere.was_given(LOGIN)


@pytest.mark.parametrize("how", ["config", "remote", "named"])
def test_what_is_imported_from_another_repository_gets_no_token(clone, elsewhere, how: str) -> None:
    address = elsewhere.endpoint
    source = clone("source", **({"endpointurl": address} if how == "config" else {}))
    source.git("add", "--all")
    source.git("commit", "--quiet", "--message", "a file")
    said = {
        "config": "",
        "remote": f"    remote:\n      endpointurl: {address}\n",
        "named": f"    config:\n      remote:\n        hub:\n          endpointurl: {address}\n",
    }[how]
    project = clone("project")
    dep = f"deps:\n- path: m.pt\n  repo:\n    url: {source.folder.as_uri()}\n    rev_lock: HEAD\n{said}"
    project.write("m.pt.dvc", f"{dep}frozen: true\nouts:\n- path: m.pt\n")
    project.dvc("update", "m.pt.dvc", ok=False)
    project.dvc("get", source.folder.as_uri(), "m.pt", ok=False)
    assert how != "config" or elsewhere.asked
    assert not elsewhere.was_given(LOGIN)


# the user names the address ----------------------------------------------------------------------------


def assert_trusted(elsewhere: Elsewhere, token: str = LOGIN) -> None:
    assert elsewhere.was_given(token)


def test_the_login_goes_where_the_local_config_says(clone, elsewhere) -> None:
    project = clone(endpointurl="http://127.0.0.1:9")
    project.write(".dvc/config.local", section(endpointurl=elsewhere.endpoint))
    project.dvc("pull", ok=False)
    assert_trusted(elsewhere)


def test_the_login_goes_where_the_global_config_says(clone, elsewhere) -> None:
    project = clone()
    project.dvc("config", "--global", "remote.hub.url", PLACE)
    project.dvc("config", "--global", "remote.hub.endpointurl", elsewhere.endpoint)
    project.dvc("pull", ok=False)
    assert_trusted(elsewhere)


def test_the_login_goes_where_the_environment_says(clone, elsewhere) -> None:
    named = f"https://example.org, {elsewhere.endpoint}/"
    clone(endpointurl=elsewhere.endpoint).dvc("pull", ok=False, HF_TOKEN_ORIGINS=named)
    assert_trusted(elsewhere)


@pytest.mark.parametrize("command", ["get", "ls-url"])
def test_the_login_goes_where_the_command_line_says(clone, elsewhere, command: str) -> None:
    source = clone("source", endpointurl="http://127.0.0.1:9")
    option = f"endpointurl={elsewhere.endpoint}"
    if command == "get":
        source.dvc("get", ".", "m.pt", "--out", "x", "--remote-config", option, ok=False)
    else:
        source.dvc("ls-url", PLACE, "--fs-config", option, ok=False)
    assert_trusted(elsewhere)


def test_a_token_goes_to_the_address_that_was_set_with_it(clone, elsewhere) -> None:
    project = clone()
    project.write(".dvc/config.local", section(endpointurl=elsewhere.endpoint, token=OWN))
    project.dvc("pull", ok=False)
    assert_trusted(elsewhere, OWN)
    assert not elsewhere.was_given(LOGIN)


def test_python_may_name_an_address_and_its_token_in_one_call(clone, elsewhere) -> None:
    project = clone()
    options = {"endpointurl": elsewhere.endpoint, "token": OWN}
    script = f"import dvc.api; dvc.api.read('m.pt', remote_config={options!r})"
    project.run(sys.executable, "-c", script, ok=False)
    assert_trusted(elsewhere, OWN)


def test_python_may_not_send_its_token_to_the_clones_address(clone, elsewhere) -> None:
    project = clone(endpointurl=elsewhere.endpoint)
    script = f"import dvc.api; dvc.api.read('m.pt', remote_config={ {'token': OWN}!r})"
    project.run(sys.executable, "-c", script, ok=False)
    assert elsewhere.asked
    assert not elsewhere.was_given(OWN)


def test_a_wrong_name_in_the_environment_is_told(clone, elsewhere) -> None:
    project = clone(endpointurl=elsewhere.endpoint)
    for command in ("pull", "fetch", "push"):
        assert "HF_TOKEN_ORIGINS is no address" in project.dvc(command, ok=False, HF_TOKEN_ORIGINS="lab").text


# the Hub itself points elsewhere -----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["redirect", "next page"])
def test_where_a_hub_leads_a_request_gets_no_token(clone, serve, elsewhere, how: str) -> None:
    def lead_away(request: Any, body: bytes) -> Reply:
        there = f"{elsewhere.endpoint}{request.path}"
        if how == "redirect":
            return 307, {"Location": there}, b""
        if "/tree/" in request.path:
            return 200, {"Link": f'<{there}>; rel="next"', "Content-Type": "application/json"}, b"[]"
        folder = b'[{"type": "directory", "path": "sub", "oid": "0"}]'
        return 200, {"Content-Type": "application/json"}, folder

    hub = serve(lead_away)
    clone().dvc("ls-url", f"{PLACE}/sub", ok=None, HF_ENDPOINT=hub.endpoint)
    assert hub.was_given(LOGIN)
    assert elsewhere.asked
    assert not elsewhere.was_given(LOGIN)


def test_an_upload_to_a_hub_that_gets_no_token_is_without_it_to_the_end(
    clone, serve, hub: Hub, repo: str, token: str, commits
) -> None:
    """The client adds the login to the LFS requests by itself; a Hub open to everyone takes them without."""

    def write_as_alice(request: Any, body: bytes) -> Reply:
        connection = http.client.HTTPConnection(urlsplit(hub.endpoint).netloc, timeout=60)
        headers = {**request.headers, "Authorization": f"Bearer {token}"}
        with closing(connection):
            connection.request(request.command, request.path, body, headers)
            answer = connection.getresponse()
            content = answer.read().replace(hub.endpoint.encode(), open_hub.endpoint.encode())
        kept = {name: value for name, value in answer.getheaders() if name.lower() in wanted}
        return answer.status, kept, content

    wanted = {"content-type", "x-error-code", "etag", "location", "x-repo-commit"}
    open_hub = serve(write_as_alice)
    project = clone(endpointurl=open_hub.endpoint)
    (project.folder / "m.pt.dvc").unlink()
    project.write("a.bin", b"\0a" * 20_000)
    project.dvc("add", "a.bin")
    project.dvc("push")
    assert commits() == 1
    assert any("/info/lfs/" in path for path, _ in open_hub.asked)
    assert not open_hub.was_given(LOGIN)
    assert not open_hub.was_given("Bearer")


# what is written into files that git tracks -------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("config", "remote.hub.token", OWN),
        ("config", "--project", "remote.hub.token", OWN),
        ("remote", "modify", "hub", "token", OWN),
        ("remote", "modify", "hub", "endpointurl", "https://bob:hunter2@example.org"),
        ("remote", "modify", "hub", "commit_message", LOGIN),
        ("remote", "modify", "far", "token", OWN),
        ("remote", "modify", "near", "token", OWN),
    ],
)
def test_no_secret_is_saved_in_the_config_that_git_sees(clone, command: tuple[str, ...]) -> None:
    project = clone()
    project.write(".dvc/config", section(url=PLACE) + "['remote \"far\"']\n    url = remote://hub/far\n")
    project.dvc("config", "--global", "remote.near.url", PLACE)
    before = project.read(".dvc/config")
    result = project.dvc(*command, "-vv", ok=False)
    assert "was not saved" in result.text
    assert project.read(".dvc/config") == before
    assert not [secret for secret in (OWN, LOGIN, "hunter2") if secret in result.text]


def test_a_token_given_for_an_import_is_used_and_not_written(make_project, repo, token: str, env) -> None:
    source = make_project(folder="source")
    source.write("a.bin", b"\0a" * 9000)
    source.dvc("add", "a.bin")
    source.commit()
    source.dvc("push")
    project = make_project(folder="other")
    del project.env["HF_TOKEN"]
    for number, options in enumerate([(), ("--remote", "hub")]):
        wanted = ("--out", f"{number}.bin", "--remote-config", f"token={token}")
        done = project.dvc("import", str(source.folder), "a.bin", *options, *wanted)
        assert project.read(f"{number}.bin") == b"\0a" * 9000
        assert done.text.count("was used and not written") == 1
        assert token.encode() not in project.read(f"{number}.bin.dvc")
        assert token not in done.text
    place = f"hf://datasets/{repo}/.gitattributes"
    project.dvc("import-url", place, "b", "--fs-config", f"token={token}", "--fs-config", "jobs=2")
    written = project.read("b.dvc")
    assert token.encode() not in written
    assert b"jobs" in written


# what is shown -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["http://bob:hunter2@127.0.0.1:9", "http://bob:hun/ter2@127.0.0.1:9"])
def test_no_message_shows_the_password_of_an_address(clone, address: str) -> None:
    text = clone(endpointurl=address).dvc("pull", "-v", ok=False).text
    assert "ter2" not in text
    assert "127.0.0.1:9" in text or "an address with a password" in text


def test_an_address_with_a_password_is_shown_without_it_and_works(clone, serve) -> None:
    hub = serve()
    with_password = hub.endpoint.replace("//", "//bob:hunter2@")
    for project, env in (
        (clone(endpointurl=with_password), {}),
        (clone("other"), {"HF_ENDPOINT": with_password}),
    ):
        text = project.dvc("pull", "-vv", ok=False, **env).text
        assert "hunter2" not in text
        assert f"does not exist at {hub.endpoint}" in text
    assert hub.was_given("Basic Ym9iOmh1bnRlcjI=")


def test_a_token_with_a_line_end_is_taken_without_it(clone, elsewhere) -> None:
    project = clone()
    project.dvc("remote", "modify", "--local", "hub", "endpointurl", elsewhere.endpoint)
    result = project.dvc("remote", "modify", "--local", "hub", "token", f"{OWN}\n", "-vv")
    assert OWN not in result.text
    assert OWN not in project.dvc("pull", "-vv", ok=False).text
    assert_trusted(elsewhere, f"Bearer {OWN}\n")


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("hf_abc\ndefghi", "a line end at place 7 of 13"),
        ("hf_abc defghi", "a space at place 7 of 13"),
        ("hf_äbcdefghi", "a character that is not ASCII at place 4 of 12"),
        ("hf_abc\x07defghi", "a control character at place 7 of 13"),
    ],
)
def test_a_token_that_cannot_be_one_is_refused_without_its_value(clone, elsewhere, token, kind) -> None:
    project = clone()
    project.write(".dvc/config.local", section(endpointurl=elsewhere.endpoint))
    other = clone("other")
    other.write(".dvc/config.local", section(token=f"'''{token}'''"))
    for result in (
        project.dvc("pull", "-v", ok=False, HF_TOKEN=token),
        other.dvc("fetch", "-v", ok=False, HF_ENDPOINT=elsewhere.endpoint),
        project.dvc("remote", "modify", "--local", "hub", "token", token, "-vv", ok=False),
    ):
        assert kind in result.text
        assert "defghi" not in result.text
    assert not elsewhere.asked


def test_a_token_in_the_answer_of_a_hub_is_masked(clone, serve) -> None:
    """Some servers repeat what they were sent."""
    hub = serve(lambda *_: (400, {"X-Error-Message": f"no good: Bearer {LOGIN}"}, b"{}"))
    text = clone().dvc("pull", "-v", ok=False, HF_ENDPOINT=hub.endpoint).text
    assert "no good: Bearer ***" in text
    assert LOGIN not in text


@pytest.mark.parametrize("name", ["dvc", "huggingface_hub"])
def test_a_traceback_is_masked(name: str) -> None:
    import io
    import logging

    from dvc.logger import ColorFormatter
    from dvc_hf import masks

    masks.remember_secret("a secret that looks like nothing")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ColorFormatter(log_colors=False, show_traceback=True))
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        masks.install_masks()
        message = "a secret that looks like nothing, in an error"
        raise RuntimeError(message)  # noqa: TRY301
    except RuntimeError:
        logger.exception("failed with %s", "a secret that looks like nothing")
    finally:
        logger.removeHandler(handler)
    assert "Traceback" in stream.getvalue()
    assert "a secret" not in stream.getvalue()
    assert "failed with ***" in stream.getvalue()
