-- Each breast of a study by a report of others and by Reread, side by side: density, and how many marks agree.
WITH theirs AS (
    SELECT
        study_instance_uid, report_uid, producer, model, side,
        max(algorithm) AS algorithm, max(version) AS version,
        avg(percent_density) AS percent_density, max(area_method) AS area_method,
        avg(volumetric_percent) AS volumetric_percent, max(category) AS category
    FROM density_by_producer
    WHERE report_uid <> ''
    GROUP BY study_instance_uid, report_uid, producer, model, side
), their_marks AS (
    SELECT study_instance_uid, report_uid, laterality AS side, count(*) AS marks
    FROM findings_by_producer
    WHERE is_mark AND report_uid <> '' AND laterality IS NOT NULL
    GROUP BY ALL
), our_marks AS (
    SELECT study_instance_uid, algorithm, laterality AS side, count(*) AS marks
    FROM findings_by_producer
    WHERE is_mark AND report_uid = ''
    GROUP BY ALL
), matched AS (
    SELECT report_uid, reread_algorithm, laterality AS side, count(*) AS marks
    FROM matched_findings
    GROUP BY ALL
), ours AS (
    SELECT study_instance_uid, algorithm, version, side, percent_density, volumetric_percent
    FROM density_by_producer
    WHERE report_uid = ''
)
SELECT
    s.woman, s.study_instance_uid, s.study_date, sides.side, r.producer, r.model,
    coalesce(theirs.algorithm, '') AS algorithm, coalesce(theirs.version, '') AS version, r.report_uid,
    s.algorithm AS reread_algorithm, s.version AS reread_version,
    theirs.percent_density, theirs.area_method, ours.percent_density AS reread_percent_density,
    theirs.percent_density - ours.percent_density AS percent_density_difference,
    theirs.volumetric_percent, ours.volumetric_percent AS reread_volumetric_percent,
    theirs.volumetric_percent - ours.volumetric_percent AS volumetric_difference,
    theirs.category, CASE WHEN sides.side = 'both' THEN s.category END AS reread_category,
    CASE WHEN sides.side <> 'both' THEN coalesce(their_marks.marks, 0) END AS marks,
    CASE WHEN sides.side <> 'both' THEN coalesce(our_marks.marks, 0) END AS reread_marks,
    CASE WHEN sides.side <> 'both' THEN coalesce(matched.marks, 0) END AS matched_marks
FROM current_reports AS r
JOIN current_studies AS s ON s.study_instance_uid = r.study_instance_uid
CROSS JOIN (VALUES ('L'), ('R'), ('both')) AS sides(side)
LEFT JOIN theirs ON theirs.report_uid = r.report_uid AND theirs.side = sides.side
LEFT JOIN ours ON ours.study_instance_uid = s.study_instance_uid AND ours.algorithm = s.algorithm
    AND ours.side = sides.side
LEFT JOIN their_marks ON their_marks.report_uid = r.report_uid AND their_marks.side = sides.side
LEFT JOIN our_marks ON our_marks.study_instance_uid = s.study_instance_uid AND our_marks.algorithm = s.algorithm
    AND our_marks.side = sides.side
LEFT JOIN matched ON matched.report_uid = r.report_uid AND matched.reread_algorithm = s.algorithm
    AND matched.side = sides.side
WHERE r.origin = 'others' AND r.status = 'read'
  AND (sides.side <> 'both' OR theirs.report_uid IS NOT NULL)
ORDER BY s.study_date, s.study_instance_uid, r.report_uid, sides.side
