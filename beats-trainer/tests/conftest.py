from __future__ import annotations

import os
import sys
from pathlib import Path

# The tests share helpers that lie beside them.
sys.path.insert(0, str(Path(__file__).parent))

# Set before torch is first imported: two test processes on two cores must not fight over four threads.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
