-- Uploaded bytes, documents, and the chunks they are cut into.

CREATE TABLE blob (
  id uuid PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspace,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX blob_created_at ON blob (created_at);
CALL protect('blob');

-- Pieces of at most 1 MiB, numbered from 0.
CREATE TABLE blob_piece (
  blob_id uuid NOT NULL REFERENCES blob ON DELETE CASCADE,
  number int NOT NULL CHECK (number >= 0),
  workspace_id int NOT NULL,
  bytes bytea NOT NULL CHECK (octet_length(bytes) <= 1048576),
  PRIMARY KEY (blob_id, number)
);
-- Uploads are mostly compressed already.
ALTER TABLE blob_piece ALTER COLUMN bytes SET STORAGE EXTERNAL;
CALL protect('blob_piece');

CREATE TABLE document (
  -- A version 7 UUID: sorted by it, documents are in the order of their creation.
  id uuid PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspace,
  collection_id int NOT NULL REFERENCES collection,
  -- What the document is known by; the same source again replaces it.
  source text NOT NULL CHECK (length(source) BETWEEN 1 AND 4096),
  content_type text NOT NULL,
  title text,
  metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
  size_bytes bigint NOT NULL,
  content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
  -- How it was cut and by which model it was embedded: another way makes the same bytes another document.
  chunking_fingerprint bytea NOT NULL,
  space_id int NOT NULL,
  chunks int NOT NULL,
  blob_id uuid REFERENCES blob ON DELETE SET NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (collection_id, source)
);
CREATE INDEX document_newest ON document (workspace_id, id DESC);
CREATE INDEX document_blob ON document (blob_id);
CALL protect('document');

CREATE TABLE chunk (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id int NOT NULL,
  collection_id int NOT NULL,
  document_id uuid NOT NULL REFERENCES document ON DELETE CASCADE,
  -- Number in the document, from 0. Not unique: while a document is replaced both generations exist in the transaction.
  position int NOT NULL CHECK (position >= 0),
  text text NOT NULL,
  tokens int NOT NULL,
  heading_path text[] NOT NULL DEFAULT '{}',
  page int,
  content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
  metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object')
);
CREATE INDEX chunk_document ON chunk (document_id, position);
-- Serves the policy and the search for vectors that can be reused.
CREATE INDEX chunk_content ON chunk (workspace_id, content_hash);
CALL protect('chunk');
