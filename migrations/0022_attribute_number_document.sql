-- no-transaction
-- The same of documents.
CREATE INDEX CONCURRENTLY IF NOT EXISTS attribute_number_document ON attribute (workspace_id, key, number_value) INCLUDE (document_id, listed)
  WHERE number_value IS NOT NULL AND chunk_id = 0;
