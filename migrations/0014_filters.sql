-- Filters that cost less: whether a row comes from a list, so that `{"kind": 3}` need not be looked up again in the metadata; and how
-- many rows a relation has, so that a search can weigh comparing all that pass against walking the index.

ALTER TABLE attribute ADD COLUMN listed boolean NOT NULL DEFAULT false;

DROP FUNCTION attributes_of(jsonb);
-- As before, with `listed`. A value that stands alone and in a list cannot have the same key, so DISTINCT loses nothing.
CREATE FUNCTION attributes_of(metadata jsonb)
RETURNS TABLE (key text, text_value text, rest text, number_value double precision, boolean_value boolean, listed boolean)
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
  SELECT DISTINCT found.key, found.text_value, found.rest, found.number_value, found.boolean_value, found.listed FROM (
    SELECT e.key, left(string.whole, 256) AS text_value, coalesce(substr(string.whole, 257), '') AS rest,
           CASE WHEN jsonb_typeof(v.value) = 'number' AND (v.value::numeric = 0 OR abs(v.value::numeric) BETWEEN 5e-324 AND 1.7976931348623157e308)
                THEN v.value::double precision END AS number_value,
           CASE WHEN jsonb_typeof(v.value) = 'boolean' THEN v.value::boolean END AS boolean_value,
           jsonb_typeof(e.value) = 'array' AS listed
    FROM jsonb_each(metadata) e
    CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(e.value) WHEN 'array' THEN e.value ELSE jsonb_build_array(e.value) END) v
    CROSS JOIN LATERAL (SELECT CASE jsonb_typeof(v.value) WHEN 'string' THEN v.value #>> '{}' END AS whole) string
    WHERE length(e.key) <= 128
  ) found WHERE num_nonnulls(found.text_value, found.number_value, found.boolean_value) = 1
$$;

CREATE OR REPLACE FUNCTION fill_attributes(documents uuid[]) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
  DELETE FROM attribute WHERE document_id = ANY(documents);
  WITH doc AS MATERIALIZED (
    SELECT d.id, d.workspace_id, builtin_metadata(d) || d.metadata AS metadata,
           ARRAY(SELECT DISTINCT k FROM chunk c, jsonb_object_keys(c.metadata) k WHERE c.document_id = d.id AND c.metadata <> '{}') AS own
    FROM document d WHERE d.id = ANY(documents)
  )
  INSERT INTO attribute (workspace_id, document_id, chunk_id, key, text_value, rest, number_value, boolean_value, listed)
  SELECT doc.workspace_id, doc.id, 0, a.key, a.text_value, a.rest, a.number_value, a.boolean_value, a.listed
    FROM doc CROSS JOIN LATERAL attributes_of(doc.metadata - doc.own) a
  UNION ALL
  SELECT doc.workspace_id, doc.id, c.id, a.key, a.text_value, a.rest, a.number_value, a.boolean_value, a.listed
    FROM doc JOIN chunk c ON c.document_id = doc.id AND doc.own <> '{}'
    CROSS JOIN LATERAL attributes_of(
      (SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each(doc.metadata) e WHERE e.key = ANY(doc.own)) || c.metadata) a
$$;

SELECT fill_attributes(array_agg(id)) FROM (SELECT id, row_number() OVER (ORDER BY id) / 1000 AS batch FROM document) stored GROUP BY batch;
ANALYZE attribute;

-- As before, and `ragline.rows` says how many rows the index was last seen over.
CREATE OR REPLACE FUNCTION open_search(wanted int, windows int)
RETURNS TABLE (relation_id int, store_version bigint, kind text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  state record;
  probes int;
  ef_search int;
BEGIN
  PERFORM set_config('ragline.workspace_id', wanted::text, true);
  SELECT w.relation_id, w.store_version, i.kind, i.probes, i.ef_search, i.retiring_probes, i.retiring_ef_search,
      greatest(i.rows_at_build, i.rows_at_measure, 0) AS rows,
      i.building_index IS NOT NULL OR i.retiring_index IS NOT NULL AS two INTO state
    FROM workspace w JOIN index_state i ON i.relation_id = w.relation_id WHERE w.id = wanted;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF state.kind <> 'exact' THEN
    probes := coalesce(state.probes, 32);
    ef_search := coalesce(state.ef_search, 400);
    IF state.two THEN
      probes := greatest(probes, state.retiring_probes, 32);
      ef_search := greatest(ef_search, state.retiring_ef_search, 400);
    END IF;
    -- An ef_search below the limit would cut the result short.
    ef_search := least(greatest(ef_search, windows), 1000);
    PERFORM set_config('ivfflat.probes', probes::text, true), set_config('ivfflat.iterative_scan', 'relaxed_order', true),
            set_config('hnsw.ef_search', ef_search::text, true), set_config('hnsw.iterative_scan', 'relaxed_order', true),
            set_config('ragline.rows', state.rows::text, true);
    -- The policy decides, not the planner's guess: only the index can give the order without a sort.
    PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
            set_config('enable_sort', 'off', true);
  END IF;
  RETURN QUERY SELECT state.relation_id, state.store_version, state.kind;
END $$;
