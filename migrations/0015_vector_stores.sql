-- Files that callers keep, and vector stores: collections of their own that files are put into.

CREATE TABLE file (
  -- A version 7 UUID: sorted by it, files are in the order of their creation.
  id uuid PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspace,
  filename text NOT NULL CHECK (length(filename) BETWEEN 1 AND 1024),
  content_type text,
  purpose text NOT NULL CHECK (length(purpose) BETWEEN 1 AND 64),
  size_bytes bigint NOT NULL,
  content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
  blob_id uuid NOT NULL REFERENCES blob,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz
);
CREATE INDEX file_newest ON file (workspace_id, id DESC);
CREATE INDEX file_blob ON file (blob_id);
CREATE INDEX file_expires ON file (expires_at) WHERE expires_at IS NOT NULL;
CALL protect('file');

CREATE TABLE vector_store (
  id uuid PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspace,
  collection_id int NOT NULL UNIQUE REFERENCES collection,
  name text NOT NULL DEFAULT '' CHECK (length(name) <= 256),
  description text CHECK (length(description) <= 512),
  metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz NOT NULL DEFAULT now(),
  last_active_at timestamptz NOT NULL DEFAULT now(),
  -- Days without use after which it expires.
  expires_after_days int CHECK (expires_after_days BETWEEN 1 AND 365),
  -- Since when its documents are being removed, because it was deleted or has expired.
  closed_at timestamptz,
  deleted boolean NOT NULL DEFAULT false
);
CREATE INDEX vector_store_newest ON vector_store (workspace_id, id DESC);
CREATE INDEX vector_store_expires ON vector_store (last_active_at) WHERE expires_after_days IS NOT NULL AND closed_at IS NULL;
CREATE INDEX vector_store_closed ON vector_store (closed_at) WHERE closed_at IS NOT NULL;
CALL protect('vector_store');

-- Files that are put in together.
CREATE TABLE file_batch (
  id uuid PRIMARY KEY,
  workspace_id int NOT NULL,
  vector_store_id uuid NOT NULL REFERENCES vector_store ON DELETE CASCADE,
  job_id uuid NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX file_batch_store ON file_batch (vector_store_id);
CALL protect('file_batch');

-- A file in a vector store. How far it is stands in the job's item; what it ended with is copied here, since jobs are forgotten.
CREATE TABLE vector_store_file (
  vector_store_id uuid NOT NULL REFERENCES vector_store ON DELETE CASCADE,
  file_id uuid NOT NULL REFERENCES file ON DELETE CASCADE,
  workspace_id int NOT NULL,
  batch_id uuid,
  attributes jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object'),
  -- minTokens, maxTokens and overlapPercent; null: the pipeline's.
  chunking jsonb,
  job_item_id bigint NOT NULL,
  status text NOT NULL DEFAULT 'in_progress' CHECK (status IN ('in_progress', 'completed', 'failed', 'cancelled')),
  reason text,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (vector_store_id, file_id)
);
CREATE INDEX vector_store_file_item ON vector_store_file (job_item_id);
CREATE INDEX vector_store_file_file ON vector_store_file (file_id);
CREATE INDEX vector_store_file_batch ON vector_store_file (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX vector_store_file_newest ON vector_store_file (vector_store_id, created_at DESC, file_id DESC);
CALL protect('vector_store_file');

-- What a document of a vector store is called, which file it is made of, and how it was to be cut where that is not the pipeline's way.
ALTER TABLE job_item ADD COLUMN file_id uuid, ADD COLUMN filename text, ADD COLUMN chunking jsonb;
ALTER TABLE document ADD COLUMN file_id uuid, ADD COLUMN filename text, ADD COLUMN chunking jsonb;
CREATE INDEX document_file ON document (file_id) WHERE file_id IS NOT NULL;

-- A trigger, not the worker: whichever of several statements ends an item, the file in the vector store hears of it.
CREATE FUNCTION item_ended() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE vector_store_file SET status = NEW.status, reason = NEW.reason WHERE job_item_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER item_ended AFTER UPDATE OF status ON job_item FOR EACH ROW
  WHEN (NEW.file_id IS NOT NULL AND NEW.status IN ('completed', 'failed', 'cancelled') AND OLD.status IS DISTINCT FROM NEW.status)
  EXECUTE FUNCTION item_ended();

-- As before; a document of a file is called as the file.
CREATE OR REPLACE FUNCTION builtin_metadata(stored document) RETURNS jsonb
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object('source', stored.source, 'filename', coalesce(stored.filename, stored.source),
    'title', stored.title, 'content_type', stored.content_type,
    'created_at', jsonb_build_array(to_char(stored.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), extract(epoch FROM stored.created_at)),
    'updated_at', jsonb_build_array(to_char(stored.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), extract(epoch FROM stored.updated_at))))
$$;

-- As before; bytes that a file names stay.
CREATE OR REPLACE FUNCTION sweep() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  WITH orphan AS (
    DELETE FROM blob WHERE id IN (
      SELECT b.id FROM blob b WHERE b.created_at < now() - interval '1 hour'
        AND NOT EXISTS (SELECT 1 FROM document d WHERE d.blob_id = b.id)
        AND NOT EXISTS (SELECT 1 FROM file f WHERE f.blob_id = b.id)
        AND NOT EXISTS (SELECT 1 FROM job_item i WHERE i.blob_id = b.id AND i.status IN ('queued', 'running'))
      LIMIT 1000) RETURNING 1
  ), old AS (
    DELETE FROM job WHERE id IN (SELECT id FROM job WHERE finished_at < now() - interval '30 days' LIMIT 1000) RETURNING 1
  )
  SELECT (SELECT count(*) FROM orphan) + (SELECT count(*) FROM old)
$$;

-- Documents cut as a caller asked are not stale because the pipeline's way has changed.
CREATE OR REPLACE FUNCTION count_stale_documents(current bytea) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT count(*) FROM document WHERE (chunking_fingerprint < current OR chunking_fingerprint > current) AND chunking IS NULL
$$;

-- Closes vector stores that have expired, and tells of those whose documents are to be removed, those that wait longest first.
CREATE FUNCTION close_vector_stores(most int) RETURNS TABLE (workspace_id int, vector_store_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  UPDATE vector_store SET closed_at = now() WHERE closed_at IS NULL AND expires_after_days IS NOT NULL
    AND last_active_at < now() - make_interval(days => expires_after_days);
  SELECT s.workspace_id, s.id FROM vector_store s WHERE s.closed_at IS NOT NULL
      AND (s.deleted OR EXISTS (SELECT 1 FROM document d WHERE d.collection_id = s.collection_id)
        OR EXISTS (SELECT 1 FROM vector_store_file f WHERE f.vector_store_id = s.id AND f.status = 'in_progress'))
    ORDER BY s.closed_at LIMIT most
$$;

-- Files past their time.
CREATE FUNCTION expired_files(most int) RETURNS TABLE (workspace_id int, file_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT f.workspace_id, f.id FROM file f WHERE f.expires_at < now() ORDER BY f.expires_at LIMIT most
$$;
