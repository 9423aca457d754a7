-- Events that were recorded as they were sent, the newest first, as far as they fit.
SELECT page.seq, b.body
FROM (
    SELECT seq, sum(size) OVER (ORDER BY seq DESC) - size AS above FROM (
        SELECT seq, size FROM events WHERE NOT has_params AND seq < :before
        ORDER BY seq DESC LIMIT :limit
    )
) AS page
CROSS JOIN bodies AS b ON b.seq = page.seq
WHERE page.above < :max_chars ORDER BY page.seq DESC;
