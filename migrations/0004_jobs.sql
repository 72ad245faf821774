-- The queue of files to be ingested, and the place where a document grows before it is published.

CREATE TABLE job (
  id uuid PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspace,
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
  total int NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  CHECK ((finished_at IS NULL) = (status IN ('queued', 'running')))
);
CREATE INDEX job_workspace ON job (workspace_id, id);
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;
CALL protect('job');

CREATE TABLE job_item (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  job_id uuid NOT NULL REFERENCES job ON DELETE CASCADE,
  workspace_id int NOT NULL,
  collection_id int NOT NULL REFERENCES collection,
  source text NOT NULL CHECK (length(source) BETWEEN 1 AND 4096),
  content_type text,
  metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
  blob_id uuid REFERENCES blob ON DELETE SET NULL,
  size_bytes bigint NOT NULL,
  content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
  -- Tries that were begun and not released.
  attempts int NOT NULL DEFAULT 0,
  released int NOT NULL DEFAULT 0,
  -- Who works on it, and until when nobody else may.
  lease uuid,
  lease_until timestamptz,
  not_before timestamptz NOT NULL DEFAULT now(),
  reason text,
  document_id uuid,
  chunks_done int NOT NULL DEFAULT 0,
  chunks_total int,
  -- Chunks in the staging area; a publish that finds another number there is refused.
  staged int NOT NULL DEFAULT 0,
  CHECK ((status = 'running') = (lease IS NOT NULL)),
  CHECK ((lease IS NULL) = (lease_until IS NULL))
);
CREATE INDEX job_item_job ON job_item (job_id, id);
CREATE INDEX job_item_blob ON job_item (blob_id);
CREATE INDEX job_item_open ON job_item (id) WHERE status IN ('queued', 'running');
CREATE INDEX job_item_source ON job_item (collection_id, source, id) WHERE status IN ('queued', 'running');
CALL protect('job_item');

-- The staging area. Unlogged: it is the work of one try; after a crash of the server it is empty, which `job_item.staged` shows.
CREATE UNLOGGED TABLE stage_chunk (
  item_id bigint NOT NULL REFERENCES job_item ON DELETE CASCADE,
  lease uuid NOT NULL,
  workspace_id int NOT NULL,
  position int NOT NULL,
  text text NOT NULL,
  tokens int NOT NULL,
  heading_path text[] NOT NULL,
  page int,
  content_hash bytea NOT NULL,
  metadata jsonb NOT NULL,
  -- Takes the vectors that are stored for the same hash.
  reuse boolean NOT NULL,
  PRIMARY KEY (item_id, position)
);
CALL protect('stage_chunk');

CREATE UNLOGGED TABLE stage_embedding (
  item_id bigint NOT NULL REFERENCES job_item ON DELETE CASCADE,
  workspace_id int NOT NULL,
  position int NOT NULL,
  window_number smallint NOT NULL,
  embedding vector NOT NULL,
  PRIMARY KEY (item_id, position, window_number)
);
CALL protect('stage_embedding');

-- Sums up a job when none of its files is open any more. The lock makes two files that end at once see each other.
CREATE FUNCTION finish_job(ended uuid) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM 1 FROM job WHERE id = ended FOR UPDATE;
  UPDATE job SET finished_at = now(), status = CASE
      WHEN EXISTS (SELECT 1 FROM job_item WHERE job_id = ended AND status = 'completed') THEN 'completed'
      WHEN EXISTS (SELECT 1 FROM job_item WHERE job_id = ended AND status = 'failed') THEN 'failed'
      ELSE 'cancelled' END
    WHERE id = ended AND finished_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM job_item WHERE job_id = ended AND status IN ('queued', 'running'));
END $$;

-- Fails what was tried too often, then gives out the oldest open file of any workspace. Files of one source are given out in the
-- order they came, one at a time, so that the newest content is the one that stays.
CREATE FUNCTION claim_job_item(new_lease uuid, lease_seconds double precision, max_attempts int) RETURNS SETOF job_item
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  claimed job_item;
BEGIN
  LOOP
    SELECT i.* INTO claimed FROM job_item i
      WHERE ((i.status = 'queued' AND i.not_before <= now()) OR (i.status = 'running' AND i.lease_until < now()))
        AND NOT EXISTS (SELECT 1 FROM job_item earlier
          WHERE earlier.collection_id = i.collection_id AND earlier.source = i.source AND earlier.id < i.id
            AND earlier.status IN ('queued', 'running'))
      ORDER BY i.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      RETURN;
    END IF;
    DELETE FROM stage_embedding WHERE item_id = claimed.id;
    DELETE FROM stage_chunk WHERE item_id = claimed.id;
    IF claimed.attempts < max_attempts THEN
      RETURN QUERY UPDATE job_item SET status = 'running', attempts = attempts + 1, lease = new_lease,
          lease_until = now() + make_interval(secs => lease_seconds), staged = 0, chunks_done = 0, chunks_total = NULL, reason = NULL
        WHERE id = claimed.id RETURNING *;
      UPDATE job SET status = 'running' WHERE id = claimed.job_id AND status = 'queued';
      RETURN;
    END IF;
    UPDATE job_item SET status = 'failed', lease = NULL, lease_until = NULL, staged = 0,
        reason = format('given up after %s tries: each time the worker ended before the file did', claimed.attempts)
      WHERE id = claimed.id;
    PERFORM finish_job(claimed.job_id);
  END LOOP;
END $$;

-- Seconds until the next file may be taken, negative for one that may be taken now; null when none waits.
CREATE FUNCTION next_job_item_in() RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT extract(epoch FROM min(CASE i.status WHEN 'queued' THEN i.not_before ELSE i.lease_until END) - now())::double precision
    FROM job_item i WHERE i.status IN ('queued', 'running')
      AND NOT EXISTS (SELECT 1 FROM job_item earlier
        WHERE earlier.collection_id = i.collection_id AND earlier.source = i.source AND earlier.id < i.id
          AND earlier.status IN ('queued', 'running'))
$$;

-- Removes what nobody names any more: bytes older than an hour without an open file or a document, and jobs that ended a month
-- ago. At most 1,000 of each a call.
CREATE FUNCTION sweep() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  WITH orphan AS (
    DELETE FROM blob WHERE id IN (
      SELECT b.id FROM blob b WHERE b.created_at < now() - interval '1 hour'
        AND NOT EXISTS (SELECT 1 FROM document d WHERE d.blob_id = b.id)
        AND NOT EXISTS (SELECT 1 FROM job_item i WHERE i.blob_id = b.id AND i.status IN ('queued', 'running'))
      LIMIT 1000) RETURNING 1
  ), old AS (
    DELETE FROM job WHERE id IN (SELECT id FROM job WHERE finished_at < now() - interval '30 days' LIMIT 1000) RETURNING 1
  )
  SELECT (SELECT count(*) FROM orphan) + (SELECT count(*) FROM old)
$$;
