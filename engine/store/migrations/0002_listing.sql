-- Jobs are listed by state, age, duration and workflow without reading the others.
ALTER TABLE jobs ADD COLUMN workflow TEXT;     -- id of the editor's document, where it has one
ALTER TABLE jobs ADD COLUMN duration INTEGER;  -- ms from start to end, once ended
UPDATE jobs SET
    workflow = json_extract(CAST(job AS TEXT), '$.extra.extra_pnginfo.workflow.id'),
    duration = json_extract(CAST(outcome AS TEXT), '$.ended')
        - json_extract(CAST(outcome AS TEXT), '$.started');
CREATE INDEX jobs_waiting_by_age ON jobs (seq) WHERE status = 'pending';
CREATE INDEX jobs_ended_by_age ON jobs (status, seq) WHERE ended IS NOT NULL;
CREATE INDEX jobs_ended_by_duration ON jobs (status, duration, seq) WHERE ended IS NOT NULL;
CREATE INDEX jobs_by_workflow ON jobs (workflow, status, seq) WHERE workflow IS NOT NULL;
