/*
 * Every statement of the writer. A literal state ('free', 'retired') in a WHERE is not a parameter on
 * purpose: SQLite uses a partial index only when the statement itself repeats the index's condition.
 */
#include "store/statement.h"

const char *const statement_texts[STATEMENTS] = {
    /* IMMEDIATE: whoever else holds the write lock is found out here and not half-way. */
    [Q_BEGIN] = "BEGIN IMMEDIATE",
    [Q_COMMIT] = "COMMIT",
    [Q_ROLLBACK] = "ROLLBACK",
    [Q_SAVEPOINT] = "SAVEPOINT op",
    [Q_RELEASE] = "RELEASE op",
    [Q_ROLLBACK_TO] = "ROLLBACK TO op",
    [Q_META_GET] = "SELECT value FROM meta WHERE key = ?1",
    [Q_META_PUT] =
        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",

    [Q_EVENT_ADD] = "INSERT INTO event (seq, at, kind, slot, imei, data, prev_hash, hash)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [Q_EVENT_LAST] = "SELECT seq, at, hash FROM event ORDER BY seq DESC LIMIT 1",
    [Q_EVENT_HASH] = "SELECT hash FROM event WHERE seq = ?1",
    [Q_EVENTS] = "SELECT seq, at, kind, slot, imei, data, prev_hash, hash FROM event ORDER BY seq",

    [Q_PRODUCT_ADD] = "INSERT INTO product (name, version, canonical) VALUES (?1, ?2, ?3)",
    [Q_PRODUCT_KNOWN] = "SELECT 1 FROM product WHERE name = ?1 AND version = ?2",

    [Q_ORDER_ADD] = "INSERT INTO work_order (id, product, product_version, quantity, lot, state, opened)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6)",
    [Q_ORDER_BY_ID] =
        "SELECT product, product_version, quantity, lot, state, passed FROM work_order WHERE id = ?1",
    [Q_ORDER_CLOSE] = "UPDATE work_order SET state = 'closed', closed = ?2 WHERE id = ?1",
    [Q_ORDER_PASSED] = "UPDATE work_order SET passed = passed + 1 WHERE id = ?1",
    [Q_FIXTURE_ADD] =
        "INSERT INTO order_fixture (work_order, fixture, position, is_open) VALUES (?1, ?2, ?3, 1)",
    [Q_FIXTURE_HELD] = "SELECT 1 FROM order_fixture WHERE work_order = ?1 AND fixture = ?2",
    [Q_FIXTURE_TAKEN] = "SELECT work_order FROM order_fixture WHERE fixture = ?1 AND is_open = 1",
    [Q_FIXTURES_OF_ORDER] = "SELECT fixture FROM order_fixture WHERE work_order = ?1 ORDER BY position",
    [Q_FIXTURES_CLOSE] = "UPDATE order_fixture SET is_open = 0 WHERE work_order = ?1",
    [Q_ORDER_BOARD_SEEN] = "INSERT INTO order_board (work_order, imei, bundle) VALUES (?1, ?2, ?3)"
                           " ON CONFLICT DO UPDATE SET bundle = coalesce(excluded.bundle, bundle)",
    [Q_ORDER_BOARD_RESULT] = "SELECT result FROM order_board WHERE work_order = ?1 AND imei = ?2",
    [Q_ORDER_BOARD_PASS] = "UPDATE order_board SET result = 'passed'"
                           " WHERE work_order = ?1 AND imei = ?2 AND result IS NOT 'passed'",
    [Q_ORDER_BOARD_FAIL] = "UPDATE order_board SET result = 'failed'"
                           " WHERE work_order = ?1 AND imei = ?2 AND result IS NULL",
    /* At most as many rows as the station has slots, read from the index alone. */
    [Q_ORDER_OPEN_JOBS] =
        "SELECT count(*) FROM job INDEXED BY job_open_of_order WHERE work_order = ?1 AND outcome IS NULL",
    /* A board that passed earlier is counted as passed already. */
    [Q_ORDER_IN_FLIGHT] =
        "SELECT count(*) FROM job j INDEXED BY job_open_of_order WHERE work_order = ?1"
        " AND outcome IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM order_board b WHERE b.work_order = j.work_order AND b.imei = j.imei"
        " AND b.result = 'passed')",

    [Q_BUNDLE_ADD] = "INSERT INTO bundle (id, product, lot, imei, is_made_for, state, content)"
                     " VALUES (?1, ?2, ?3, ?4, ?4 IS NOT NULL, iif(?4 IS NULL, 'free', 'bound'), ?5)"
                     " RETURNING no",
    [Q_BUNDLE_BY_ID] = "SELECT no, state, imei, is_made_for, content FROM bundle WHERE id = ?1",
    [Q_BUNDLE_OF_BOARD] = "SELECT no, id, state FROM bundle"
                          " WHERE imei = ?1 AND product = ?2 AND state <> 'retired'",
    [Q_BUNDLE_OF_BOARD_ELSEWHERE] = "SELECT product, id FROM bundle"
                                    " WHERE imei = ?1 AND product <> ?2 AND state <> 'retired'",
    [Q_BUNDLE_FREE] = "SELECT no, id, state FROM bundle WHERE product = ?1 AND state = 'free'"
                      " ORDER BY no LIMIT 1",
    [Q_BUNDLE_FREE_OF_LOT] =
        "SELECT no, id, state FROM bundle WHERE product = ?1 AND lot = ?2 AND state = 'free'"
        " ORDER BY no LIMIT 1",
    /* The WHEREs are the state machine's arrows: a change that none of them allows changes no row, and that
     * is an error to whoever asked. */
    [Q_BUNDLE_BIND] =
        "UPDATE bundle SET state = 'bound', imei = ?2, was_claimed = 1 WHERE id = ?1 AND state = 'free'",
    [Q_BUNDLE_CLAIMED] = "UPDATE bundle SET was_claimed = 1 WHERE id = ?1 AND was_claimed = 0",
    [Q_BUNDLE_EXPOSE] = "UPDATE bundle SET state = iif(state = 'bound', 'exposed', state)"
                        " WHERE id = ?1 AND (state = 'bound' OR state = 'exposed' OR state = 'installed')",
    [Q_BUNDLE_INSTALL] =
        "UPDATE bundle SET state = 'installed' WHERE id = ?1 AND state IN ('bound', 'exposed')",
    [Q_BUNDLE_RELEASE] = "UPDATE bundle SET state = 'free', imei = NULL"
                         " WHERE id = ?1 AND state = 'bound' AND is_made_for = 0",
    [Q_BUNDLE_RETIRE] = "UPDATE bundle SET state = 'retired', retired_why = ?2"
                        " WHERE id = ?1 AND state <> 'retired'",
    [Q_BUNDLES_RETIRE_UNSPENT] = "UPDATE bundle SET state = 'retired', retired_why = ?1"
                                 " WHERE state IN ('free', 'bound')",
    [Q_BUNDLE_IMPORTED] =
        "UPDATE bundle SET state = iif(?2 IS NULL, 'free', 'bound'), imei = ?2 WHERE id = ?1",
    /* Before a rebuild nothing has been imported yet; RETIRED is the state in which no index looks at a
       bundle. */
    [Q_BUNDLES_RESET] =
        "UPDATE bundle SET state = 'retired', imei = NULL, was_claimed = 0, retired_why = NULL",

    [Q_CREDENTIAL_ADD] =
        "INSERT INTO credential (bundle, type, sealed, key_sha256, serial, issuer, identity_sha256)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [Q_CREDENTIAL_SEALED] = "SELECT sealed, sha256 FROM credential WHERE bundle = ?1 AND type = ?2",
    [Q_CREDENTIAL_EXPOSED] = "UPDATE credential SET sha256 = ?3"
                             " WHERE bundle = (SELECT no FROM bundle WHERE id = ?1) AND type = ?2",
    [Q_CREDENTIALS_RESET] = "UPDATE credential SET sha256 = NULL WHERE sha256 IS NOT NULL",
    [Q_TOKEN_PUT] =
        "INSERT INTO attestation (imei, sealed, taken) VALUES (?1, ?2, ?3) ON CONFLICT (imei) DO UPDATE"
        " SET sealed = excluded.sealed, taken = excluded.taken",
    [Q_TOKEN_NEXT] = "SELECT imei, sealed FROM attestation WHERE imei > ?1 ORDER BY imei LIMIT 1",
    [Q_TOKEN_REWRITE] = "UPDATE attestation SET sealed = ?2 WHERE imei = ?1",
    /* private_key and psk; secure_delete overwrites where they stood. */
    [Q_SECRETS_ERASE] =
        "UPDATE credential SET sealed = x'' WHERE bundle = ?1 AND type IN (2, 3) AND length(sealed) > 0",
    [Q_SEALED_NEXT] =
        "SELECT c.bundle, c.type, b.id, c.sealed FROM credential c JOIN bundle b ON b.no = c.bundle"
        " WHERE (c.bundle, c.type) > (?1, ?2) AND length(c.sealed) > 0"
        " ORDER BY c.bundle, c.type LIMIT 1",
    [Q_SEALED_PUT] = "UPDATE credential SET sealed = ?3 WHERE bundle = ?1 AND type = ?2",
    /* A certificate that takes the place of one whose key is lost: the board has one of each type. */
    [Q_CREDENTIAL_ISSUE] =
        "INSERT INTO credential (bundle, type, sealed, key_sha256, serial, issuer)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (bundle, type) DO UPDATE SET sealed = excluded.sealed,"
        " key_sha256 = excluded.key_sha256, serial = excluded.serial, issuer = excluded.issuer, sha256 = "
        "NULL",
    [Q_CREDENTIAL_LISTED] = "SELECT sha256 FROM credential WHERE bundle = ?1 AND type = ?2",
    [Q_KEY_OWNER_OTHER] = "SELECT b.id FROM credential c JOIN bundle b ON b.no = c.bundle"
                          " WHERE c.type = ?1 AND c.key_sha256 = ?2 AND b.id <> ?3",
    [Q_KEYGEN_OF_BUNDLE] = "SELECT state, serial, job FROM keygen WHERE bundle = ?1",
    [Q_KEYGEN_INTEND] =
        "INSERT INTO keygen (bundle, imei, sec_tag, state, serial, job, work_order)"
        " VALUES (?1, ?2, ?3, 'intended', ?4, ?5, ?6) ON CONFLICT (bundle) DO UPDATE SET state = 'intended',"
        " sec_tag = excluded.sec_tag, serial = excluded.serial, job = excluded.job,"
        " work_order = excluded.work_order",
    [Q_KEYGEN_ISSUED] =
        "UPDATE keygen SET state = 'issued' WHERE bundle = ?1 AND serial = ?2 AND state = 'intended'",
    [Q_CERTIFICATE_ADD] = "INSERT INTO certificate (serial, issuer, bundle, imei, work_order, key_sha256,"
                          " issued, not_after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [Q_CERTIFICATE_SUPERSEDE] =
        "UPDATE certificate SET superseded = ?2 WHERE bundle = ?1 AND superseded IS NULL",
    [Q_CERTIFICATES_OF_ORDER] = "SELECT count(*) FROM certificate WHERE work_order = ?1",
    /* Keys that boards at work are making now, but for the board that asks. */
    [Q_KEYGENS_OF_ORDER] = "SELECT count(*) FROM keygen k JOIN job j ON j.id = k.job"
                           " WHERE k.work_order = ?1 AND k.state = 'intended' AND j.outcome IS NULL"
                           " AND k.bundle <> ?2",

    [Q_KEY_OWNER] = "SELECT b.id FROM credential c JOIN bundle b ON b.no = c.bundle"
                    " WHERE c.type = ?1 AND c.key_sha256 = ?2",
    [Q_SERIAL_OWNER] = "SELECT b.id FROM credential c JOIN bundle b ON b.no = c.bundle"
                       " WHERE c.serial = ?1 AND c.issuer = ?2",
    [Q_IDENTITY_OWNER] = "SELECT b.id FROM credential c JOIN bundle b ON b.no = c.bundle"
                         " WHERE c.identity_sha256 = ?1",
    [Q_EXPOSURE_ADD] =
        "INSERT INTO exposure (sha256, bundle, type) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    [Q_CLONE_OF] = "SELECT b.imei, b.id, e.type FROM exposure e JOIN bundle b ON b.id = e.bundle"
                   " WHERE e.sha256 = ?1 AND b.imei <> ?2 LIMIT 1",
    /* Whoever was given what is still this IMEI's, latest first. */
    [Q_DEVICES_OF_IMEI] = "SELECT j.id, j.uuid, j.hardware FROM job j JOIN bundle b ON b.id = j.bundle"
                          " WHERE j.imei = ?1 AND b.state <> 'retired'"
                          " AND (j.was_exposed = 1 OR j.outcome = 'PASS')"
                          " ORDER BY j.started DESC, j.id DESC",

    [Q_SLOT_QUARANTINE] = "INSERT INTO slot_quarantine (slot, since, why) VALUES (?1, ?2, ?3)",
    [Q_SLOT_RELEASE] = "DELETE FROM slot_quarantine WHERE slot = ?1",
    [Q_SLOT_QUARANTINED] = "SELECT 1 FROM slot_quarantine WHERE slot = ?1",
    [Q_SLOTS_QUARANTINED] = "SELECT slot, why FROM slot_quarantine ORDER BY slot",

    [Q_BOARD_SEEN] = "INSERT INTO board (imei, uuid, model, modem_firmware, hardware, first_seen, last_seen)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT DO UPDATE SET"
                     " uuid = coalesce(excluded.uuid, uuid), model = coalesce(excluded.model, model),"
                     " modem_firmware = coalesce(excluded.modem_firmware, modem_firmware),"
                     " hardware = coalesce(excluded.hardware, hardware), last_seen = excluded.last_seen",
    [Q_JOB_BY_ID] = "SELECT imei, bundle, outcome, reason, was_exposed FROM job WHERE id = ?1",
    /* A start and an end are the same row; what is known already is not forgotten, and an ending stays. */
    [Q_JOB_PUT] =
        "INSERT INTO job (id, slot, fixture, imei, uuid, model, modem_firmware, hardware, supply_mv, "
        "unit_serial,"
        " operator, work_order, product, product_version, bundle, started, program, config_digest,"
        " ended, duration_ms, wire_ms, modem_ms, outcome, fault, reason, detail, proof, dialogue, ending)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, "
        "?21,"
        " ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)"
        " ON CONFLICT (id) DO UPDATE SET"
        " uuid = coalesce(excluded.uuid, uuid),"
        " model = coalesce(excluded.model, model),"
        " modem_firmware = coalesce(excluded.modem_firmware, modem_firmware),"
        " hardware = coalesce(excluded.hardware, hardware), supply_mv = coalesce(excluded.supply_mv, "
        "supply_mv),"
        " unit_serial = coalesce(excluded.unit_serial, unit_serial),"
        " operator = coalesce(excluded.operator, operator), ended = excluded.ended,"
        " duration_ms = excluded.duration_ms, wire_ms = excluded.wire_ms, modem_ms = excluded.modem_ms,"
        " outcome = excluded.outcome, fault = excluded.fault, reason = excluded.reason, detail = "
        "excluded.detail,"
        " proof = excluded.proof, dialogue = excluded.dialogue, ending = excluded.ending WHERE outcome IS "
        "NULL",
    [Q_JOB_EXPOSED] = "UPDATE job SET was_exposed = 1 WHERE id = ?1 AND outcome IS NULL",
    [Q_JOB_OPEN_OF_BOARD] = "SELECT id, slot, bundle FROM job WHERE imei = ?1 AND outcome IS NULL",
    [Q_JOB_OPEN_ANY] = "SELECT id, slot, fixture, imei, work_order, product, product_version, bundle, started"
                       " FROM job INDEXED BY job_open WHERE outcome IS NULL AND imei IS NOT NULL LIMIT 1",
    /* INDEXED BY: left alone, SQLite would rather read every job that ever passed than those of one board. */
    [Q_JOB_PASSED] = "SELECT id FROM job INDEXED BY job_of_board"
                     " WHERE imei = ?1 AND product = ?2 AND outcome = 'PASS'"
                     " ORDER BY started DESC, id DESC LIMIT 1",
    [Q_DIALOGUE_ADD] =
        "INSERT INTO dialogue (sha256, text, stored) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
};
