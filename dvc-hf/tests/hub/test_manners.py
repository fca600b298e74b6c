"""The real Hub's manners: redirects to other hosts, addresses that end, a branch that is read as it was."""

from typing import Any

import pytest
from contents import noise
from minihub.testing import Hub


@pytest.fixture
def full(publishing: Any) -> Any:
    """A project with a large, a small and a text file, of which a folder is shown."""
    publishing.write("checkpoints/config.yaml", "a: 1\n")
    publishing.write("large.bin", noise(3_000_000))
    publishing.dvc("add", "checkpoints", "large.bin")
    publishing.commit()
    return publishing


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
def test_a_push_and_a_pull_go_through_both_kinds_of_redirect_and_no_token_leaves_the_hub(
    full: Any, hub: Hub, api: Any, tmp_path: Any, private: bool
) -> None:
    hub.behave(redirects=True)
    api.update_repo_settings("alice/checkpoints", private=private, repo_type="dataset")
    full.dvc("push")
    clone = full.clone(tmp_path / "clone")
    hub.requests.clear()
    clone.dvc("pull")
    for name in ("large.bin", "checkpoints/config.yaml", "checkpoints/BEATs.pt"):
        assert clone.read(name) == full.read(name)
    stored = hub.requests.matching("GET", "/store/*")
    assert stored
    assert {record.status for record in stored} <= {200, 206}  # with a token it would be 400


def test_a_branch_that_lags_costs_nothing_and_no_second_commit(
    full: Any, hub: Hub, commits: Any, names: Any
) -> None:
    hub.behave(lag_s=4)
    full.dvc("push")
    assert commits() == 1
    full.write("checkpoints/more.pt", noise(10_000, 3))
    full.dvc("add", "checkpoints")
    full.dvc("push")
    full.dvc("push")
    hub.behave()
    assert commits() == 2
    assert "more.pt" in names()
    assert "in sync" in full.dvc("status", "-c").text


def test_signed_addresses_that_have_ended_end_in_a_message_and_a_pull_later_succeeds(
    full: Any, hub: Hub, tmp_path: Any
) -> None:
    hub.behave(redirects=True, store_life_s=-1)
    full.dvc("push")
    clone = full.clone(tmp_path / "clone")
    refused = clone.dvc("pull", ok=False)
    assert "403" in refused.text or "no longer valid" in refused.text
    hub.behave(redirects=True)
    clone.dvc("pull")
    assert clone.read("large.bin") == full.read("large.bin")


def test_versions_are_kept_though_the_branch_lags(make_project: Any, repo: str, hub: Hub) -> None:
    hub.behave(lag_s=3)
    project = make_project(version_aware="true")
    for word in ("old", "new"):
        for number in range(3):
            project.write(f"data/{number}.bin", f"\0{word} {number}")
        project.dvc("add", "data")
        project.dvc("push")
        project.commit()
    project.git("checkout", "--quiet", "HEAD~1")
    project.run("rm", "-rf", ".dvc/cache", "data")
    project.dvc("pull")
    assert project.read("data/1.bin") == b"\0old 1"
