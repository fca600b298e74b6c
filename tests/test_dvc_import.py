"""`dvc import` of a git address: minihub serves the repository, and the content that LFS keeps."""

import os
import subprocess
import sys
from pathlib import Path

from huggingface_hub import HfApi
from minihub.testing import Hub


def test_dvc_imports_a_large_file_by_its_git_address(hub: Hub, tmp_path: Path) -> None:
    api = HfApi(endpoint=hub.endpoint, token=hub.user("alice"))
    api.create_repo("alice/data", repo_type="dataset")
    content = os.urandom(100_000)
    commit = api.upload_file(
        repo_id="alice/data", repo_type="dataset", path_in_repo="sound.bin", path_or_fileobj=content
    )
    project = tmp_path / "project"
    project.mkdir()
    for command in (
        ("init", "--quiet", "--no-scm"),
        ("import", "--quiet", f"{hub.endpoint}/datasets/alice/data", "sound.bin"),
    ):
        env = {**os.environ, "HOME": str(tmp_path), "DVC_NO_ANALYTICS": "1", "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *command],
            cwd=project,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "sound.bin").read_bytes() == content
    assert f"rev_lock: {commit.oid}" in (project / "sound.bin.dvc").read_text()
