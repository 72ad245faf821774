-- Metadata as typed rows, so that a filter can use an index under the policy: `@>` is not leakproof, and a policy keeps the index of
-- an operator that is not from being used. Equality and order of text, double precision, boolean, uuid and bigint are leakproof in
-- PostgreSQL 15 to 18.

-- One row a value: strings, numbers and booleans of the outermost object, and those of its lists. A key that no chunk of a document
-- has itself is kept once for the document; any other once for each of its chunks, the chunk's value on top of the document's.
CREATE TABLE attribute (
  workspace_id int NOT NULL,
  document_id uuid NOT NULL REFERENCES document ON DELETE CASCADE,
  -- 0: holds for every chunk of the document.
  chunk_id bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  -- The first 256 characters; an entry of an index cannot hold more than 2,704 bytes.
  text_value text COLLATE "C",
  -- The characters after those.
  rest text COLLATE "C" NOT NULL,
  number_value double precision,
  boolean_value boolean,
  CHECK (num_nonnulls(text_value, number_value, boolean_value) = 1)
);
CREATE INDEX attribute_owner ON attribute (document_id, chunk_id, key);
CREATE INDEX attribute_text ON attribute (workspace_id, key, text_value) WHERE text_value IS NOT NULL;
CREATE INDEX attribute_number ON attribute (workspace_id, key, number_value) WHERE number_value IS NOT NULL;
CREATE INDEX attribute_boolean ON attribute (workspace_id, key, boolean_value) WHERE boolean_value IS NOT NULL;
CALL protect('attribute');

-- The values of an object that can be compared. Numbers that double precision lacks are left out.
CREATE FUNCTION attributes_of(metadata jsonb)
RETURNS TABLE (key text, text_value text, rest text, number_value double precision, boolean_value boolean)
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
  SELECT DISTINCT found.key, found.text_value, found.rest, found.number_value, found.boolean_value FROM (
    SELECT e.key, left(string.whole, 256) AS text_value, coalesce(substr(string.whole, 257), '') AS rest,
           CASE WHEN jsonb_typeof(v.value) = 'number' AND (v.value::numeric = 0 OR abs(v.value::numeric) BETWEEN 5e-324 AND 1.7976931348623157e308)
                THEN v.value::double precision END AS number_value,
           CASE WHEN jsonb_typeof(v.value) = 'boolean' THEN v.value::boolean END AS boolean_value
    FROM jsonb_each(metadata) e
    CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(e.value) WHEN 'array' THEN e.value ELSE jsonb_build_array(e.value) END) v
    CROSS JOIN LATERAL (SELECT CASE jsonb_typeof(v.value) WHEN 'string' THEN v.value #>> '{}' END AS whole) string
    WHERE length(e.key) <= 128
  ) found WHERE num_nonnulls(found.text_value, found.number_value, found.boolean_value) = 1
$$;

-- What a document is, as metadata that its own come on top of. A time is a text in RFC 3339 and a number of seconds.
CREATE FUNCTION builtin_metadata(stored document) RETURNS jsonb
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object('source', stored.source, 'filename', stored.source, 'title', stored.title,
    'content_type', stored.content_type,
    'created_at', jsonb_build_array(to_char(stored.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), extract(epoch FROM stored.created_at)),
    'updated_at', jsonb_build_array(to_char(stored.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), extract(epoch FROM stored.updated_at))))
$$;

-- Makes the rows of these documents anew. Whoever changes the metadata of a stored document calls it; chunks that come call it
-- themselves.
CREATE FUNCTION fill_attributes(documents uuid[]) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
  DELETE FROM attribute WHERE document_id = ANY(documents);
  WITH doc AS MATERIALIZED (
    SELECT d.id, d.workspace_id, builtin_metadata(d) || d.metadata AS metadata,
           ARRAY(SELECT DISTINCT k FROM chunk c, jsonb_object_keys(c.metadata) k WHERE c.document_id = d.id AND c.metadata <> '{}') AS own
    FROM document d WHERE d.id = ANY(documents)
  )
  INSERT INTO attribute (workspace_id, document_id, chunk_id, key, text_value, rest, number_value, boolean_value)
  SELECT doc.workspace_id, doc.id, 0, a.key, a.text_value, a.rest, a.number_value, a.boolean_value
    FROM doc CROSS JOIN LATERAL attributes_of(doc.metadata - doc.own) a
  UNION ALL
  SELECT doc.workspace_id, doc.id, c.id, a.key, a.text_value, a.rest, a.number_value, a.boolean_value
    FROM doc JOIN chunk c ON c.document_id = doc.id AND doc.own <> '{}'
    CROSS JOIN LATERAL attributes_of(
      (SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each(doc.metadata) e WHERE e.key = ANY(doc.own)) || c.metadata) a
$$;

-- Triggers, not the gateway: a gateway of the version before publishes while this schema is in place already.
CREATE FUNCTION chunks_came() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM fill_attributes(ARRAY(SELECT DISTINCT document_id FROM come));
  RETURN NULL;
END $$;
CREATE TRIGGER chunks_came AFTER INSERT ON chunk REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION chunks_came();

CREATE FUNCTION chunks_went() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  DELETE FROM attribute a USING gone g WHERE a.document_id = g.document_id AND a.chunk_id = g.id;
  -- A key may have been kept for each chunk because of one that is gone.
  PERFORM fill_attributes(ARRAY(SELECT DISTINCT document_id FROM gone WHERE metadata <> '{}'));
  RETURN NULL;
END $$;
CREATE TRIGGER chunks_went AFTER DELETE ON chunk REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION chunks_went();

-- What is stored already, a thousand documents at a time. Searches go on meanwhile, publishing waits.
SELECT fill_attributes(array_agg(id)) FROM (SELECT id, row_number() OVER (ORDER BY id) / 1000 AS batch FROM document) stored GROUP BY batch;
ANALYZE attribute;

-- What of a vector the index of the space holds.
ALTER TABLE embedding_space ADD COLUMN quantization text NOT NULL DEFAULT 'none' CHECK (quantization IN ('none', 'binary'));
