-- A home's database as schema 7 wrote it: one job of each state. Never changed; a new schema adds a file.
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    number REAL NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0,
    lease TEXT,
    ended INTEGER,
    job BLOB NOT NULL,
    outcome BLOB,
    workflow TEXT,
    duration INTEGER,
    begun INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX jobs_waiting ON jobs (number, seq) WHERE status = 'pending';
CREATE INDEX jobs_running ON jobs (seq) WHERE status = 'running';
CREATE UNIQUE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;
CREATE INDEX jobs_waiting_by_age ON jobs (seq) WHERE status = 'pending';
CREATE INDEX jobs_ended_by_age ON jobs (status, seq) WHERE ended IS NOT NULL;
CREATE INDEX jobs_ended_by_duration ON jobs (status, duration, seq) WHERE ended IS NOT NULL;
CREATE INDEX jobs_by_workflow ON jobs (workflow, status, seq) WHERE workflow IS NOT NULL;
CREATE TABLE assets (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    folder TEXT NOT NULL,
    file TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    hash TEXT,
    metadata TEXT NOT NULL DEFAULT '{}',
    preview TEXT,
    hidden INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    accessed INTEGER NOT NULL
);
CREATE INDEX assets_by_place ON assets (folder, file);
CREATE INDEX assets_by_hash ON assets (hash) WHERE hash IS NOT NULL;
CREATE INDEX assets_by_age ON assets (created, seq);
CREATE TABLE asset_tags (
    asset INTEGER NOT NULL,
    tag TEXT NOT NULL,
    given INTEGER NOT NULL,
    PRIMARY KEY (tag, asset)
) WITHOUT ROWID;
CREATE INDEX asset_tags_by_asset ON asset_tags (asset);
CREATE TRIGGER assets_gone AFTER DELETE ON assets BEGIN
    DELETE FROM asset_tags WHERE asset = OLD.seq;
END;
-- Files that jobs made, found by the words they were made from. Filled from the history when
-- somebody looks, so that no job waits for it.
CREATE TABLE gallery (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    ended INTEGER NOT NULL,    -- the job's place in the history
    node TEXT NOT NULL,        -- that showed it
    workflow TEXT,             -- id of the editor's document, where it has one
    kind TEXT NOT NULL,        -- of store.gallery.Kind
    type TEXT NOT NULL,        -- "output", "temp", "input"
    subfolder TEXT NOT NULL,
    filename TEXT NOT NULL,
    words TEXT NOT NULL,       -- texts it was made from, case folded
    made INTEGER NOT NULL,     -- ms since 1970
    took INTEGER NOT NULL,     -- ms that the job ran
    UNIQUE (filename, subfolder, type)
);
CREATE INDEX gallery_by_node ON gallery (workflow, node, seq) WHERE workflow IS NOT NULL;
INSERT INTO jobs (seq, id, number, status, attempts, lease, ended, job, outcome, workflow, duration) VALUES
    (1, 'ended', 1.0, 'error', 0, NULL, 1,
     '{"id":"ended","number":1,"prompt":{"1":{"class_type":"Show","inputs":{"value":1}}},"extra":{},"outputs":["1"],"client_id":"me","created":1700000000000}',
     '{"status":"error","started":1700000000001,"ended":1700000000002,"cached":["1"],"shown":{"1":{"text":["x"]}},"failure":{"node":"1","node_type":"Show","message":"no","exception":"ValueError","inputs":{"value":[1]},"executed":[]}}', NULL, 1),
    (2, 'running', 2.0, 'running', 0, 'a lease of a dead instance', NULL,
     '{"id":"running","number":2,"prompt":{},"extra":{"extra_pnginfo":{"workflow":{"id":"document"}}},"outputs":["1"],"client_id":null,"created":1700000000003}',
     NULL, 'document', NULL),
    (3, 'waiting', -3.0, 'pending', 0, NULL, NULL,
     '{"id":"waiting","number":-3,"prompt":{},"extra":{},"outputs":[],"client_id":null,"created":1700000000004}',
     NULL, NULL, NULL);
UPDATE jobs SET begun=1 WHERE id='running';
INSERT INTO assets (seq, id, folder, file, name, size, modified, hash, created, updated, accessed) VALUES
    (1, '00000000-0000-4000-8000-000000000001', 'output/sub', 'a.png', 'my picture', 5, 1700000000000000000, NULL, 1700000000000, 1700000000000, 1700000000000);
INSERT INTO asset_tags VALUES (1, 'output', 0), (1, 'mine', 1);
INSERT INTO gallery VALUES
    (1, 'ended', 1, '1', NULL, 'picture', 'output', 'sub', 'a.png', 'blue fish', 1700000000002, 1);
CREATE TABLE gallery_backlog (after INTEGER NOT NULL);
INSERT INTO gallery_backlog VALUES (0);
PRAGMA user_version = 7;
