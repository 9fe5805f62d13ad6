-- Density per month and algorithm version: the first trend a quality team looks at.
SELECT
    date_trunc('month', study_date) AS month,
    algorithm,
    version,
    count(*) AS study_count,
    median(percent_density) AS median_percent_density,
    avg(CASE WHEN category IN ('c', 'd') THEN 1.0 ELSE 0.0 END) AS share_dense
FROM current_studies
WHERE percent_density IS NOT NULL
GROUP BY ALL
ORDER BY month, algorithm, version
