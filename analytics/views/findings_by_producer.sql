-- Findings of Reread and of the reports of others alike; side and view that a report does not say are those of its image.
WITH known AS (
    SELECT DISTINCT ON (sop_instance_uid) sop_instance_uid, laterality, view
    FROM images
    WHERE status <> 'rejected' AND sop_instance_uid <> ''
    ORDER BY sop_instance_uid, recorded_at DESC
)
SELECT
    'Reread' AS producer, '' AS model, findings.algorithm, findings.version, '' AS report_uid,
    findings.study_instance_uid, current_studies.woman, current_studies.study_date, findings.sop_instance_uid,
    findings.laterality, findings.view, findings.finding_index, findings.kind, findings.x_px, findings.y_px,
    findings.score, CAST(NULL AS DOUBLE) AS certainty_percent, findings.operating_point,
    findings.operating_point IS NOT NULL AS is_mark, findings.size_mm, findings.area_mm2, findings.member_count,
    findings.nipple_distance_mm, findings.chest_wall_distance_mm
FROM findings
JOIN current_studies USING (study_instance_uid, study_revision, algorithm, run_id)
UNION ALL
SELECT
    f.producer, f.model, f.algorithm, f.version, f.report_uid,
    f.study_instance_uid, r.woman, r.study_date, f.sop_instance_uid,
    coalesce(f.laterality, known.laterality), coalesce(f.view, known.view), f.finding_index, f.kind, f.x_px, f.y_px,
    f.score, f.certainty_percent, f.operating_point,
    f.kind IN ('mass', 'calcification') AND f.intent <> 'not presented' AND f.x_px IS NOT NULL,
    f.size_mm, f.area_mm2, f.member_count, f.nipple_distance_mm, f.chest_wall_distance_mm
FROM reported_findings AS f
JOIN current_reports AS r USING (report_uid, run_id)
LEFT JOIN known USING (sop_instance_uid)
WHERE r.origin = 'others'
