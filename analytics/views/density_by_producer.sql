-- Density of each breast by Reread and by the reports of others: of the breast where stated, else the mean of its images.
WITH known AS (
    SELECT DISTINCT ON (sop_instance_uid) sop_instance_uid, laterality
    FROM images
    WHERE status <> 'rejected' AND sop_instance_uid <> ''
    ORDER BY sop_instance_uid, recorded_at DESC
), reported AS (
    SELECT
        d.*, r.woman, r.study_date,
        CASE WHEN d.scope = 'study' THEN 'both' ELSE coalesce(d.laterality, known.laterality) END AS side
    FROM reported_density AS d
    JOIN current_reports AS r USING (report_uid, run_id)
    LEFT JOIN known USING (sop_instance_uid)
    WHERE r.origin = 'others'
), whole AS (
    -- where a report states a breast, its images are not averaged beside it
    SELECT *
    FROM reported
    WHERE side IS NOT NULL
    QUALIFY scope <> 'image'
        OR NOT bool_or(scope <> 'image') OVER (PARTITION BY report_uid, algorithm, version, side)
), ours AS (
    SELECT study_instance_uid, algorithm, version, woman, study_date, side.*
    FROM current_studies, unnest([
        {'side': 'L', 'percent': percent_density_left, 'volumetric': volumetric_percent_left},
        {'side': 'R', 'percent': percent_density_right, 'volumetric': volumetric_percent_right},
        {'side': 'both', 'percent': percent_density, 'volumetric': volumetric_percent}
    ]) AS sides(side)
)
SELECT
    'Reread' AS producer, '' AS model, algorithm, version, '' AS report_uid, study_instance_uid, woman, study_date,
    side, percent AS percent_density, CASE WHEN percent IS NULL THEN NULL ELSE '2d' END AS area_method,
    volumetric AS volumetric_percent,
    CAST(NULL AS VARCHAR) AS category
FROM ours
WHERE percent IS NOT NULL OR volumetric IS NOT NULL
UNION ALL
SELECT
    producer, model, algorithm, version, report_uid, study_instance_uid, any_value(woman), any_value(study_date),
    side, avg(percent_density), max(area_method), avg(volumetric_percent),
    max(coalesce(category, volumetric_category))
FROM whole
GROUP BY producer, model, algorithm, version, report_uid, study_instance_uid, side
