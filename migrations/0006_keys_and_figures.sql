-- API keys, and the figures that the application may know about the whole server.

CREATE TABLE api_key (
  id uuid PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspace ON DELETE CASCADE,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  -- Keys are drawn with 256 bits of chance, so a plain hash is enough.
  key_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(key_sha256) = 32),
  admin boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
CALL protect('api_key');

-- The holder of a key that is in force.
CREATE FUNCTION find_api_key(wanted bytea) RETURNS TABLE (workspace_id int, workspace_name text, admin boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT w.id, w.name, k.admin FROM api_key k JOIN workspace w ON w.id = k.workspace_id
    WHERE k.key_sha256 = wanted AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
$$;

-- What each relation holds and which index of it is there. Counts exactly while the relation is small, else by the planner's statistics.
CREATE FUNCTION relation_figures()
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
      EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %s LIMIT 1000000) counted', child) INTO row_count;
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

-- Figures for the metrics; just these, whatever the caller may see otherwise.
CREATE FUNCTION server_figures()
RETURNS TABLE (connections_active bigint, locks_waiting bigint, buffers_alloc bigint, index_scans bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()),
         (SELECT count(*) FROM pg_locks WHERE NOT granted),
         (SELECT buffers_alloc FROM pg_stat_bgwriter),
         (SELECT coalesce(sum(u.idx_scan), 0)::bigint FROM pg_stat_user_indexes u
            WHERE u.indexrelname IN (SELECT index_name FROM index_state))
$$;
