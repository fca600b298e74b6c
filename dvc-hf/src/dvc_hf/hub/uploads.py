"""Groups what a push sends: some groups at once, and one bad file does not take its group with it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from huggingface_hub.utils._xet import abort_xet_session

from dvc_hf.hub import xet
from dvc_hf.hub.changes import Upload, Uploaded
from dvc_hf.hub.client import Client
from dvc_hf.hub.errors import HubUnavailableError, is_transient
from dvc_hf.log import logger

FILES_PER_REQUEST = 256  # the Hub's own bound for one preupload
GROUPS_AT_ONCE = 3  # one waits for the Hub's answer while another sends
Outcome = tuple[Upload, Uploaded | Exception]


def upload_files(client: Client, uploads: Sequence[Upload], jobs: int) -> Iterator[Outcome]:
    """Send content; what failed comes back as its error, and does not stop the others."""
    starts = range(0, len(uploads), FILES_PER_REQUEST)
    groups = [uploads[start : start + FILES_PER_REQUEST] for start in starts]
    if len(groups) == 1:
        yield from _upload_group(client, groups[0], jobs)
    elif groups:
        yield from _upload_groups(client, groups, max(1, jobs // GROUPS_AT_ONCE))


def _upload_groups(client: Client, groups: Sequence[Sequence[Upload]], jobs: int) -> Iterator[Outcome]:
    """Send some groups at once; an interrupt does not wait for what is under way."""
    pool = ThreadPoolExecutor(GROUPS_AT_ONCE)
    try:
        for outcomes in pool.map(lambda group: list(_upload_group(client, group, jobs)), groups):
            yield from outcomes
    except KeyboardInterrupt:
        abort_xet_session()  # type: ignore[no-untyped-call]
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _upload_group(client: Client, group: Sequence[Upload], jobs: int) -> Iterator[Outcome]:
    logger.debug("uploading %d files to %s", len(group), client.place.url)
    try:
        results: list[Uploaded | Exception] = xet.send_anew(lambda: list(client.send(group, jobs)))
    except Exception as error:  # noqa: BLE001 - DVC counts what failed
        if len(group) > 1 and not is_transient(error) and _may_be_one_file(error):
            logger.debug("a group of %d uploads failed (%s): one by one", len(group), error)
            for single in group:
                yield from _upload_group(client, [single], jobs)
            return
        results = [client.explained(error, "push to")] * len(group)
    yield from zip(group, results, strict=True)


def _may_be_one_file(error: Exception) -> bool:
    """Whether the error may be of one file of the group, so that the others can be saved."""
    is_known = isinstance(error, OSError | ValueError | RuntimeError)
    return is_known and not isinstance(error, HubUnavailableError)
