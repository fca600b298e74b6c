"""DVC's own benchmarks of a remote, on the Hub and on a folder here: scripts/dvc_benchmarks.py runs them."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dvc.testing.benchmarks.cli.commands.test_fetch import test_fetch  # noqa: F401
from dvc.testing.benchmarks.cli.commands.test_push import test_push  # noqa: F401
from dvc.testing.benchmarks.cli.stories.use_cases.test_sharing import test_sharing  # noqa: F401
from huggingface_hub import HfApi
from minihub.testing import HubProcess, serve_process

pytestmark = pytest.mark.filterwarnings("ignore")  # they are of DVC's own tests


@pytest.fixture(scope="session")
def shared_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HubProcess, str]]:
    """One Hub, in a process of its own."""
    folder = tmp_path_factory.mktemp("hub")
    with serve_process(folder) as hub:
        yield hub, hub.user("alice")


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared_hub: tuple[HubProcess, str]) -> None:
    """Nothing of the user's own DVC or Hub is read or written."""
    for name in ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home" / name))
    monkeypatch.setenv("HF_TOKEN", shared_hub[1])
    monkeypatch.setenv("HF_TOKEN_ORIGINS", shared_hub[0].endpoint)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "Alice")
        monkeypatch.setenv(f"{name}_EMAIL", "alice@example.org")


@pytest.fixture
def make_hf(shared_hub: tuple[HubProcess, str]) -> Callable[[], Any]:
    """Makes an empty repository, as DVC's suite wants a remote."""
    hub, token = shared_hub

    def make() -> Any:
        name = f"alice/{uuid.uuid4().hex[:12]}"
        HfApi(endpoint=hub.endpoint, token=token).create_repo(name, repo_type="dataset")
        return SimpleNamespace(config={"url": f"hf://datasets/{name}", "endpointurl": hub.endpoint})

    return make


@pytest.fixture(params=["hf", "local"])
def remote(request: pytest.FixtureRequest, make_remote: Callable[..., Any], make_hf: object) -> Any:
    """The remote of the benchmark: a folder shows what is DVC's own."""
    return make_remote("upstream", typ=request.param)
