-- Files that come in parts, and documents of files that are called as their file in filters too.

CREATE TABLE upload (
  id uuid PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspace,
  filename text NOT NULL CHECK (length(filename) BETWEEN 1 AND 1024),
  content_type text,
  purpose text NOT NULL CHECK (length(purpose) BETWEEN 1 AND 64),
  -- Bytes that the parts must add up to.
  size_bytes bigint NOT NULL CHECK (size_bytes > 0),
  -- Seconds after which the file is gone; null: it stays.
  expires_after int,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'completed', 'cancelled')),
  -- What it became. No reference: the file may be deleted.
  file_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL DEFAULT now() + interval '1 hour'
);
CREATE INDEX upload_expires ON upload (expires_at);
CALL protect('upload');

-- Its parts, until it is completed or cancelled. Their bytes are blobs.
CREATE TABLE upload_part (
  id uuid PRIMARY KEY,
  upload_id uuid NOT NULL REFERENCES upload ON DELETE CASCADE,
  workspace_id int NOT NULL,
  blob_id uuid NOT NULL REFERENCES blob,
  size_bytes bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX upload_part_upload ON upload_part (upload_id);
CREATE INDEX upload_part_blob ON upload_part (blob_id);
CALL protect('upload_part');

-- As before; bytes that a part names stay. Parts go once their upload is past its time, and uploads a day later, until when a caller is
-- told what became of them.
CREATE OR REPLACE FUNCTION sweep() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  DELETE FROM upload WHERE id IN (SELECT id FROM upload WHERE expires_at < now() - interval '1 day' LIMIT 1000);
  DELETE FROM upload_part WHERE id IN (
    SELECT p.id FROM upload u JOIN upload_part p ON p.upload_id = u.id WHERE u.expires_at < now() LIMIT 1000);
  WITH orphan AS (
    DELETE FROM blob WHERE id IN (
      SELECT b.id FROM blob b WHERE b.created_at < now() - interval '1 hour'
        AND NOT EXISTS (SELECT 1 FROM document d WHERE d.blob_id = b.id)
        AND NOT EXISTS (SELECT 1 FROM file f WHERE f.blob_id = b.id)
        AND NOT EXISTS (SELECT 1 FROM upload_part p WHERE p.blob_id = b.id)
        AND NOT EXISTS (SELECT 1 FROM job_item i WHERE i.blob_id = b.id AND i.status IN ('queued', 'running'))
      LIMIT 1000) RETURNING 1
  ), old AS (
    DELETE FROM job WHERE id IN (SELECT id FROM job WHERE finished_at < now() - interval '30 days' LIMIT 1000) RETURNING 1
  )
  SELECT (SELECT count(*) FROM orphan) + (SELECT count(*) FROM old)
$$;

-- As before; `source` too is the file's name where a document is made of a file, as it is shown.
CREATE OR REPLACE FUNCTION builtin_metadata(stored document) RETURNS jsonb
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object('source', coalesce(stored.filename, stored.source),
    'filename', coalesce(stored.filename, stored.source), 'title', stored.title, 'content_type', stored.content_type,
    'created_at', jsonb_build_array(to_char(stored.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), extract(epoch FROM stored.created_at)),
    'updated_at', jsonb_build_array(to_char(stored.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), extract(epoch FROM stored.updated_at))))
$$;
SELECT fill_attributes(array_agg(id))
  FROM (SELECT id, row_number() OVER (ORDER BY id) / 1000 AS batch FROM document WHERE filename IS NOT NULL) stored GROUP BY batch;
