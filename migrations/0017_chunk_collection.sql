-- no-transaction
-- The chunks of a vector store, for searches in it alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chunk_collection ON chunk (collection_id);
