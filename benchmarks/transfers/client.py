"""The Hub's own client, as one would use it without DVC.

python client.py upload_folder|upload_naively|snapshot_download REPO PATH
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from huggingface_hub import HfApi, HfFileSystem, snapshot_download

USAGE = 4


def main() -> None:
    """Do what the arguments say."""
    if len(sys.argv) != USAGE:
        sys.exit(__doc__)
    what, repo, path = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if what == "upload_folder":
        HfApi().upload_folder(repo_id=repo, repo_type="dataset", folder_path=path)
    elif what == "upload_naively":
        upload_naively(repo, path)
    else:
        snapshot_download(repo, repo_type="dataset", cache_dir=path)


def upload_naively(repo: str, folder: Path) -> None:
    """As any fsspec program would: file by file; prints the seconds that it took."""
    started = time.perf_counter()
    fs = HfFileSystem()
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        fs.put_file(str(file), f"datasets/{repo}/{file.relative_to(folder).as_posix()}")
    print(f"\n{time.perf_counter() - started}")


if __name__ == "__main__":
    main()
