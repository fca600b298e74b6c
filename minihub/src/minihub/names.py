"""Names that arrive in requests: repositories and paths. Parsed once, refused when unsafe."""

import re
from dataclasses import dataclass

from minihub.errors import BadRequestError, RepoNotFoundError, UnprocessableError

REPO_TYPES = {"models": "model", "datasets": "dataset", "spaces": "space", "buckets": "bucket"}
PLURALS = {single: plural for plural, single in REPO_TYPES.items()}

MAX_PATH_LENGTH = 1024  # characters
MAX_NAME_LENGTH = 96  # characters

# What macOS overlooks in a name, and what Windows takes for `.git`: git refuses both, too.
_OVERLOOKED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_GIT_FOLDERS = {".git", "git~1"}
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_RESERVED = {"api", "datasets", "spaces", "models", "buckets", "oauth", "settings", "v1", "v2"}


@dataclass(frozen=True)
class RepoName:
    """A repository as clients name it."""

    type: str
    namespace: str
    name: str

    @property
    def id(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def url_path(self) -> str:
        """The path of its page: models have no prefix."""
        return self.id if self.type == "model" else f"{PLURALS[self.type]}/{self.id}"

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


def is_name(text: str) -> bool:
    """Whether `text` may name a user, an organisation or a repository."""
    return (
        len(text) <= MAX_NAME_LENGTH
        and _NAME.fullmatch(text) is not None
        and ".." not in text
        and "--" not in text
        and not text.endswith(".git")
    )


def new_name(text: str, what: str) -> str:
    """`text`, if a new user or repository may be called so."""
    if is_name(text) and text not in _RESERVED:
        return text
    message = (
        f"{what} cannot be called {text[:MAX_NAME_LENGTH]!r}: expected letters, digits, '-', '_' and '.', "
        f"at most {MAX_NAME_LENGTH}, no '--' or '..', not ending in '.git'. Choose another name."
    )
    raise BadRequestError(message)


def repo_name(plural: str, namespace: str, name: str) -> RepoName:
    """The repository that a URL names."""
    name = name.removesuffix(".git")
    if plural not in REPO_TYPES or not is_name(namespace) or not is_name(name):
        message = f"No {REPO_TYPES.get(plural, 'repository')} is called {namespace[:99]}/{name[:99]}."
        raise RepoNotFoundError(message)
    return RepoName(REPO_TYPES[plural], namespace, name)


def is_part(name: str) -> bool:
    """Whether one part of a path in a repository may be called so."""
    if name in {"", ".", ".."} or "\\" in name or "/" in name:
        return False
    if any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in name):
        return False
    return _OVERLOOKED.sub("", name).partition(":")[0].rstrip(" .").lower() not in _GIT_FOLDERS


def repo_path(text: str) -> str:
    """A path inside a repository, refused when git or a file system could read it as another place."""
    parts = text.split("/")
    if not text or len(text) > MAX_PATH_LENGTH or not all(is_part(part) for part in parts):
        message = (
            f"The path {text[:200]!r} cannot be in a repository: expected names separated by '/', without "
            f"'.', '..', '.git', backslashes or control characters, at most {MAX_PATH_LENGTH} characters."
        )
        raise UnprocessableError(message)
    return text


def folder_path(text: str) -> str:
    """A folder inside a repository; the root is the empty string."""
    text = text.strip("/")
    return repo_path(text) if text else ""
