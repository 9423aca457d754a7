DELETE FROM bodies WHERE seq <= :seq;
DELETE FROM context WHERE seq <= :seq;
DELETE FROM events WHERE seq <= :seq;
