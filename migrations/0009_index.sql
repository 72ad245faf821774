-- What is known about each index beyond its kind: how well it finds, what it replaces; and the move of a workspace out of the pool.

ALTER TABLE index_state
  -- The share of true neighbours that `recall` was to reach, when and on how many rows it was measured.
  ADD COLUMN recall_target real,
  ADD COLUMN measured_at timestamptz,
  ADD COLUMN rows_at_measure bigint,
  -- What serves falls short of the target, in words.
  ADD COLUMN warning text,
  -- The index that gave way and is not dropped yet, and what a query needs that meets it.
  ADD COLUMN retiring_index text,
  ADD COLUMN retiring_probes int,
  ADD COLUMN retiring_ef_search int,
  -- The workspace that moves from the pool into this relation: first its rows are copied, then it is served from here and the old
  -- rows are removed. Not a foreign key: a workspace that goes meanwhile leaves a number that the next run clears.
  ADD COLUMN moving_workspace int,
  ADD COLUMN move_phase text CHECK (move_phase IN ('copying', 'clearing')),
  ADD COLUMN moving_since timestamptz,
  ADD COLUMN moved_rows bigint NOT NULL DEFAULT 0,
  ADD COLUMN moving_rows bigint NOT NULL DEFAULT 0,
  ADD CHECK ((moving_workspace IS NULL) = (move_phase IS NULL));

-- Numbers of relations are never used twice: 0 is the pool, 1 the relation of the first workspace.
CREATE SEQUENCE relation_number MINVALUE 2;

-- As before, and while two indexes are there a query gets what the needier one needs, until the older one is dropped.
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
            set_config('hnsw.ef_search', ef_search::text, true), set_config('hnsw.iterative_scan', 'relaxed_order', true);
    -- The policy decides, not the planner's guess: only the index can give the order without a sort.
    PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
            set_config('enable_sort', 'off', true);
  END IF;
  RETURN QUERY SELECT state.relation_id, state.store_version, state.kind;
END $$;

-- As before, but a relation that is dropped meanwhile counts as empty instead of failing the report.
CREATE OR REPLACE FUNCTION relation_figures()
RETURNS TABLE (relation_id int, row_count bigint, index_valid boolean, index_size_bytes bigint, build_done bigint, build_total bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  state record;
  child regclass;
BEGIN
  FOR state IN SELECT s.relation_id, s.index_name, s.building_index FROM index_state s ORDER BY 1 LOOP
    relation_id := state.relation_id;
    child := to_regclass(format('embeddings_%s', state.relation_id));
    SELECT reltuples::bigint INTO row_count FROM pg_class WHERE oid = child;
    IF row_count < 200000 THEN
      -- The statistics may lag behind a large load: the count stops where they would be believed.
      BEGIN
        EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %s LIMIT 1000000) counted', child) INTO row_count;
      EXCEPTION WHEN undefined_table THEN
        row_count := 0;
      END;
    END IF;
    SELECT i.indisvalid, pg_relation_size(i.indexrelid) INTO index_valid, index_size_bytes
      FROM pg_index i WHERE i.indexrelid = to_regclass(quote_ident(state.index_name));
    SELECT CASE WHEN p.tuples_total > 0 THEN least(p.tuples_done, p.tuples_total) ELSE p.blocks_done END,
           CASE WHEN p.tuples_total > 0 THEN p.tuples_total ELSE p.blocks_total END
      INTO build_done, build_total FROM pg_stat_progress_create_index p
      WHERE p.relid = child AND p.datname = current_database() LIMIT 1;
    RETURN NEXT;
  END LOOP;
END $$;

-- The workspaces of the pool that hold the most rows, at most `most` of them. Counts a small pool, samples a large one.
CREATE FUNCTION pool_figures(most int) RETURNS TABLE (workspace_id int, row_count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  estimate real;
  percent real;
BEGIN
  SELECT reltuples INTO estimate FROM pg_class WHERE oid = 'embeddings_0'::regclass;
  IF estimate < 1000000 THEN
    RETURN QUERY SELECT e.workspace_id, count(*) FROM embeddings_0 e JOIN workspace w ON w.id = e.workspace_id AND w.relation_id = 0
      GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT most;
  ELSE
    percent := 5000000 / estimate;
    RETURN QUERY SELECT e.workspace_id, (count(*) * 100 / percent)::bigint
      FROM embeddings_0 e TABLESAMPLE SYSTEM (percent) JOIN workspace w ON w.id = e.workspace_id AND w.relation_id = 0
      GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT most;
  END IF;
END $$;

-- Whose vectors a relation holds; the pool's are many workspaces'.
CREATE FUNCTION relation_names() RETURNS TABLE (relation_id int, workspace_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT w.relation_id, min(w.name) FROM workspace w WHERE w.relation_id <> 0 GROUP BY 1
$$;
