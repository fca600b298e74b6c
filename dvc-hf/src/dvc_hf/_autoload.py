"""Waits for DVC to be imported, then lets ``dvc_hf.hooks.schema`` extend it.

This runs at the start of every Python of the environment, so it imports nothing and never raises.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would cost more than all the rest of this file
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    Change = Callable[[ModuleType], None]

_MODULES = ("dvc.config_schema", "dvc_objects.fs", "dvc.config", "dvc.cli")


class ImportWatcher:
    """A finder that finds nothing itself, and changes a module right after its import."""

    def __init__(self) -> None:
        self.changes: dict[str, list[Change]] = {}

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Find the module as the other finders do, with the changes hung behind its execution."""
        if name not in self.changes:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                self._watch(name, spec)
                return spec  # type: ignore[no-any-return]
        return None

    def _watch(self, name: str, spec: "Any") -> None:
        execute = spec.loader.exec_module

        def exec_module(module: "ModuleType") -> None:
            execute(module)
            for change in self.changes.pop(name, ()):
                attempt_change(change, module)

        try:
            spec.loader.exec_module = exec_module
        except AttributeError:  # a loader that cannot be changed: its module stays as it is
            warn_user(f"cannot watch the import of {name}")


def attempt_change(change: "Change", module: "ModuleType") -> None:
    """Change a module; whatever goes wrong becomes a warning, because DVC must go on."""
    try:
        change(module)
    except Exception as error:  # noqa: BLE001
        warn_user(f"could not extend {module.__name__} ({error!r}); hf:// remotes may not work")


def warn_user(text: str) -> None:
    """Say once, on stderr, what does not work."""
    import warnings

    warnings.warn(f"dvc-hf: {text}", RuntimeWarning, stacklevel=2)


def after_import(name: str, change: "Change") -> None:
    """Change a module now if it is imported, else right after its import."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    if module is not None and not getattr(spec, "_initializing", False):
        attempt_change(change, module)
    else:
        watcher.changes.setdefault(name, []).append(change)
        if watcher not in sys.meta_path:
            sys.meta_path.insert(0, watcher)


def install() -> None:
    """Teach DVC ``hf://``, once, whenever it is imported."""
    global _installed
    if not _installed:
        _installed = True
        for name in _MODULES:
            after_import(name, _extend)


def _extend(module: "ModuleType") -> None:
    from dvc_hf.hooks import schema

    schema.extend_module(module, after_import, warn_user)


watcher = ImportWatcher()
_installed = False
install()
