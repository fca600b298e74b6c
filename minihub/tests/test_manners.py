"""What the real Hub does and a small one need not: redirects, addresses that end, a branch that lags."""

import time
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download
from minihub.testing import Hub, serve

from .asking import ask

LARGE = b"\0" + b"large" * 2000


@pytest.fixture
def api(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> HfApi:
    """Alice, who has a public model with a small and a large file."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    api = HfApi(endpoint=hub.endpoint, token=hub.user("alice"))
    api.create_repo("alice/m")
    add(api, "config.json", b"{}")
    add(api, "model.bin", LARGE)
    hub.requests.clear()
    return api


def add(api: HfApi, path: str, content: bytes) -> str:
    change = CommitOperationAdd(path, content)
    return str(api.create_commit("alice/m", [change], commit_message=path).oid)


def location(hub: Hub, path: str, **headers: str) -> tuple[int, str]:
    """Where a request for a file of `main` is led to, and how."""
    answer = ask(hub.endpoint, "GET", f"/alice/m/resolve/main/{path}", **headers)
    return answer.status, answer.headers["location"]


def test_a_client_follows_both_kinds_of_redirect(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    hub.behave(redirects=True)
    for name, content in (("config.json", b"{}"), ("model.bin", LARGE)):
        path = hf_hub_download("alice/m", name, endpoint=hub.endpoint, token=api.token, cache_dir=tmp_path)
        assert Path(path).read_bytes() == content
    assert hub.requests.count("*", "/api/resolve-cache/models/alice/m/*") >= 1
    (store,) = hub.requests.matching("GET", "/store/*")
    assert store.headers["host"].startswith("localhost:")


def test_a_small_file_of_a_private_repository_is_sent_at_once(hub: Hub, api: HfApi) -> None:
    hub.behave(redirects=True)
    api.update_repo_settings("alice/m", private=True)
    answer = ask(hub.endpoint, "GET", "/alice/m/resolve/main/config.json", token=str(api.token))
    assert (answer.status, answer.body) == (200, b"{}")


def test_the_store_refuses_a_token_another_part_and_an_address_that_has_ended(hub: Hub, api: HfApi) -> None:
    hub.behave(redirects=True)
    status, where = location(hub, "model.bin")
    assert status == 302
    place = where.partition("/store/")[2]
    assert ask(hub.endpoint, "GET", f"/store/{place}").body == LARGE
    assert ask(hub.endpoint, "GET", f"/store/{place}", token=str(api.token)).status == 400
    _, part = location(hub, "model.bin", range="bytes=1-5")
    place = part.partition("/store/")[2]
    assert ask(hub.endpoint, "GET", f"/store/{place}").status == 403
    asked = ask(hub.endpoint, "GET", f"/store/{place}", range="bytes=1-5")
    assert (asked.status, asked.body) == (206, b"large")
    hub.behave(redirects=True, store_life_s=-1)
    place = location(hub, "model.bin")[1].partition("/store/")[2]
    assert ask(hub.endpoint, "GET", f"/store/{place}").status == 403


def test_a_branch_lags_behind_a_commit_and_the_commit_does_not(hub: Hub, api: HfApi) -> None:
    hub.behave(lag_s=3)
    added = add(api, "late.json", b"[]")
    assert "late.json" not in api.list_repo_files("alice/m")
    assert "late.json" in api.list_repo_files("alice/m", revision=added)
    assert api.get_paths_info("alice/m", ["late.json"]) == []
    deadline = time.monotonic() + 10
    while "late.json" not in api.list_repo_files("alice/m"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_every_answer_of_a_limited_hub_says_how_much_is_left(hub: Hub, api: HfApi) -> None:
    hub.limit(requests=3)
    answers = [ask(hub.endpoint, "GET", "/api/whoami-v2", token=str(api.token)) for _ in range(4)]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert answers[3].headers["content-type"].startswith("text/html")
    assert "retry-after" not in answers[3].headers


def test_a_hub_below_a_part_of_a_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    with serve(tmp_path / "hub", prefix="/hub") as hub:
        assert hub.endpoint.endswith("/hub")
        token = hub.user("alice")
        api = HfApi(endpoint=hub.endpoint, token=token)
        api.create_repo("alice/m")
        add(api, "model.bin", LARGE)
        assert api.list_repo_files("alice/m") == [".gitattributes", "model.bin"]
        path = hf_hub_download(
            "alice/m", "model.bin", endpoint=hub.endpoint, token=token, cache_dir=tmp_path / "cache"
        )
        assert Path(path).read_bytes() == LARGE
        assert ask(hub.endpoint.removesuffix("/hub"), "GET", "/api/whoami-v2", token=token).status == 404
