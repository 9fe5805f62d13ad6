-- What could not be taken as it stands in a report: one row for each problem, with its place.
SELECT report_uid, study_instance_uid, producer, model, status, unnest(problems) AS problem, recorded_at
FROM current_reports
WHERE len(problems) > 0
ORDER BY recorded_at DESC, report_uid
