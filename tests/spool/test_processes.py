"""Several processes over one spool, some of which are killed, stopped or forked."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
from support.spooling import (
    TO_LIBRETTO,
    append,
    hear,
    program,
    read,
    read_ids,
    say,
    segments,
)
from support.waiting import eventually

from libretto_instrument._spool import Spool, is_relay_running

_Open = Callable[..., Spool]

_WRITE = """
number = 0
while True:
    assert spool.append(make_message(f"{name}-{number}", size=3000), TO_LIBRETTO)
    print(number, flush=True)
    number += 1
"""


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_killed_writers(directory: Path, open_spool: _Open) -> None:
    """All that a process had written before it was killed is read, once, in order."""
    written: list[str] = []
    for name in "abcdef":
        with program(directory, f"name = {name!r}\n" + _WRITE) as process:
            for number in range(random.randint(1, 200)):
                assert hear(process) == str(number)
                written.append(f"{name}-{number}")
            _kill(process.pid)
            process.wait()
            assert process.stdout is not None
            written += [
                f"{name}-{line.strip()}" for line in process.stdout if "\n" in line
            ]
    found = read_ids(open_spool(), 10_000)
    assert len(found) == len(set(found))
    # One more may have been written than there was time to tell.
    assert [one for one in found if one in written] == written
    assert len(found) <= len(written) + 6


def test_order_across_processes(directory: Path, open_spool: _Open) -> None:
    """What one process wrote after another one had written is read after it."""
    code = """
    for line in sys.stdin:
        assert spool.append(make_message(line.strip()), TO_LIBRETTO)
        print("written", flush=True)
    """
    reader = open_spool()
    found: list[str] = []
    with program(directory, code) as one, program(directory, code) as other:
        for number in range(200):
            writer = random.choice((one, other))
            say(writer, str(number))
            assert hear(writer) == "written"
            if number % 7 == 0:
                found += read_ids(reader, 3)
    found += read_ids(reader)
    assert found == [str(number) for number in range(200)]


def test_reading_beside_writers(directory: Path, open_spool: _Open) -> None:
    """Read while they write, each process's messages come once, complete, in order."""
    code = """
    for number in range(3000):
        message = make_message(f"{os.getpid()}-{number}", size=500)
        assert spool.append(message, TO_LIBRETTO)
    spool.close()
    """
    reader = open_spool()
    found: list[str] = []
    with program(directory, code) as one, program(directory, code) as other:

        def read_on() -> bool:
            for stored in read(reader, 200):
                found.append(stored.message.id)
                reader.ack(stored)
            reader.maintain()
            return len(found) >= 6000

        eventually(read_on, timeout=60)
        for process in (one, other):
            mine = [one for one in found if one.startswith(f"{process.pid}-")]
            assert mine == [f"{process.pid}-{number}" for number in range(3000)]
            assert process.wait(10) == 0

    def is_empty() -> bool:
        reader.maintain()
        return not segments(directory)

    eventually(is_empty)


_LEAD = """
assert spool.try_lead("libretto")
for stored in spool.read("libretto", 3, 2**20)[:2]:
    spool.ack(stored)
print("leading", flush=True)
sys.stdin.readline()
"""


def test_killed_reader(directory: Path, open_spool: _Open) -> None:
    """Another process takes over at once, and repeats what was not acknowledged."""
    spool = open_spool()
    append(spool, *"abcde")
    with program(directory, _LEAD) as process:
        assert hear(process) == "leading"
        assert not spool.try_lead("libretto")
        assert is_relay_running(directory)
        _kill(process.pid)
        process.wait()
        assert not is_relay_running(directory)
        assert read_ids(spool) == ["c", "d", "e"]


def test_stopped_reader(directory: Path, open_spool: _Open) -> None:
    """While the reader is stopped, neither writers nor other processes wait for it."""
    spool = open_spool()
    append(spool, "a")
    with program(directory, _LEAD) as process:
        assert hear(process) == "leading"
        os.kill(process.pid, signal.SIGSTOP)
        began = monotonic()
        append(spool, "b")
        assert not spool.try_lead("libretto")
        spool.maintain()
        assert spool.own_pending(TO_LIBRETTO) == 1
        spool.close()
        assert monotonic() - began < 5


def test_everything_is_locked(directory: Path, open_spool: _Open) -> None:
    """While another process holds every lock there is, nothing waits, and all works."""
    spool = open_spool()
    append(spool, "a", "b")
    first, second = read(spool)
    spool.ack(first)
    spool.reject(second, "no")
    spool.close()
    with program(
        directory,
        """
        from libretto_instrument._util.filelock import try_lock
        here = spool.directory.path
        for path in (here, *here.rglob("*")):
            print(path, try_lock(os.open(path, os.O_RDONLY)), file=sys.stderr)
        print("locked", flush=True)
        sys.stdin.readline()
        """,
    ) as process:
        assert hear(process) == "locked"
        began = monotonic()
        append(spool, "c")
        assert not spool.try_lead("libretto")
        spool.maintain()
        assert spool.own_pending(TO_LIBRETTO) == 1
        spool.stats()
        spool.close()
        assert monotonic() - began < 5
    assert read_ids(spool) == ["c"]


def test_fork(directory: Path) -> None:
    """A forked child writes to a segment of its own; it neither reads nor repeats."""
    spool = Spool(directory)
    append(spool, "parent")
    assert read_ids(spool, 1) == ["parent"]
    pid = os.fork()
    if pid == 0:
        # No hook has run, as in a server that forks in C.
        try:
            append(spool, "child")
            done = not spool.read("libretto", 9, 2**20) and (
                spool.own_pending(TO_LIBRETTO) == 1
            )
            os._exit(0 if done else 1)
        except BaseException:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    append(spool, "again")
    assert read_ids(spool) == ["child", "again"]
    assert len(segments(directory)) == 2
    spool.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="lists descriptors")
def test_fork_holds_no_locks(directory: Path, open_spool: _Open) -> None:
    """What a child inherited is closed, whatever the parent's threads were about."""
    with program(
        directory,
        """
        spool.append(make_message("a"), TO_LIBRETTO)
        assert spool.try_lead("libretto")
        other = Spool(spool.directory.path)
        other.append(make_message("b"), TO_LIBRETTO)
        # As by a thread that is in the middle of opening it.
        from libretto_instrument._util.filelock import try_lock
        for path in (spool.directory.path / "segments").iterdir():
            try_lock(os.open(path, os.O_RDWR))
        if os.fork() == 0:
            spool.reset()
            print(os.getpid(), flush=True)
            time.sleep(60)
        time.sleep(60)
        """,
    ) as process:
        child = int(hear(process))
        try:
            _kill(process.pid)
            process.wait()
            spool = open_spool()
            for stored in read(spool):
                spool.ack(stored)
            spool.maintain()
            assert not segments(directory)
        finally:
            _kill(child)


def test_fork_leaves_other_files_open(directory: Path) -> None:
    """A file of the program's own in the directory stays open in a child."""
    spool = Spool(directory)
    append(spool, "a")
    with (directory / "theirs.jsonl").open("w") as theirs:
        pid = os.fork()
        if pid == 0:
            spool.reset()
            theirs.write("child")
            theirs.flush()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    assert (directory / "theirs.jsonl").read_text() == "child"
    spool.close()


def test_descriptors_are_not_inherited(directory: Path) -> None:
    """A program that is started by the process holds no lock of its."""
    spool = Spool(directory)
    append(spool, "a")
    assert read_ids(spool) == ["a"]
    pid = os.posix_spawn("/bin/sleep", ["sleep", "60"], os.environ)
    try:
        spool.close()
        # It is closed just after the other program has begun.
        eventually(lambda: Spool(directory).try_lead("libretto"))
    finally:
        _kill(pid)
        os.waitpid(pid, 0)
