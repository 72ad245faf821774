-- Postings for search by words, packed by the gateway. Both tables begin with the workspace and are reached by equality alone, which
-- is leakproof and so may use the index under the policy.

-- A segment: the chunks that one ingest, or one merge, put together.
CREATE TABLE lex_seg (
  workspace_id int NOT NULL,
  seg bigint GENERATED ALWAYS AS IDENTITY,
  format smallint NOT NULL,
  analyzer smallint NOT NULL,
  level smallint NOT NULL,
  n int NOT NULL,
  sum_len bigint NOT NULL,
  -- Chunk ids; the place in it is the ordinal that postings name.
  ids bytea NOT NULL,
  -- The postings themselves at level 0; null above it.
  blob bytea,
  PRIMARY KEY (workspace_id, seg)
);
ALTER TABLE lex_seg ALTER COLUMN ids SET STORAGE EXTERNAL, ALTER COLUMN blob SET STORAGE EXTERNAL;
CALL protect('lex_seg');

-- The postings of one term in one segment above level 0.
CREATE TABLE lex_post (
  workspace_id int NOT NULL,
  seg bigint NOT NULL,
  term text COLLATE "C" NOT NULL,
  df int NOT NULL,
  p bytea NOT NULL,
  PRIMARY KEY (workspace_id, seg, term),
  FOREIGN KEY (workspace_id, seg) REFERENCES lex_seg ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE lex_post ALTER COLUMN p SET STORAGE EXTERNAL;
CALL protect('lex_post');
