"""The same through Xet: contents in chunks, of which only new ones are sent."""

from typing import Any

import pytest
from contents import noise
from dvc_hf.hub.downloads import XET_FROM
from minihub.testing import Hub
from minihub.upkeep.garbage import collect_garbage


@pytest.fixture
def project(make_project: Any, repo: str) -> Any:
    project = make_project(publish="data")
    del project.env["HF_HUB_DISABLE_XET"]
    return project


def sent(hub: Hub) -> int:
    return sum(record.received for record in hub.requests.matching("POST", "/v1/*"))


def test_a_fine_tuned_copy_sends_less_than_an_eighth_of_its_bytes(
    project: Any, hub: Hub, commits: Any, names: Any, tmp_path: Any
) -> None:
    import random

    content = random.Random(1).randbytes(5_000_000)
    project.write("data/base.pt", content)
    project.dvc("add", "data")
    project.dvc("push")
    assert sent(hub) >= len(content)
    tuned = content[: -len(content) * 8 // 100] + random.Random(2).randbytes(len(content) * 8 // 100)
    project.write("data/tuned.pt", tuned)
    project.dvc("add", "data")
    project.commit()
    hub.requests.clear()
    project.dvc("push")
    assert sent(hub) < 0.12 * len(tuned)
    assert commits() == 2
    assert names() == {"base.pt", "tuned.pt"}
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert clone.read("data/tuned.pt") == tuned
    assert hub.requests.count("GET", "/v1/reconstructions/*") >= 2


def test_small_files_come_over_http_where_one_request_is_all(project: Any, hub: Hub, tmp_path: Any) -> None:
    project.write("data/small.pt", b"\0" * (XET_FROM - 1))
    project.write("data/large.pt", b"\0" * XET_FROM)
    project.dvc("add", "data")
    project.dvc("push")
    project.commit()
    clone = project.clone(tmp_path / "clone")
    hub.requests.clear()
    clone.dvc("pull")
    assert clone.read("data/small.pt") == project.read("data/small.pt")
    assert hub.requests.count("GET", "/v1/reconstructions/*") == 1


@pytest.mark.parametrize("url", ["hf://datasets/alice/data", "hf://buckets/alice/heap"])
def test_content_that_the_hub_collected_is_sent_again(
    make_project: Any, env: dict[str, str], api: Any, hub: Hub, tmp_path: Any, url: str
) -> None:
    """hf_xet's cache says that the Hub has it: nothing would be sent, and the file refused for ever."""
    del env["HF_HUB_DISABLE_XET"]
    place = url.removeprefix("hf://")
    if place.startswith("buckets/"):
        api.create_bucket(place.removeprefix("buckets/"))
    else:
        api.create_repo("alice/data", repo_type="dataset")
    project = make_project(url)
    project.write("large.pt", noise(3_000_000))
    project.dvc("add", "large.pt")
    project.commit()
    project.dvc("push")
    if place.startswith("buckets/"):
        api.delete_bucket(place.removeprefix("buckets/"))
        api.create_bucket(place.removeprefix("buckets/"))
    else:
        api.delete_repo("alice/data", repo_type="dataset")
        api.create_repo("alice/data", repo_type="dataset")
    assert list(collect_garbage(hub.state, grace_s=0))
    said = project.dvc("push")
    assert "Remove that folder" in said.text
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert clone.read("large.pt") == noise(3_000_000)
