"""What tests of clients rely on: the log, the faults, a Hub that can be killed."""

import http.client
import pkgutil
import subprocess
import sys

import pytest
from minihub.testing import Hub, HubProcess, serve_process
from minihub.web import routes

from .asking import ask, commit, file


@pytest.fixture
def token(hub: Hub) -> str:
    token = hub.user("alice")
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, token)
    return token


def test_the_log_counts_requests_and_bytes(hub: Hub, token: str) -> None:
    hub.requests.clear()
    commit(hub.endpoint, token, "alice/m", file("a.txt", "words"))
    ask(hub.endpoint, "GET", "/alice/m/resolve/main/a.txt?x=1")
    sent, fetched = hub.requests
    assert (sent.method, sent.status) == ("POST", 200)
    assert sent.received > 100
    assert (fetched.path, fetched.query, fetched.sent) == ("/alice/m/resolve/main/a.txt", "x=1", 5)
    assert hub.requests.count("GET", "/alice/*") == 1
    assert all("authorization" not in record.headers for record in hub.requests)


def test_a_fault_spoils_as_many_requests_as_it_says(hub: Hub, token: str) -> None:
    hub.fail("GET", "/api/whoami-v2", status=503, times=2, skip=1, headers={"Retry-After": "1"})
    answers = [ask(hub.endpoint, "GET", "/api/whoami-v2", token=token) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 503, 503, 200]
    assert answers[1].headers["retry-after"] == "1"


def test_a_connection_can_be_cut_and_bytes_can_be_wrong(hub: Hub, token: str) -> None:
    commit(hub.endpoint, token, "alice/m", file("a.txt", "words" * 1000))
    hub.fail("GET", "*/a.txt", cut_after=100)
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(hub.endpoint, "GET", "/alice/m/resolve/main/a.txt")
    assert caught.value.partial == (b"words" * 20)
    hub.fail("GET", "*/a.txt", corrupt=True)
    spoiled = ask(hub.endpoint, "GET", "/alice/m/resolve/main/a.txt").body
    assert len(spoiled) == 5000
    assert spoiled != b"words" * 1000
    assert ask(hub.endpoint, "GET", "/alice/m/resolve/main/a.txt").body == b"words" * 1000


def test_a_hub_in_its_own_process_can_be_killed_and_started_again(hub_process: HubProcess) -> None:
    token = hub_process.user("alice")
    ask(hub_process.endpoint, "POST", "/api/repos/create", {"name": "m"}, token)
    head = commit(hub_process.endpoint, token, "alice/m", file("a.txt", "words")).json()["commitOid"]
    hub_process.kill()
    with serve_process(hub_process.folder) as again:
        assert ask(again.endpoint, "GET", f"/alice/m/resolve/{head}/a.txt").body == b"words"


def test_each_route_module_can_be_imported_alone() -> None:
    """A route is made where its module is read, and what may stand in its path must be known by then."""
    names = [module.name for module in pkgutil.iter_modules(routes.__path__)]
    assert len(names) > 10
    running = [
        subprocess.Popen([sys.executable, "-c", f"import minihub.web.routes.{name}"], stderr=subprocess.PIPE)
        for name in names
    ]
    errors = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0] * len(names), errors
