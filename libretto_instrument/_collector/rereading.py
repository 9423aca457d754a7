"""Stored events read again: proposed templates, and templates that are known now."""

import json
from contextlib import closing, suppress
from pathlib import Path
from sqlite3 import Connection

from attrs import define

from .._recognition.apply import read_call, reread
from .._recognition.known import KnownTemplates
from .._recognition.propose import Proposal, propose
from .database import connect, execute_script, inflate, open_database
from .schema import RequestError, parse_event
from .writes import index_texts, replace_event

#: Events that proposals are made from, the newest; and their bodies, in characters.
MAX_PROPOSED_FROM = 1_000
MAX_PROPOSED_CHARS = 2_000_000
#: Events that one transaction reads again, and their bodies, in characters.
BATCH = 100
BATCH_CHARS = 5_000_000
_NEWEST = 2**62


@define
class Rereading:
    """How far stored events were read again, in transactions of ``batch`` events.

    Those before the number ``before`` are left; ``recognized`` of the ``events`` read
    have a template now.
    """

    batch: int = BATCH
    before: int = _NEWEST
    events: int = 0
    recognized: int = 0

    def step(self, known: KnownTemplates, db: Connection) -> bool:
        """Read some events again, in a transaction; return whether any are left."""
        limits = {"limit": self.batch, "max_chars": BATCH_CHARS}
        values = {"before": self.before, **limits}
        rows = execute_script(db, "untemplated_events", values)
        for row in rows:
            self.events += 1
            self.before = row["seq"]
            event = reread(json.loads(inflate(row["body"])), known.index)
            if event is None:
                continue
            with suppress(RequestError):
                replace_event(db, parse_event(event) | {"seq": row["seq"]})
                self.recognized += 1
        index_texts(db)
        return bool(rows)


def reread_database(path: Path, known: KnownTemplates) -> Rereading:
    """Read all events of a database again, while others may use it.

    Raises:
        ValueError: It cannot be used, or a template cannot be rendered.
    """
    open_database(path)
    _ = known.index
    progress, is_left = Rereading(), True
    with closing(connect(path)) as db:
        while is_left:
            db.execute("BEGIN IMMEDIATE")
            try:
                is_left = progress.step(known, db)
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
    return progress


def propose_from(db: Connection) -> list[Proposal]:
    """Return templates proposed from the newest events without one."""
    bounds = {"limit": MAX_PROPOSED_FROM, "max_chars": MAX_PROPOSED_CHARS}
    rows = execute_script(db, "untemplated_events", {"before": _NEWEST, **bounds})
    calls = (read_call(json.loads(inflate(row["body"]))) for row in rows)
    return propose(call for call in calls if call is not None)
