-- What the index holds of the streams. `stream`: how far each was read, in which file, the bytes around that point.
-- `block`: the checksum of each megabyte. `extent`: where records of a window stand. The function `place` sorts windows.
CREATE TABLE IF NOT EXISTS stream (name TEXT PRIMARY KEY, size INTEGER, total INTEGER, inode INTEGER, head BLOB,
  tail BLOB);
CREATE TABLE IF NOT EXISTS block (stream TEXT, number INTEGER, checksum INTEGER, PRIMARY KEY (stream, number))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS extent (stream TEXT, window TEXT, start INTEGER, stop INTEGER, at REAL);
CREATE INDEX IF NOT EXISTS extent_window ON extent (window, stream, start);
CREATE TABLE IF NOT EXISTS window (name TEXT PRIMARY KEY, place BLOB, at REAL, is_done INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS window_place ON window (place);
CREATE INDEX IF NOT EXISTS window_at ON window (at);
CREATE INDEX IF NOT EXISTS window_open ON window (at) WHERE NOT is_done;
CREATE TRIGGER IF NOT EXISTS extent_named AFTER INSERT ON extent WHEN new.window != '' BEGIN
  INSERT INTO window VALUES (new.window, place(new.window), new.at, new.stream = 'windows') ON CONFLICT (name)
  DO UPDATE SET at = max(at, excluded.at), is_done = max(is_done, excluded.is_done); END;
-- what `window` holds, as it follows from the extents
CREATE VIEW IF NOT EXISTS named AS SELECT window AS name, place(window), max(at), max(stream = 'windows') FROM extent
  WHERE window != '' GROUP BY window;
CREATE TABLE IF NOT EXISTS capture (stream TEXT, position INTEGER, record_id TEXT, provider TEXT, agent TEXT,
  window TEXT, phase TEXT, at REAL);
CREATE INDEX IF NOT EXISTS capture_lane ON capture (stream, provider, agent, at, position);
CREATE INDEX IF NOT EXISTS capture_window ON capture (window);
CREATE UNIQUE INDEX IF NOT EXISTS capture_id ON capture (record_id, stream);
CREATE TABLE IF NOT EXISTS lane (stream TEXT, agent TEXT, provider TEXT, PRIMARY KEY (stream, agent, provider))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reset (stream TEXT, provider TEXT, at REAL, record_id TEXT);
CREATE INDEX IF NOT EXISTS reset_at ON reset (stream, provider, at);
CREATE TABLE IF NOT EXISTS tombstone (stream TEXT, target TEXT, record_id TEXT, window TEXT);
CREATE INDEX IF NOT EXISTS tombstone_target ON tombstone (target, stream);
-- a tombstone that was taken back itself removes nothing
CREATE VIEW IF NOT EXISTS removal AS SELECT * FROM tombstone t WHERE NOT EXISTS
  (SELECT 1 FROM tombstone u WHERE u.target = t.record_id AND u.stream = t.stream);
CREATE VIEW IF NOT EXISTS standing AS SELECT * FROM capture c WHERE NOT EXISTS
  (SELECT 1 FROM removal r WHERE r.target = c.record_id AND r.stream = c.stream);
-- windows of which no capture is left, though perhaps something else
CREATE VIEW IF NOT EXISTS doubtful AS SELECT DISTINCT window FROM tombstone t WHERE NOT EXISTS
  (SELECT 1 FROM standing WHERE window = t.window);
CREATE VIEW IF NOT EXISTS standing_reset AS SELECT * FROM reset r WHERE NOT EXISTS
  (SELECT 1 FROM removal WHERE stream = r.stream AND target = r.record_id);
-- BEFOREs that nothing follows in their window; a plus keeps SQLite from an index that has a lane's whole history
CREATE VIEW IF NOT EXISTS left_open AS SELECT * FROM standing c WHERE phase = 'before' AND NOT EXISTS
  (SELECT 1 FROM standing d WHERE d.window = c.window AND +d.stream = c.stream AND +d.provider = c.provider
  AND +d.agent = c.agent AND (+d.at, d.position) > (c.at, c.position));
