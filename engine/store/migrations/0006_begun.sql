-- A running job has begun once a worker that is ready has it: its death then, or the service's, is one
-- of the job's attempts.
ALTER TABLE jobs ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
