"""Paths as DVC keeps them: a url without its scheme, the version of a file in it or beside it."""

import posixpath
import re
from typing import Any

from dvc_objects.fs.base import ObjectFileSystem
from dvc_objects.fs.errors import ConfigError

from dvc_hf.hub.location import parse_path, parse_url
from dvc_hf.hub.names import PROTOCOL

_VERSION = re.compile(r"((?:hf://)?(?:[a-z]+/)?[^/@:]+/[^/@]+)(@([0-9a-f]{40}))(?=/|$)")


class HubPaths(ObjectFileSystem):
    """The part of a DVC filesystem that asks no one."""

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        if not path.startswith(PROTOCOL):
            return path
        try:
            return str(parse_url(path))
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def unstrip_protocol(self, path: str) -> str:
        """The url of a path."""
        return path if path.startswith(PROTOCOL) else PROTOCOL + path

    @staticmethod
    def _get_kwargs_from_urls(urlpath: str) -> dict[str, Any]:
        """What the url is of, and its branch, which a versioned path has lost."""
        place = parse_path(HubPaths._strip_protocol(urlpath))
        branch = {} if place.version or not place.revision else {"branch": place.revision}
        return {"repo_type": place.repo_type, **branch}

    def normpath(self, path: str) -> str:
        """Normalise without reading ``#`` and ``?`` as parts of a url."""
        return posixpath.normpath(path)

    @classmethod
    def split_version(cls, path: str) -> tuple[str, str | None]:
        """Take the version out of a path; ``remote://`` paths have none."""
        match = _VERSION.match(path)
        if not match:
            return path, None
        return path[: match.start(2)] + path[match.end(2) :], match[3]

    @classmethod
    def join_version(cls, path: str, version_id: str | None) -> str:
        """Put a version into a path that has none.

        Raises:
            ValueError: the path has one already.
        """
        if cls.split_version(path)[1]:
            message = f"'{path}' names a version already"
            raise ValueError(message)
        return cls._versioned(path, version_id, None)

    def version_path(self, path: str, version_id: str | None) -> str:
        """The same file at another version; without one, on the remote's branch."""
        return self._versioned(path, version_id, self._config.get("branch"))

    @classmethod
    def _versioned(cls, path: str, version_id: str | None, branch: str | None) -> str:
        place = parse_path(cls._strip_protocol(path))
        if not place.version:
            branch = place.revision
        moved = place.at(version_id or branch)
        return moved.url if path.startswith(PROTOCOL) else str(moved)

    @classmethod
    def coalesce_version(cls, path: str, version_id: str | None) -> tuple[str, str | None]:
        """Join the version in a path with one beside it.

        Raises:
            ValueError: they differ.
        """
        bare, version = cls.split_version(path)
        if version and version_id and version != version_id:
            message = f"Path version mismatch: '{path}', '{version_id}'"
            raise ValueError(message)
        return bare, version_id or version
