"""Keeps tokens and passwords out of the files that git shows to everyone: `.dvc/config` and `.dvc` files."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from dvc_objects.fs.errors import ConfigError

from dvc_hf.commit.running import url_of
from dvc_hf.hooks.settings import check_settings
from dvc_hf.hooks.transfer import is_hub
from dvc_hf.hub.credentials import parse_token
from dvc_hf.hub.names import PROTOCOL
from dvc_hf.log import logger
from dvc_hf.masks import mask_secrets

Original = Callable[..., Any]
Options = dict[str, Any]


def save_config(original: Original, config: Any, level: str, sections: Any) -> Any:
    """Save a level of the config, unless that would show a secret to all who can read the git repository.

    Raises:
        ConfigError: it says the command that keeps the secret on this machine, or what else is wrong.
    """
    check_settings(config, level, sections)
    merged = _with(config.load_config_to_level(), sections)
    for name, section in dict(sections.get("remote") or {}).items():
        if _is_on_hub(merged, name):
            parse_token(section.get("token") or "", f"remote '{name}'")
            if level == "repo":
                _refuse_secrets(name, section)
    return original(config, level, sections)


def _with(merged: Any, sections: Any) -> Any:
    """The merged config as it will be: what is being saved may hold the url, or another level may."""
    remotes = dict(merged.get("remote") or {})
    for name, section in dict(sections.get("remote") or {}).items():
        remotes[name] = {**remotes.get(name, {}), **section}
    return {**merged, "remote": remotes}


def _is_on_hub(config: Any, name: str) -> bool:
    return url_of(config, name).startswith(PROTOCOL)


def _refuse_secrets(name: str, section: Mapping[str, Any]) -> None:
    if section.get("token"):
        message = (
            f"the token of remote '{name}' was not saved: .dvc/config is part of the git repository. "
            f"Keep it on this machine with 'dvc remote modify --local {name} token TOKEN', "
            "or log in with 'hf auth login'."
        )
        raise ConfigError(message)
    for option in (option for option, value in section.items() if _is_secret(option, value)):
        message = (
            f"the option '{option}' of remote '{name}' was not saved: it holds a token or a password, and "
            ".dvc/config is part of the git repository. Keep it on this machine with "
            f"'dvc remote modify --local {name} {option} VALUE'."
        )
        raise ConfigError(message)


def _is_secret(option: str, value: Any) -> bool:
    return bool(option == "token" and value) or (isinstance(value, str) and mask_secrets(value) != value)


def dump_output(original: Original, output: Any, *args: Any, **kwargs: Any) -> Any:
    """Describe an output or dependency for its `.dvc` file, without secrets (`--fs-config`)."""
    dumped: Options = original(output, *args, **kwargs)
    options = dumped.get("fs_config")
    if options and is_hub(output.fs):
        _put_back(dumped, "fs_config", _shown(options, str(output)))
    return dumped


def dump_import(original: Original, dependency: Any, *args: Any, **kwargs: Any) -> Any:
    """Describe what is imported from another repository, without secrets (`--remote-config`)."""
    dumped: Options = original(dependency, *args, **kwargs)
    _hide_in_remote(dumped["repo"], dependency)
    _hide_in_config(dumped["repo"], dependency)
    return dumped


def _hide_in_remote(repo: Options, dependency: Any) -> None:
    """Options for the other repository's default remote."""
    options = repo.get("remote")
    if not _holds_secret(options):
        return
    foreign = dependency.fs.repo.config
    if _is_on_hub(foreign, foreign["core"].get("remote") or ""):
        _put_back(repo, "remote", _shown(options, str(dependency)))


def _hide_in_config(repo: Options, dependency: Any) -> None:
    """Options for one of its remotes, by name."""
    config = repo.get("config")
    remotes: Options = (config.get("remote") or {}) if isinstance(config, dict) else {}
    shown = {
        name: _shown(options, str(dependency))
        for name, options in remotes.items()
        if _holds_secret(options) and _is_on_hub(dependency.fs.repo.config, name)
    }
    if shown:
        repo["config"] = {**repo["config"], "remote": {**remotes, **shown}}


def _holds_secret(options: Any) -> bool:
    return isinstance(options, dict) and any(_is_secret(*item) for item in options.items())


def _shown(options: Any, what: str) -> Options:
    """Options without those that hold a secret; what is left out is told."""
    secret = sorted(option for option, value in options.items() if _is_secret(option, value))
    if secret:
        _tell("', '".join(secret), mask_secrets(what))
    return {option: value for option, value in options.items() if option not in secret}


@functools.cache  # DVC describes a file several times in one command
def _tell(options: str, what: str) -> None:
    logger.warning(
        "the option '%s' of %s was used and not written: a .dvc file is part of the git repository. "
        "The next 'dvc update' or 'dvc pull' needs 'hf auth login', or HF_TOKEN.",
        options,
        what,
    )


def _put_back(holder: Options, key: str, options: Options) -> None:
    """Put options back, or leave their key out where none is left."""
    if options:
        holder[key] = options
    else:
        del holder[key]
