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
CREATE INDEX gallery_by_job ON gallery (job);
CREATE INDEX gallery_by_node ON gallery (workflow, node, seq) WHERE workflow IS NOT NULL;
CREATE TRIGGER jobs_gone AFTER DELETE ON jobs BEGIN
    DELETE FROM gallery WHERE job = OLD.id;
END;
