-- Whose fault it is that a file of a vector store failed; and a function that nobody calls any more.

-- A backup that reads for hours must not have all wait behind it: the Job fails then, says so, and tries again.
SET LOCAL lock_timeout = '5s';

-- On no other table: what is publishing holds the queue for as long as an hour, and this one only while it ends. No row has a value yet,
-- so none is looked at.
ALTER TABLE vector_store_file ADD COLUMN fault text,
  ADD CONSTRAINT vector_store_file_fault_check CHECK (fault IN ('format', 'file', 'server')) NOT VALID;
SET LOCAL lock_timeout = 0;

-- As before. Whoever ends a file tells the fault in the same transaction. `claim_job_item`, which gives up a file whose workers died, does
-- not, and is known by its words; neither does a gateway of the version before, whose failures are shown as they were.
CREATE OR REPLACE FUNCTION item_ended() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE vector_store_file SET status = NEW.status, reason = NEW.reason,
      fault = CASE WHEN NEW.status = 'failed' AND NEW.reason LIKE '%given up after %' THEN 'server' END
    WHERE job_item_id = NEW.id;
  RETURN NULL;
END $$;

-- `fill_attributes` has done without it since it works on all chunks at once.
DROP FUNCTION attributes_of(jsonb);
