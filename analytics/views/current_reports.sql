-- Reports of others that hold: each once, by its newest reading, without those that a later report names as replaced.
WITH newest AS (
    SELECT *
    FROM reported_documents
    QUALIFY row_number() OVER (PARTITION BY report_uid ORDER BY recorded_at DESC, reader DESC, run_id DESC) = 1
), replaced AS (
    SELECT unnest(predecessors) AS report_uid, report_uid AS successor, content_date || content_time AS succeeded_at
    FROM newest
)
SELECT newest.*
FROM newest
WHERE newest.status <> 'own'
  AND NOT EXISTS (
    SELECT 1
    FROM replaced
    WHERE replaced.report_uid = newest.report_uid
      AND replaced.successor <> newest.report_uid
      AND NOT list_contains(newest.predecessors, replaced.successor)
)
