"""An S3 server (moto) and a DVC with dvc-s3, both from environments of their own.

python -m venv build/s3/client && build/s3/client/bin/pip install dvc dvc-s3 'aiobotocore[boto3]<3'
python -m venv build/s3/server && build/s3/server/bin/pip install 'moto[server]'
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

FOLDER = Path(__file__).parents[2] / "build" / "s3"
CLIENT = FOLDER / "client" / "bin" / "python"
SERVER = FOLDER / "server" / "bin" / "moto_server"
KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def is_installed() -> bool:
    """Whether both environments are there."""
    return CLIENT.exists() and SERVER.exists()


@contextmanager
def s3_process() -> Iterator[str]:
    """Serve while the context lasts; gives the address. moto keeps its objects in memory."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([SERVER, "-H", "127.0.0.1", "-p", str(port)], **quiet) as process:
        try:
            _wait_for(endpoint)
            yield endpoint
        finally:
            process.terminate()


def make_bucket(endpoint: str, name: str) -> None:
    """Make an empty bucket; moto looks at no signature."""
    keys = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request"
    with urlopen(Request(f"{endpoint}/{name}", method="PUT", headers={"Authorization": keys}), timeout=60):
        pass


def _wait_for(endpoint: str, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with urlopen(f"{endpoint}/moto-api/", timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
