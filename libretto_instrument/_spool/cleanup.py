"""Deletes the segments that every destination has got."""

import os
from collections.abc import Callable, Mapping

from .._delivery.clock import monotonic
from .acks import AckLog
from .directory import SpoolDirectory
from .reader import DestinationReader
from .segment import DamagedError, IncompleteError, read_head

#: For how long segments are deleted at a time, in seconds.
_TIME_LIMIT = 0.025


def delete_finished(
    directory: SpoolDirectory,
    readers: Mapping[str, DestinationReader],
    get_log: Callable[[str], AckLog],
) -> None:
    """Delete what nobody writes to any more and all destinations have.

    Args:
        directory: The spool.
        readers: By destination; those that lead are asked.
        get_log: Returns the acknowledgements of a destination that another one leads.
    """
    leading = [reader for reader in readers.values() if reader.is_leading]
    deadline = monotonic() + _TIME_LIMIT
    for name, size in directory.list_segments().items() if leading else ():
        if monotonic() > deadline:
            break
        if not all(reader.get(name).is_complete(size) for reader in leading):
            continue
        fd = directory.lock_for_deletion(name)
        if fd is None:
            continue
        try:
            if directory.get_size(fd) != size:
                continue
            others = _find_others(fd, size, readers)
            if all(_has_all(get_log(other), name, size) for other in others):
                os.unlink(directory.segments / name)
                for reader in leading:
                    reader.forget(name)
            else:
                for reader in leading:
                    reader.note_complete(name)
        finally:
            os.close(fd)


def _find_others(
    fd: int, size: int, readers: Mapping[str, DestinationReader]
) -> list[str]:
    """Return the destinations of a segment that other processes read for."""
    try:
        destinations = read_head(fd, 0, size).destinations
    except (DamagedError, IncompleteError):
        return []
    return [
        name
        for name in (readers if destinations is None else destinations)
        if name not in readers or not readers[name].is_leading
    ]


def _has_all(log: AckLog, segment: str, size: int) -> bool:
    log.refresh()
    return log.get(segment).is_complete(size)
