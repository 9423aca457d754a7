SELECT rowid AS seq, * FROM feedback WHERE rowid = :seq;
