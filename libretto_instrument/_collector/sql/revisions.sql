SELECT r.id, r.hash, r.events - r.replayed AS calls, r.replayed, first.received_at AS first, last.received_at AS last
FROM (
    SELECT id, hash, (SELECT count(*) FROM events WHERE revision_id = revisions.id) AS events,
        (SELECT count(*) FROM events WHERE prompt_id = revisions.prompt_id
            AND revision_id = revisions.id AND replay IS NOT NULL) AS replayed,
        (SELECT min(seq) FROM events WHERE revision_id = revisions.id) AS first_seq,
        (SELECT max(seq) FROM events WHERE revision_id = revisions.id) AS last_seq
    FROM revisions WHERE prompt_id = (SELECT id FROM prompts WHERE name = :prompt)
    ORDER BY id DESC LIMIT 50
) AS r
JOIN events AS first ON first.seq = r.first_seq
JOIN events AS last ON last.seq = r.last_seq
ORDER BY r.id DESC;
