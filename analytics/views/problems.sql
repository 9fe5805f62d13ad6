-- Objects that were not measured, with the named reason.
SELECT study_instance_uid, study_revision, sop_instance_uid, source, status, reason, detail, run_id, recorded_at
FROM images
WHERE status <> 'measured'
ORDER BY recorded_at DESC, source
