SELECT max(iif(seq < :seq, seq, NULL)) AS previous,
    min(iif(seq > :seq, seq, NULL)) AS next,
    count(iif(seq <= :seq, 1, NULL)) AS place,
    count(*) AS size
FROM events WHERE {column} = :value;
