-- Every job there is: waiting, running and ended. The queue and the history are views of it.
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    number REAL NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0,
    lease TEXT,            -- the engine instance that runs it
    ended INTEGER,         -- place in the history, in order of ending
    job BLOB NOT NULL,     -- JSON of store.history.Job
    outcome BLOB           -- JSON of store.history.Outcome, once ended
);
CREATE INDEX jobs_waiting ON jobs (number, seq) WHERE status = 'pending';
CREATE INDEX jobs_running ON jobs (seq) WHERE status = 'running';
CREATE UNIQUE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;
