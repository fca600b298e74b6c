"""DVC's config and command line as they are read: each value of a remote is marked with who said it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dvc_hf import masks
from dvc_hf.hub.provenance import Source, mark_source, typed_endpoints

Original = Callable[..., Any]
GIVEN_AS = ("fs_config", "remote_config")  # the command line's options for options of a remote


def load_one(original: Original, config: Any, level: str) -> Any:
    """Read one level of the config, and mark what it says."""
    loaded = original(config, level)
    source = Source(level, str(config.files.get(level, "")))
    remotes = loaded.get("remote", {})
    for name, section in remotes.items():
        if isinstance(section, dict):
            remotes[name] = mark_source(section, source)
    return loaded


def load(original: Original, config: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Load the config; an endpoint and a token that one call gives belong together."""
    given = kwargs.get("remote_config")
    if isinstance(given, dict):
        kwargs["remote_config"] = mark_source(given, Source("call"))
    return original(config, *args, **kwargs)


def parse_args(original: Original, *args: Any, **kwargs: Any) -> Any:
    """Read the command line; from then on its endpoints are the user's, and its tokens are masked."""
    parsed = original(*args, **kwargs)
    options = [given for name in GIVEN_AS if isinstance(given := getattr(parsed, name, None), dict)]
    typed_endpoints.update(given["endpointurl"] for given in options if given.get("endpointurl"))
    secrets = [str(given["token"]) for given in options if given.get("token")]
    for secret in (*secrets, *_saved_secret(parsed)):
        masks.remember_secret(secret)
    shown = str(vars(parsed))  # as DVC logs it
    if masks.mask_secrets(shown) != shown:
        masks.install_masks()
    return parsed


def _saved_secret(parsed: Any) -> list[str]:
    """The token that `dvc remote modify` or `dvc config` is to save."""
    name = getattr(parsed, "name", None)
    option = name[-1] if isinstance(name, tuple) else getattr(parsed, "option", None)
    value = getattr(parsed, "value", None)
    return [value] if option in ("token", "password") and isinstance(value, str) else []
