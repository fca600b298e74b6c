"""A recording wherever it lies: fetched if need be, read, and whatever goes wrong with it told as its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from beats_trainer.audio.clips import Spans
from beats_trainer.scale.reading import UNREADABLE, Clip, Ended, read_clips, unread
from beats_trainer.scale.remote import RemoteCache, unspoken
from beats_trainer.scale.settings import Settings
from beats_trainer.scale.sources import Source

logger = logging.getLogger(__name__)


def read_source(
    source: Source, settings: Settings, done: Spans | None, cache: RemoteCache
) -> Iterator[Clip | Ended]:
    """The clips that are not done yet, and what is known of the recording; no error of it gets out.

    Args:
        source: The recording.
        settings: How it is cut.
        done: Clips to leave out.
        cache: Where it is fetched to if it lies behind a URL.
    """
    try:
        if source.remote:
            with cache.local(source.location) as path:
                yield from read_clips(source, path, settings, done)
        else:
            yield from read_clips(source, Path(source.location), settings, done)
    except UNREADABLE as error:
        yield unread(source, unspoken(error, source.location))
    except Exception as error:
        reason = unspoken(error, source.location)
        logger.warning("%s: %s", source.name, reason, exc_info=logger.isEnabledFor(logging.DEBUG))
        yield unread(source, reason)
