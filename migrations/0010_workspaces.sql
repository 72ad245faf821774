-- Many workspaces: what their keys may do, and how a workspace comes and goes while others are served.

-- Set when a workspace is given up: its keys are gone, its rows are being removed, its name is free once it is gone itself.
ALTER TABLE workspace ADD COLUMN deleting_at timestamptz;
CREATE INDEX workspace_deleting ON workspace (deleting_at) WHERE deleting_at IS NOT NULL;

-- What a key may do; each includes the one before. `admin` has force in workspace `default` alone.
ALTER TABLE api_key ADD COLUMN scope text NOT NULL DEFAULT 'write' CHECK (scope IN ('read', 'write', 'admin'));
UPDATE api_key SET scope = 'admin' WHERE admin;
-- Only `find_api_key` read it, which is made anew below.
ALTER TABLE api_key DROP COLUMN admin;
-- Serves the list and the removal of a workspace's keys.
CREATE INDEX api_key_workspace ON api_key (workspace_id, id);

-- The holder of a key that is in force.
DROP FUNCTION find_api_key(bytea);
CREATE FUNCTION find_api_key(wanted bytea) RETURNS TABLE (workspace_id int, workspace_name text, admin boolean, scope text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT w.id, w.name, k.scope = 'admin' AND w.name = 'default',
         CASE WHEN k.scope = 'admin' AND w.name <> 'default' THEN 'write' ELSE k.scope END
    FROM api_key k JOIN workspace w ON w.id = k.workspace_id
    WHERE k.key_sha256 = wanted AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
      AND w.deleting_at IS NULL
$$;

-- Finds a workspace by name before one is chosen; one that is being deleted is not found.
CREATE OR REPLACE FUNCTION find_workspace(wanted text) RETURNS int
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT id FROM workspace WHERE name = wanted AND deleting_at IS NULL
$$;

-- Tells every gateway that a key may have gained or lost its force.
CREATE FUNCTION notify_keys() RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
  SELECT pg_notify('ragline_keys', current_schema()::text)
$$;

-- Makes a workspace in the pool, which is all that the application may make; null when the name is taken.
CREATE FUNCTION add_workspace(new_name text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  RETURN create_workspace(new_name, 0);
EXCEPTION WHEN unique_violation THEN
  RETURN NULL;
END $$;

-- A page of the workspaces by name, or the one of a name.
CREATE FUNCTION list_workspaces(wanted text, after_name text, most int)
RETURNS TABLE (name text, created_at timestamptz, deleting boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT w.name, w.created_at, w.deleting_at IS NOT NULL FROM workspace w
    WHERE (wanted IS NULL OR w.name = wanted) AND (after_name IS NULL OR w.name > after_name)
    ORDER BY w.name LIMIT least(most, 1001)
$$;

-- Gives a workspace up: its keys end with this transaction, its rows go by `erase_workspaces`. The first key lives in `default`,
-- which stays. False: there is no such workspace.
CREATE FUNCTION delete_workspace(doomed_name text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  doomed int;
BEGIN
  UPDATE workspace SET deleting_at = coalesce(deleting_at, now()) WHERE name = doomed_name AND name <> 'default'
    RETURNING id INTO doomed;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  DELETE FROM api_key WHERE workspace_id = doomed;
  PERFORM notify_keys(), pg_notify('ragline_erase', current_schema()::text);
  RETURN true;
END $$;

-- Ends a key of any workspace; false when there is none in force.
CREATE FUNCTION revoke_api_key(wanted uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE api_key SET revoked_at = now() WHERE id = wanted AND revoked_at IS NULL;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM notify_keys();
  RETURN true;
END $$;

-- Removes at most so many rows of one workspace that was given up, and, once none is left, the workspace itself; gives how much was
-- removed, 0 when nothing waits or others are at it. To be called until then; each call is a transaction, so one that breaks off is
-- gone on with. Its relation stays, empty, for the next index run.
--
-- Every table with a `workspace_id` is emptied, also one that a later migration brings: those that refer to others first. Partitions
-- are emptied one by one, since a row's place counts within its partition.
CREATE FUNCTION erase_workspaces(most int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '2s' AS $$
DECLARE
  doomed int;
  target regclass;
  gone bigint;
  removed bigint := 0;
BEGIN
  -- A publish under way holds the row by a key share and is waited for; nothing new can begin one while this holds it.
  SELECT id INTO doomed FROM workspace WHERE deleting_at IS NOT NULL ORDER BY deleting_at LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  FOR target IN
    WITH RECURSIVE bound AS (
      SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname <> 'canary'
    ), deep(oid, depth) AS (
      SELECT oid, 0 FROM bound
      UNION
      SELECT f.conrelid, d.depth + 1 FROM deep d JOIN pg_constraint f ON f.confrelid = d.oid AND f.contype = 'f'
        JOIN bound b ON b.oid = f.conrelid WHERE f.conrelid <> f.confrelid AND d.depth < 16
    )
    SELECT oid::regclass FROM deep GROUP BY oid ORDER BY max(depth) DESC, oid
  LOOP
    EXECUTE format('DELETE FROM %1$s WHERE ctid = ANY(ARRAY(SELECT ctid FROM %1$s WHERE workspace_id = $1 LIMIT $2))', target)
      USING doomed, most - removed;
    GET DIAGNOSTICS gone = ROW_COUNT;
    removed := removed + gone;
    IF removed >= most THEN
      RETURN removed;
    END IF;
  END LOOP;
  DELETE FROM workspace WHERE id = doomed;
  RETURN removed + 1;
END $$;

-- Removes keys that ended a month ago; at most 1,000 a call.
CREATE FUNCTION forget_keys() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  WITH old AS (
    DELETE FROM api_key WHERE id IN (
      SELECT id FROM api_key WHERE least(revoked_at, expires_at) < now() - interval '30 days' LIMIT 1000) RETURNING 1
  )
  SELECT count(*) FROM old
$$;
