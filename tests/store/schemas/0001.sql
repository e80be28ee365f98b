-- A home's database as schema 1 wrote it: one job of each state. Never changed; a new schema adds a file.
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    number REAL NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0,
    lease TEXT,
    ended INTEGER,
    job BLOB NOT NULL,
    outcome BLOB
);
CREATE INDEX jobs_waiting ON jobs (number, seq) WHERE status = 'pending';
CREATE INDEX jobs_running ON jobs (seq) WHERE status = 'running';
CREATE UNIQUE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;
INSERT INTO jobs (seq, id, number, status, attempts, lease, ended, job, outcome) VALUES
    (1, 'ended', 1.0, 'error', 0, NULL, 1,
     '{"id":"ended","number":1,"prompt":{"1":{"class_type":"Show","inputs":{"value":1}}},"extra":{},"outputs":["1"],"client_id":"me","created":1700000000000}',
     '{"status":"error","started":1700000000001,"ended":1700000000002,"cached":["1"],"shown":{"1":{"text":["x"]}},"failure":{"node":"1","node_type":"Show","message":"no","exception":"ValueError","inputs":{"value":[1]},"executed":[]}}'),
    (2, 'running', 2.0, 'running', 1, 'a lease of a dead instance', NULL,
     '{"id":"running","number":2,"prompt":{},"extra":{"extra_pnginfo":{"workflow":{}}},"outputs":["1"],"client_id":null,"created":1700000000003}',
     NULL),
    (3, 'waiting', -3.0, 'pending', 0, NULL, NULL,
     '{"id":"waiting","number":-3,"prompt":{},"extra":{},"outputs":[],"client_id":null,"created":1700000000004}',
     NULL);
PRAGMA user_version = 1;
