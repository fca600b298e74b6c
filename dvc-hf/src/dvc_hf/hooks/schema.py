"""Teaches DVC the scheme ``hf`` and its options: the only file that touches DVC's tables."""

import os
import re
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from dvc_hf import masks
from dvc_hf.hooks import table
from dvc_hf.hub import provenance
from dvc_hf.hub.names import PROTOCOL, SCHEME

FILESYSTEM = {
    "class": "dvc_hf.filesystem.remote.HfFileSystem",
    "err": "hf is supported, but requires 'dvc-hf' to be installed",
}
HUB_ADDRESS = re.compile(r"https://(?:[^/\s]*@)?(?:huggingface\.co|hf\.co)/")
Arm = Callable[[], None]


def extend_module(module: ModuleType, after_import: table.AfterImport, warn: table.Warn) -> None:
    """Extend one of DVC's modules right after its import."""
    accept = partial(accept_options, arm=partial(table.arm_hooks, after_import, warn))
    changes: dict[str, table.Change] = {"dvc_objects.fs": register_filesystem, "dvc.config_schema": accept}
    changes.get(module.__name__, partial(table.wrap_early, warn=warn))(module)


def register_filesystem(fs: ModuleType) -> None:
    """Name the class of the scheme; DVC imports it when a remote needs it."""
    fs.known_implementations.setdefault(SCHEME, FILESYSTEM)


def accept_options(schema: ModuleType, arm: Arm) -> None:
    """Let a ``remote`` section have an ``hf://`` url, and only the options that we know."""
    validate = remote_validator(schema, arm)
    schema.SCHEMA["remote"] = {str: validate}
    forget = getattr(_compiled_schema_cache(), "clear", None)
    if forget:
        forget()


def _compiled_schema_cache() -> Any:
    """The memory of DVC's compiled schema, if DVC was in use before us."""
    import sys

    config = sys.modules.get("dvc.config")
    return getattr(getattr(config, "get_compiled_schema", None), "memory", None)


def remote_validator(schema: ModuleType, arm: Arm) -> Callable[[Any], Any]:
    """DVC's validator of a remote, with our scheme in front of it."""
    from voluptuous import Schema

    original = schema.SCHEMA["remote"][str]
    options = Schema(remote_options(schema))

    def validate(section: Any) -> Any:
        url = str(section.get("url", "")) if isinstance(section, dict) else ""
        is_on_hub = url.startswith(PROTOCOL)
        if is_on_hub or _is_of_hub(url):
            arm()
            masks.install_masks()
        if is_on_hub:
            return options(section)
        return original(provenance.unmark_source(section) if isinstance(section, dict) else section)

    return validate


def _is_of_hub(url: str) -> bool:
    """Whether it is a web address of the Hub, or of the one that the user has named for all tools."""
    own = os.environ.get("HF_ENDPOINT", "").rstrip("/")
    return HUB_ADDRESS.match(url) is not None or (own != "" and url.startswith(f"{own}/"))


def remote_options(schema: ModuleType) -> dict[Any, Any]:
    """The options of an ``hf://`` remote, in DVC's own notation."""
    from voluptuous import Optional

    return {
        **schema.REMOTE_COMMON,
        "token": str,
        "endpointurl": str,
        "publish": str,
        Optional("publish_readme", default=False): schema.Bool,
        "create": schema.Choices("public", "private"),
        "commit_message": str,
        Optional("prune", default=False): schema.Bool,
        Optional("verify", default=False): schema.Bool,
    }
