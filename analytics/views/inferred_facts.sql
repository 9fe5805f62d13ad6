-- What the headers did not state and had to be inferred, and how often.
SELECT fact, count(DISTINCT sop_instance_uid) AS image_count
FROM (SELECT sop_instance_uid, unnest(inferred) AS fact FROM images WHERE status = 'measured')
GROUP BY fact
ORDER BY image_count DESC, fact
