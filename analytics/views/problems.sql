-- Objects that an analysis did not measure, with the named reason.
SELECT study_instance_uid, study_revision, sop_instance_uid, source, status, reason, detail, algorithm, run_id, recorded_at
FROM images
WHERE status <> 'measured'
ORDER BY recorded_at DESC, source, algorithm
