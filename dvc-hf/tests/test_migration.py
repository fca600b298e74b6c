"""From S3, a server of the test's own, to the Hub and back: as those do who change where their data lies."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from contents import noise
from minihub.testing import Hub

KEY = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def s3() -> Iterator[str]:
    """The address of an S3 that has the bucket `old`."""
    pytest.importorskip("dvc_s3", reason="needs pip install dvc-s3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    boto3 = pytest.importorskip("boto3")
    with contextlib.ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=address,
            aws_access_key_id="x",
            aws_secret_access_key="y",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="old")
        yield address


@pytest.fixture
def moving(project: Any, s3: str) -> Any:
    """A project with a folder and a file on S3, and the Hub as its second remote."""
    project.env.update(KEY)
    project.dvc("remote", "add", "old", "s3://old/store")
    project.dvc("remote", "modify", "old", "endpointurl", s3)
    project.write("data/a.bin", noise(20_000, 1))
    project.write("data/b.txt", "text\n")
    project.write("single.bin", noise(300_000, 2))
    project.dvc("add", "data", "single.bin")
    project.commit()
    project.dvc("push", "--remote", "old")
    return project


def forget(project: Any) -> None:
    project.run("rm", "-rf", ".dvc/cache", "data", "single.bin")


def test_data_moves_from_s3_to_the_hub_in_one_commit_and_back(
    moving: Any, commits: Any, tmp_path: Any
) -> None:
    before = {name: moving.read(name) for name in ("data/a.bin", "data/b.txt", "single.bin")}
    forget(moving)
    moving.dvc("fetch", "--remote", "old")
    moving.dvc("push", "--remote", "hub")
    assert commits() == 1
    clone = moving.clone(tmp_path / "clone")
    clone.dvc("pull", "--remote", "hub")
    assert {name: clone.read(name) for name in before} == before
    clone.dvc("remote", "modify", "old", "url", "s3://old/anew")
    clone.dvc("push", "--remote", "old")
    forget(clone)
    clone.dvc("pull", "--remote", "old")
    assert {name: clone.read(name) for name in before} == before
    assert "in sync" in clone.dvc("status", "-c", "-r", "hub").text


def test_a_file_of_s3_is_added_to_the_hub_without_a_copy_in_the_cache(
    moving: Any, s3: str, commits: Any, tmp_path: Any
) -> None:
    """`import-url --to-remote` streams from the one to the other."""
    object_of = moving.read("single.bin.dvc").decode().partition("md5: ")[2].split()[0]
    moving.dvc("remote", "add", "bare", "s3://old")
    moving.dvc("remote", "modify", "bare", "endpointurl", s3)
    source = f"remote://bare/store/files/md5/{object_of[:2]}/{object_of[2:]}"
    moving.dvc("import-url", source, "copied.bin", "--to-remote", "--remote", "hub")
    assert commits() == 1
    moving.commit()
    clone = moving.clone(tmp_path / "clone")
    clone.dvc("pull", "--remote", "hub", "copied.bin")
    assert clone.read("copied.bin") == noise(300_000, 2)


def test_a_push_to_s3_asks_the_hub_nothing(moving: Any, hub: Hub) -> None:
    moving.write("later.bin", noise(1000, 3))
    moving.dvc("add", "later.bin")
    hub.requests.clear()
    moving.dvc("push", "--remote", "old")
    assert len(hub.requests) == 0
