-- Embedding spaces, vectors in relations, and what is known about each relation's index.

-- A model with its dimensions. The rows are no workspace's; every workspace may read them.
CREATE TABLE embedding_space (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  model text NOT NULL,
  dimensions int NOT NULL CHECK (dimensions BETWEEN 1 AND 16000),
  element_type text NOT NULL CHECK (element_type IN ('halfvec', 'vector')),
  distance_metric text NOT NULL CHECK (distance_metric IN ('cosine', 'l2', 'inner_product')),
  -- Slope and intercept of the logistic curve that turns a similarity into a score of 0 to 1; both or neither.
  calibration_slope real,
  calibration_intercept real,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (model, dimensions),
  CHECK ((calibration_slope IS NULL) = (calibration_intercept IS NULL))
);

-- One row a window of a chunk. `migrate` adds one CHECK of the dimensions for each space, and, where the configuration asks for
-- it before there are rows, makes the element type `vector`. Without a modifier, so that spaces of other dimensions fit in.
--
-- There is deliberately no DEFAULT partition (attaching would be refused while it holds rows) and no grant on a partition
-- (it would go around the policy of the parent).
CREATE TABLE embeddings (
  relation_id int NOT NULL,
  workspace_id int NOT NULL,
  collection_id int NOT NULL,
  chunk_id bigint NOT NULL,
  window_number smallint NOT NULL CHECK (window_number >= 0),
  space_id int NOT NULL,
  embedding halfvec NOT NULL,
  PRIMARY KEY (relation_id, chunk_id, space_id, window_number)
) PARTITION BY LIST (relation_id);
CREATE INDEX embeddings_workspace ON embeddings (workspace_id, space_id);
CALL protect('embeddings');

CREATE TABLE embeddings_0 PARTITION OF embeddings FOR VALUES IN (0);
CREATE TABLE embeddings_1 PARTITION OF embeddings FOR VALUES IN (1);

-- The truth about the indexes: what serves each relation, how a query uses it, and what is being built.
CREATE TABLE index_state (
  relation_id int PRIMARY KEY,
  -- Which index serves; null columns go with `exact`.
  kind text NOT NULL DEFAULT 'exact' CHECK (kind IN ('exact', 'ivfflat', 'hnsw')),
  index_name text,
  lists int,
  m int,
  ef_construction int,
  -- How a query uses it.
  probes int,
  ef_search int,
  rows_at_build bigint NOT NULL DEFAULT 0,
  recall real,
  built_at timestamptz,
  -- What is being built beside it.
  building_index text,
  building_since timestamptz,
  -- Why the last run did not reach its aim.
  last_error text,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((kind = 'exact') = (index_name IS NULL)),
  CHECK ((kind = 'ivfflat') = (lists IS NOT NULL AND probes IS NOT NULL)),
  CHECK ((kind = 'hnsw') = (m IS NOT NULL AND ef_construction IS NOT NULL AND ef_search IS NOT NULL))
);
INSERT INTO index_state (relation_id) VALUES (0), (1);

ALTER TABLE workspace ADD FOREIGN KEY (relation_id) REFERENCES index_state;
ALTER TABLE document ADD FOREIGN KEY (space_id) REFERENCES embedding_space;

-- First call of every search: chooses the workspace, sets how the planner may find the vectors, and says what serves.
-- The settings hold until the transaction ends. `windows` is the number of windows that the search will ask for.
CREATE FUNCTION open_search(wanted int, windows int)
RETURNS TABLE (relation_id int, store_version bigint, kind text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  state record;
  probes int;
  ef_search int;
BEGIN
  PERFORM set_config('ragline.workspace_id', wanted::text, true);
  SELECT w.relation_id, w.store_version, i.kind, i.probes, i.ef_search, i.building_index INTO state
    FROM workspace w JOIN index_state i ON i.relation_id = w.relation_id WHERE w.id = wanted;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF state.kind <> 'exact' THEN
    -- Between the end of a build and the swap, and after it, the planner may meet either index: both get what the larger needs.
    probes := CASE WHEN state.probes IS NULL OR state.building_index IS NOT NULL THEN greatest(state.probes, 32) ELSE state.probes END;
    -- An ef_search below the limit would cut the result short.
    ef_search := least(greatest(coalesce(state.ef_search, 400), windows), 1000);
    PERFORM set_config('ivfflat.probes', probes::text, true), set_config('ivfflat.iterative_scan', 'relaxed_order', true),
            set_config('hnsw.ef_search', ef_search::text, true), set_config('hnsw.iterative_scan', 'relaxed_order', true);
    -- The policy decides, not the planner's guess: only the index can give the order without a sort.
    PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
            set_config('enable_sort', 'off', true);
  END IF;
  RETURN QUERY SELECT state.relation_id, state.store_version, state.kind;
END $$;
