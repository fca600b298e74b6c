"""The conftest of the client's own tests: the sdist carries the tests, not this file."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import testing_constants

for _name in (
    *("ENDPOINT_STAGING", "USER", "FULL_NAME", "TOKEN", "OTHER_USER", "OTHER_TOKEN"),
    *("ENTERPRISE_USER", "ENTERPRISE_ORG", "ENTERPRISE_TOKEN"),
):
    setattr(testing_constants, _name, os.environ[f"CONFORMANCE_{_name}"])

from huggingface_hub import HfApi, constants  # noqa: E402
from huggingface_hub.utils import logging  # noqa: E402

RepoFactory = Callable[..., Any]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `production` need the real Hub's repositories, and run only where minihub has them."""
    allowed = os.environ["CONFORMANCE_PRODUCTION"].split()
    left_out = [
        item
        for item in items
        if item.get_closest_marker("production") and Path(item.path).stem not in allowed
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="session")
def api() -> HfApi:
    """The client of the user whom most tests act for."""
    return HfApi(endpoint=testing_constants.ENDPOINT_STAGING, token=testing_constants.TOKEN)


@pytest.fixture
def repo_factory(api: HfApi) -> Iterator[RepoFactory]:
    """Makes repositories that are gone after the test."""
    made: list[tuple[str, str, Any]] = []

    def make(repo_type: str = "model", repo_id: str | None = None, **options: Any) -> Any:
        from .testing_utils import repo_name

        url = api.create_repo(repo_id or repo_name(), repo_type=repo_type, **options)
        made.append((url.repo_id, repo_type, options.get("token")))
        return url

    yield make
    for repo_id, repo_type, token in made:
        api.delete_repo(repo_id, repo_type=repo_type, token=token, missing_ok=True)


@pytest.fixture(autouse=True)
def xet_mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Xet is on, except where a test is about life without it."""
    if request.node.get_closest_marker("no_xet"):
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own for every test."""
    cache = tmp_path / "hf-cache"
    cache.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache / "hub"))
    monkeypatch.setattr(constants, "HF_ASSETS_CACHE", str(cache / "assets"))
    monkeypatch.setattr(constants, "HF_XET_CACHE", str(cache / "xet"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(cache / "stored_tokens"))


@pytest.fixture(autouse=True)
def quiet_propagation() -> None:
    """`caplog` sees the client's log."""
    logging.enable_propagation()


@pytest.fixture
def patch_constants(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Changes the client's constants for one test."""

    def patch(**values: Any) -> None:
        for name, value in values.items():
            monkeypatch.setattr(constants, name, value)

    return patch
