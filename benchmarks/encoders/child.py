"""One contender in a fresh process: `child.py STARTED NAME FILE CLIPS PLACES...` prints what it took."""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from pathlib import Path


def main() -> None:
    """From the moment that the parent started us to the first embeddings."""
    started, name, path, count, *places = sys.argv[1:]
    sys.path[:0] = places
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    import torch
    from contenders import load

    waveforms = [torch.randn(160_000) * 0.1 for _ in range(int(count))]
    load(name, Path(path))(waveforms)
    figures = {
        "seconds": time.time() - float(started),
        "cpu_seconds": time.process_time(),
        "peak_mb": peak_bytes() / 1e6,
    }
    print(json.dumps(figures))


def peak_bytes() -> int:
    """The most memory that this process had."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        import resource  # counts in bytes on macOS

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
