DELETE FROM replayed WHERE seq = :seq;
DELETE FROM bodies WHERE seq = :seq;
DELETE FROM events WHERE seq = :seq;
