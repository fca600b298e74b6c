import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from minihub.testing import Hub

Client = Callable[..., str]
CLIENT_PYTHON = os.environ.get("MINIHUB_CLIENT_PYTHON", sys.executable)  # make hub-conformance-older sets it


@pytest.fixture
def client_env(tmp_path: Path, hub: Hub) -> dict[str, str]:
    """The environment of a client that knows nothing but this Hub."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("HF_", "HUGGINGFACE", "GIT_")) and not key.lower().endswith("_proxy")
    }
    home = tmp_path / "home"
    home.mkdir()
    return {
        **kept,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "HF_HOME": str(tmp_path / "hf-home"),
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONUTF8": "1",
    }


@pytest.fixture
def client(tmp_path: Path, hub: Hub, client_env: dict[str, str]) -> Client:
    """Runs Python with the unmodified huggingface_hub in a process of its own; returns what it prints."""
    token = hub.user("alice")
    work = tmp_path / "work"
    work.mkdir()

    def run(script: str, **env: str) -> str:
        head = (
            "import os\nfrom pathlib import Path\nfrom huggingface_hub import *\n"
            "from huggingface_hub.errors import *\napi = HfApi()\n"
        )
        done = subprocess.run(
            [CLIENT_PYTHON, "-c", head + textwrap.dedent(script)],
            env={**client_env, "HF_TOKEN": token, **env},
            cwd=work,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    return run
