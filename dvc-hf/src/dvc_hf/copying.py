"""How files go to and from the Hub: DVC's loops over single files, as batches."""

from collections.abc import Callable, Sequence
from typing import Any

SCHEME = "hf"
Original = Callable[..., Any]


def is_hub(fs: Any) -> bool:
    """Whether a DVC filesystem is ours."""
    return getattr(fs, "protocol", None) == SCHEME


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
    original: Original, from_fs: Any, from_paths: Sequence[str], to_paths: Sequence[str], **kwargs: Any
) -> Any:
    """List all the files in one request, then download them."""
    if is_hub(from_fs):
        from_fs.prefetch(from_paths)
    return original(from_fs, from_paths, to_paths, **kwargs)
