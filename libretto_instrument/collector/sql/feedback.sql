SELECT rowid AS seq, * FROM feedback
WHERE rowid < :before AND {condition} ORDER BY rowid DESC LIMIT :limit + 1;
