-- Which documents wait for their postings, and which workspaces the upkeep has work in.

COMMENT ON COLUMN lex_seg.ids IS
  'For each chunk of the segment its id in 8 bytes and its number of terms in 2; the place in it is the ordinal that postings name.';

-- A document with chunks that no segment holds yet. Its own publish takes it out again; what stays was stored before this migration,
-- or by a gateway of the version before, and the upkeep of any gateway makes up for it.
CREATE TABLE lex_pending (
  document_id uuid PRIMARY KEY REFERENCES document ON DELETE CASCADE,
  workspace_id int NOT NULL
);
CREATE INDEX lex_pending_workspace ON lex_pending (workspace_id);
CALL protect('lex_pending');

-- The update that changes nothing waits for an upkeep that is indexing the document's older chunks, and keeps the next one away
-- until these can be seen.
CREATE FUNCTION await_postings() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO lex_pending (document_id, workspace_id) SELECT DISTINCT document_id, workspace_id FROM made
    ON CONFLICT (document_id) DO UPDATE SET workspace_id = excluded.workspace_id;
  RETURN NULL;
END $$;

-- Before the table is filled: nobody writes chunks between the two.
CREATE TRIGGER chunk_awaits_postings AFTER INSERT ON chunk
  REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION await_postings();
INSERT INTO lex_pending (document_id, workspace_id) SELECT id, workspace_id FROM document WHERE chunks > 0
  ON CONFLICT DO NOTHING;

-- Ids of the workspaces whose postings want work, and nothing else about them: documents wait, level 0 is crowded, a level is full,
-- a segment was made by an older analyzer, or, asked only if `thorough` since it reads every document, much of it is gone.
CREATE FUNCTION lexical_upkeep(newest_analyzer smallint, small_segments bigint, small_chunks bigint, fanout bigint, thorough boolean)
RETURNS TABLE (workspace_id int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT p.workspace_id FROM lex_pending p
  UNION
  SELECT s.workspace_id FROM lex_seg s GROUP BY s.workspace_id, s.level
    HAVING CASE WHEN s.level = 0 THEN count(*) >= small_segments OR sum(s.n) >= small_chunks ELSE count(*) >= fanout END
  UNION
  SELECT s.workspace_id FROM lex_seg s WHERE s.analyzer < newest_analyzer
  UNION
  SELECT s.workspace_id FROM lex_seg s WHERE thorough GROUP BY s.workspace_id
    HAVING sum(s.n) * 5 > 6 * coalesce((SELECT sum(d.chunks) FROM document d WHERE d.workspace_id = s.workspace_id), 0)
$$;
