DELETE FROM bodies WHERE seq IN (SELECT value FROM json_each(:seqs));
DELETE FROM context WHERE seq IN (SELECT value FROM json_each(:seqs));
DELETE FROM replayed WHERE seq IN (SELECT value FROM json_each(:seqs));
DELETE FROM events WHERE seq IN (SELECT value FROM json_each(:seqs));
