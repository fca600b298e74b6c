"""Older lines of huggingface_hub against minihub, each in an environment of its own below build/.

1.33 is judged by its own tests, as 2.4 is. The package index carries no tests of 0.34: that client runs the
scripts of minihub's tests in the place of the newest one.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = Path("build")
WITH_OWN_TESTS, WITH_OURS = "1.33.0", "0.34.6"
TOOLS = ("hf-xet", "pytest", "pytest-asyncio", "pytest-env", "pytest-mock", "pytest-timeout", "pytest-xdist")
SCRIPTS = ("minihub/tests/test_client.py", "minihub/tests/test_xet.py")


def interpreter(version: str) -> Path:
    """A Python that has this client; made at the first call."""
    folder = ENVIRONMENTS.resolve() / f"client-{version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, f"huggingface_hub=={version}", *TOOLS], check=True)
    return python


def own_tests(version: str) -> int:
    """Run the client's own tests; the exit status."""
    command = [sys.executable, HERE / "run.py", "--version", version, "--python", interpreter(version)]
    return subprocess.run([*command, "--", "-n", "auto"], check=False).returncode


def our_tests(version: str) -> int:
    """Run the scripts of our tests with that client; the exit status."""
    env = {**os.environ, "MINIHUB_CLIENT_PYTHON": str(interpreter(version))}
    command = [sys.executable, "-m", "pytest", *SCRIPTS, "-n", "auto", "-k", "not bucket"]
    return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(own_tests(WITH_OWN_TESTS) | our_tests(WITH_OURS))
