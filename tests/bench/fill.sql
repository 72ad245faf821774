-- One document of :rows chunks with a random direction each, for the workspace `default`.
BEGIN;
CREATE TEMPORARY TABLE filled ON COMMIT DROP AS
  SELECT gen_random_uuid() AS id, w.id AS workspace_id, c.id AS collection_id, w.relation_id, (SELECT id FROM embedding_space) AS space_id
  FROM workspace w JOIN collection c ON c.workspace_id = w.id WHERE w.name = 'default' AND c.name = 'default';
INSERT INTO document (id, workspace_id, collection_id, source, content_type, size_bytes, content_hash, chunking_fingerprint, space_id, chunks)
  SELECT id, workspace_id, collection_id, 'filler', 'text/plain', 0, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'),
    space_id, :rows FROM filled;
INSERT INTO chunk (workspace_id, collection_id, document_id, position, text, tokens, content_hash)
  SELECT workspace_id, collection_id, id, n, repeat('filler ' || n || ' ', 200), 600, decode(repeat('00', 32), 'hex')
  FROM filled, generate_series(0, :rows - 1) n;
INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding)
  SELECT f.relation_id, f.workspace_id, f.collection_id, c.id, 0, f.space_id,
    (SELECT array_agg(random() - 0.5 + 0 * c.id * g)::halfvec FROM generate_series(1, 384) g)
  FROM filled f JOIN chunk c ON c.document_id = f.id;
SELECT bump_store_version(workspace_id) FROM filled;
COMMIT;
ANALYZE chunk;
ANALYZE embeddings;
