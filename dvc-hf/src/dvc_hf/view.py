"""Decides which plain names the Hub repository shows: arithmetic on names, without a request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from dvc_hf import names

README = "README.md"


@dataclass(frozen=True)
class Shown:
    """One name that we put into the repository: which object it shows, and the content's etag."""

    md5: str
    etag: str


@dataclass(frozen=True)
class Plan:
    """What is to be done so that the repository shows the folder."""

    show: dict[str, str] = field(default_factory=dict)  # name -> md5
    keep: dict[str, Shown] = field(default_factory=dict)
    hide: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def plan(
    wanted: Mapping[str, str],
    owned: Mapping[str, Shown],
    there: Mapping[str, str],
    *,
    unknown: tuple[str, ...] = (),
    publish_readme: bool = False,
) -> Plan:
    """Compare the folder with the repository.

    Args:
        wanted: the folder's names, each with its md5.
        owned: what we wrote there before.
        there: the etags of those of these names that are in the repository.
        unknown: prefixes of names whose listing could not be read: what is there stays.
        publish_readme: whether a README.md of someone else may be replaced.
    """
    result = Plan()
    for name, md5 in wanted.items():
        is_ours = name in owned and there.get(name) == owned[name].etag
        if is_ours and owned[name].md5 == md5:
            result.keep[name] = owned[name]
        elif is_ours or name not in there or (name == README and publish_readme):
            result.show[name] = md5
        else:
            result.foreign.append(name)
    for name, shown in owned.items():
        if name in wanted or there.get(name) != shown.etag:
            continue
        if name.startswith(unknown) and unknown:
            result.keep[name] = shown
        else:
            result.hide.append(name)
    return result


def refusal(name: str) -> str | None:
    """Why a name cannot be shown, if it cannot."""
    parts = name.split("/")
    if parts[0] == "files":
        return "'files' is where DVC keeps its objects"
    if name == ".gitattributes":
        return "the Hub keeps its own .gitattributes"
    return names.refusal(name)


def read_manifest(text: bytes) -> dict[str, Shown]:
    """Read which names are ours."""
    listed = json.loads(text)["names"]
    return {name: Shown(shown["md5"], shown["etag"]) for name, shown in listed.items()}


def write_manifest(shown: Mapping[str, Shown]) -> bytes:
    """Write which names are ours; the same names give the same bytes."""
    about = (
        "The names that `dvc push` shows in this repository. dvc-hf changes and removes these, nothing else."
    )
    listed = {name: {"md5": item.md5, "etag": item.etag} for name, item in sorted(shown.items())}
    return json.dumps({"about": about, "names": listed}, indent=1, ensure_ascii=False).encode() + b"\n"
