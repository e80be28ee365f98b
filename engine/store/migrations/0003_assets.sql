-- Files that clients find by name, tag and content, beside the folders they lie in.
CREATE TABLE assets (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    folder TEXT NOT NULL,      -- "output/sub", "models/loras"
    file TEXT NOT NULL,        -- its name there; several assets may share one file
    name TEXT NOT NULL,        -- what clients call it
    size INTEGER NOT NULL,     -- bytes
    modified INTEGER NOT NULL, -- of the file, ns since 1970
    hash TEXT,                 -- "blake3:...", once it was read
    metadata TEXT NOT NULL DEFAULT '{}', -- what clients said of it, JSON
    preview TEXT,              -- id of another asset
    hidden INTEGER NOT NULL DEFAULT 0,   -- deleted here, its file left alone
    created INTEGER NOT NULL,  -- these three in ms since 1970
    updated INTEGER NOT NULL,
    accessed INTEGER NOT NULL
);
CREATE INDEX assets_by_place ON assets (folder, file);
CREATE INDEX assets_by_hash ON assets (hash) WHERE hash IS NOT NULL;
CREATE INDEX assets_by_age ON assets (created, seq);
CREATE TABLE asset_tags (
    asset INTEGER NOT NULL,
    tag TEXT NOT NULL,
    given INTEGER NOT NULL,    -- 1: by a client; 0: it says where the file lies
    PRIMARY KEY (tag, asset)
) WITHOUT ROWID;
CREATE INDEX asset_tags_by_asset ON asset_tags (asset);
CREATE TRIGGER assets_gone AFTER DELETE ON assets BEGIN
    DELETE FROM asset_tags WHERE asset = OLD.seq;
END;
