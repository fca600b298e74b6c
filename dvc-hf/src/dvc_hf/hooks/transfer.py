"""How files go to and from the Hub: DVC's loops over single files, as batches."""

from collections.abc import Callable, Sequence
from typing import Any

from dvc_objects.executors import ThreadPoolExecutor
from dvc_objects.fs.local import localfs
from dvc_objects.fs.utils import as_atomic
from fsspec.callbacks import DEFAULT_CALLBACK

from dvc_hf.hub.names import SCHEME

Original = Callable[..., Any]
OnError = Callable[[str, str, BaseException], Any]


def is_hub(fs: Any) -> bool:
    """Whether a DVC filesystem is ours."""
    return getattr(fs, "protocol", None) == SCHEME


def init(original: Original, odb: Any, name: str) -> None:
    """Make an object's folder; the Hub's are there as soon as a file is in them."""
    if not is_hub(odb.fs):
        original(odb, name)


def transfer(
    original: Original, from_fs: Any, from_path: Any, to_fs: Any, to_path: Any, **kwargs: Any
) -> Any:
    """Copy between this machine and the Hub at once; between two places on the Hub try to link first."""
    if is_hub(from_fs) != is_hub(to_fs):
        kwargs.pop("hardlink", None)
        kwargs["links"] = ["copy"]
    return original(from_fs, from_path, to_fs, to_path, **kwargs)


def put(
    original: Original, from_paths: Sequence[str], to_fs: Any, to_paths: Sequence[str], **kwargs: Any
) -> Any:
    """Upload all the files as one batch."""
    if not is_hub(to_fs):
        return original(from_paths, to_fs, to_paths, **kwargs)
    jobs = kwargs.pop("batch_size", None)
    return to_fs.put_files(from_paths, to_paths, jobs=jobs, **kwargs)


def get(
    original: Original,
    from_fs: Any,
    from_paths: Sequence[str],
    to_paths: Sequence[str],
    callback: Any = DEFAULT_CALLBACK,
    batch_size: int | None = None,
    on_error: OnError | None = None,
) -> Any:
    """List all the files in one request, then download them; what failed does not stop the others.

    DVC's own loop reports a failure and then moves the file that did not come, which ends the whole pull.
    """
    if not is_hub(from_fs):
        return original(
            from_fs, from_paths, to_paths, callback=callback, batch_size=batch_size, on_error=on_error
        )
    from_fs.prefetch(from_paths)

    def one(source: str, target: str) -> None:
        try:
            with (
                as_atomic(localfs, target, create_parents=True) as temporary,
                callback.branched(source, temporary) as bar,
            ):
                from_fs.get_file(source, temporary, callback=bar)
        except Exception as error:
            if on_error is None:
                raise
            on_error(source, target, error)

    with ThreadPoolExecutor(max_workers=batch_size or from_fs.jobs, cancel_on_error=True) as executor:
        for _ in executor.imap_unordered(one, from_paths, to_paths):
            callback.relative_update()
    return None
