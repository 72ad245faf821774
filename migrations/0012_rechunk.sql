-- Documents that were cut with other settings than a gateway's, and jobs of many thousand files.

CREATE INDEX document_chunking ON document (chunking_fingerprint);
-- `finish_job` asks once a file whether another is open; without this it would read all that have ended.
CREATE INDEX job_item_job_open ON job_item (job_id) WHERE status IN ('queued', 'running');

-- Documents of all workspaces that were cut with other settings. Two ranges, since an inequality would read every row.
CREATE FUNCTION count_stale_documents(current bytea) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT count(*) FROM document WHERE chunking_fingerprint < current OR chunking_fingerprint > current
$$;
