-- Workspaces, and the row-level security that parts them.

-- Binds a table to the workspace of the transaction. Every table that holds rows of workspaces is given to this procedure.
-- The owner keeps sight of all rows: FORCE would hide them from index builds and from the SECURITY DEFINER functions too.
CREATE PROCEDURE protect(target regclass, workspace_column name DEFAULT 'workspace_id')
LANGUAGE plpgsql AS $$
DECLARE
  bound text := format($f$%I = NULLIF(current_setting('ragline.workspace_id', true), '')::int$f$, workspace_column);
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  EXECUTE format('CREATE POLICY workspace_only ON %s FOR ALL TO PUBLIC USING (%s) WITH CHECK (%s)', target, bound, bound);
  EXECUTE format('CREATE POLICY owner_all ON %s FOR ALL TO CURRENT_USER USING (true) WITH CHECK (true)', target);
END $$;

CREATE TABLE workspace (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  -- The partition of `embeddings` that holds its vectors: 0 is the pool of the small workspaces.
  relation_id int NOT NULL DEFAULT 0,
  -- Raised last in every transaction that changes what a search returns; caches are keyed by it.
  store_version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now()
);
CALL protect('workspace', 'id');

CREATE TABLE collection (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspace,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (workspace_id, name)
);
CALL protect('collection');

-- One row of a workspace that does not exist: whoever sees it without having chosen workspace 0 is not bound by the policies.
CREATE TABLE canary (
  workspace_id int PRIMARY KEY
);
INSERT INTO canary VALUES (0);
CALL protect('canary');

-- Makes the workspace visible in this transaction alone, and gives its number; the workspace with its default collection.
CREATE FUNCTION create_workspace(new_name text, own_relation int DEFAULT 0) RETURNS int
LANGUAGE sql AS $$
  WITH made AS (
    INSERT INTO workspace (name, relation_id) VALUES (new_name, own_relation) RETURNING id
  ), filled AS (
    INSERT INTO collection (workspace_id, name) SELECT id, 'default' FROM made
  )
  SELECT id FROM made
$$;

-- The first workspace has a relation of its own from the beginning, so that its index can follow its size.
SELECT create_workspace('default', 1);

-- Finds a workspace by name before one is chosen.
CREATE FUNCTION find_workspace(wanted text) RETURNS int
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT id FROM workspace WHERE name = wanted
$$;

-- Raises the version of one workspace and tells every gateway. Call it last in a transaction: it locks the workspace's row.
CREATE FUNCTION bump_store_version(changed int) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  version bigint;
BEGIN
  UPDATE workspace SET store_version = store_version + 1 WHERE id = changed RETURNING store_version INTO STRICT version;
  PERFORM pg_notify('ragline_store_version', format('%s %s %s', current_schema(), changed, version));
  RETURN version;
END $$;
