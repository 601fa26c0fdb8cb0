-- The station's database, version 4. Run as it is by the daemon when a state directory is new; older databases come
-- here by daemon/store/migrate.c. Times are milliseconds since 1970 UTC unless a comment says otherwise.
--
-- Truth and projection: `event` is the record, append-only and chained by hashes. Every other table but the sealed
-- credentials, the products' texts and the dialogues can be made from it again (store_rebuild); they exist so that a
-- question need not read the whole record.
--
-- Secrets: only credential.sealed and attestation.sealed hold them, encrypted (AES-256-GCM) under a key that is not in this file.

PRAGMA user_version = 4;

-- One row for each fact about the file itself: 'database' is its random id, by which the mark outside knows it.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The record. `hash` is SHA-256 over prev_hash (32 octets; zeros before the first) and the canonical JSON
-- {"at":…,"data":…,"imei":…,"kind":…,"seq":…,"slot":…}; absent slot and imei are null there. Numbers rise by one, but
-- for the event 'mark_behind', which leaps over those that a restored database has lost.
CREATE TABLE event (
    seq       INTEGER PRIMARY KEY,
    at        TEXT NOT NULL,          -- RFC 3339, UTC, milliseconds
    kind      TEXT NOT NULL,
    slot      TEXT,
    imei      TEXT,
    data      TEXT NOT NULL,          -- canonical JSON, an object
    prev_hash BLOB NOT NULL CHECK (length(prev_hash) = 32),
    hash      BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event BEGIN
    SELECT RAISE(ABORT, 'events are never changed');
END;
CREATE TRIGGER event_is_not_removed BEFORE DELETE ON event BEGIN
    SELECT RAISE(ABORT, 'events are never removed');
END;

-- A version of a product is the digest of its canonical text; the text stays readable for as long as a job names it.
CREATE TABLE product (
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,          -- "sha256:" and 64 hexadecimal characters
    canonical TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE work_order (
    id              TEXT NOT NULL PRIMARY KEY, -- the MES's own
    product         TEXT NOT NULL,
    product_version TEXT NOT NULL,
    quantity        INTEGER NOT NULL CHECK (quantity > 0),
    lot             TEXT NOT NULL DEFAULT '',  -- '': bundles of any lot
    state           TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    opened          INTEGER NOT NULL,
    closed          INTEGER,
    passed          INTEGER NOT NULL DEFAULT 0, -- boards (not jobs) that passed: the quota reads it at each claim
    FOREIGN KEY (product, product_version) REFERENCES product (name, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX work_order_by_time ON work_order (opened, id);

-- Where an order runs. A fixture has at most one open order: the index refuses a second one.
CREATE TABLE order_fixture (
    work_order TEXT NOT NULL REFERENCES work_order (id),
    fixture    TEXT NOT NULL,
    position   INTEGER NOT NULL,      -- in the order's own list
    is_open    INTEGER NOT NULL CHECK (is_open IN (0, 1)),
    PRIMARY KEY (work_order, fixture)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX order_fixture_open ON order_fixture (fixture) WHERE is_open = 1;

-- The boards that an order has seen, one row each however many jobs they needed.
CREATE TABLE order_board (
    work_order TEXT NOT NULL REFERENCES work_order (id),
    imei       TEXT NOT NULL,
    bundle     TEXT,                  -- the one it got last in this order
    result     TEXT CHECK (result IN ('passed', 'failed')), -- NULL: neither yet; 'passed' stays
    PRIMARY KEY (work_order, imei)
) STRICT, WITHOUT ROWID;

-- The credentials of one board. `no` is the order of import, by which a pool is used up.
CREATE TABLE bundle (
    no      INTEGER PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    product TEXT NOT NULL,
    lot     TEXT NOT NULL DEFAULT '',
    imei    TEXT,                     -- of the board it is for; NULL while FREE. Stays with a RETIRED one
    is_made_for INTEGER NOT NULL CHECK (is_made_for IN (0, 1)), -- came with this IMEI: never becomes FREE
    -- No IN: for a list of more than two SQLite makes a table, at every change of a row.
    state   TEXT NOT NULL CHECK (state = 'free' OR state = 'bound' OR state = 'exposed' OR state = 'installed'
                                 OR state = 'retired'),
    was_claimed INTEGER NOT NULL DEFAULT 0 CHECK (was_claimed IN (0, 1)),
    retired_why TEXT,
    content BLOB NOT NULL CHECK (length(content) = 32), -- tells the same row sent again from another one
    CHECK ((state = 'free') = (imei IS NULL) OR state = 'retired')
) STRICT;
-- A board has at most one bundle of a product that is not retired.
CREATE UNIQUE INDEX bundle_of_board ON bundle (imei, product) WHERE imei IS NOT NULL AND state <> 'retired';
-- All that a board ever had, retired ones too.
CREATE INDEX bundle_by_board ON bundle (imei) WHERE imei IS NOT NULL;
-- The next free one is the first entry here, however many bundles there are.
CREATE INDEX bundle_free ON bundle (product, no) WHERE state = 'free';
CREATE INDEX bundle_free_of_lot ON bundle (product, lot, no) WHERE state = 'free';
-- Made for a board that has not come yet.
CREATE INDEX bundle_expected ON bundle (product, lot) WHERE state = 'bound' AND was_claimed = 0;

-- How many bundles are in which state, kept by the triggers below, so that stock need not be counted. Whatever there
-- is of a product and lot, all five states have their row.
CREATE TABLE bundle_stock (
    product TEXT NOT NULL,
    lot     TEXT NOT NULL,
    state   TEXT NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (product, lot, state)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER bundle_is_stocked AFTER INSERT ON bundle BEGIN
    INSERT INTO bundle_stock SELECT new.product, new.lot, column1, 0
        FROM (VALUES ('free'), ('bound'), ('exposed'), ('installed'), ('retired'))
        WHERE NOT EXISTS (SELECT 1 FROM bundle_stock WHERE product = new.product AND lot = new.lot);
    UPDATE bundle_stock SET n = n + 1 WHERE product = new.product AND lot = new.lot AND state = new.state;
END;
CREATE TRIGGER bundle_changes_state AFTER UPDATE OF state ON bundle WHEN old.state <> new.state BEGIN
    UPDATE bundle_stock SET n = n - 1 WHERE product = old.product AND lot = old.lot AND state = old.state;
    UPDATE bundle_stock SET n = n + 1 WHERE product = new.product AND lot = new.lot AND state = new.state;
END;

CREATE TABLE credential (
    bundle          INTEGER NOT NULL REFERENCES bundle (no),
    type            INTEGER NOT NULL CHECK (type BETWEEN 0 AND 4), -- as on the wire: ca, client_cert, private_key, psk, psk_identity
    sealed          BLOB NOT NULL,
    key_sha256      BLOB,             -- of the public key: client_cert, private_key
    serial          TEXT,             -- of a certificate, hexadecimal
    issuer          TEXT,
    identity_sha256 BLOB,             -- of a psk_identity
    sha256          BLOB,             -- of the octets that the modem should store, as exposed last
    PRIMARY KEY (bundle, type)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX credential_key ON credential (type, key_sha256) WHERE key_sha256 IS NOT NULL;
CREATE UNIQUE INDEX credential_serial ON credential (serial, issuer) WHERE serial IS NOT NULL;
CREATE UNIQUE INDEX credential_identity ON credential (identity_sha256) WHERE identity_sha256 IS NOT NULL;

-- Every digest that a per-board credential has ever been exposed with: a board that lists another board's is a clone.
CREATE TABLE exposure (
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    bundle TEXT NOT NULL REFERENCES bundle (id),
    type   INTEGER NOT NULL,
    PRIMARY KEY (sha256, bundle, type)
) STRICT, WITHOUT ROWID;

-- Keys that boards make themselves, one row for each bundle of a product with source keygen. 'intended': the board was
-- to make a key and no certificate was issued for it since, so that a key found there is ours and of no use.
CREATE TABLE keygen (
    bundle     TEXT NOT NULL PRIMARY KEY REFERENCES bundle (id),
    imei       TEXT NOT NULL,
    sec_tag    INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('intended', 'issued')),
    serial     TEXT NOT NULL UNIQUE,  -- kept for the certificate before it is signed; 128 random bits, hexadecimal
    job        TEXT NOT NULL,         -- in which it was intended last
    work_order TEXT                   -- of that job
) STRICT, WITHOUT ROWID;
CREATE INDEX keygen_intended ON keygen (work_order) WHERE state = 'intended';

-- Every certificate that the station's own CA has issued. One whose key the board has lost is superseded: to be revoked.
CREATE TABLE certificate (
    serial     TEXT NOT NULL,
    issuer     TEXT NOT NULL,
    bundle     TEXT NOT NULL REFERENCES bundle (id),
    imei       TEXT NOT NULL,
    work_order TEXT,
    key_sha256 BLOB NOT NULL CHECK (length(key_sha256) = 32), -- of the public key
    issued     INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    superseded INTEGER,               -- when
    PRIMARY KEY (serial, issuer)
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_of_order ON certificate (work_order);
CREATE INDEX certificate_of_bundle ON certificate (bundle);

-- A board's attestation token, sealed: whoever has it can claim the board in Nordic's cloud. The last one that it gave.
CREATE TABLE attestation (
    imei   TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL,
    taken  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE board (
    imei           TEXT NOT NULL PRIMARY KEY,
    uuid           TEXT,
    model          TEXT,
    modem_firmware TEXT,
    hardware       TEXT,
    first_seen     INTEGER NOT NULL,
    last_seen      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One attempt to provision one board. Open until `outcome` is there. Ids sort by time.
CREATE TABLE job (
    id              TEXT NOT NULL PRIMARY KEY,
    slot            TEXT NOT NULL,
    fixture         TEXT NOT NULL,
    imei            TEXT,
    uuid            TEXT,
    model           TEXT,
    modem_firmware  TEXT,
    hardware        TEXT,
    supply_mv       INTEGER,
    unit_serial     TEXT,
    operator        TEXT,
    work_order      TEXT,
    product         TEXT,
    product_version TEXT,
    bundle          TEXT,
    was_exposed     INTEGER NOT NULL DEFAULT 0, -- octets of a per-board credential may have left in this job
    started         INTEGER NOT NULL,
    ended           INTEGER,
    duration_ms     INTEGER,
    wire_ms         INTEGER,
    modem_ms        INTEGER,
    outcome         TEXT,
    fault           TEXT,
    reason          TEXT,
    detail          TEXT,
    proof           TEXT,
    program         TEXT,             -- the daemon's version
    config_digest   TEXT,             -- of the configuration it ran with
    dialogue        BLOB,             -- SHA-256 of it; the dialogue itself may have been pruned
    ending          INTEGER           -- the event that ended it: its steps and entries stand there, and nowhere else
) STRICT, WITHOUT ROWID;
-- One open job for a board; and those that a restart must end.
CREATE UNIQUE INDEX job_open ON job (imei) WHERE outcome IS NULL AND imei IS NOT NULL;
CREATE INDEX job_open_of_order ON job (work_order, imei) WHERE outcome IS NULL;
-- Lists are read latest first: each index serves one filter in that order.
CREATE INDEX job_of_board ON job (imei, started);
CREATE INDEX job_of_order ON job (work_order, started);
CREATE INDEX job_of_slot ON job (slot, started);
CREATE INDEX job_by_outcome ON job (outcome, started) WHERE outcome IS NOT NULL;
CREATE INDEX job_by_reason ON job (reason, started) WHERE reason IS NOT NULL;
CREATE INDEX job_by_time ON job (started);

-- What was said on the line, secrets cut out, under its SHA-256. Rows may be pruned: the job keeps the digest.
CREATE TABLE dialogue (
    sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
    text   BLOB NOT NULL,
    stored INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dialogue_by_age ON dialogue (stored);

-- Slots that take no board, until a person releases them; here over a restart, too.
CREATE TABLE slot_quarantine (
    slot  TEXT NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL,
    why   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
