-- Files are in the gallery when their job ends. Those of jobs that ended before that are not all
-- there: of those that ended after this place in the history.
CREATE TABLE gallery_backlog (after INTEGER NOT NULL);
INSERT INTO gallery_backlog
SELECT coalesce((SELECT ended FROM gallery ORDER BY seq DESC LIMIT 1), 0);
