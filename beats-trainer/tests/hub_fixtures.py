from __future__ import annotations

import os
from pathlib import Path

import pytest
from minihub.testing import Hub
from published import Published, publish, upload


@pytest.fixture
def published(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    monkeypatch.setenv("BEATS_PINS", "")
    published = publish(hub, tmp_path)
    monkeypatch.setenv("BEATS_PINS", str(published.pin))
    return published


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once, and a second of silence is a timeout."""
    from huggingface_hub import constants

    monkeypatch.setattr("beats_trainer.hub.retry.WAITS_S", (0.0, 0.0, 0.0, 0.0))
    monkeypatch.setattr("beats_trainer.hub.retry.asked_wait", lambda _: None)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 1)


@pytest.fixture
def mine(published: Published, monkeypatch: pytest.MonkeyPatch) -> Published:
    """A model `alice/mine` with two revisions, at the endpoint that is in force."""
    from huggingface_hub import constants, file_download

    monkeypatch.setattr(constants, "ENDPOINT", published.hub.endpoint)
    template = published.hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    for module in (constants, file_download):  # 0.34 has a copy of its own
        monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=module is constants)
    published.data = os.urandom(100_000)
    held = {"model.safetensors": published.data}
    first = upload(published.hub, published.token, "alice/mine", held, "model")
    published.commit = first
    upload(published.hub, published.token, "alice/mine", {"model.safetensors": b"new" * 30_000}, "model")
    published.hub.requests.clear()
    return published
