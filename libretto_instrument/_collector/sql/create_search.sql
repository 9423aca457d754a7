-- A full-text index that follows the bodies.
CREATE VIRTUAL TABLE search USING fts5 (
    text, content = 'bodies', content_rowid = 'seq',
    tokenize = "unicode61 remove_diacritics 2"
);

CREATE TRIGGER bodies_insert AFTER INSERT ON bodies BEGIN
    INSERT INTO search (rowid, text) VALUES (new.seq, new.text);
END;

CREATE TRIGGER bodies_delete AFTER DELETE ON bodies BEGIN
    INSERT INTO search (search, rowid, text) VALUES ('delete', old.seq, old.text);
END;
