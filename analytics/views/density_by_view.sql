-- Percent density of the newest result, one row per image.
SELECT density.*, current_studies.woman, current_studies.study_date
FROM density
JOIN current_studies USING (study_instance_uid, study_revision, algorithm, run_id)
