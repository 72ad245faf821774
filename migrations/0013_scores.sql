-- The second calibration of an embedding space: for hybrid searches, whose scores rest on the cosine and on BM25. All or none;
-- `migrate` writes the figures of the models that Ragline knows.
ALTER TABLE embedding_space
  ADD COLUMN hybrid_similarity_slope real,
  ADD COLUMN hybrid_lexical_slope real,
  ADD COLUMN hybrid_intercept real,
  ADD CHECK (num_nulls(hybrid_similarity_slope, hybrid_lexical_slope, hybrid_intercept) IN (0, 3));
