"""What it costs a pull to compare each object with its own name: this state of dvc-hf beside an earlier one.

    git worktree add /tmp/before COMMIT
    python benchmarks/pull_proof.py /tmp/before/dvc-hf/src [--rounds N] [--megabytes N]

One file, pushed once over Xet and fetched from a minihub in a process of its own, by one state and the other
in turning order, each time into a fresh clone with empty caches. The ratio is the median over the rounds of
this state's time to the earlier one's in the same round; the processor's time is told beside it, which a busy
machine changes less.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from huggingface_hub import HfApi
from transfers import content
from transfers.hub import OWNER, Hub, hub_process
from transfers.program import Taken
from transfers.project import Project

REPO = f"{OWNER}/data"
HERE = Path(__file__).parents[1] / "dvc-hf" / "src"
WAYS = {"xet": {}, "http": {"HF_HUB_DISABLE_XET": "1"}}


def main() -> None:
    """Measure, print a row for each way that content comes."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        hub_process(Path(name, "hub")) as hub,
    ):
        HfApi(endpoint=hub.endpoint, token=hub.token).create_repo(REPO, repo_type="dataset")
        project = _pushed(Path(name), hub, options.megabytes * 1_000_000)
        for way, more in WAYS.items():
            rounds = [_round(number, project, hub, options.before, more) for number in range(options.rounds)]
            _print(way, rounds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("before", type=Path, help="the folder src of an earlier dvc-hf")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=361)
    return parser.parse_args()


def _pushed(folder: Path, hub: Hub, size: int) -> Project:
    project = Project(folder / "project")
    project.start()
    content.write_noise(project.folder / "large.bin", size, 1)
    project.add("large.bin")
    project.remote(url=f"hf://datasets/{REPO}")
    home = folder / "home"
    project.run("push", "--quiet", home=home, **hub.env(home))
    return project


def _round(number: int, project: Project, hub: Hub, before: Path, more: dict[str, str]) -> dict[str, Taken]:
    states = {"before": before, "now": HERE}
    order = sorted(states, reverse=number % 2 == 1)
    return {state: _pull(project, hub, {**more, "PYTHONPATH": str(states[state])}) for state in order}


def _pull(project: Project, hub: Hub, more: dict[str, str]) -> Taken:
    clone = project.clone(project.folder.with_name("clone"))
    home = project.folder.with_name("home-of-pull")
    shutil.rmtree(home, ignore_errors=True)
    return clone.run("pull", "--quiet", home=home, **hub.env(home), **more)


def _print(way: str, rounds: list[dict[str, Taken]]) -> None:
    for what in ("seconds", "processor_s"):
        ratios = [getattr(taken["now"], what) / getattr(taken["before"], what) for taken in rounds]
        medians = {
            state: statistics.median(getattr(taken[state], what) for taken in rounds) for state in rounds[0]
        }
        print(
            f"{way:>5}{what:>13}: before {medians['before']:.2f}, now {medians['now']:.2f}, "
            f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
