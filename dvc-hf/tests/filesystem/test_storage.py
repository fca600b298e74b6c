"""fsspec's own abstract suites on the storage half, and what they do not ask."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import fsspec.tests.abstract as abstract
import pytest
from dvc_hf.commit.repository import Account
from dvc_hf.filesystem.storage import HubStorage
from dvc_hf.hub.credentials import Credential
from dvc_hf.hub.errors import RejectedError
from huggingface_hub import HfApi
from minihub.testing import serve

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestRemovedIn10Warning")  # of fsspec's fixtures


# The long suites of fsspec write hundreds of files singly, which takes a bucket ten minutes: if asked.
LONG = bool(os.environ.get("DVC_HF_LONG"))
on_both = pytest.mark.parametrize("kind", ["datasets", "buckets"], indirect=True)
on_repositories = pytest.mark.parametrize("kind", ["datasets", *["buckets"] * LONG], indirect=True)


@pytest.fixture(scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubStorage]:
    with pytest.MonkeyPatch.context() as patch, serve(tmp_path_factory.mktemp("hub")) as hub:
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        token = hub.user("alice")
        api = HfApi(endpoint=hub.endpoint, token=token)
        api.create_repo("alice/files", repo_type="dataset")
        api.create_bucket("alice/files")
        yield HubStorage(Account(hub.endpoint, Credential(token)))


class Fixtures(abstract.AbstractFixtures):
    """A repository and a bucket of a Hub, where folders are there as long as a file is in them."""

    @pytest.fixture
    def fs(self, storage: HubStorage) -> HubStorage:
        return storage

    @pytest.fixture
    def fs_path(self, kind: str) -> str:
        return f"{kind}/alice/files"

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return False


@on_repositories
class TestGet(abstract.AbstractGetTests, Fixtures):
    """Files to this machine."""


@on_repositories
class TestPut(abstract.AbstractPutTests, Fixtures):
    """Files from this machine."""


@on_repositories
class TestCopy(abstract.AbstractCopyTests, Fixtures):
    """Files within the Hub."""


@on_both
class TestPipe(abstract.AbstractPipeTests, Fixtures):
    """Bytes."""


@on_both
class TestOpen(abstract.AbstractOpenTests, Fixtures):
    """Open files."""


@on_both
class TestMore(Fixtures):
    """Ranges, modes, copies, streams."""

    def test_a_range_of_a_file_is_read(self, fs: HubStorage, fs_path: str) -> None:
        fs.pipe_file(f"{fs_path}/range", b"0123456789")
        assert fs.cat_file(f"{fs_path}/range", 2, 5) == b"234"
        assert fs.cat_file(f"{fs_path}/range", -3) == b"789"
        assert fs.cat_file(f"{fs_path}/range", 0, 0) == b""

    def test_a_large_file_is_read_a_block_at_a_time(
        self, fs: HubStorage, fs_path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dvc_hf.filesystem.reading.READ_WHOLE", 10)
        fs.pipe_file(f"{fs_path}/large", b"0123456789abcdef")
        with fs.open(f"{fs_path}/large") as file:
            file.seek(10)
            assert file.read() == b"abcdef"

    def test_a_stream_is_sent_when_it_is_closed_and_not_after_an_error(
        self, fs: HubStorage, fs_path: str
    ) -> None:
        with fs.open(f"{fs_path}/stream", "wb") as file:
            file.write(b"\0" * 3_000_000)
        assert fs.info(f"{fs_path}/stream")["size"] == 3_000_000
        with contextlib.suppress(ZeroDivisionError), fs.open(f"{fs_path}/broken", "wb") as file:
            file.write(b"x")
            raise ZeroDivisionError
        assert not fs.exists(f"{fs_path}/broken")

    def test_other_modes_are_refused(self, fs: HubStorage, fs_path: str) -> None:
        with pytest.raises(NotImplementedError, match="with mode 'ab'"):
            fs.open(f"{fs_path}/x", "ab")

    def test_a_copy_of_a_large_file_sends_no_byte(self, fs: HubStorage, fs_path: str) -> None:
        fs.pipe_file(f"{fs_path}/one", b"\0" * 20_000)
        fs.cp_file(f"{fs_path}/one", f"{fs_path}/two")
        assert fs.cat_file(f"{fs_path}/two") == b"\0" * 20_000

    def test_a_name_may_be_almost_anything(self, fs: HubStorage, fs_path: str, tmp_path: Path) -> None:
        odd = [
            "a b",
            "50%25",
            "#1",
            "a@b",
            "x?y=z",
            ".hidden",
            "ünï",
            "Case",
            "case",
            "n" * 250,
            "a+b&c",
            "[1]",
            "{x}",
        ]
        failed = fs.put_files([f"{name}".encode() for name in odd], [f"{fs_path}/odd/{name}" for name in odd])
        assert failed == {}
        assert sorted(fs.ls(f"{fs_path}/odd", detail=False)) == sorted(
            f"{fs_path}/odd/{name}" for name in odd
        )
        for name in odd:
            assert fs.cat_file(f"{fs_path}/odd/{name}") == name.encode()
            fs.get_file(f"{fs_path}/odd/{name}", str(tmp_path / "copy"))
            assert (tmp_path / "copy").read_bytes() == name.encode()

    @pytest.mark.parametrize("name", [".git/config", "a/../b", "a/.git/x"])
    def test_a_name_that_the_hub_refuses_is_refused_before_anything_is_sent(
        self, fs: HubStorage, fs_path: str, name: str
    ) -> None:
        with pytest.raises(RejectedError, match="Nothing was sent"):
            fs.put_files([b"bad", b"good"], [f"{fs_path}/{name}", f"{fs_path}/beside"])
        assert not fs.exists(f"{fs_path}/beside")

    def test_a_fixed_version_cannot_be_written(self, fs: HubStorage, kind: str) -> None:
        with pytest.raises(PermissionError):
            fs.put_files([b"x"], [f"{kind}/alice/files@{'0' * 40}/x"])

    def test_text_is_written_and_read(self, fs: HubStorage, fs_path: str) -> None:
        with fs.open(f"{fs_path}/text", "w") as file:
            assert isinstance(file, io.TextIOWrapper)
            file.write("a\nb\n")
        assert fs.cat_file(f"{fs_path}/text") == b"a\nb\n"
