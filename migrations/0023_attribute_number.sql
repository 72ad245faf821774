-- no-transaction
-- The two before it hold what it held.
DROP INDEX CONCURRENTLY IF EXISTS attribute_number;
