-- The newest result of each study and algorithm: what most questions want.
SELECT *
FROM studies
QUALIFY row_number() OVER (
    PARTITION BY study_instance_uid, algorithm
    ORDER BY study_revision DESC, recorded_at DESC, run_id DESC
) = 1
