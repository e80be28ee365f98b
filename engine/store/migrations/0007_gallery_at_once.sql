-- Files are in the gallery soon after their job ended; those of jobs that ended after this place in
-- the history are not there yet.
CREATE TABLE gallery_backlog (after INTEGER NOT NULL);
INSERT INTO gallery_backlog
SELECT coalesce((SELECT ended FROM gallery ORDER BY seq DESC LIMIT 1), 0);
