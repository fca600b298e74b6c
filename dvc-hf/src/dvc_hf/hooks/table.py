"""The functions of DVC that we wrap, in one table: so that a push is one commit, and its traps are closed.

Each wrapper passes through what is not on the Hub. Where a release of DVC lacks a name, that is said once
and everything still works: with more commits or requests, never wrong.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

# Both are handed in by what waits for DVC: nothing of it is imported here, so that the arrow goes one way.
Change = Callable[[ModuleType], None]
AfterImport = Callable[[str, Change], None]
Warn = Callable[[str], None]


@dataclass(frozen=True)
class Hook:
    """One wrapped name of DVC."""

    module: str
    name: str
    wrapper: str
    why: str


# fmt: off
HOOKS = (
    Hook("dvc.repo", "Repo.push", "push.push", "one commit for run-cache, objects and published names"),
    Hook("dvc.repo", "Repo.gc", "collection.gc", "one commit on what it reckoned with; objects only"),
    Hook("dvc.repo", "Repo.fetch", "refusals.fetch", "a web address is answered with the hf:// url"),
    Hook("dvc.repo", "Repo.status", "refusals.status", "as above"),
    Hook("dvc.repo.push", "_rebuild", "versions.rebuild", "versions in few requests, not one a file"),
    Hook("dvc.repo.worktree", "_merge_push_meta", "dvcfiles.merge_push_meta", "no .dvc file loses or lies"),
    Hook("dvc.config", "Config._save_config", "disclosure.save_config", "no token in .dvc/config"),
    Hook("dvc.output", "Output.dumpd", "disclosure.dump_output", "no token in a .dvc file"),
    Hook("dvc.dependency.repo", "RepoDependency.dumpd", "disclosure.dump_import", "as above"),
    Hook("dvc.output", "Output.transfer", "push.to_remote", "one commit, without DVC's temporary file"),
    Hook("dvc.output", "otransfer", "push.transfer", "as dvc_data.hashfile.transfer, bound here by name"),
    Hook("dvc.output", "Output._collect_used_dir_cache", "collection.used_folder", "gc knows all or stops"),
    Hook("dvc.repo.index", "_build_tree_from_outs", "indexes.identify", "no half list is believed"),
    Hook("dvc.repo.index", "_load_data_from_outs", "indexes.load_outputs", "a list is written whole"),
    Hook("dvc_data.hashfile.db.index", "ObjectDBIndex.clear", "indexes.change_remote", "emptied at once"),
    Hook("dvc_data.hashfile.db.index", "ObjectDBIndex.update", "indexes.change_remote", "with all its files"),
    Hook("dvc_data.hashfile.status", "status", "indexes.status", "each object is asked for"),
    Hook("dvc_data.hashfile.transfer", "transfer", "push.transfer", "a failed commit fails its objects"),
    Hook("dvc_data.index.push", "push", "push.push_indexes", "commit before DVC counts and asks versions"),
    Hook("dvc_data.index.push", "transfer", "push.transfer", "as dvc_data.hashfile.transfer, bound here"),
    Hook("dvc_data.index.push", "build", "versions.build", "a push compares etags: it asks no versions"),
    Hook("dvc_data.index.push", "compare", "versions.compare", "an overwrite is no deletion; prune is"),
    Hook("dvc_data.index.push", "_prune_existing_versions", "versions.prune_existing", "exact, few requests"),
    Hook("dvc_data.index.checkout", "_check_versioning", "versions.check_versioning", "no commit per output"),
    Hook("dvc_data.index.checkout", "_create_files", "objects.create_files", "as a pull, for imports"),
    Hook("dvc_data.index.checkout", "apply", "workspace.apply", "no link of git's leads out"),
    Hook("dvc_data.index.checkout", "transfer", "transfer.transfer", "as in dvc_objects.fs.generic"),
    Hook("dvc_data.index.index", "DataIndex._load", "indexes.load_folder", "a list is written whole"),
    Hook("dvc_data.index.index", "_load_from_storage", "indexes.load_listing", "no half of one that fails"),
    Hook("dvc_data.index.fetch", "collect", "indexes.collect", "a killed push leaves no half of a list"),
    Hook("dvc_data.index.push", "_filter_missing", "versions.filter_missing", "what is nowhere is told"),
    Hook("sqltrie.sqlite.sqlite", "SQLiteTrie._traverse", "indexes.traverse", "no commit in mid-list"),
    Hook("dvc_data.index.fetch", "fetch", "objects.fetch", "what fails of versions and imports counts"),
    Hook("dvc_data.index.fetch", "transfer", "objects.transfer", "as dvc_data.hashfile.transfer, bound here"),
    Hook("dvc_data.index.fetch", "save", "objects.save", "as above, and is told"),
    Hook("dvc_data.index.fetch", "md5", "versions.md5", "a pull reads each file once, not twice"),
    Hook("dvc_data.index.fetch", "_filter_changed", "versions.filter_changed", "few requests for imports"),
    Hook("dvc_data.hashfile.transfer", "transfer", "objects.transfer", "a bad listing fails alone"),
    Hook("dvc_data.hashfile.db", "HashFileDB.add", "objects.add", "contents are what their names say"),
    Hook("dvc_data.hashfile.tree", "Tree.from_list", "listings.from_list", "no name leads out of its folder"),
    Hook("dvc_data.hashfile.tree", "Tree.load", "listings.load", "as above, said with the listing's name"),
    Hook("dvc_data.index.index", "_load_from_storage", "objects.load_directory", "a refused listing is told"),
    Hook("dvc_data.fs", "DataFileSystem._get_fs_path", "objects.locate", "as a pull, for dvc get"),
    Hook("dvc_objects.db", "ObjectDB._init", "transfer.init", "no listing to learn which folders to make"),
    Hook("dvc_objects.fs.generic", "transfer", "transfer.transfer", "no try to link a local file to the Hub"),
    Hook("dvc_objects.fs.generic", "_put", "transfer.put", "uploads in groups of hundreds, not singly"),
    Hook("dvc_objects.fs.generic", "_get", "transfer.get", "one listing for all downloads, not one each"),
)

# Wrapped for every command, because the first config is read before anyone knows of a remote on the Hub.
EARLY = (
    Hook("dvc.config", "Config.load_one", "config.load_one", "who said where a remote's Hub is"),
    Hook("dvc.config", "Config.load", "config.load", "as above"),
    Hook("dvc.cli", "parse_args", "config.parse_args", "what was typed is the user's; tokens are masked"),
    Hook("dvc.cli", "_log_exceptions", "failures.log_exceptions", "our errors are not unexpected ones"),
)
# fmt: on

_armed = False


def arm_hooks(after_import: AfterImport, warn: Warn) -> None:
    """Wrap every name of the table, now or when its module is imported; once in a process."""
    global _armed
    if _armed:
        return
    _armed = True
    for module in {hook.module: None for hook in HOOKS}:
        after_import(module, functools.partial(_wrap_all, warn=warn))


def wrap_early(module: ModuleType, warn: Warn) -> None:
    """Wrap the names that are needed before the first remote on the Hub is met."""
    for hook in EARLY:
        if hook.module == module.__name__:
            _wrap(module, hook, warn)


def _wrap_all(module: ModuleType, warn: Warn) -> None:
    for hook in HOOKS:
        if hook.module == module.__name__:
            _wrap(module, hook, warn)


def _wrap(module: ModuleType, hook: Hook, warn: Warn) -> None:
    owner: Any = module
    *path, name = hook.name.split(".")
    for part in path:
        owner = getattr(owner, part, None)
    original = getattr(owner, name, None)
    if original is None:
        warn(f"this DVC has no {hook.module}.{hook.name} (wanted for: {hook.why})")
    elif hook.wrapper not in getattr(original, "__dvc_hf__", ()):
        setattr(owner, name, _wrapped(original, hook))


def _wrapped(original: Callable[..., Any], hook: Hook) -> Callable[..., Any]:
    file, name = hook.wrapper.split(".")

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        replacement = getattr(import_module(f"dvc_hf.hooks.{file}"), name)
        return replacement(original, *args, **kwargs)

    known = getattr(original, "__dvc_hf__", ())
    wrapper.__dvc_hf__ = (*known, hook.wrapper)  # type: ignore[attr-defined]
    return wrapper
