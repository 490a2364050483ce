-- What tracker says of one machine, over the exports of many. ANSI SQL over four views, which docs/how-to/many-machines.md makes
-- for DuckDB, Spark and ClickHouse: telemetry, fleet_results, fleet_meters, fleet_usage.

-- events: a line that two machines took in is one event, as in `tracker import`; what is missing counts as nothing
CREATE VIEW events AS
SELECT
  copies.window_id AS window_id,
  COALESCE(copies.rid, '') AS rid,
  COALESCE(copies.lane, '') AS lane,
  COALESCE(copies.model, '') AS model,
  CASE WHEN copies.routed THEN 1 ELSE 0 END AS is_glm,
  CASE WHEN copies.ok THEN 0 ELSE 1 END AS is_error,
  COALESCE(copies.input_tokens, 0) AS input_tokens,
  COALESCE(copies.output_tokens, 0) AS output_tokens,
  COALESCE(copies.cache_read_tokens, 0) AS cache_read_tokens,
  COALESCE(copies.cache_write_tokens, 0) + COALESCE(copies.cache_write_1h_tokens, 0) AS cache_write_tokens,
  copies.latency_ms AS latency_ms
FROM (
  SELECT telemetry.*, ROW_NUMBER() OVER (PARTITION BY record_id ORDER BY machine) AS copy_number FROM telemetry
) AS copies
WHERE copies.copy_number = 1;

-- cost_compare: a row per request, those of both sides first, then the largest difference
CREATE VIEW cost_compare AS
SELECT
  sums.window_id AS window_id,
  sums.rid AS rid,
  CASE WHEN sums.of_glm = sums.requests THEN 'glm' WHEN sums.of_glm = 0 THEN 'baseline' ELSE 'both' END AS side,
  sums.baseline_tokens AS baseline_tokens,
  sums.glm_tokens AS glm_tokens,
  sums.glm_tokens - sums.baseline_tokens AS delta_glm_minus_base
FROM (
  SELECT
    window_id,
    rid,
    COUNT(*) AS requests,
    SUM(is_glm) AS of_glm,
    SUM((1 - is_glm) * (input_tokens + output_tokens)) AS baseline_tokens,
    SUM(is_glm * (input_tokens + output_tokens)) AS glm_tokens
  FROM events
  GROUP BY window_id, rid
) AS sums;

-- by_model: the tokens of each kind, which a price list turns into money
CREATE VIEW by_model AS
SELECT
  window_id,
  model,
  is_glm,
  COUNT(*) AS requests,
  SUM(input_tokens) AS input_tokens,
  SUM(output_tokens) AS output_tokens,
  SUM(cache_read_tokens) AS cache_read_tokens,
  SUM(cache_write_tokens) AS cache_write_tokens
FROM events
GROUP BY window_id, model, is_glm;

-- subagent_proxy: the figures of each window in all, by lane and by model; percentiles interpolate between neighbours
CREATE VIEW subagent_proxy AS
WITH parts AS (
  SELECT window_id, 'all' AS part, '' AS name, is_glm, is_error, latency_ms FROM events
  UNION ALL
  SELECT window_id, 'lane' AS part, lane AS name, is_glm, is_error, latency_ms FROM events
  UNION ALL
  SELECT window_id, 'model' AS part, model AS name, is_glm, is_error, latency_ms FROM events
),
counted AS (
  SELECT
    window_id,
    part,
    name,
    is_glm,
    is_error,
    latency_ms,
    COUNT(latency_ms) OVER (PARTITION BY window_id, part, name) AS latencies
  FROM parts
),
ranked AS (
  SELECT
    window_id,
    part,
    name,
    is_glm,
    is_error,
    latency_ms,
    latencies,
    ROW_NUMBER() OVER (
      PARTITION BY window_id, part, name, CASE WHEN latency_ms IS NULL THEN 1 ELSE 0 END
      ORDER BY latency_ms
    ) - 1 AS place
  FROM counted
),
weighed AS (
  SELECT
    window_id,
    part,
    name,
    is_glm,
    is_error,
    latency_ms,
    latencies,
    1 - ABS(place - 0.50 * (latencies - 1)) AS weight_50,
    1 - ABS(place - 0.95 * (latencies - 1)) AS weight_95
  FROM ranked
)
SELECT
  window_id,
  part,
  name,
  COUNT(*) AS events,
  100.0 * SUM(is_glm) / COUNT(*) AS routed_pct,
  SUM(CASE WHEN weight_50 > 0 THEN weight_50 * latency_ms END) AS p50_ms,
  SUM(CASE WHEN weight_95 > 0 THEN weight_95 * latency_ms END) AS p95_ms,
  CASE WHEN MAX(latencies) < 20 THEN 1 ELSE 0 END AS p95_few_events,
  100.0 * SUM(is_error) / COUNT(*) AS error_pct
FROM weighed
GROUP BY window_id, part, name;

-- efficiency: features per unit of capacity of each provider's accounts, and the sums that an interval is made from;
-- percentages of two accounts never add up, and windows whose panes name no account are a row of their own
CREATE VIEW efficiency AS
WITH latest AS (
  -- a window counts once, as it was finalized last, by the export of the machine that did
  SELECT
    provider,
    account,
    unit,
    machine,
    record_id,
    reason,
    features,
    capacity,
    began_at,
    ended_at,
    -- accounts whose panes do not name them reset at other times
    CASE WHEN account IS NULL THEN resets_at END AS unnamed,
    -- what moved no meter, or is not known to the end, takes nothing of another window: it stands alone
    CASE WHEN capacity = 0 OR began_at IS NULL OR ended_at IS NULL THEN record_id ELSE '' END AS alone
  FROM (
    SELECT
      fleet_results.*,
      ROW_NUMBER() OVER (
        PARTITION BY provider, window_id, began_at, CASE WHEN began_at IS NULL THEN record_id ELSE '' END
        ORDER BY finalized_at DESC, CASE WHEN imported THEN 1 ELSE 0 END, machine
      ) AS copy_number
    FROM fleet_results
  ) AS copies
  WHERE copies.copy_number = 1
),
beside AS (
  SELECT
    latest.*,
    MAX(ended_at) OVER (
      PARTITION BY provider, account, unnamed, alone
      ORDER BY began_at, record_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS last_end,
    MIN(began_at) OVER (
      PARTITION BY provider, account, unnamed, alone
      ORDER BY began_at, record_id ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
    ) AS next_begin
  FROM latest
),
judged AS (
  -- the points of two windows that overlap hold the work of both
  SELECT
    beside.*,
    CASE
      WHEN reason LIKE 'overlaps %' THEN 1
      WHEN reason IS NULL AND (last_end > began_at OR next_begin < ended_at) THEN 1
      ELSE 0
    END AS is_shared
  FROM beside
)
SELECT
  sums.provider AS provider,
  sums.account AS account,
  sums.unit AS unit,
  sums.n AS n,
  sums.overlapping AS overlapping,
  sums.machines AS machines,
  sums.features_sum AS features,
  sums.capacity_sum AS capacity,
  sums.features_sum / NULLIF(sums.capacity_sum, 0) AS efficiency,
  sums.features_squares AS features_squares,
  sums.capacity_squares AS capacity_squares,
  sums.products AS products
FROM (
  SELECT
    provider,
    account,
    unit,
    SUM(1 - is_shared) AS n,
    SUM(is_shared) AS overlapping,
    COUNT(DISTINCT machine) AS machines,
    SUM(CASE WHEN is_shared = 0 THEN features ELSE 0 END) AS features_sum,
    SUM(CASE WHEN is_shared = 0 THEN capacity ELSE 0 END) AS capacity_sum,
    SUM(CASE WHEN is_shared = 0 THEN features * features ELSE 0 END) AS features_squares,
    SUM(CASE WHEN is_shared = 0 THEN capacity * capacity ELSE 0 END) AS capacity_squares,
    SUM(CASE WHEN is_shared = 0 THEN features * capacity ELSE 0 END) AS products
  FROM judged
  WHERE is_shared = 1 OR (reason IS NULL AND (features > 0 OR capacity > 0))
  GROUP BY provider, account, unit
) AS sums;

-- usage_by_project: tokens and money of session logs; a session that two machines have counts once, by the totals with its latest
-- request: another machine's copy of the file may be older, and was perhaps counted later
CREATE VIEW usage_by_project AS
SELECT
  source,
  COALESCE(project, '') AS project_name,
  COALESCE(model, '') AS model_name,
  COUNT(DISTINCT session) AS sessions,
  SUM(requests) AS requests_sum,
  SUM(input_tokens) AS input_sum,
  SUM(cache_read_tokens) AS cache_read_sum,
  SUM(cache_write_5m_tokens + cache_write_1h_tokens) AS cache_write_sum,
  SUM(output_tokens) AS output_sum,
  SUM(cost_usd) AS cost_sum,
  SUM(CASE WHEN cost_usd IS NULL THEN requests ELSE 0 END) AS unpriced_requests
FROM (
  SELECT
    fleet_usage.*,
    ROW_NUMBER() OVER (
      PARTITION BY source, session, day, model, project, branch
      ORDER BY CASE WHEN imported THEN 1 ELSE 0 END, until DESC, stored_at DESC, machine
    ) AS copy_number
  FROM fleet_usage
) AS copies
WHERE copies.copy_number = 1
GROUP BY source, COALESCE(project, ''), COALESCE(model, '');

-- account_meters: the latest reading of each meter of an account, whichever machine took it; percentages never add up.
-- An account without a name is called as the machine that took its readings, also where others have imported them
CREATE VIEW account_meters AS
SELECT
  latest.provider AS provider,
  latest.account_name AS account_name,
  latest.meter AS meter,
  latest.used AS used,
  latest.last_at AS last_at,
  latest.reset_at AS reset_at,
  latest.machine AS machine
FROM (
  SELECT
    copies.*,
    ROW_NUMBER() OVER (PARTITION BY provider, account_name, meter ORDER BY last_at DESC, machine) AS place
  FROM (
    SELECT
      provider,
      CASE WHEN account IS NULL THEN machine ELSE account END AS account_name,
      meter,
      used,
      last_at,
      reset_at,
      machine,
      ROW_NUMBER() OVER (
        PARTITION BY record_id, meter
        ORDER BY CASE WHEN imported THEN 1 ELSE 0 END, machine
      ) AS copy_number
    FROM fleet_meters
  ) AS copies
  WHERE copies.copy_number = 1
) AS latest
WHERE latest.place = 1;

SELECT window_id, rid, side, baseline_tokens, glm_tokens, delta_glm_minus_base
FROM cost_compare
ORDER BY
  window_id,
  CASE WHEN side = 'both' AND rid <> '' THEN 0 ELSE 1 END,
  ABS(delta_glm_minus_base) DESC,
  rid;

SELECT
  sums.window_id AS window_id,
  sums.baseline_sum AS baseline_tokens,
  sums.glm_sum AS glm_tokens,
  sums.glm_sum - sums.baseline_sum AS delta_glm_minus_base,
  1.0 * sums.glm_sum / NULLIF(sums.baseline_sum + sums.glm_sum, 0) AS glm_share
FROM (
  SELECT window_id, SUM(baseline_tokens) AS baseline_sum, SUM(glm_tokens) AS glm_sum FROM cost_compare GROUP BY window_id
) AS sums
ORDER BY sums.window_id;

SELECT window_id, model, is_glm, requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens
FROM by_model
ORDER BY window_id, is_glm, model;

SELECT window_id, part, name, events, routed_pct, p50_ms, p95_ms, p95_few_events, error_pct
FROM subagent_proxy
ORDER BY window_id, part, events DESC, name;

SELECT
  provider, account, unit, n, overlapping, machines, features, capacity, efficiency, features_squares, capacity_squares,
  products
FROM efficiency
ORDER BY provider, account;

SELECT
  source, project_name, model_name, sessions, requests_sum, input_sum, cache_read_sum, cache_write_sum, output_sum,
  cost_sum, unpriced_requests
FROM usage_by_project
ORDER BY source, project_name, model_name;

SELECT provider, account_name, meter, used, last_at, reset_at, machine
FROM account_meters
ORDER BY provider, account_name, meter;
