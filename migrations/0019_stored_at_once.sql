-- What storing a document costs: attributes of many chunks in one statement, and vectors in their rows.

-- A vector lies in its row up to 8 kB, which is 4,000 numbers of halfvec. Out of line, which began at 2 kB, each was two more rows and
-- two look-ups: comparing 1,536 numbers took twice as long, and storing them half as long again. Rows that are there stay as they are.
-- `index/relations.rs` makes relations in the same way. One whose index is being built, which may take hours, is not waited for. First,
-- while nothing else is locked.
SET LOCAL lock_timeout = '500ms';
DO $$
DECLARE
  child regclass;
BEGIN
  FOR child IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'embeddings'::regclass LOOP
    BEGIN
      EXECUTE format('ALTER TABLE %s SET (toast_tuple_target = 8160)', child);
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      RAISE NOTICE '% stays as it is: its index is being built', child;
    END;
  END LOOP;
END $$;
SET LOCAL lock_timeout = 0;

-- As before, in one statement over all chunks. `DISTINCT`: a list may hold a value twice.
CREATE OR REPLACE FUNCTION fill_attributes(documents uuid[]) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
  DELETE FROM attribute WHERE document_id = ANY(documents);
  WITH doc AS MATERIALIZED (
    SELECT d.id, d.workspace_id, builtin_metadata(d) || d.metadata AS metadata,
           ARRAY(SELECT DISTINCT k FROM chunk c, jsonb_object_keys(c.metadata) k WHERE c.document_id = d.id AND c.metadata <> '{}') AS own
    FROM document d WHERE d.id = ANY(documents)
  ), shared AS MATERIALIZED (
    SELECT doc.id, doc.workspace_id,
           (SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each(doc.metadata) e WHERE e.key = ANY(doc.own)) AS metadata
    FROM doc WHERE doc.own <> '{}'
  ), described AS (
    SELECT doc.workspace_id, doc.id AS document_id, 0::bigint AS chunk_id, doc.metadata - doc.own AS metadata FROM doc
    UNION ALL
    SELECT shared.workspace_id, shared.id, c.id, shared.metadata || c.metadata FROM shared JOIN chunk c ON c.document_id = shared.id
  ), value AS (
    SELECT d.workspace_id, d.document_id, d.chunk_id, e.key, coalesce(v.value, e.value) AS value, jsonb_typeof(e.value) = 'array' AS listed
    FROM described d CROSS JOIN LATERAL jsonb_each(d.metadata) e
    LEFT JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(e.value) WHEN 'array' THEN e.value END) v ON true
    WHERE length(e.key) <= 128
  ), typed AS (
    SELECT v.workspace_id, v.document_id, v.chunk_id, v.key, v.listed,
           CASE jsonb_typeof(v.value) WHEN 'string' THEN v.value #>> '{}' END AS whole,
           CASE jsonb_typeof(v.value) WHEN 'number' THEN v.value::numeric END AS number,
           CASE jsonb_typeof(v.value) WHEN 'boolean' THEN v.value::boolean END AS boolean_value
    FROM value v
  )
  INSERT INTO attribute (workspace_id, document_id, chunk_id, key, text_value, rest, number_value, boolean_value, listed)
  SELECT DISTINCT t.workspace_id, t.document_id, t.chunk_id, t.key, left(t.whole, 256), coalesce(substr(t.whole, 257), ''),
         t.number::double precision, t.boolean_value, t.listed
    FROM typed t
    WHERE t.whole IS NOT NULL OR t.boolean_value IS NOT NULL
       OR t.number = 0 OR abs(t.number) BETWEEN 5e-324 AND 1.7976931348623157e308
$$;

-- Taken at once and before its rows are: what is publishing ends first, and searches go on.
LOCK TABLE document IN EXCLUSIVE MODE;

-- The reference was checked for each row, which took twice as long as writing it. Whoever writes rows has the document's row locked, so
-- that none is written for a document that goes; and what goes takes its rows along.
CREATE FUNCTION documents_went() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  DELETE FROM attribute a USING gone g WHERE a.document_id = g.id;
  RETURN NULL;
END $$;
CREATE TRIGGER documents_went AFTER DELETE ON document REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION documents_went();
ALTER TABLE attribute DROP CONSTRAINT attribute_document_id_fkey;
