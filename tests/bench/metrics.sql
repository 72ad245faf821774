-- Recall, size and time of each distance metric and quantisation, for the table in gateway/README.md. In a database with pgvector:
--   psql "$DATABASE_BOOTSTRAP_URL" -v dimensions=384 -v rows=20000 -f tests/bench/metrics.sql
-- The vectors are a mixture of 200 clusters, of length 1; questions are drawn from the same mixture. `ms` is time on the server,
-- which other load makes longer; compare it within one run. Everything is temporary.
\set QUIET 1
\pset footer off
SELECT setseed(0.5) \g /dev/null
SET max_parallel_workers_per_gather = 0;
SET max_parallel_maintenance_workers = 0;
SET maintenance_work_mem = '512MB';
SET work_mem = '64MB';

CREATE TEMP TABLE centre AS
  SELECT c, ARRAY(SELECT (random() + random() + random() - 1.5) * 2 FROM generate_series(1, :dimensions) WHERE c > 0) AS numbers
    FROM generate_series(1, 200) c;
CREATE TEMP TABLE bench AS
  SELECT n AS id, l2_normalize(ARRAY(SELECT (x + (random() + random() + random() - 1.5) * 2)::real FROM unnest(numbers) x WHERE n <> 0)::vector(:dimensions))::halfvec(:dimensions) AS embedding
    FROM generate_series(1, :rows) n JOIN centre ON c = 1 + n % 200;
CREATE TEMP TABLE question AS
  SELECT row_number() OVER () AS q, l2_normalize(ARRAY(SELECT (x + (random() + random() + random() - 1.5) * 2)::real FROM unnest(numbers) x WHERE c <> 0)::vector(:dimensions))::halfvec(:dimensions) AS embedding
    FROM centre WHERE c % 4 = 0;
ANALYZE bench;
CREATE TEMP TABLE truth AS
  SELECT q.q, near.id FROM question q, LATERAL (SELECT b.id FROM bench b ORDER BY (b.embedding <=> q.embedding) + 0 LIMIT 10) near;
CREATE TEMP TABLE result (kind text, metric text, quantization text, candidates int, recall numeric, ms numeric, index_mb numeric, build_s numeric);

CREATE PROCEDURE pg_temp.ask(kind text, metric text, quantization text, operator text, dimensions int, candidates int, index_mb numeric, build_s numeric)
LANGUAGE plpgsql AS $$
DECLARE
  asked record;
  found int[];
  same int := 0;
  number int := 0;
  took interval := '0';
  begun timestamptz;
  statement text := CASE quantization
    WHEN 'binary' THEN format('SELECT array_agg(id) FROM (SELECT id FROM (SELECT id, embedding FROM bench ORDER BY (binary_quantize(embedding)::bit(%1$s)) <~> (binary_quantize($1)::bit(%1$s)) LIMIT %2$s) rough ORDER BY embedding %3$s $1 LIMIT 10) best', dimensions, candidates, operator)
    ELSE format('SELECT array_agg(id) FROM (SELECT id FROM (SELECT id, embedding FROM bench ORDER BY embedding %2$s $1 LIMIT %1$s) rough ORDER BY embedding %2$s $1 LIMIT 10) best', candidates, operator) END;
BEGIN
  FOR asked IN SELECT * FROM question LOOP
    begun := clock_timestamp();
    EXECUTE statement INTO found USING asked.embedding;
    took := took + (clock_timestamp() - begun);
    number := number + 1;
    same := same + (SELECT count(*) FROM truth t WHERE t.q = asked.q AND t.id = ANY(found));
  END LOOP;
  INSERT INTO result VALUES (kind, metric, quantization, candidates, round(same / (10.0 * number), 3),
    round((extract(epoch FROM took) * 1000 / number)::numeric, 2), index_mb, build_s);
END $$;

CREATE PROCEDURE pg_temp.measure(dimensions int)
LANGUAGE plpgsql AS $$
DECLARE
  metric record;
  method record;
  begun timestamptz;
  build_s numeric;
  size_mb numeric;
  wanted int;
BEGIN
  SET LOCAL plan_cache_mode = force_custom_plan;
  FOR metric IN SELECT * FROM (VALUES ('Cosine', '<=>', 'halfvec_cosine_ops', 'none'), ('L2', '<->', 'halfvec_l2_ops', 'none'),
      ('InnerProduct', '<#>', 'halfvec_ip_ops', 'none'), ('Cosine', '<=>', 'bit_hamming_ops', 'binary')) v(name, operator, class, quantization) LOOP
    IF metric.quantization = 'none' THEN
      SET LOCAL enable_indexscan = off;
      CALL pg_temp.ask('exact', metric.name, 'none', metric.operator, dimensions, 60, 0, 0);
      SET LOCAL enable_indexscan = on;
    END IF;
    FOR method IN SELECT * FROM (VALUES ('ivfflat', 'lists = 100'), ('hnsw', 'm = 16, ef_construction = 64')) v(name, options) LOOP
      begun := clock_timestamp();
      EXECUTE format('CREATE INDEX bench_index ON bench USING %s ((%s) %s) WITH (%s)', method.name,
        CASE metric.quantization WHEN 'binary' THEN format('binary_quantize(embedding)::bit(%s)', dimensions) ELSE 'embedding' END,
        metric.class, method.options);
      build_s := round(extract(epoch FROM clock_timestamp() - begun)::numeric, 1);
      size_mb := round(pg_relation_size('bench_index') / 1e6, 1);
      SET LOCAL enable_seqscan = off;
      SET LOCAL ivfflat.probes = 10;
      SET LOCAL ivfflat.iterative_scan = 'relaxed_order';
      SET LOCAL hnsw.iterative_scan = 'relaxed_order';
      SET LOCAL hnsw.ef_search = 400;
      FOREACH wanted IN ARRAY CASE metric.quantization WHEN 'binary' THEN ARRAY[60, 240, 480] ELSE ARRAY[60] END LOOP
        CALL pg_temp.ask(method.name, metric.name, metric.quantization, metric.operator, dimensions, wanted, size_mb, build_s);
      END LOOP;
      SET LOCAL enable_seqscan = on;
      DROP INDEX bench_index;
    END LOOP;
  END LOOP;
END $$;

BEGIN;
CALL pg_temp.measure(:dimensions);
COMMIT;
SELECT :dimensions AS dimensions, :rows AS rows, kind, metric, quantization, candidates, recall, ms, index_mb, build_s FROM result
  ORDER BY kind, quantization DESC, metric, candidates;
