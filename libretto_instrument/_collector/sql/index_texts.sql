INSERT INTO search (rowid, text) SELECT seq, text FROM unindexed;
DELETE FROM unindexed;
