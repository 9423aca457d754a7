-- Events that were recorded as they were sent, the newest first, as far as they fit.
SELECT page.seq, b.body
FROM (
    SELECT seq, sum(size) OVER (ORDER BY seq DESC) - size AS above FROM (
        SELECT e.seq, e.size
        FROM events AS e CROSS JOIN bodies AS b ON b.seq = e.seq
        WHERE e.seq < :before AND json_extract(b.body, '$.params') = '{}'
        ORDER BY e.seq DESC LIMIT :limit
    )
) AS page
CROSS JOIN bodies AS b ON b.seq = page.seq
WHERE page.above < :room ORDER BY page.seq DESC;
