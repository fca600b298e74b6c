"""How the readers of a card get its files: by lines that work for them, from where the files are."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from beats_trainer.pins.address import SCHEME, Place, parse_place
from beats_trainer.pins.dvcconfig import Remote, find_config


@dataclass(frozen=True)
class Source:
    """Where the files of a card are for its readers.

    Args:
        place: The folder of a Hub that shows them under their own names; None where none does.
        folder: Their folder as the DVC repository names it; empty where there is none.
    """

    place: Place | None = None
    folder: str = ""

    def name_of(self, file: str, known: str = "") -> str:
        """What to load a file by.

        Args:
            file: Its name in the folder.
            known: The name of its pin, for who has that: an installed bundle, the registry.
        """
        if self.place:
            return str(self.place.join(file))
        return known or str(PurePosixPath(self.folder) / file)


NOWHERE = Source()


def find_source(folder: Path, repo: str = "") -> Source:
    """Where a folder will be: at `repo`, `OWNER/NAME` of a dataset or an address, else where DVC shows it.

    Raises:
        PinError: `repo` names no repository.
    """
    stated = parse_place(repo if repo.startswith(SCHEME) else f"{SCHEME}datasets/{repo}") if repo else None
    config = find_config(folder / "README.md")
    remote = config.find_remote() if config else None
    if config is None or remote is None:
        return Source(stated)
    inside = folder.resolve().relative_to(config.folder.parent.resolve())
    return Source(stated or _shown_at(remote, PurePosixPath(inside.as_posix())), inside.as_posix())


def _shown_at(remote: Remote, folder: PurePosixPath) -> Place | None:
    """Where a remote shows a folder of the workspace under its own names, if it does."""
    shown = "." if remote.is_plain else remote.publish
    if not shown or not folder.is_relative_to(shown):
        return None
    below = folder.relative_to(shown).as_posix()
    return remote.root.join("" if below == "." else below)


def load_lines(name: str, dim: int) -> list[str]:
    """The section of Python: load the checkpoint of a name, get an embedding of `dim` numbers."""
    return [
        "## How to use",
        "",
        "```python",
        "from beats_trainer import BEATsFeatureExtractor",
        "",
        f'extractor = BEATsFeatureExtractor("{name}")',
        f'embedding = extractor.extract_from_file("recording.wav")  # ({dim},)',
        "```",
        "",
    ]


def fetch_lines(source: Source, file: str) -> list[str]:
    """The commands that fetch a file, as far as there are any for its readers."""
    return [*(_download(source.place, file) if source.place else []), *_pull(source)]


def _download(place: Place, file: str) -> list[str]:
    kind = [] if place.repo_type == "model" else ["--repo-type", place.repo_type]
    revision = [] if place.revision == "main" else ["--revision", place.revision]
    command = ["hf", "download", *kind, place.repo_id, place.join(file).path, *revision]
    return ["Or fetch the plain file:", "", "```sh", shlex.join(command), "```", ""]


def _pull(source: Source) -> list[str]:
    if not source.folder:
        return []
    return [f"In a clone of the git repository, `dvc pull` brings them into `{source.folder}/`.", ""]
