"""Decides which plain names the Hub repository shows: arithmetic on names, without a request."""

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dvc_hf.hub import names

README = "README.md"
MOST_IN_A_FOLDER = 10_000  # https://huggingface.co/docs/hub/storage-limits
_OF_DVC = re.compile(
    r"(^|/)([0-9a-f]{2}/[0-9a-f]{30}(\.dir)?$"  # objects, in DVC 2's layout too
    r"|runs/[0-9a-f]{2}/[0-9a-f]{64}/|files/published\.json$|\.dvc/)"
)


@dataclass(frozen=True)
class Shown:
    """One name that we put into the repository: which object it shows, and the content's etag.

    `before` is the etag of what it showed when this was written down, if the name itself is written later: a
    push that broke between may have left that.
    """

    md5: str
    etag: str
    before: str | None = None

    def is_ours(self, etag: str | None) -> bool:
        """Whether a content of this etag under the name is of our writing."""
        return etag is not None and etag in (self.etag, self.before)


@dataclass(frozen=True)
class Plan:
    """What is to be done so that the repository shows the folder."""

    show: dict[str, str] = field(default_factory=dict)  # name -> md5
    keep: dict[str, Shown] = field(default_factory=dict)
    hide: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def plan_names(
    wanted: Mapping[str, str],
    owned: Mapping[str, Shown],
    there: Mapping[str, str],
    *,
    unknown: tuple[str, ...] = (),
    publish_readme: bool = False,
    blocked: Container[str] = (),
) -> Plan:
    """Compare the folder with the repository.

    Args:
        wanted: the folder's names, each with its md5.
        owned: what we wrote there before.
        there: the etags of those of these names that are in the repository.
        unknown: prefixes of names whose listing could not be read: what is there stays.
        publish_readme: whether a README.md of someone else may be replaced.
        blocked: names that something of someone else stands in the way of.
    """
    result = Plan()
    for name, md5 in wanted.items():
        is_ours = name in owned and owned[name].is_ours(there.get(name))
        if name in blocked:
            result.foreign.append(name)
        elif is_ours and owned[name].md5 == md5 and there[name] == owned[name].etag:
            result.keep[name] = owned[name]
        elif is_ours or name not in there or (name == README and publish_readme):
            result.show[name] = md5
        else:
            result.foreign.append(name)
    for name, shown in owned.items():
        if name in wanted or not shown.is_ours(there.get(name)):
            continue
        if name.startswith(unknown) and unknown:
            result.keep[name] = shown
        else:
            result.hide.append(name)
    return result


def crowded_folders(shown: Iterable[str]) -> dict[str, int]:
    """The folders with more entries than the Hub takes, and how many; the top folder is the empty name."""
    entries = {(folder, part) for name in shown for folder, part in _steps(name)}
    counts = Counter(folder for folder, _ in entries)
    return {folder: count for folder, count in sorted(counts.items()) if count > MOST_IN_A_FOLDER}


def _steps(name: str) -> Iterator[tuple[str, str]]:
    """Each folder on the way to a name, and what the name adds to it."""
    parts = name.split("/")
    return (("/".join(parts[:depth]), part) for depth, part in enumerate(parts))


def show_refusal(name: str) -> str | None:
    """Why a name cannot be shown, if it cannot."""
    parts = name.split("/")
    if parts[0] == "files" or _OF_DVC.search(name):
        return "'files' is where DVC keeps its objects" if parts[0] == "files" else "DVC keeps its own there"
    if parts[0] == ".gitattributes":  # a folder cannot take its place either
        return "the Hub keeps its own .gitattributes"
    return names.write_refusal(name)
