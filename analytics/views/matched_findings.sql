-- Marks of Reread and of a report on one image: a pair is the nearest of each other, of one kind, at most 5 mm or half of the larger extent apart.
WITH spacing AS (
    SELECT DISTINCT ON (sop_instance_uid) sop_instance_uid, row_spacing_mm, column_spacing_mm
    FROM images
    WHERE status = 'measured'
    ORDER BY sop_instance_uid, recorded_at DESC
), marks_of AS (
    SELECT *, producer = 'Reread' AND report_uid = '' AS is_ours
    FROM findings_by_producer
    WHERE is_mark
), near AS (
    SELECT
        theirs.study_instance_uid, theirs.sop_instance_uid, theirs.laterality, theirs.view, theirs.kind,
        theirs.producer, theirs.model, theirs.report_uid, theirs.algorithm, theirs.version,
        theirs.finding_index, theirs.certainty_percent, theirs.operating_point, theirs.size_mm,
        ours.algorithm AS reread_algorithm, ours.version AS reread_version, ours.finding_index AS reread_finding_index,
        ours.score AS reread_score, ours.operating_point AS reread_operating_point, ours.size_mm AS reread_size_mm,
        sqrt(
            pow((theirs.x_px - ours.x_px) * spacing.column_spacing_mm, 2)
            + pow((theirs.y_px - ours.y_px) * spacing.row_spacing_mm, 2)
        ) AS distance_mm
    FROM marks_of AS theirs
    JOIN marks_of AS ours USING (sop_instance_uid, kind)
    JOIN spacing USING (sop_instance_uid)
    WHERE ours.is_ours AND NOT theirs.is_ours
)
SELECT *
FROM near
WHERE distance_mm <= greatest(5, coalesce(size_mm, 0) / 2, coalesce(reread_size_mm, 0) / 2)
QUALIFY
    row_number() OVER (
        PARTITION BY report_uid, finding_index, reread_algorithm
        ORDER BY distance_mm, reread_finding_index
    ) = 1
    AND row_number() OVER (
        PARTITION BY report_uid, sop_instance_uid, kind, reread_algorithm, reread_finding_index
        ORDER BY distance_mm, finding_index
    ) = 1
