-- Findings of the newest result that reach an operating point: what a viewer shows.
SELECT findings.*
FROM findings
JOIN current_studies USING (study_instance_uid, study_revision, algorithm, run_id)
WHERE findings.operating_point IS NOT NULL
