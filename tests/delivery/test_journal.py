"""The files that processes append to, and how they get into the spool's database."""

import gc
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from itertools import count
from math import inf
from pathlib import Path
from time import monotonic, time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import eventually

from libretto_instrument.delivery import Message
from libretto_instrument.delivery import _ingestion as ingestion_module
from libretto_instrument.delivery import _journal as journal_module
from libretto_instrument.delivery import _journal_form as form_module
from libretto_instrument.delivery import _journal_reading as reading_module
from libretto_instrument.delivery import _spool as spool_module
from libretto_instrument.delivery._journal import Journal
from libretto_instrument.delivery._journal_form import FIRST, Entry, packed
from libretto_instrument.delivery._journal_reading import Reading, journals_in
from libretto_instrument.delivery._spool import Spool
from libretto_instrument.delivery._spool_file import FILE

pytestmark = pytest.mark.skipif(journal_module.fcntl is None, reason="needs flock")

messages = st.builds(
    Message,
    kind=st.sampled_from(["event", "feedback", "chain"]),
    id=st.text(max_size=40),
    body=st.binary(max_size=200),
    order_key=st.none() | st.text(max_size=20),
    at=st.none() | st.floats(allow_nan=False),
    form=st.integers(0, 2**32 - 1),
)


def message(name: str = "a", key: str | None = None, size: int = 100) -> Message:
    return Message("event", name, b"x" * size, key)


def names(claimed) -> list[str]:
    return [stored.message.id for stored in claimed]


def drained(spool: Spool) -> list[str]:
    """Claim and strike off all that there is; return the ids in order."""
    found: list[str] = []
    while claimed := spool.claim(1000, 2**30):
        found += names(claimed)
        spool.remove(*claimed)
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def make(directory):
    """Make spools in one directory, as processes of their own would."""
    made: list[Spool] = []

    def make(**options) -> Spool:
        made.append(Spool(directory, **options))
        return made[-1]

    yield make
    for spool in made:
        spool.close()


def die(spool: Spool) -> None:
    """Have a spool's process end, as far as its file can tell."""
    spool._journal.close()


# Entries


def read(data: bytes, path: Path) -> tuple[list[Entry], bool]:
    """Read a journal with this after its title; say whether there was anything else."""
    title = form_module._TITLE.pack(form_module._FORM, b"another boot", FIRST)
    path.write_bytes(title + data)
    with path.open("rb") as file:
        reading = Reading.of(path, file.fileno(), {})
        return list(reading.entries()), reading.unreadable


@given(written=st.lists(st.tuples(messages, st.none() | st.text(max_size=20))))
def test_round_trip(tmp_path_factory, written):
    """What was packed is read as it was, with where each entry begins and ends."""
    data, places = b"", [FIRST]
    for number, (each, to) in enumerate(written):
        data += packed(each, to, float(number), number / 2)
        places.append(FIRST + len(data))
    found, more = read(data, tmp_path_factory.getbasetemp() / "journal")
    assert [(entry.message, entry.destinations) for entry in found] == written
    assert [entry.start for entry in found] == places[:-1]
    assert [entry.end for entry in found] == places[1:]
    assert [entry.stored_at for entry in found] == list(map(float, range(len(found))))
    assert [entry.clock for entry in found] == [n / 2 for n in range(len(found))]
    assert not more


@given(each=messages, data=st.data())
def test_cut_off(tmp_path_factory, each, data):
    """Of an entry that ends too early nothing is read."""
    whole = packed(each, None, 0.0, 0.0)
    part = data.draw(st.integers(1, len(whole) - 1))
    path = tmp_path_factory.getbasetemp() / "journal"
    found, more = read(whole + whole[:part], path)
    assert [entry.message for entry in found] == [each]
    assert more


@given(each=messages, data=st.data())
def test_damage(tmp_path_factory, each, data):
    """An entry with a changed byte is left out; what is around it is read."""
    whole = packed(each, None, 0.0, 0.0)
    damaged = bytearray(whole)
    damaged[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "journal"
    found, more = read(whole + damaged + whole, path)
    assert [entry.message for entry in found] == [each, each]
    assert found[1].start == FIRST + 2 * len(whole)
    assert not more


def test_odd_text(make):
    """Half of a surrogate pair is written in another way."""
    spool = make()
    assert spool.add(Message("event", "\ud800", b"", "\udfff"), ("to \ud800",))
    [claimed] = spool.claim(1, destination="to \\ud800")
    assert claimed.message == Message("event", "\\ud800", b"", "\\udfff")


# From many files into one


def test_order_across_processes(make):
    """Messages of several processes are claimed in the order they were written in."""
    writers = [make() for _ in range(5)]
    turn = random.Random(7)
    for n in range(500):
        assert turn.choice(writers).add(message(str(n)))
    assert drained(make()) == [str(n) for n in range(500)]


def test_order_while_being_moved(make):
    """The later of two messages is never moved without the earlier one."""
    first, second, reader = make(), make(), make()
    numbers, stop = count(), threading.Event()

    def write() -> None:
        for number in numbers:
            for writer in random.sample([first, second], 2):
                assert writer.add(message(f"{number:06}", "chat"))
            if stop.is_set():
                return

    thread = threading.Thread(target=write)
    thread.start()
    found: list[str] = []
    while len(found) < 2000:
        claimed = reader.claim(100)
        found += names(claimed)
        reader.remove(*claimed)
    stop.set()
    thread.join()
    found += drained(reader)
    assert found == sorted(found)
    assert len(found) == 2 * next(numbers)


def test_a_portion_at_a_time(make, monkeypatch):
    """However much there is, all of it is moved, in order and once."""
    monkeypatch.setattr(ingestion_module, "PORTION", 7)
    monkeypatch.setattr(reading_module, "_WINDOW", 1000)
    monkeypatch.setattr(ingestion_module, "_TOGETHER", 3)
    writers = [make() for _ in range(8)]
    for n in range(200):
        assert writers[n % 8].add(message(str(n), size=20 if n % 9 else 5000))
    reader = make()
    while reader.take_in():
        pass
    found = drained(reader)
    assert sorted(found, key=int) == [str(n) for n in range(200)]


def test_a_large_message(make):
    """A message larger than what is read at a time arrives, and what follows it."""
    spool = make()
    for name, size in (("a", 10), ("b", 5 * 2**20), ("c", 10)):
        assert spool.add(message(name, size=size))
    assert drained(spool) == ["a", "b", "c"]


def test_two_that_move(make):
    """Two processes that move at the same time move each message once."""
    writer, readers = make(), [make(), make()]
    for n in range(3000):
        assert writer.add(message(str(n)))
    found: list[list[str]] = [[], []]

    def move(number: int) -> None:
        found[number] = drained(readers[number])

    threads = [threading.Thread(target=move, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found[0] + found[1], key=int) == [str(n) for n in range(3000)]


@pytest.mark.parametrize("step", ["_note_moved", "_finish"])
def test_killed_after_moving(make, monkeypatch, step):
    """Whoever is killed with the messages moved leaves them moved once."""
    writer = make()
    for n in range(10):
        assert writer.add(message(str(n)))
    die(writer)

    def killed(*args):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(ingestion_module, step, killed)
        with pytest.raises(MemoryError):
            make().take_in()
    assert writer.add(message("10"))
    assert drained(make()) == [str(n) for n in range(11)]


def test_killed_while_moving(make, monkeypatch):
    """Whoever is killed before the end of the transaction has moved nothing."""
    writer = make()
    for n in range(10):
        assert writer.add(message(str(n)))

    def killed(*args):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(ingestion_module._spool_deeds, "count_losses", killed)
        with pytest.raises(MemoryError):
            make().take_in()
    assert drained(make()) == [str(n) for n in range(10)]


def test_without_the_database(make, directory):
    """What was moved is not moved again when the database is lost."""
    spool = make()
    assert spool.add(message("sent"))
    assert drained(spool) == ["sent"]
    assert spool.add(message("new"))
    for path in directory.glob(f"{FILE}*"):
        path.unlink()
    assert drained(make()) == ["new"]


def test_more_journals_than_are_read_together(make, monkeypatch):
    """However many there are, the order holds, and nobody is left out."""
    monkeypatch.setattr(ingestion_module, "_TOGETHER", 4)
    writers, reader = [make() for _ in range(10)], make()
    found: list[str] = []
    for n in range(300):
        assert writers[-1 - n % 10].add(message(f"{n:03}", "chat"))
        if n % 7 == 0:
            claimed = reader.claim(5)
            found += names(claimed)
            reader.remove(*claimed)
    while len(found) < 300:
        found += drained(reader)
    assert found == [f"{n:03}" for n in range(300)]


def test_a_clock_that_is_set_back(make, monkeypatch):
    """The order is by the clock that nobody sets, also from one file to the next."""
    clock = [time()]
    monkeypatch.setattr(spool_module, "time", lambda: clock[0])
    first, second = make(max_bytes=8 * 2000), make()
    for n in range(100):
        clock[0] -= 1
        assert (first, second)[n % 2].add(message(str(n)))
    assert drained(make()) == [str(n) for n in range(100)]


def test_before_and_after_the_machine_was_started(make, monkeypatch):
    """What was written before comes first, whatever the clock said then."""
    with monkeypatch.context() as patched:
        patched.setattr(form_module, "boot", lambda: b"an earlier start")
        patched.setattr(spool_module, "monotonic", lambda: monotonic() + 30)
        old = make()
        for n in range(3):
            assert old.add(message(str(n)))
        die(old)
    new = make()
    for n in range(3, 6):
        assert new.add(message(str(n)))
    assert drained(new) == [str(n) for n in range(6)]


def test_written_just_now(make, monkeypatch):
    """What is left for the next look is found by it, though nothing has changed."""
    spool = make()
    with monkeypatch.context() as patched:
        patched.setattr(spool_module, "monotonic", lambda: monotonic() + 0.2)
        assert spool.add(message("a"))
    assert drained(spool) == []
    eventually(lambda: drained(spool) == ["a"])


# Their ends


def test_living_and_dead(make, directory):
    """A file is deleted when it was moved and its process has ended, not before."""
    spool, reader = make(), make()
    assert spool.add(message("a"))
    assert drained(reader) == ["a"]
    reader.tidy()
    assert len(journals_in(directory)) == 1
    die(spool)
    reader.tidy()
    assert journals_in(directory) == {}
    reader.tidy()
    with reader._for_sending.use() as connection:
        assert ingestion_module.offsets(connection) == {}


def test_ended_before(make, directory):
    """The file of a process that ended goes as soon as it was moved."""
    spool = make()
    assert spool.add(message("a"))
    die(spool)
    assert make().take_in()
    assert journals_in(directory) == {}


def test_closed(make, directory):
    """Who moved its own file deletes it at the end."""
    spool = make()
    assert spool.add(message("a"))
    assert drained(spool) == ["a"]
    spool.close()
    assert journals_in(directory) == {}


def test_ended_before_it_wrote(make, directory):
    """A file without entries goes with its process; one just made is left alone."""
    spool = make()
    assert spool.add(message("a"))
    [own] = journals_in(directory)
    (directory / "1-nobody.journal").touch()
    (directory / "2-nobody.journal").touch()
    os.utime(directory / "1-nobody.journal", (0, 0))
    assert drained(spool) == ["a"]
    spool.tidy()
    assert set(journals_in(directory)) == {own, directory / "2-nobody.journal"}


def test_long(make, directory):
    """A file that has grown long enough is left for a new one, and goes."""
    spool = make(max_bytes=80_000)
    for n in range(100):
        assert spool.add(message(str(n), size=300))
        if n % 10 == 9:
            spool.take_in()
        assert len(journals_in(directory)) <= 2
    assert drained(spool) == [str(n) for n in range(100)]
    assert sum(journals_in(directory).values()) <= 10_000 + 500


@pytest.mark.parametrize("length", [1, 50, 130])
def test_cut_off_by_the_end(make, directory, length, caplog):
    """What a process was writing when it was killed is nobody's; the rest is sent."""
    spool = make()
    for n in range(10):
        assert spool.add(message(str(n)))
    [path] = journals_in(directory)
    die(spool)
    with path.open("ab") as file:
        file.write(packed(message("b"), None, time(), monotonic())[:length])
    reader = make()
    assert drained(reader) == [str(n) for n in range(10)]
    assert journals_in(directory) == {}
    assert reader.stats().lost == {}
    assert caplog.records == []


@pytest.mark.parametrize("portion", [3, 1000])
def test_end_that_was_never_written(make, directory, monkeypatch, portion, caplog):
    """A file whose end is of nulls, as after a loss of power, is read up to there."""
    monkeypatch.setattr(ingestion_module, "PORTION", portion)
    spool = make()
    for n in range(10):
        assert spool.add(message(str(n)))
    [path] = journals_in(directory)
    die(spool)
    with path.open("ab") as file:
        file.write(b"\0" * 5000)
    reader = make()
    while reader.take_in():
        pass
    assert drained(reader) == [str(n) for n in range(10)]
    assert journals_in(directory) == {}
    assert (directory / f"{path.name}.damaged").exists()
    [record] = caplog.records
    assert "damaged" in record.getMessage()


@pytest.mark.parametrize(
    "content",
    [b"somebody's notes of what happened on that day", b"\0" * 4096, b"x"],
)
def test_somebody_elses(make, directory, content, caplog):
    """A file that is none of ours is moved away with one warning."""
    spool = make()
    assert spool.add(message("a"))
    (directory / "notes.journal").write_bytes(content)
    assert drained(spool) == ["a"]
    spool.tidy()
    assert not (directory / "notes.journal").exists()
    assert (directory / "notes.journal.damaged").read_bytes() == content
    [record] = caplog.records
    assert "none of it" in record.getMessage()


def test_not_to_be_opened(make, directory, caplog):
    """What can't be opened, or is no file, keeps nothing else from being sent."""
    spool = make()
    assert spool.add(message("a"))
    (directory / "0.journal").mkdir()
    (directory / "1.journal").symlink_to(directory / "1.journal")
    assert drained(spool) == ["a"]
    spool.tidy()
    assert spool.stats().waiting == 0
    assert spool.add(message("b"))
    assert drained(spool) == ["b"]


@pytest.mark.parametrize("what", ["body", "kind", "checksum", "mark"])
def test_damaged_in_the_middle(make, directory, what):
    """A damaged entry is lost, and counted; what is around it is sent."""
    spool = make()
    for n in range(10):
        assert spool.add(message(str(n)))
    [path] = journals_in(directory)
    length = (path.stat().st_size - FIRST) // 10
    fifth = FIRST + 5 * length
    place = {"mark": 0, "checksum": 4, "kind": 8, "body": 24}[what]
    with path.open("r+b") as file:
        file.seek(fifth + place)
        file.write(b"\xa5" * 4)
    assert spool.add(message("10"))
    reader = make()
    assert drained(reader) == [str(n) for n in range(11) if n != 5]
    assert reader.stats().lost == {"spool_damaged": 1}
    assert spool.add(message("11"))
    assert drained(reader) == ["11"]


def test_partial_write(directory, monkeypatch):
    """An entry that fits only in part leaves no trace."""
    journal = Journal(directory, busy=1)
    write = os.write
    with monkeypatch.context() as patched:
        journal.append(packed(message("a"), None, 1.0, 1.0), "me")
        patched.setattr(os, "write", lambda file, data: write(file, data[:20]))
        with pytest.raises(OSError, match="only 20 of"):
            journal.append(packed(message("b"), None, 1.0, 1.0), "me")
    journal.append(packed(message("c"), None, 1.0, 1.0), "me")
    journal.close()
    found = [entry.message.id for entry in ingestion_module.waiting(directory, {})]
    assert found == ["a", "c"]


def test_interrupted_after_the_write(make, monkeypatch):
    """What follows an interruption can harm nothing that was written."""
    spool = make()
    write = os.write
    assert spool.add(message("a"))

    def interrupted(file: int, data: bytes) -> int:
        write(file, data)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            spool.add(message("b"))
        patched.setattr(os, "write", lambda file, data: write(file, data[:20]))
        assert not spool.add(message("c"))
    eventually(lambda: spool.add(message("d")))
    assert drained(spool) == ["a", "b", "d"]


def test_no_way_to_take_back(make, monkeypatch):
    """Where half an entry can't be taken back, the next goes to another file."""
    spool = make()
    write = os.write
    assert spool.add(message("a"))

    def refuse(*args):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda file, data: write(file, data[:20]))
        patched.setattr(os, "ftruncate", refuse)
        assert not spool.add(message("b"))
    eventually(lambda: spool.add(message("c")))
    assert drained(spool) == ["a", "c"]


def test_taken_for_one_that_was_left(make, directory, monkeypatch):
    """A new file that is deleted before it could be locked is not written to."""
    flock, taken = journal_module.fcntl.flock, list[Path]()

    def too_late(file: int, how: int) -> None:
        nonlocal taken
        if not taken and (taken := list(journals_in(directory))):
            taken[0].unlink()
        flock(file, how)

    spool = make()
    with monkeypatch.context() as patched:
        patched.setattr(journal_module.fcntl, "flock", too_late)
        assert spool.add(message("a"))
    assert taken
    assert drained(spool) == ["a"]


def test_closed_from_inside_a_write(make, monkeypatch):
    """To close it in a signal handler waits for nobody."""
    spool = make()
    write = os.write
    assert spool.add(message("a"))

    def interrupted(file: int, data: bytes) -> int:
        spool.close()
        return write(file, data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", interrupted)
        assert spool.add(message("b"))
    assert drained(spool) == ["a", "b"]


def test_without_locks(make, directory, monkeypatch):
    """Where files can't be locked, the database is written to, and no file is left."""

    def refuse(*args):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(journal_module.fcntl, "flock", refuse)
    spool = make()
    monkeypatch.undo()
    with monkeypatch.context() as patched:
        patched.setattr(
            journal_module, "fcntl", type("", (), {"flock": refuse, **LOCKS})
        )
        assert spool.add(message("a"))
        assert journals_in(directory) == {}
    assert drained(spool) == ["a"]


LOCKS = {"LOCK_EX": 2, "LOCK_NB": 4, "LOCK_SH": 1}


def test_deleted(make, directory):
    """A file that is deleted while in use is made anew."""
    spool = make()
    assert spool.add(message("a"))
    for path in journals_in(directory):
        path.unlink()
    assert spool.add(message("b"))
    shutil.rmtree(directory)
    assert spool.add(message("c"))
    assert drained(spool) == ["c"]


def test_from_inside_a_write(make, monkeypatch):
    """A write from a signal handler inside a write fails rather than waits."""
    spool = make()
    assert spool.add(message("first"))
    write, inside = os.write, []

    def interrupted(file: int, data: bytes) -> int:
        if not inside:
            inside.append(None)
            inside.append(spool.add(message("inside")))
        return write(file, data)

    monkeypatch.setattr(os, "write", interrupted)
    started = monotonic()
    assert spool.add(message("outside"))
    assert monotonic() - started < 2
    assert inside == [None, False]
    assert drained(spool) == ["first", "outside"]


# Bounds


def test_bounds_without_anybody_who_sends(make, directory, caplog):
    """Writers alone keep the bounds: what is oldest goes, and is counted."""
    spool = make(max_bytes=200_000)
    for n in range(2000):
        assert spool.add(message(f"{n}", size=500))
    size = sum(path.stat().st_size for path in directory.iterdir())
    assert size < 400_000
    found = drained(make())
    assert found == [str(n) for n in range(2000 - len(found), 2000)]
    assert make().stats().lost == {"spool_full": 2000 - len(found)}
    assert sum("drops its oldest" in r.getMessage() for r in caplog.records) == 1


def test_too_old_when_moved(make):
    """What is too old by the time somebody sends is dropped, and counted."""
    assert make().add(message("a"))
    reader = make(max_age=1e-9)
    assert drained(reader) == []
    assert reader.stats().lost == {"spool_expired": 1}


def test_too_old_without_anybody_who_sends(make, directory):
    """Writers drop files that nobody has touched for too long."""
    old = make()
    assert old.add(message("old"))
    [path] = journals_in(directory)
    die(old)
    os.utime(path, (0, 0))
    spool = make()
    for n in range(128):
        assert spool.add(message(str(n)))
    assert not path.exists()
    assert drained(spool) == [str(n) for n in range(128)]
    assert spool.stats().lost == {"spool_expired": 1}


def test_what_was_moved_takes_no_room(make):
    """The room of what was sent, in files that live, is not held against the rest."""
    writers = [make(max_bytes=400_000) for _ in range(10)]
    reader = make(max_bytes=400_000)
    for writer in writers:
        for _ in range(80):
            assert writer.add(message(size=500))
    assert len(drained(reader)) == 800
    for writer in writers:
        assert writer.add(message("new"))
    reader.keep_bounds()
    assert drained(reader) == ["new"] * 10
    assert reader.stats().lost == {}


def test_killed_while_dropping(make, directory, monkeypatch):
    """What was counted as dropped and is still there is not sent."""
    spool = make(max_bytes=100_000)
    for n in range(200):
        assert spool.add(message(str(n), size=1000))

    def killed(path: Path) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", killed)
        with pytest.raises(MemoryError):
            spool.keep_bounds()
    reader = make()
    lost = reader.stats().lost["spool_full"]
    assert drained(reader) == [str(n) for n in range(lost, 200)]


# Figures


def test_stats_before_and_after_the_move(make):
    """What waits is counted the same, wherever it is."""
    spool = make()
    for n in range(3):
        assert spool.add(message(str(n)))
    assert spool.add(message("elsewhere"), ("elsewhere", "libretto"))
    before = spool.stats()
    assert (before.waiting, before.claimed) == (4, 0)
    assert before.waiting_for == {"libretto": 4, "elsewhere": 1}
    assert abs(before.oldest_at - time()) < 60
    while spool.take_in():
        pass
    after = spool.stats()
    assert (after.waiting, after.waiting_for) == (4, before.waiting_for)
    assert after.oldest_at == before.oldest_at


# Processes


WRITER = """
import os, sys, signal
from libretto_instrument.delivery import Message
from libretto_instrument.delivery.durable import Spool
spool = Spool(sys.argv[1])
for n in range(1_000_000):
    name = f"{sys.argv[2]}-{n}"
    assert spool.add(Message("event", name, b"x" * 300, "chat"))
    os.write(1, name.encode() + b"\\n")
"""


def test_killed_writers(make, directory):
    """What was written before SIGKILL is there, once and in order."""
    reader = make()
    for turn in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(directory), str(turn)],
            stdout=subprocess.PIPE,
        )
        with process:
            assert process.stdout is not None
            seen = [process.stdout.readline() for _ in range(50 + 37 * turn)]
            process.send_signal(signal.SIGKILL)
            seen += process.stdout.readlines()
        whole = [line.decode().strip() for line in seen if line.endswith(b"\n")]
        found = drained(reader)
        assert found[: len(whole)] == whole
        assert len(found) - len(whole) <= 1  # Written, and not yet said.
    assert journals_in(directory) == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork(make, directory):
    """A child has a file of its own, and does not keep the parent's alive."""
    spool = make()
    assert spool.add(message("parent"))
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        done = spool.add(message("child"))
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(0 if done else 1)
    os.read(ready[0], 1)
    reader = make()
    assert sorted(drained(reader)) == ["child", "parent"]
    die(spool)
    reader.tidy()
    assert len(journals_in(directory)) == 1  # The child lives.
    os.write(go[1], b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    reader.tidy()
    assert journals_in(directory) == {}
    for end in (*ready, *go):
        os.close(end)


def test_newest_of_mine(make):
    """What this process wrote is moved, however much others have."""
    mine, theirs = make(), make()
    for n in range(5):
        assert theirs.add(message(f"theirs {n}"))
    assert mine.newest_of_mine(inf) == 0
    assert mine.add(message("mine"))
    row = mine.newest_of_mine(inf)
    assert mine.left_of_mine(row) == 1
    drained(theirs)
    assert (mine.newest_of_mine(inf), mine.left_of_mine(row)) == (0, 0)


def test_no_file_is_left_open(make, directory):
    """Moving and looking leave no descriptor behind."""
    spool = make()
    assert spool.add(message("a"))
    spool.claim(1)

    def opened() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    before = opened()
    for n in range(50):
        assert spool.add(message(str(n)))
        spool.take_in()
        spool.stats()
        spool.tidy()
    eventually(lambda: opened() <= before)


# Messages that whoever moves them has to finish


def finished(message: Message) -> Message:
    """Make a message to be posted; one that says so is none."""
    if message.body == b"bad":
        raise ValueError("damaged")
    return Message(message.kind, message.id, message.body.upper(), message.order_key)


FINISHERS = {1: finished}


def unfinished(name: str, body: bytes = b"a") -> Message:
    return Message("event", name, body, form=1)


def test_messages_are_finished_as_they_are_moved(make):
    """Only whole messages can be claimed, among those that were whole before."""
    spool = make(finishers=FINISHERS)
    assert spool.add(unfinished("1"))
    assert spool.add(Message("event", "2", b"b"))
    assert spool.add(unfinished("3"))
    claimed = [stored.message for stored in spool.claim(10)]
    assert [(it.id, it.body, it.form) for it in claimed] == [
        ("1", b"A", 0),
        ("2", b"b", 0),
        ("3", b"A", 0),
    ]


@pytest.mark.usefixtures("lenient")
def test_one_that_cannot_be_finished(make, caplog):
    """It is kept aside, a flush knows of it, and those behind it are moved."""
    spool = make(finishers=FINISHERS)
    assert spool.add(unfinished("1", b"bad"), ("elsewhere", "libretto"))
    assert spool.add(unfinished("2"))
    assert names(spool.claim(10)) == ["2"]
    assert spool.refused_of_mine() == 1
    (refused,) = spool.refused()
    assert refused.reason == "could not be finished: ValueError"
    assert refused.message.id == "1"
    assert refused.message.kind not in ("event", "feedback", "chain")
    assert refused.destination == "elsewhere"
    assert "ValueError in spool.finish" in caplog.text


def test_one_that_this_process_cannot_finish_now(make):
    """It is left where it is, and tried again."""
    short_of_memory = [True]

    def finish(message: Message) -> Message:
        if short_of_memory:
            raise MemoryError
        return finished(message)

    spool = make(finishers={1: finish})
    assert spool.add(unfinished("1"))
    for _ in range(2):
        with pytest.raises(MemoryError):
            spool.claim(10)
    short_of_memory.clear()
    assert names(spool.claim(10)) == ["1"]
    assert not spool.refused()


def test_many_journals_of_a_later_version(make, monkeypatch):
    """They are not in the way of what can be read."""
    monkeypatch.setattr(ingestion_module, "_TOGETHER", 3)
    for number in range(5):
        assert make().add(unfinished(str(number)))
    assert make().add(Message("event", "known", b""))
    assert names(make().claim(10)) == ["known"]


def test_a_journal_in_another_form(make, directory):
    """What a later version calls a journal is none of ours, and left alone."""
    spool = make()
    assert spool.add(message())
    (path,) = directory.glob("*.journal")
    theirs = path.with_name(f"0-theirs{journal_module.SUFFIX}")
    theirs.write_bytes(path.read_bytes().replace(b"LibJr2", b"LibJr9"))
    assert drained(spool) == ["a"]
    spool.tidy()
    assert theirs.exists()


def test_moved_under_our_feet(make, directory, monkeypatch):
    """A directory that was moved is not written to for longer than a moment."""
    monkeypatch.setattr(journal_module, "_LOOK_EVERY", 0.0)
    spool = make()
    assert spool.add(message("1"))
    directory.rename(directory.with_name("elsewhere"))
    assert spool.add(message("2"))
    assert drained(make()) == ["2"]


def test_a_form_of_a_later_version(make, directory, caplog):
    """A journal is not read past it, and nothing of it is lost, or sent twice."""
    writer, old, new = make(), make(), make(finishers=FINISHERS)
    assert writer.add(Message("event", "1", b"b"))
    assert writer.add(unfinished("2"))
    assert writer.add(Message("event", "3", b"b"))
    assert old.add(Message("event", "4", b"b"))
    for _ in range(3):
        old.tidy()
        assert set(drained(old)) <= {"1", "4"}
    assert caplog.text.count("newer version") == 1
    writer.close()
    old.tidy()
    assert old.stats().waiting == 2
    assert drained(new) == ["2", "3"]
    old.close()
    new.tidy()
    assert not list(directory.glob("*.journal"))


def test_finished_where_there_are_no_journals(make, monkeypatch):
    """What is written to the database is whole."""
    monkeypatch.setattr(journal_module, "fcntl", None)
    spool = make(finishers=FINISHERS)
    assert spool.add(unfinished("1"))
    assert not journals_in(spool.directory)
    (stored,) = spool.claim(10)
    assert (stored.message.body, stored.message.form) == (b"A", 0)
