"""Files and directories that are not this user's alone are not used."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.spooling import TO_LIBRETTO, append, make_message, read_ids, segments

from libretto_instrument._spool import Spool, inspect_spool

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
_Open = Callable[..., Spool]
_as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives files away"
)


def _open_to_all(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o777)


def _parent_open_to_all(directory: Path) -> None:
    directory.mkdir()
    directory.parent.chmod(0o777)


def _parent_open_to_a_group(directory: Path) -> None:
    directory.parent.chmod(0o770)
    os.chown(directory.parent, -1, 12345)


def _symbolic_link(directory: Path) -> None:
    target = directory.with_name("elsewhere")
    target.mkdir(0o700)
    directory.symlink_to(target)


def _file(directory: Path) -> None:
    directory.write_text("not a directory")


def _of_another_user(directory: Path) -> None:
    directory.mkdir(0o700)
    os.chown(directory, 12345, -1)


def _segments_open_to_others(directory: Path) -> None:
    Spool(directory).directory.prepare()
    (directory / "segments").chmod(0o750)


def _segments_elsewhere(directory: Path) -> None:
    target = directory.with_name("elsewhere")
    target.mkdir(0o700)
    directory.mkdir(0o700)
    (directory / "segments").symlink_to(target)


@pytest.mark.parametrize(
    "prepare",
    [
        _open_to_all,
        _parent_open_to_all,
        pytest.param(_parent_open_to_a_group, marks=_as_root),
        _symbolic_link,
        _file,
        pytest.param(_of_another_user, marks=_as_root),
        _segments_open_to_others,
        _segments_elsewhere,
    ],
)
def test_refused_directory(
    directory: Path,
    open_spool: _Open,
    prepare: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is written or read there, and one warning says what to do."""
    prepare(directory)
    spool = open_spool()
    for _ in range(3):
        assert not spool.append(make_message("a"), TO_LIBRETTO)
        assert not spool.try_lead("libretto")
        spool.maintain()
    (record,) = caplog.records
    assert str(directory) in record.getMessage()
    assert not list(directory.parent.glob("elsewhere/*"))
    assert inspect_spool(directory).state in ("refused", "unreadable")


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o711])
def test_directory_made_by_hand(directory: Path, open_spool: _Open, mode: int) -> None:
    """A directory that others may list is used; what is in it is private."""
    directory.mkdir()
    directory.chmod(mode)
    spool = open_spool()
    append(spool, "a")
    assert read_ids(spool) == ["a"]
    for path in directory.rglob("*"):
        assert not path.stat().st_mode & 0o077, path


def test_created_private(tmp_path: Path) -> None:
    """What is created is the user's alone, whatever the umask, parents included."""
    previous = os.umask(0)
    try:
        spool = Spool(tmp_path / "new" / "spool")
        append(spool, "a")
        spool.close()
    finally:
        os.umask(previous)
    for path in (tmp_path / "new").rglob("*"):
        assert not path.stat().st_mode & 0o077, path


def test_sticky_parent(directory: Path, open_spool: _Open) -> None:
    """Below a directory such as /tmp, a spool is used."""
    directory.parent.chmod(0o1777)
    append(open_spool(), "a")


def _readable_by_others(path: Path) -> None:
    path.chmod(0o644)


def _named_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _link_to_a_segment(path: Path) -> None:
    target = path.with_name("hidden")
    path.rename(target)
    path.symlink_to(target)


def _given_away(path: Path) -> None:
    os.chown(path, 12345, -1)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


@pytest.mark.parametrize(
    "change",
    [
        _readable_by_others,
        _named_pipe,
        _link_to_a_segment,
        pytest.param(_given_away, marks=_as_root),
        _directory,
    ],
)
def test_refused_segment(
    directory: Path,
    open_spool: _Open,
    change: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A segment that is not the user's alone is left out; others are read."""
    spool = open_spool()
    append(spool, "theirs")
    spool.close()
    change(segments(directory)[0])
    append(spool, "ours")
    assert read_ids(spool) == ["ours"]
    spool.maintain()
    spool.stats()
    (record,) = caplog.records
    assert "remove" in record.getMessage()


@pytest.mark.parametrize("name", ["relay.lock", "acks/libretto.log", "dropped"])
@pytest.mark.parametrize("change", [_named_pipe, _link_to_a_segment, _directory])
def test_other_refused_files(
    directory: Path, open_spool: _Open, change: Callable[[Path], None], name: str
) -> None:
    """With another file in the place of one of its own, nothing raises or waits."""
    spool = open_spool()
    append(spool, "a")
    path = directory / name
    path.touch(0o600)
    change(path)
    append(spool, "b")
    spool.try_lead("libretto")
    for stored in spool.read("libretto", 10, 2**20):
        spool.ack(stored)
    spool.maintain()
    spool.own_pending(TO_LIBRETTO)
    inspect_spool(directory)
