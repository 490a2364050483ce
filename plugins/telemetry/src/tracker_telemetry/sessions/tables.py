"""The tables of the session index, and what is asked of them."""

from __future__ import annotations

from tracker_telemetry.prices import USUAL
from tracker_telemetry.sessions.columns import REPEATED as REPEAT
from tracker_telemetry.sessions.days import QUARTER
from tracker_telemetry.sessions.scan import ALONE, TOKENS, Labels

VALUES = "SELECT value FROM json_each(?)"  # the values of a JSON list
PAIRS = "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)"
VERSION = 30
# The journal's total of a session, day and model, per project and branch; all of it was made from `since` to `until`,
# at one `speed` or at several. `revision` counts how often it became less, and `apart` has the other sessions whose
# requests this session also shows and the total leaves out, and until when.
KEPT = (
    *("session", "day", "model", "project", "branch", "account", "client", "plan", "requests", *TOKENS),
    *("priced_requests", "cost_usd", "since", "until", "speed", "revision", "apart"),
)
KEPT_COLUMNS, KEPT_KEY = ", ".join(("source", *KEPT)), "source, session, day, model, project, branch"
OWN_TOKENS = ", ".join(f"{{0}}.{name}" for name in TOKENS)  # of a table
SHARED_COLUMNS, TOKEN_COLUMNS = ", ".join(Labels._fields), ", ".join(TOKENS)
# NOT IN would compare a row with each dropped one
IS_KEPT = "NOT EXISTS (SELECT 1 FROM dropped d WHERE (d.base, d.half, d.source) = ({0}.base, {0}.half, {0}.source))"
KEY, GROWS = "base, half, source", f"ts, model, speed, {TOKEN_COLUMNS}, cost, total"
# `half` is the second part of a request's key, and empty if it fits any; `place` is all that requests share, and
# `places` are those of a file, which `is_whole` if it still holds all that it held; `version` is that of the plugin for
# the files; `met` are the sessions that files show, whether or not requests of theirs count
SCHEMA = f"""
CREATE TABLE file (name BLOB PRIMARY KEY, source TEXT, size INTEGER, mtime INTEGER, inode INTEGER, stop INTEGER,
  end TEXT, state TEXT, bad INTEGER, error TEXT, places TEXT, is_whole INTEGER);
CREATE TABLE place (id INTEGER PRIMARY KEY, origin, {SHARED_COLUMNS});
CREATE INDEX place_session ON place (origin, session);
CREATE TABLE met (source, session, PRIMARY KEY (source, session)) WITHOUT ROWID;
CREATE TABLE row (base, half, {GROWS}, place INTEGER, source, PRIMARY KEY ({KEY})) WITHOUT ROWID;
CREATE INDEX row_wild ON row (source, base) WHERE half = '';
CREATE TABLE shown ({KEY}, place INTEGER, ts REAL, PRIMARY KEY ({KEY}, place)) WITHOUT ROWID;
CREATE TABLE descent (source, session, parent, until REAL, PRIMARY KEY (source, session, parent));
CREATE TABLE journal (source PRIMARY KEY, size INTEGER, version TEXT);
CREATE TABLE priced (version);
CREATE TABLE rate (model, day, speed, units);
CREATE TABLE dropped ({KEY}, PRIMARY KEY ({KEY})) WITHOUT ROWID;
CREATE TABLE summary (source, session, project, branch, model, quarter INTEGER, first REAL, last REAL, requests,
  {TOKEN_COLUMNS}, cost, priced, speed);
CREATE INDEX summary_session ON summary (source, session);
CREATE TABLE kept ({KEPT_COLUMNS}, PRIMARY KEY ({KEPT_KEY}));
CREATE TABLE lost ({KEPT_COLUMNS}, PRIMARY KEY ({KEPT_KEY}));
"""
# made when rows are first looked up by their place: a table is filled faster without it
BY_PLACE = "CREATE INDEX IF NOT EXISTS row_place ON row (place)"
# Of one request's rows the one with the most output counts, which may grow; of equal ones that with the larger total,
# the one that says how much was written for an hour, the one that names its model, the first. The rest only makes the
# choice independent of the order in which files are read.
RANK = (
    "{0}.output_tokens, {0}.total, {0}.cache_write_1h_tokens, {0}.reasoning_tokens, "
    "coalesce(instr({0}.model, char(65533)) = 0, 0), -coalesce({0}.ts, 1e11), coalesce({0}.model, ''), "
    "coalesce({0}.speed, ''), {0}.cache_read_tokens, {0}.cache_write_5m_tokens"
)
ROW = f"({','.join('?' * (len(GROWS.split(',')) + 4))})"
ADD = f"INSERT OR IGNORE INTO row VALUES {ROW}"
MANY = 20
ADD_MANY = ADD + f", {ROW}" * (MANY - 1)  # MANY rows at once, in five sixths of the time
# a request has the time at which it was shown first, so that it never moves to a later day
BETTER = f"({RANK.format('excluded')}) > ({RANK.format('row')})"
PUT = (
    ADD.replace("OR IGNORE ", "")
    + " ON CONFLICT DO UPDATE SET ts = min(coalesce(ts, excluded.ts), coalesce(excluded.ts, ts)), "
    + ", ".join(f"{name} = iif({BETTER}, excluded.{name}, {name})" for name in GROWS.split(", ")[1:])
    + f" WHERE {BETTER} OR excluded.ts < row.ts"
)
PRICE = f"""
UPDATE row SET cost = price(model, ts, speed, {", ".join(TOKENS[:5])})
WHERE place IN (SELECT id FROM place WHERE whole = 0)
"""
# The user's own price, which has neither days nor tiers, before the journal's money, and how many requests it covers.
# Older versions kept no speed: if only a part had a price, not all had the usual speed. Nor did they keep these counts.
OWN_COST = f"""
iif(speed IS NOT NULL OR coalesce(priced_requests, requests) IN (0, requests),
  own_cost(model, speed, {", ".join(TOKENS[:5])}), NULL)
"""
# A machine without list prices kept no money: then the list's price, if it has one for all requests of the day.
WHOLE_COST = f"""
coalesce({OWN_COST}, iif(cost_usd IS NULL,
  list_cost(model, CAST(strftime('%s', day) AS INTEGER), speed, {", ".join(TOKENS[:5])}), NULL))
"""
LOST_COST = f"coalesce({WHOLE_COST}, cost_usd)"
LOST_PRICED = f"""
CASE WHEN {WHOLE_COST} IS NOT NULL THEN requests WHEN cost_usd IS NULL THEN 0
  ELSE coalesce(priced_requests, requests) END
"""
# the places of a request that has several, and when each showed it first: the one where it counts, and another one
SHOW = f"INSERT INTO shown SELECT {KEY}, {{}} FROM row WHERE base = ? AND half = ? AND source = ? AND place <> ? "
SHOW_KNOWN = SHOW.format("place, ts") + "ON CONFLICT DO NOTHING"
SHOW_OTHER = SHOW.format("?, ?") + "ON CONFLICT DO UPDATE SET ts = coalesce(min(ts, excluded.ts), ts, excluded.ts)"
STANDARD, SEVERAL = "standard", "several"  # speeds of requests that are counted together
SUMS = ", ".join(f"sum({name})" for name in TOKENS)
# among a message's rows with and without a request id, those that another row replaces
SIZE = "printf('%013d%013d', output_tokens, total)"
DROPPED = f"""
INSERT INTO dropped
WITH base AS (
  SELECT source, base, sum(half <> '') AS own, max(CASE WHEN half = '' THEN {SIZE} END) AS wild,
    max(CASE WHEN half <> '' THEN {SIZE} END) AS largest
  FROM row WHERE base IN (SELECT base FROM row WHERE half = '') GROUP BY source, base)
SELECT r.base, r.half, r.source FROM base b JOIN row r USING (source, base)
WHERE b.own > 0 AND (r.half = '') = NOT (b.own = 1 AND b.wild > b.largest)
"""
# the time of a row that another one replaces, if that is later and fits no other; and whose it is
FIRST = f"""
SELECT d.ts, r.place, r.base, r.half, r.source FROM dropped CROSS JOIN row d USING ({KEY})
JOIN row r ON r.source = d.source AND r.base = d.base AND r.half <> d.half
WHERE d.ts < coalesce(r.ts, 1e11) AND (SELECT count(*) FROM row o WHERE o.source = d.source AND o.base = d.base) = 2
"""
# no answer comes this soon: what a fork shows until then is copied, even if a clock that was set back says otherwise
SOON = """(
  SELECT place, min(ts) + 0.1 AS until FROM row
  WHERE place IN (SELECT id FROM place WHERE needs IS NOT NULL AND lineage IS NULL) GROUP BY place)
"""
# what a fork copied, and its parent showed before: until the copy's own time, or, after a pause, until the fork began,
# which `lineage` has; in this order, because few places are copies
COPIED = f"""
INSERT OR IGNORE INTO dropped
SELECT r.base, r.half, r.source FROM place c LEFT JOIN {SOON} b ON b.place = c.id CROSS JOIN row r ON r.place = c.id
CROSS JOIN row p ON p.base = r.base AND p.source = r.source AND p.half IN (c.needs, '')
AND iif(c.lineage IS NULL, coalesce(p.ts <= r.ts OR r.ts <= b.until, 1), p.ts <= CAST(c.lineage AS REAL))
WHERE c.needs IS NOT NULL AND c.whole = 0 AND r.half <> '' AND EXISTS (
  SELECT 1 FROM place s WHERE s.origin = c.origin AND s.session = c.needs AND (s.id = p.place OR EXISTS (
    SELECT 1 FROM shown WHERE ({KEY}, place) = (p.base, p.half, p.source, s.id))))
"""
# the same if the parent has names of these requests that are missing in the copies; few are left to look for
PARENTS = "SELECT 1 FROM place s CROSS JOIN row p ON p.place = s.id WHERE s.origin = c.origin AND s.session = c.needs"
UNNAMED = f"""
INSERT OR IGNORE INTO dropped
SELECT r.base, r.half, r.source FROM place c JOIN {SOON} b ON b.place = c.id CROSS JOIN row r ON r.place = c.id
WHERE c.needs IS NOT NULL AND c.lineage IS NULL AND c.whole = 0 AND EXISTS ({PARENTS} AND p.half = '{ALONE}')
AND r.half <> '{ALONE}' AND {IS_KEPT.format("r")} AND EXISTS (
  {PARENTS} AND s.whole = 0 AND p.half = '{ALONE}'
  AND (p.ts <= r.ts OR r.ts <= b.until)
  AND ({OWN_TOKENS.format("p")}) = ({OWN_TOKENS.format("r")}))
"""
# the same for a parent whose file is gone, if the journal has until when the fork shows its requests
DESCENDED = """
INSERT OR IGNORE INTO dropped
SELECT r.base, r.half, r.source FROM descent d CROSS JOIN place c
ON c.origin = d.source AND c.session = d.session AND c.needs = d.parent
CROSS JOIN row r ON r.place = c.id WHERE c.lineage IS NOT NULL AND c.whole = 0 AND r.ts <= d.until
"""
# what a fork, or a thread's next file, writes again of the last request of its history, which a fork from an earlier
# message does not have whole: the same tokens, and the same key after the count of resets, if that one has a key of
# totals; a larger total is a request of its own
TOTALS = "substr({0}.base, instr({0}.base, '.'))"
REPEATED = f"""
INSERT OR IGNORE INTO dropped
SELECT r.base, r.half, r.source FROM place c CROSS JOIN row r ON r.place = c.id
WHERE substr(c.needs, 1, {len(REPEAT)}) = '{REPEAT}'
AND ({TOTALS.format("r")}, {OWN_TOKENS.format("r")}) IN (
  SELECT iif(p.half = '{ALONE}', {TOTALS.format("r")}, {TOTALS.format("p")}), {OWN_TOKENS.format("p")}
  FROM place s CROSS JOIN row p ON p.place = s.id
  WHERE s.origin = c.origin AND s.session = substr(c.needs, {len(REPEAT) + 1}) AND s.whole = 0
  AND p.ts <= CAST(c.lineage AS REAL) AND (p.base, p.half) <> (r.base, r.half))
"""
COPIES = COPIED, UNNAMED, REPEATED, DESCENDED
# the places of the requests that are dropped now and were not before, or the other way round
CHANGED = f"""
SELECT place FROM (
  SELECT * FROM (SELECT {KEY} FROM dropped EXCEPT SELECT {KEY} FROM before)
  UNION ALL SELECT * FROM (SELECT {KEY} FROM before EXCEPT SELECT {KEY} FROM dropped)) CROSS JOIN row USING ({KEY})
"""
REQUESTS = "place CROSS JOIN row ON row.place = place.id"  # in this order, if few places are wanted: see BY_PLACE
EVERY_REQUEST = "row CROSS JOIN place ON place.id = row.place"
# a copy counts if the session that it may be from is known; a possible copy counts unless it was dropped
STANDING = f"""
whole = 0 AND {IS_KEPT.format("row")}
AND (needs IS NULL OR lineage IS NOT NULL OR EXISTS (
  SELECT 1 FROM met WHERE met.source = place.origin AND met.session = place.needs))
"""


def _same(speed: str) -> str:
    """The speed that all rows have."""
    return f"iif(min({speed}) = max({speed}), min({speed}), '{SEVERAL}')"


USUAL_SPEED = f"iif(coalesce(speed, '') IN {USUAL}, '{STANDARD}', speed)"
ADD_SUMS = f"INSERT INTO summary VALUES ({','.join('?' * (len(TOKENS) + 12))})"
SUMMARY = f"""
INSERT INTO summary
SELECT origin, coalesce(session, ''), coalesce(project, ''), coalesce(branch, ''), name, quarter,
  min(first), max(last), sum(requests), {SUMS}, sum(cost), sum(priced), {_same("speed")}
FROM (
  SELECT place, coalesce(model, '') AS name, coalesce(CAST(ts / {QUARTER} AS INTEGER), -1) AS quarter, min(ts) AS first,
    max(ts) AS last, count(*) AS requests, {", ".join(f"sum({name}) AS {name}" for name in TOKENS)}, sum(cost) AS cost,
    count(cost) AS priced, {_same(USUAL_SPEED)} AS speed
  FROM {REQUESTS} WHERE {STANDING} AND origin = ? AND coalesce(session, '') IN ({VALUES}) GROUP BY 1, 2, 3)
JOIN place ON place.id = place GROUP BY 1, 2, 3, 4, 5, 6
"""
DAY = f"CASE WHEN quarter < 0 THEN '' ELSE date(quarter * {QUARTER}, 'unixepoch') END"
DAILY = f"""
SELECT source, s.session, {DAY}, model, s.project, s.branch, account, client, plan, sum(requests), {SUMS},
  sum(priced), sum(cost), min(first), max(last), {_same("speed")}, 0, NULL
FROM summary s LEFT JOIN (
  SELECT origin, coalesce(session, '') AS session, max(account) AS account, max(client) AS client, max(plan) AS plan
  FROM place GROUP BY 1, 2) p ON p.origin = s.source AND p.session = s.session
WHERE source = ? AND s.session IN ({VALUES}) GROUP BY 2, 3, 4, 5, 6
"""
# the same for what was made until an instant, by one session, day and model
DAILY_UNTIL = f"""
SELECT origin, coalesce(session, ''), coalesce(date(ts, 'unixepoch'), '') AS day, coalesce(model, '') AS name,
  coalesce(project, ''), coalesce(branch, ''), NULL, NULL, NULL, count(*), {SUMS}, count(cost), sum(cost), min(ts),
  max(ts), NULL, 0, NULL
FROM {REQUESTS} WHERE {STANDING} AND origin = ? AND coalesce(session, '') = ? AND day = ? AND name = ? AND ts <= ?
GROUP BY 5, 6
"""
