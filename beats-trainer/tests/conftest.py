from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

# The tests share helpers that lie beside them.
sys.path.insert(0, str(Path(__file__).parent))

# Set before torch is first imported: two test processes on two cores must not fight over four threads.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Read when huggingface_hub is imported: nobody's own cache or token may be touched.
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="beats-tests-")
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["NO_PROXY"] = "127.0.0.1,localhost"
for variable in (
    "HF_TOKEN",
    "HF_TOKEN_ORIGINS",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "HF_HUB_CACHE",
    "BEATS_PINS",
    "BEATS_CHECKPOINTS",
):
    os.environ.pop(variable, None)

# What the tests of several rooms share.
from embed_fixtures import encoding, model, record, run  # noqa: E402
from hub_fixtures import impatient, mine, published  # noqa: E402
from table_fixtures import beats, embedded, table, write_table  # noqa: E402

__all__ = [
    "beats",
    "embedded",
    "encoding",
    "impatient",
    "mine",
    "model",
    "published",
    "record",
    "run",
    "table",
    "write_table",
]
