-- Counted no further than :limit.
SELECT
    (SELECT max(seq) FROM events WHERE {column} = :value AND seq < :seq) AS previous,
    (SELECT min(seq) FROM events WHERE {column} = :value AND seq > :seq) AS next,
    (SELECT count(*) FROM (
        SELECT 1 FROM events WHERE {column} = :value AND seq <= :seq LIMIT :limit)) AS place,
    (SELECT count(*) FROM (
        SELECT 1 FROM events WHERE {column} = :value LIMIT :limit)) AS size;
