"""What `dvc remote add` and `modify` are given: refused before it is saved, not at the first push."""

from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from dvc_objects.fs.errors import ConfigError

from dvc_hf.hub.endpoint import parse_endpoint
from dvc_hf.hub.location import hub_url_of, parse_url
from dvc_hf.hub.names import PROTOCOL, quoted
from dvc_hf.log import logger
from dvc_hf.masks import mask_secrets

_OF_A_PAGE = ("tree/", "blob/", "resolve/", "settings", "discussions")
_NOT_OF_THE_USER = (".dvc", ".git")


def check_settings(config: Any, level: str, sections: Mapping[str, Any]) -> None:
    """Refuse what a level of the config would say anew and no push could use; what it said already stays.

    Raises:
        ConfigError: it names remote and option, and nothing was saved.
    """
    before = config.load_one(level).get("remote") or {}
    for name, section in dict(sections.get("remote") or {}).items():
        for option, check in {
            "url": _check_url,
            "publish": _check_publish,
            "endpointurl": _check_hub,
        }.items():
            value = section.get(option)
            if isinstance(value, str) and value != before.get(name, {}).get(option):
                check(name, value, Path(config.dvc_dir or ".").parent)


def _check_url(name: str, url: str, _: Path) -> None:
    page = hub_url_of(url)
    if page is not None and "/resolve/" not in url:
        message = (
            f"the url of remote '{name}' was not saved: {quoted(mask_secrets(url))} is the address of a web "
            f"page. The same repository as a remote is {page.url}: give that."
        )
        raise ConfigError(message)
    if url.startswith(PROTOCOL):
        _check_place(name, url)


def _check_place(name: str, url: str) -> None:
    try:
        place = parse_url(url)
    except ValueError as error:
        message = f"the url of remote '{name}' was not saved: {error}"
        raise ConfigError(message) from None  # DVC prints each cause once more
    if f"{place.path_in_repo}/".startswith(_OF_A_PAGE):
        message = (
            f"the url of remote '{name}' was not saved: '{place.path_in_repo}' is the part of a web page's "
            f"address. The repository is {place.root.url}: give that, with @BRANCH where it is not main."
        )
        raise ConfigError(message)


def _check_publish(name: str, folder: str, root: Path) -> None:
    reason = _reason(folder, root)
    if reason:
        message = (
            f"the option 'publish' of remote '{name}' was not saved: {quoted(folder)} {reason}. "
            "Give a folder of the workspace, as seen from its top: checkpoints, or . for all of it."
        )
        raise ConfigError(message)
    if not (root / folder).is_dir() and not (root / f"{folder.rstrip('/')}.dvc").is_file():
        logger.warning(
            "There is no folder '%s' in the workspace yet: 'publish' shows what DVC tracks there when it "
            "is pushed. Is it spelt as you meant?",
            folder,
        )


def _reason(folder: str, root: Path) -> str:
    """Why no push could show such a folder; empty if one could."""
    path = Path(folder)
    if not folder.strip():
        return "names nothing"
    if path.is_absolute() or PureWindowsPath(folder).drive or ".." in path.parts:
        return "leaves the workspace"
    if path.parts and path.parts[0] in _NOT_OF_THE_USER:
        return "is not yours: DVC and git keep their own there"
    if (root / path).is_file():
        return "is a file"
    return ""


def _check_hub(name: str, address: str, _: Path) -> None:
    parse_endpoint(address, f"the option 'endpointurl' of remote '{name}', which was not saved,")
