"""Messages on disk, and what becomes of disks."""

import multiprocessing
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from math import inf
from pathlib import Path
from time import monotonic

import pytest
from support.waiting import eventually

from libretto_instrument.delivery import Message
from libretto_instrument.delivery import _journal as journal_module
from libretto_instrument.delivery import _spool as spool_module
from libretto_instrument.delivery import _spool_bounds as bounds_module
from libretto_instrument.delivery import _spool_deeds as deeds_module
from libretto_instrument.delivery._spool import Spool
from libretto_instrument.delivery._spool_file import FILE

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def message(name: str = "a", key: str | None = None, size: int = 100) -> Message:
    return Message("event", name, b"x" * size, key)


def names(claimed) -> list[str]:
    return [stored.message.id for stored in claimed]


def set_clock(monkeypatch, clock: list[float]) -> None:
    """Make the spool read the time off a list."""
    for module in (spool_module, bounds_module, deeds_module):
        monkeypatch.setattr(module, "time", lambda: clock[0])


@pytest.fixture
def make(tmp_path):
    """Make spools in one directory, each as another process would."""
    made: list[Spool] = []

    def make(**options) -> Spool:
        made.append(Spool(tmp_path / "spool", **options))
        return made[-1]

    yield make
    for spool in made:
        spool.close()


@pytest.fixture
def spool(make):
    return make()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool" / FILE


# The ordinary course of things


def test_nothing_is_made_before_it_is_needed(spool):
    """To name a spool touches no disk."""
    assert not spool.directory.exists()


def test_round_trip(spool):
    """What goes in comes out, the oldest first, byte for byte."""
    first = Message("event", "1", b'{"a": "\xc3\xa9\x00"}', "chat")
    second = Message("feedback", "2", b"")
    assert spool.add(first)
    assert spool.add(second)
    assert [stored.message for stored in spool.claim(10)] == [first, second]


def test_odd_text(spool):
    """Text that UTF-8 can't hold is stored in another way."""
    assert spool.add(Message("event", "\ud800a", b"", "\udfff"))
    [stored] = spool.claim(1)
    assert (stored.message.id, stored.message.order_key) == ("\\ud800a", "\\udfff")


def test_remove(make):
    """What was delivered is forgotten, and by whoever claimed it only."""
    spool, other = make(), make()
    spool.add(message())
    [stored] = spool.claim(10)
    other.remove(stored)
    assert spool.stats().waiting == 1
    spool.remove(stored)
    assert spool.stats().waiting == 0
    spool.remove(stored)


def test_numbers_are_not_given_twice(spool):
    """A message never gets the number of one that has been delivered."""
    rows = []
    for n in range(3):
        spool.add(message(str(n)))
        [stored] = spool.claim(10)
        spool.remove(stored)
        rows.append(stored.row)
    assert rows == sorted(set(rows))


def test_a_row_that_is_used_again(spool):
    """A late removal does not hit the message that got the number of the old one, as
    in a file that was made anew."""
    spool.add(message("old"))
    [old] = spool.claim(10)
    shutil.rmtree(spool.directory)
    spool.add(message("new"))
    [new] = spool.claim(10)
    assert new.row == old.row
    spool.remove(old)
    assert spool.stats().waiting == 1


def test_claim_in_portions(spool):
    """A claim is bounded by count and by bytes, but for its first message."""
    for n in range(5):
        spool.add(message(str(n), size=1000))
    assert names(spool.claim(2)) == ["0", "1"]
    assert names(spool.claim(10, max_bytes=10)) == ["2"]
    assert names(spool.claim(10)) == ["3", "4"]
    assert spool.claim(10) == []


def test_two_that_send(make):
    """What one process has claimed the others leave alone, until it is given back."""
    one, two = make(), make()
    for n in range(4):
        one.add(message(str(n)))
    assert names(two.claim(2)) == ["0", "1"]
    assert names(one.claim(10)) == ["2", "3"]
    assert one.stats().claimed == 4
    two.release(but={1})
    assert names(one.claim(10)) == ["1"]


def test_order_across_processes(make):
    """While one process sends messages of a chat, no other gets a later one of it."""
    one, two = make(), make()
    for name, key in [("a1", "a"), ("x", None), ("a2", "a"), ("b1", "b")]:
        one.add(message(name, key))
    assert names(one.claim(1)) == ["a1"]
    assert names(two.claim(10)) == ["x", "b1"]
    assert names(one.claim(10)) == ["a2"]


def test_leases_run_out(make, monkeypatch):
    """What a killed process had claimed is free for others after a while."""
    monkeypatch.setattr(spool_module, "LEASE", 0.05)
    killed, alive = make(), make()
    killed.add(message())
    [stored] = killed.claim(10)
    eventually(lambda: names(alive.claim(10)) == ["a"])
    killed.remove(stored)
    assert alive.stats().waiting == 1


def test_leases_are_renewed(make, monkeypatch):
    """A process that is alive keeps what it has claimed."""
    monkeypatch.setattr(spool_module, "LEASE", 0.05)
    alive, other = make(), make()
    alive.add(message())
    alive.claim(10)
    monkeypatch.setattr(spool_module, "LEASE", 60.0)
    alive.renew()
    over = monotonic() + 0.06
    eventually(lambda: monotonic() > over)
    assert other.claim(10) == []


def test_leases_from_before_a_restart(make, path):
    """A claim that ends later than any can, by this clock, holds nobody up."""
    one, two = make(), make()
    one.add(message(key="chat"))
    one.claim(10)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE todo SET leased_until = 1e9")
        connection.commit()
    assert names(two.claim(10)) == ["a"]


def test_refused(spool, make):
    """What Libretto refuses is kept, with the reason, to be sent again or dropped."""
    for name in ("a", "b", "c"):
        spool.add(message(name, "chat"))
    for stored in spool.claim(10):
        spool.set_aside(stored, f"HTTP 413 for {stored.message.id}")
    assert (spool.stats().waiting, spool.stats().aside) == (0, 3)
    first, second, third = make().refused()
    assert first.message == message("a", "chat")
    assert first.reason == "HTTP 413 for a"
    assert first.stored_at <= first.refused_at
    assert spool.refused_of_mine() == 3
    assert spool.retry([second.row, 99]) == 1
    assert spool.discard([first.row]) == 1
    assert names(spool.claim(10)) == ["b"]
    assert spool.retry() == 1
    assert spool.discard() == 0
    assert names(spool.claim(10)) == ["c"]
    assert third.message.id == "c"


def test_left_of_mine(make):
    """A process can ask what of its own has not been sent, whoever sends it."""
    one, two = make(), make()
    one.add(message("a"))
    one.add(message("b"))
    last = one.newest_of_mine(inf)
    two.add(message("c"))
    one.add(message("d"))
    assert one.left_of_mine(last) == 2
    for stored in two.claim(10):
        two.remove(stored)
    assert one.left_of_mine(last) == 0


@posix
def test_permissions(spool, path):
    """Nobody else on the machine can read the spool."""
    before = os.umask(0)
    try:
        spool.add(message())
        spool.claim(1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


@posix
def test_open_directory(spool, caplog):
    """A directory that others can look into is left as it is, and mentioned."""
    spool.directory.mkdir(mode=0o755)
    assert spool.add(message())
    assert "chmod 700" in caplog.text
    assert stat.S_IMODE(spool.directory.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "bound", [{"max_bytes": 0}, {"max_age": 0}, {"busy_timeout": -1}]
)
def test_bounds_that_allow_nothing(tmp_path, bound):
    """A spool that could keep nothing is refused at once."""
    with pytest.raises(ValueError, match=next(iter(bound))):
        Spool(tmp_path, **bound)


def test_many_threads(spool):
    """Threads that write at once lose nothing."""
    added = []

    def write(thread: int) -> None:
        for n in range(100):
            if spool.add(message(f"{thread}-{n}")):
                added.append(f"{thread}-{n}")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(added) + spool.missed == 400
    assert sorted(names(spool.claim(500))) == sorted(added)


# Bounds


def test_bound_by_bytes(make, caplog):
    """A full spool drops the oldest, counts them, and says so."""
    spool = make(max_bytes=400_000)
    for n in range(2000):
        assert spool.add(message(str(n), size=1000))
    stats = spool.stats()
    assert stats.size < 600_000
    assert stats.lost == {"spool_full": 2000 - stats.waiting}
    assert 100 < stats.waiting < 700
    kept = names(spool.claim(1000))
    assert kept == [str(n) for n in range(2000 - stats.waiting, 2000)]
    assert [record.getMessage()[-40:] for record in caplog.records] == [
        "Libretto can be reached, or that a relay runs."[-40:]
    ]


def test_full_of_refused_ones(make):
    """What was set aside goes when there is no other way to make room."""
    spool = make(max_bytes=100_000)
    spool.add(message(size=200_000))
    [stored] = spool.claim(1)
    spool.set_aside(stored, "HTTP 413")
    spool.keep_bounds()
    assert spool.stats().aside == 0


def test_bound_by_age(make, monkeypatch):
    """What is too old is dropped and counted."""
    clock = [1000.0]
    set_clock(monkeypatch, clock)
    spool = make(max_age=60)
    spool.add(message("old"))
    spool.add(message("refused"))
    [_, refused] = spool.claim(2)
    spool.set_aside(refused, "HTTP 400")
    spool.release()
    clock[0] = 1050.0
    spool.add(message("young"))
    clock[0] = 1061.0
    spool.keep_bounds()
    assert spool.stats().lost == {"spool_expired": 1}
    assert spool.stats().aside == 0
    assert names(spool.claim(10)) == ["young"]


def test_clock_stepping_backwards(make, monkeypatch):
    """A clock that steps back loses nothing and holds nothing up."""
    clock = [1e9]
    set_clock(monkeypatch, clock)
    spool = make(max_age=60)
    spool.add(message("before"))
    clock[0] -= 3600
    spool.add(message("after"))
    spool.keep_bounds()
    assert names(spool.claim(10)) == ["before", "after"]
    assert spool.stats().lost == {}


# Disks


@pytest.fixture
def without_journals(monkeypatch):
    """Have messages written to the database, as where files can't be locked."""
    monkeypatch.setattr(journal_module, "fcntl", None)


@pytest.fixture
def locked(make, path):
    """Hold the lock on the file, as a process that was stopped in mid-write does."""
    make().add(message("first"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def test_busy_to_those_who_send(make, locked):
    """A write goes to a file of its process's own, and waits for nobody."""
    spool = make(busy_timeout=0)
    for n in range(50):
        assert spool.add(message(str(n)))
    assert spool.missed == 0
    locked.execute("ROLLBACK")
    assert names(spool.claim(100)) == ["first", *map(str, range(50))]


def test_busy(make, without_journals, locked, caplog):
    """A busy file is waited for a bounded time; then the message is the caller's."""
    spool = make(busy_timeout=0.02)
    started = monotonic()
    for n in range(50):
        assert not spool.add(message(str(n)))
    # Waited for once, and then left alone for a while.
    assert monotonic() - started < 2
    assert spool.missed == 50
    [record] = caplog.records
    assert "kept in memory" in record.getMessage()
    locked.execute("ROLLBACK")
    eventually(lambda: spool.add(message("later")))
    assert names(spool.claim(10)) == ["first", "later"]


def test_claiming_keeps_nobody_waiting(make, monkeypatch):
    """Others write while a process makes messages of the rows that it claimed."""
    sending, writing = make(), make(busy_timeout=0)
    for n in range(3):
        assert writing.add(message(str(n)))
    written = []

    def make_message(*fields):
        written.append(writing.add(message("more")))
        return Message(*fields)

    monkeypatch.setattr(deeds_module, "Message", make_message)
    assert names(sending.claim(10)) == ["0", "1", "2"]
    assert written == [True, True, True]


def test_a_claim_that_can_not_be_read(make, monkeypatch):
    """What was claimed and then could not be read is free again at once."""
    spool = make()
    assert spool.add(message())
    spool.take_in()
    connection = spool._for_sending._connection

    class Unreadable:
        def execute(self, statement, *terms):
            if "SELECT id, kind" in statement:
                raise sqlite3.OperationalError("disk I/O error")
            return connection.execute(statement, *terms)

    with monkeypatch.context() as patched:
        patched.setattr(spool._for_sending, "_connection", Unreadable())
        patched.setattr(spool._for_sending, "_after_failure", lambda exc: None)
        with pytest.raises(sqlite3.OperationalError):
            spool.claim(1)
    assert names(make().claim(1)) == ["a"]


def test_resting_as_one(make, without_journals, locked, monkeypatch):
    """Threads that fail at once do not add up to one that fails again and again."""
    clock = [monotonic()]
    monkeypatch.setattr(spool_module, "monotonic", lambda: clock[0])
    spool = make(busy_timeout=0)
    assert not spool.add(message())  # It finds out about journals.
    clock[0] += spool_module.REST
    in_doubt = threading.Barrier(8)
    use = spool._for_writing.use

    def use_together():
        in_doubt.wait(10)
        return use()

    monkeypatch.setattr(spool._for_writing, "use", use_together)
    threads = [threading.Thread(target=spool.add, args=(message(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spool.missed == 1 + 8
    monkeypatch.undo()
    locked.execute("ROLLBACK")
    monkeypatch.setattr(spool_module, "monotonic", lambda: clock[0])
    assert not spool.add(message())
    clock[0] += 2 * spool_module.REST
    assert spool.add(message())


def test_waiting_without_end(make):
    """A write may be given all the time there is."""
    spool = make(busy_timeout=1e300)
    assert spool.add(message())
    assert names(spool.claim(1)) == ["a"]


def test_busy_in_this_thread(spool, without_journals):
    """A write from inside a write, as in a finaliser, fails rather than waits."""
    spool.add(message("a"))
    with spool._for_writing.use():
        started = monotonic()
        assert not spool.add(message("b"))
    assert monotonic() - started < 2


def test_deleted_under_our_feet(spool, caplog):
    """A spool that is deleted while in use is made anew, with one warning."""
    assert spool.add(message("a"))
    for name in ("b", "c"):
        shutil.rmtree(spool.directory)
        assert spool.add(message(name))
    assert names(spool.claim(10)) == ["c"]
    assert spool.missed == 0
    assert [r.getMessage()[-20:] for r in caplog.records] == [
        "lost. A new one is made."[-20:]
    ]


def damage(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


def overwrite(path: Path) -> None:
    path.write_bytes(b"this is not a database, but somebody's notes" * 100)


def replace_by_a_foreign_one(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (id)")


@pytest.mark.parametrize("harm", [damage, overwrite, replace_by_a_foreign_one])
def test_spoilt(make, path, harm, caplog):
    """A damaged or foreign file is moved away with one warning, and nobody crashes."""
    before = make()
    for n in range(200):
        before.add(message(str(n)))
    before.close()
    content = path.stat().st_size
    harm(path)
    spoilt = path.read_bytes()
    assert content
    spool = make()

    def works() -> bool:
        try:
            return spool.add(message("new")) and "new" in names(spool.claim(500))
        except sqlite3.Error:
            return False

    eventually(works)
    [moved] = [p for p in path.parent.iterdir() if p.name.endswith(str(os.getpid()))]
    assert moved.read_bytes() == spoilt
    warnings = [r.getMessage() for r in caplog.records if "moved to" in r.getMessage()]
    assert len(warnings) == 1


def test_spoilt_while_in_use(make, path):
    """Damage under an open connection is noticed, and got over."""
    spool = make(max_bytes=10**9)
    for n in range(200):
        spool.add(message(str(n), size=3000))
    spool.claim(1)
    spool.close()
    assert spool.add(message("opens it"))
    damage(path)

    def works() -> bool:
        try:
            claimed = spool.claim(500)
        except sqlite3.Error:
            claimed = []
        return spool.add(message("new")) and "new" in names(claimed)

    eventually(works)


def test_no_directory(tmp_path, caplog):
    """Where no directory can be made, the caller keeps its messages."""
    (tmp_path / "file").write_text("in the way")
    spool = Spool(tmp_path / "file" / "spool")
    for _ in range(20):
        assert not spool.add(message())
    assert spool.missed == 20
    [record] = caplog.records
    assert "writable" in record.getMessage()


@posix
def test_read_only_directory(tmp_path):
    """A directory that can't be written is said once, and is no reason to raise."""
    code = """
import os, sys, tempfile
from libretto_instrument.delivery import Message
from libretto_instrument.delivery.durable import Spool
with tempfile.TemporaryDirectory() as directory:
    os.chmod(directory, 0o500)
    if os.geteuid() == 0:  # Who may write anywhere.
        os.chown(directory, 65534, -1)
        os.seteuid(65534)
    spool = Spool(directory)
    added = sum(spool.add(Message("event", "a", b"x")) for _ in range(100))
    print(added, spool.missed)
    os.seteuid(os.getuid())
    os.chmod(directory, 0o700)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "100"]
    [warning] = done.stderr.splitlines()
    assert "can't be written to the spool" in warning


@posix
def test_disk_full(tmp_path):
    """A full disk costs a message its durability, and nothing else."""
    code = """
import resource, signal, sys
from libretto_instrument.delivery import Message
from libretto_instrument.delivery.durable import Spool
spool = Spool(sys.argv[1])
assert spool.add(Message("event", "a", b"x" * 1000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
added = sum(spool.add(Message("event", "b", b"x" * 1000)) for _ in range(1000))
assert 0 < added < 1000 and spool.missed == 1000 - added, added
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
spool._resume_at = 0
assert spool.add(Message("event", "c", b"x" * 1000))
assert len(spool.claim(2000)) == added + 2
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "spool")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("kept in memory") == 1


def write_some(directory: Path, who: int, count: int) -> None:
    with Spool(directory, busy_timeout=5) as spool:
        for n in range(count):
            assert spool.add(message(f"{who}-{n}"))


def test_processes_that_start_together(tmp_path):
    """Processes that open a new spool at the same moment share it."""
    context = multiprocessing.get_context("spawn")
    children = [
        context.Process(target=write_some, args=(tmp_path / "spool", n, 50))
        for n in range(4)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    with Spool(tmp_path / "spool") as spool:
        found = names(spool.claim(1000))
    assert sorted(found) == sorted(f"{w}-{n}" for w in range(4) for n in range(50))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork(spool):
    """A connection does not cross a fork; both sides go on (failure-modes 41)."""
    spool.add(message("before"))
    spool.claim(1)
    name = spool.name
    child = os.fork()
    if not child:
        added = spool.add(message("child")) and spool.name != name
        os._exit(0 if added and spool.written == 1 else 1)
    assert spool.add(message("parent"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sorted(names(spool.claim(10))) == ["child", "parent"]
    assert spool.written == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork_while_in_use(spool, without_journals, monkeypatch):
    """Who uses the file for longer than a fork waits keeps it, and a child opens its
    own (failure-modes 41)."""
    monkeypatch.setattr("libretto_instrument.delivery._spool_file._FORK_PATIENCE", 0.01)
    assert spool.add(message("before"))
    file = spool._for_writing
    with file.use() as connection:
        child = os.fork()
        if not child:
            os._exit(0 if spool.add(message("child")) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert file._lock.locked()
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (2,)
    assert spool.add(message("parent"))
    assert sorted(names(spool.claim(10))) == ["before", "child", "parent"]
