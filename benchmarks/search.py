"""`beats search`, exact and by an index: how long each takes, how much memory, and how much the index misses.

    python benchmarks/search.py [--rows 1200000] [--queries 50] [--table DIR] [--quick] [--json FILE]

Without `--table` rows of 768 float16 are made: 2,000 clusters in 48 dimensions, turned into 768, with noise.
Real embeddings fill few of their dimensions too; rows without structure are the worst case of every index.
Queries are rows with noise of their own. The measuring runs in a process of its own, for its memory.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from beats_trainer.search.index import open_index
from beats_trainer.search.nearest import search
from beats_trainer.table import table_files
from beats_trainer.table.scan import as_vectors, count_rows, groups_of, take_rows

DIM, LATENT, CLUSTERS, ROWS_PER_PART, TOP = 768, 48, 2_000, 16_384, 10


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        table = Path(options.table or Path(folder, "table"))
        if not options.table:
            write_table(table, 30_000 if options.quick else options.rows)
        count = 20 if options.quick else options.queries
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
            report = elsewhere.submit(measure, table, Path(folder, "index"), count).result()
    for name, value in report.items():
        print(
            f"| {name:<30} | {value:>12,.3f} |"
            if isinstance(value, float)
            else f"| {name:<30} | {value:>12,} |"
        )
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_200_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--table", help="a table that is there, instead of one that is made")
    parser.add_argument("--quick", action="store_true", help="30,000 rows and 20 queries")
    parser.add_argument("--json", help="where to write the figures")
    return parser.parse_args()


def write_table(table: Path, rows: int) -> None:
    chance = np.random.default_rng(0)
    centres = chance.standard_normal((CLUSTERS, LATENT), np.float32)
    turn = chance.standard_normal((LATENT, DIM), np.float32) / LATENT**0.5
    (table / "shard=1").mkdir(parents=True)
    for start in range(0, rows, ROWS_PER_PART):
        count = min(ROWS_PER_PART, rows - start)
        latent = (
            centres[chance.integers(CLUSTERS, size=count)]
            + chance.standard_normal((count, LATENT), np.float32) / 2
        )
        vectors = latent @ turn + chance.standard_normal((count, DIM), np.float32) / 10
        _write_part(table / "shard=1" / f"part-{start:020d}.parquet", start, vectors.astype(np.float16))


def _write_part(path: Path, start: int, vectors: np.ndarray) -> None:
    numbers = np.arange(start, start + len(vectors))
    columns = {
        "recording": pa.array([f"{n // 360}.wav" for n in numbers]),
        "start_s": pa.array(numbers % 360 * 10.0),
        "end_s": pa.array(numbers % 360 * 10.0 + 10),
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), DIM),
    }
    pq.write_table(pa.table(columns), path, compression="none", use_dictionary=["recording"])


def measure(table: Path, index: Path, count: int) -> dict[str, Any]:
    """Exact and index take turns, query by query."""
    groups = groups_of(table)
    report: dict[str, Any] = {"rows": count_rows(groups), "queries": count}
    queries = make_queries(table, count)
    search(table, queries[0], TOP, method="exact")
    report["exact_peak_mb"] = peak_mb()
    report["build_s"] = seconds(lambda: open_index(index, table_files(table), "embedding"))[0]
    report["build_peak_mb"] = peak_mb()
    report["index_mb"] = sum(p.stat().st_size for p in index.rglob("*.usearch")) / 1e6
    report["volumes"] = len(list(index.rglob("*.usearch")))
    times: dict[str, list[float]] = {"exact": [], "index": []}
    shared = 0
    for query in queries:
        taken, exact = seconds(lambda q=query: search(table, q, TOP, method="exact"))
        times["exact"].append(taken)
        taken, near = seconds(lambda q=query: search(table, q, TOP, method="index", index=index))
        times["index"].append(taken)
        shared += len({(m.recording, m.start_s) for m in exact} & {(m.recording, m.start_s) for m in near})
    medians = {f"{name}_query_s": statistics.median(values) for name, values in times.items()}
    report |= medians | {"ratio": medians["exact_query_s"] / medians["index_query_s"]}
    return report | {f"recall_at_{TOP}": shared / (TOP * count)}


def make_queries(table: Path, count: int) -> np.ndarray:
    groups = groups_of(table)
    chance = np.random.default_rng(1)
    rows = np.sort(chance.choice(count_rows(groups), count, replace=False))
    vectors = as_vectors(take_rows(groups, rows, ["embedding"]).column(0).combine_chunks())
    spread = vectors.std()
    return vectors + chance.standard_normal(vectors.shape, np.float32) * spread / 4


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    done = run()
    return time.perf_counter() - began, done


def peak_mb() -> float:
    """The most memory that this process ever had; getrusage also counts what its parent had when it began."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1e3
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
