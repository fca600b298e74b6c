"""What DVC tracks below a folder of the workspace, by the names that the folder gives to it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvc_hf.log import logger
from dvc_hf.publish.plan import show_refusal


@dataclass
class Tracked:
    """The files that DVC tracks below a folder."""

    md5s: dict[str, str] = field(default_factory=dict)
    hash_names: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


class Folder:
    """A folder of the workspace, and the remote that shows it."""

    def __init__(self, repo: Any, path: str, remote: str, url: str) -> None:
        self.repo = repo
        self.parts = tuple(part for part in Path(path).parts if part != ".")
        self.remote = remote
        self.url = url

    def tracked(self, default: str | None) -> Tracked:
        """The tracked files below this folder that go to its remote.

        Args:
            default: the remote of outputs that name none.
        """
        tracked = Tracked()
        for out in self.repo.index.outs:
            is_ours = (out.remote or default) == self.remote
            if is_ours and out.is_in_repo and out.use_cache and out.can_push and out.hash_info:
                self._add(out, tracked)
        return tracked

    def _add(self, out: Any, tracked: Tracked) -> None:
        base = tuple(self.repo.fs.relparts(out.fs_path, self.repo.root_dir))
        top = self._relative(base)
        if not out.hash_info.isdir:
            self._add_file(top, out.hash_info, tracked)
            return
        tree = out.get_obj()
        if tree is None:
            tracked.unknown.append("" if not top else "/".join(top) + "/")
            return
        for key, _, hash_info in tree:
            self._add_file(self._relative((*base, *key)), hash_info, tracked)

    def _relative(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """A path below the folder; an empty one is the folder itself, None lies outside."""
        if parts[: len(self.parts)] == self.parts:
            return parts[len(self.parts) :]
        return () if self.parts[: len(parts)] == parts else None

    def _add_file(self, parts: tuple[str, ...] | None, hash_info: Any, tracked: Tracked) -> None:
        if not parts:
            return
        name = "/".join(parts)
        reason = show_refusal(name)
        if reason:
            logger.warning("'%s' is not shown in %s: %s.", name, self.url, reason)
            return
        tracked.md5s[name] = hash_info.value
        tracked.hash_names[name] = hash_info.name
