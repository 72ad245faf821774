-- What the application role may do. Runs after the migrations, every time, so that a new role or a new table gets its rights.
-- The role's name comes in `ragline.application_role`. Partitions of `embeddings` get no grant: it would go around the policy.
DO $$
DECLARE
  application name := current_setting('ragline.application_role');
  found record;
BEGIN
  IF NOT has_schema_privilege(application, current_schema(), 'USAGE') THEN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), application);
  END IF;
  FOR found IN SELECT c.oid::regclass AS target, c.relname FROM pg_class c
      WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND (c.relrowsecurity OR c.relname IN ('embedding_space', 'index_state', '_sqlx_migrations')) LOOP
    EXECUTE format('REVOKE ALL ON %s FROM %I', found.target, application);
    EXECUTE format('GRANT %s ON %s TO %I', CASE
        WHEN found.relname IN ('canary', 'embedding_space', 'index_state', '_sqlx_migrations') THEN 'SELECT'
        WHEN found.relname = 'workspace' THEN 'SELECT, UPDATE (store_version)'
        ELSE 'SELECT, INSERT, UPDATE, DELETE' END, found.target, application);
  END LOOP;
  FOR found IN SELECT p.oid::regprocedure AS target, p.prokind, p.proname FROM pg_proc p
      WHERE p.pronamespace = current_schema()::regnamespace AND p.proowner = current_user::regrole
        AND p.proname IN ('find_workspace', 'bump_store_version', 'open_search', 'finish_job', 'claim_job_item', 'next_job_item_in',
                          'sweep', 'lexical_upkeep', 'find_api_key', 'relation_figures', 'server_figures', 'protect',
                          'create_workspace', 'builtin_metadata', 'fill_attributes', 'pool_figures',
                          'relation_names', 'count_stale_documents', 'notify_keys', 'add_workspace', 'list_workspaces',
                          'delete_workspace', 'revoke_api_key', 'erase_workspaces', 'forget_keys', 'close_vector_stores',
                          'expired_files', 'forget_responses') LOOP
    EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', found.target);
    IF found.proname NOT IN ('protect', 'create_workspace') THEN
      EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', found.target, application);
    END IF;
  END LOOP;
END $$;
