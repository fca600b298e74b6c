"""DVC's own benchmarks (dvc.testing.benchmarks) of a remote: push, fetch, and sharing between two.

    python scripts/dvc_benchmarks.py [--files N] [--size BYTES] [--json FILE] [PYTEST ARGUMENT ...]

They want a repository like treeverse/dvc-bench, whose data lies in the cloud: this makes one of its kind in
build/dvc-bench, with files of noise. Each runs on an hf:// remote and on a folder of this machine.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BENCHMARKS = "dvc-hf/benchmarks/test_remote.py"
DVC = (sys.executable, "-m", "dvc")


def main() -> None:
    """Make the repository, run, end as pytest does."""
    options, more = _options()
    dataset = f"{options.files}-files-of-{options.size}"
    repository = make_repository(ROOT / "build" / "dvc-bench" / dataset, dataset, options.files, options.size)
    command = [sys.executable, "-m", "pytest", BENCHMARKS, "--timeout", "0", "-W", "default"]
    command += ["-p", "dvc.testing.plugin"]
    command += ["--dvc-bench-repo", repository, "--dataset", dataset]
    command += ["--dvc-bin", Path(sys.executable).with_name("dvc"), "--benchmark-columns", "median,rounds"]
    if options.json:
        command += ["--benchmark-json", Path(options.json).absolute()]
    sys.exit(subprocess.run([*map(str, command), *more], cwd=ROOT, check=False).returncode)


def _options() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--size", type=int, default=10_000, metavar="BYTES")
    parser.add_argument("--json", metavar="FILE", help="write pytest-benchmark's report there too")
    return parser.parse_known_args()


def make_repository(folder: Path, dataset: str, files: int, size: int) -> Path:
    """A repository in which DVC tracks `data/DATASET/dataset`, its data in a remote beside it; made once."""
    done = folder / ".done"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    place = folder / "data" / dataset / "dataset"
    for number in range(files):
        path = place / f"{number // 100:03}" / f"{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(number).randbytes(size))
    for command in (
        ("git", "init", "--quiet"),
        (*DVC, "init", "--quiet"),
        (*DVC, "remote", "add", "--quiet", "--default", "storage", str(folder / ".storage")),
        (*DVC, "add", "--quiet", str(place)),
        (*DVC, "push", "--quiet"),
    ):
        subprocess.run(command, cwd=folder, check=True)
    done.touch()
    return folder


if __name__ == "__main__":
    main()
