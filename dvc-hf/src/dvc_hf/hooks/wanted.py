"""What a push promises: the objects that it was asked for, and all that their listings name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dvc_hf.hub.location import parse_path

Validate = Callable[[Any], None] | None


@dataclass
class Wanted:
    """The objects that are to be on a remote when a transfer has ended well."""

    source: Any
    remote: Any
    objects: set[Any]
    absent: set[Any] = field(default_factory=set)

    @classmethod
    def of(cls, source: Any, remote: Any, objects: Iterable[Any]) -> "Wanted":
        """The objects, and what the listings among them name, wherever these are read from."""
        from dvc_data.hashfile.transfer import find_tree_by_obj_id

        named = set(objects)
        for listing in [item for item in named if item.isdir]:
            tree = find_tree_by_obj_id([source, remote], listing)
            named.update(info for _, _, info in tree or ())
        return cls(source, remote, named)

    def noting(self, validate: Validate) -> Callable[[Any], None]:
        """As DVC's own look at the status, which warns of what is nowhere, and notes that."""

        def look(status: Any) -> None:
            self.absent.update(status.missing)
            if validate is not None:
                validate(status)

        return look

    def path(self, info: Any) -> str:
        """Where in the repository an object is."""
        return parse_path(self.remote.oid_to_path(info.value)).path_in_repo

    def keep(self, failed: set[Any]) -> None:
        """Let the commit be confirmed with all that it promises, and name what it cannot promise."""
        batch = self.remote.fs.open_repository(self.remote.path).batch
        batch.relied.update(map(self.path, self.objects - failed))
        batch.unsent.update(map(self.path, failed))
