"""DVC's own conformance suite, inherited: a remote is what passes it."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from dvc.testing.api_tests import TestAPI as DvcTestAPI
from dvc.testing.cloud import Cloud
from dvc.testing.fixtures import *  # noqa: F403
from dvc.testing.remote_tests import TestRemote as DvcTestRemote
from dvc.testing.remote_tests import TestRemoteVersionAware as DvcTestRemoteVersionAware
from dvc.testing.remote_tests import TestRemoteWorktree as DvcTestRemoteWorktree
from dvc.testing.workspace_tests import TestGetUrl as DvcTestGetUrl
from dvc.testing.workspace_tests import TestImport as DvcTestImport
from dvc.testing.workspace_tests import TestImportURLVersionAware as DvcTestImportURLVersionAware
from dvc.testing.workspace_tests import TestLsUrl as DvcTestLsUrl
from dvc.testing.workspace_tests import TestToRemote as DvcTestToRemote
from dvc_hf.commit.repository import Account
from dvc_hf.filesystem.storage import HubStorage
from dvc_hf.hub.credentials import Credential
from huggingface_hub import HfApi
from minihub.testing import Hub, serve

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # DVC leaves its databases open
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@dataclass(frozen=True)
class HubCloud(Cloud):
    """A place on the Hub, as DVC's suite wants one."""

    endpoint: str
    token: str
    fs_path: str
    scheme = "hf"
    IS_OBJECT_STORAGE = True

    def __truediv__(self, name: str) -> "HubCloud":
        return HubCloud(self.endpoint, self.token, f"{self.fs_path}/{name}")

    def __str__(self) -> str:
        return self.url

    @property
    def url(self) -> str:
        return f"hf://{self.fs_path}"

    @property
    def config(self) -> dict[str, str]:
        return {"url": self.url, "endpointurl": self.endpoint}

    @property
    def storage(self) -> HubStorage:
        return HubStorage(Account(self.endpoint, Credential(self.token)))

    @property
    def parent(self) -> "HubCloud":
        return HubCloud(self.endpoint, self.token, self.fs_path.rpartition("/")[0])

    def is_file(self) -> bool:
        return self.storage.isfile(self.fs_path)

    def is_dir(self) -> bool:
        return self.storage.isdir(self.fs_path)

    def exists(self) -> bool:
        return self.storage.exists(self.fs_path)

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Folders are there as soon as a file is in them."""

    def write_bytes(self, contents: bytes) -> None:
        self.storage.pipe_file(self.fs_path, contents)

    def read_bytes(self) -> bytes:
        return self.storage.cat_file(self.fs_path)

    def unlink(self, missing_ok: bool = False) -> None:
        self.storage.rm(self.fs_path)

    def rmdir(self, recursive: bool = True) -> None:
        self.storage.rm(self.fs_path, recursive=recursive)


@pytest.fixture(scope="session")
def shared_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, str]]:
    """One Hub for the whole suite: each test has a repository of its own."""
    with serve(tmp_path_factory.mktemp("hub")) as hub:
        yield hub, hub.user("alice")


@pytest.fixture(autouse=True)
def apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, shared_hub: tuple[Hub, str]
) -> None:
    """Nothing of the user's own DVC or Hub is read or written."""
    home = tmp_path_factory.mktemp("home")
    for name in ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "HOME"):
        monkeypatch.setenv(name, str(home / name))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", shared_hub[1])
    monkeypatch.setenv("HF_TOKEN_ORIGINS", shared_hub[0].endpoint)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Alice")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Alice")


# Which kinds of places each suite runs on: a bucket has no versions, a space is a repository like the two
# others, so that one of its suites that read and one that write are enough.
VERSIONED = ("dataset", "model")
ALL = (*VERSIONED, "bucket")
WITH_SPACES = (*ALL, "space")


def on(*kinds: str) -> pytest.MarkDecorator:
    """Run a suite on these kinds of places."""
    return pytest.mark.parametrize("repo_type", kinds, indirect=True)


@pytest.fixture
def repo_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_hf(shared_hub: tuple[Hub, str], repo_type: str) -> Callable[[], HubCloud]:
    def make() -> HubCloud:
        hub, token = shared_hub
        name = f"alice/{uuid.uuid4().hex[:12]}"
        api = HfApi(endpoint=hub.endpoint, token=token)
        if repo_type == "bucket":
            api.create_bucket(name)
        else:
            sdk = "static" if repo_type == "space" else None
            api.create_repo(name, repo_type=repo_type, space_sdk=sdk)
        return HubCloud(hub.endpoint, token, f"{repo_type}s/{name}")

    return make


@pytest.fixture
def make_hf_version_aware(make_hf: Callable[[], HubCloud]) -> Callable[[], HubCloud]:
    return make_hf


@pytest.fixture
def cloud(make_hf: Callable[[], HubCloud]) -> HubCloud:
    return make_hf()


@pytest.fixture
def remote(make_remote: Callable[..., HubCloud], make_hf: object) -> HubCloud:
    return make_remote("upstream", typ="hf")


@pytest.fixture
def remote_version_aware(make_remote_version_aware: Callable[..., HubCloud], make_hf: object) -> HubCloud:
    return make_remote_version_aware("upstream", typ="hf")


@pytest.fixture
def remote_worktree(make_remote_worktree: Callable[..., HubCloud], make_hf: object, dvc: object) -> HubCloud:
    """As DVC's, with the deletions that its suite asks for: here they are an option."""
    cloud = make_remote_worktree("upstream", typ="hf")
    with dvc.config.edit() as config:  # type: ignore[attr-defined]
        config["remote"]["upstream"]["prune"] = True
    return cloud


@pytest.fixture
def workspace(tmp_dir, dvc, make_hf: Callable[[], HubCloud]) -> HubCloud:
    """As DVC's, without a cache on the Hub, which DVC's configuration has no word for."""
    cloud = make_hf()
    tmp_dir.add_remote(name="workspace", config=cloud.config, default=False)
    return cloud


@on(*WITH_SPACES)
class TestAPI(DvcTestAPI):
    """Reading through DVC's Python interface."""


@on(*WITH_SPACES)
class TestRemote(DvcTestRemote):
    """The content-addressed mode."""


@on(*VERSIONED)
class TestRemoteVersionAware(DvcTestRemoteVersionAware):
    """The version_aware mode."""


@on(*VERSIONED)
class TestRemoteWorktree(DvcTestRemoteWorktree):
    """The worktree mode."""


@on(*ALL)
class TestImport(DvcTestImport):
    """import-url."""

    @pytest.fixture
    def stage_md5(self) -> None:
        return None

    @pytest.fixture
    def dir_md5(self) -> None:
        return None

    @pytest.fixture
    def is_object_storage(self) -> bool:
        return True

    @pytest.mark.xfail(reason="git, and so the Hub, cannot hold an empty directory", strict=True)
    def test_import_empty_dir(self, tmp_dir, dvc, workspace, is_object_storage):
        super().test_import_empty_dir(tmp_dir, dvc, workspace, is_object_storage)


@on(*VERSIONED)
class TestImportURLVersionAware(DvcTestImportURLVersionAware):
    """import-url --version-aware, and update."""


@on(*ALL)
class TestLsUrl(DvcTestLsUrl):
    """list-url."""


@on(*ALL)
class TestGetUrl(DvcTestGetUrl):
    """get-url."""


@on(*ALL)
class TestToRemote(DvcTestToRemote):
    """add and import-url --to-remote."""
