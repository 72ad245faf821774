-- Where in its file a chunk stands, besides the page, and what it is made of. Columns of their own: the metadata belongs to the user.

ALTER TABLE chunk
  ADD COLUMN sheet text,
  ADD COLUMN line_start int,
  ADD COLUMN line_end int,
  ADD COLUMN kind text NOT NULL DEFAULT 'doc' CHECK (kind IN ('code', 'doc', 'comment')),
  ADD CHECK (line_start BETWEEN 1 AND line_end);

ALTER TABLE stage_chunk
  ADD COLUMN sheet text,
  ADD COLUMN line_start int,
  ADD COLUMN line_end int,
  ADD COLUMN kind text NOT NULL DEFAULT 'doc';
