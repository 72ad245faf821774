-- no-transaction
-- The chunks that a number of their own lets pass, told by the index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS attribute_number_own ON attribute (workspace_id, key, number_value) INCLUDE (chunk_id, listed)
  WHERE number_value IS NOT NULL AND chunk_id <> 0;
