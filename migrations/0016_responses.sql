-- Answers that a caller wants to come back to: each with what was said to it and the one that it goes on from.

CREATE TABLE response (
  id uuid PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspace,
  -- No reference: the one before may be deleted or swept away.
  previous_id uuid,
  -- Still being written.
  open boolean NOT NULL,
  -- The messages that came with it, and the answer's text: what the next one reads.
  input jsonb NOT NULL,
  answer text NOT NULL,
  -- What the caller sees.
  body jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX response_workspace ON response (workspace_id, id);
CREATE INDEX response_age ON response (created_at);
CALL protect('response');

-- Removes what was kept for 30 days, and of each workspace what is older than its newest `most`. At most 1,000 of each a call.
CREATE FUNCTION forget_responses(most int) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  WITH old AS (
    DELETE FROM response WHERE id IN (SELECT id FROM response WHERE created_at < now() - interval '30 days' LIMIT 1000) RETURNING 1
  ), beyond AS (
    DELETE FROM response WHERE id IN (
      SELECT r.id FROM workspace w
        CROSS JOIN LATERAL (SELECT id FROM response WHERE workspace_id = w.id ORDER BY id DESC OFFSET most LIMIT 1) last
        JOIN response r ON r.workspace_id = w.id AND r.id <= last.id
      LIMIT 1000) RETURNING 1
  )
  SELECT (SELECT count(*) FROM old) + (SELECT count(*) FROM beyond)
$$;
