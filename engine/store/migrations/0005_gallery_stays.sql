-- Files stay in the gallery when the job that made them is forgotten.
DROP TRIGGER jobs_gone;
DROP INDEX gallery_by_job;
