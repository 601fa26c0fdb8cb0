/*
 * The two tables: what is done, and what a "no" means. The dialogues above the rows are those of an nRF9151
 * with modem firmware 2.0.2 behind Nordic's AT host (line end CR; answers end with CRLF).
 */
#include "job/plan.h"

#include <stddef.h>
#include <string.h>

#include "job/rows.h"

/* clang-format off */
static const struct row rows[PLAN_ROWS] = {
    /*  > AT
     *  < OK
     *  or, on a line of unknown history, 4,608 backspaces before it: job/contact.c                                   */
    [PLAN_CONTACT]    = {.name = "contact", .kind = ROW_CONTACT, .phase = JOB_CONTACTING},
    /*  > AT+CMEE=1
     *  < OK                    from here on a "no" has a number                                                      */
    [PLAN_CMEE]       = {.name = "cmee", .kind = ROW_AT, .phase = JOB_IDENTIFYING, .group = GROUP_SETUP,
                         .text = "AT+CMEE=1", .timeout_ms = 2000},
    /*  > AT#IDENT              our own firmware says all at once; every other one says ERROR
     *  < #IDENT: transfer,1,8192,2048
     *  < #IDENT: modem,mfw_nrf91x1_2.0.2
     *  < #IDENT: imei,351465800000002
     *  < OK                                                                                                          */
    [PLAN_IDENT]      = {.name = "ident", .kind = ROW_AT, .phase = JOB_IDENTIFYING, .group = GROUP_OPTIONAL,
                         .run_if = rows_if_may_ident, .text = "AT#IDENT", .prefix = "#IDENT:",
                         .line = rows_line_ident, .end = rows_end_ident, .timeout_ms = 2000, .tries = 3,
                         .odd = REASON_unexpected_answer},
    /*  > AT#CRED=3             whatever another host left there
     *  < OK                                                                                                          */
    [PLAN_CLEAR]      = {.name = "clear", .kind = ROW_AT, .phase = JOB_IDENTIFYING, .group = GROUP_OPTIONAL,
                         .run_if = rows_if_has_transfer, .text = "AT#CRED=3", .timeout_ms = 2000},
    /*  > AT+CGSN=1
     *  < +CGSN: "351465800000002"
     *  < OK                                                                                                          */
    [PLAN_IMEI]       = {.name = "imei", .kind = ROW_AT, .phase = JOB_IDENTIFYING, .group = GROUP_IDENTITY, .run_if = rows_if_no_ident,
                         .text = "AT+CGSN=1", .prefix = "+CGSN:", .line = rows_line_imei, .end = rows_end_identity,
                         .timeout_ms = 2000, .tries = 3, .odd = REASON_imei_invalid},
    /*  > AT+CGMR
     *  < mfw_nrf91x1_2.0.2
     *  < OK                                                                                                          */
    [PLAN_FIRMWARE]   = {.name = "firmware", .kind = ROW_AT, .phase = JOB_IDENTIFYING, .group = GROUP_IDENTITY, .run_if = rows_if_no_ident,
                         .text = "AT+CGMR", .prefix = "", .line = rows_line_firmware, .end = rows_end_firmware,
                         .timeout_ms = 2000, .tries = 3, .odd = REASON_identity_missing},
    /*  > AT+CGMM
     *  < nRF9151-LACA
     *  < OK                                                                                                          */
    [PLAN_MODEL]      = {.name = "model", .kind = ROW_AT, .phase = JOB_IDENTIFYING, .group = GROUP_IDENTITY, .run_if = rows_if_no_ident,
                         .text = "AT+CGMM", .prefix = "", .line = rows_line_model, .end = rows_end_identity,
                         .timeout_ms = 2000, .tries = 3, .odd = REASON_identity_missing},
    /*  > AT%HWVERSION
     *  < %HWVERSION: nRF9151 LACA A0A
     *  < OK                                                                                                          */
    [PLAN_HARDWARE]   = {.name = "hardware", .kind = ROW_AT, .phase = JOB_IDENTIFYING, .group = GROUP_OPTIONAL, .run_if = rows_if_no_ident,
                         .text = "AT%HWVERSION", .prefix = "%HWVERSION:", .line = rows_line_hardware, .timeout_ms = 2000},
    /*  > AT%DEVICEUUID
     *  < %DEVICEUUID: 504d5632-3739-42fb-80c8-1411df972166
     *  < OK                    nRF91x1 only                                                                          */
    [PLAN_UUID]       = {.name = "uuid", .kind = ROW_AT, .phase = JOB_IDENTIFYING, .group = GROUP_OPTIONAL,
                         .run_if = rows_if_uuid, .text = "AT%DEVICEUUID", .prefix = "%DEVICEUUID:",
                         .line = rows_line_uuid, .end = rows_end_uuid, .timeout_ms = 2000, .tries = 3,
                         .odd = REASON_identity_missing},
    /*  > AT%XVBAT
     *  < %XVBAT: 3600
     *  < OK                                                                                                          */
    [PLAN_SUPPLY]     = {.name = "supply", .kind = ROW_AT, .phase = JOB_IDENTIFYING, .group = GROUP_OPTIONAL, .run_if = rows_if_no_ident,
                         .text = "AT%XVBAT", .prefix = "%XVBAT:", .line = rows_line_supply, .timeout_ms = 2000},
    /*  the station: an order, a start, no twin in another slot                                                       */
    [PLAN_ADMIT]      = {.name = "admit", .kind = ROW_ADMIT, .phase = JOB_ADMITTING, .run_if = rows_if_not_admitted},
    [PLAN_ALLOW]      = {.name = "allow", .kind = ROW_CHECK, .phase = JOB_RUNNING, .end = rows_end_allow},
    /*  > AT+CFUN?
     *  < +CFUN: 0
     *  < OK                    only where the product leaves a board as it was found                                 */
    [PLAN_FOUND]      = {.name = "found", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_OPTIONAL,
                         .run_if = rows_if_as_found, .text = "AT+CFUN?", .prefix = "+CFUN:", .line = rows_line_found,
                         .timeout_ms = 2000},
    /*  > AT%XPOFWARN=1,30
     *  < OK                    only after a 528: once sent, the warning stays latched until it is armed anew         */
    [PLAN_REARM]      = {.name = "rearm", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_OPTIONAL,
                         .run_if = rows_if_power_warned, .text = "AT%XPOFWARN=1,30", .timeout_ms = 2000},
    [PLAN_SUPPLY_AGAIN] = {.name = "supply_again", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_OPTIONAL,
                         .run_if = rows_if_power_warned, .text = "AT%XVBAT", .prefix = "%XVBAT:",
                         .line = rows_line_supply_again, .end = rows_end_power, .timeout_ms = 2000},
    /*  > AT+CGSN=1             after a wait, in which nothing would have told of another board in this slot          */
    [PLAN_STILL_THERE] = {.name = "still_there", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_IDENTITY,
                         .run_if = rows_if_was_quiet, .text = "AT+CGSN=1", .prefix = "+CGSN:", .line = rows_line_imei,
                         .end = rows_end_identity, .timeout_ms = 2000, .tries = 3, .odd = REASON_imei_invalid},
    /*  > AT+CFUN=4
     *  < OK                    credentials are written only while the modem is not activated (%CMNG)                 */
    [PLAN_OFFLINE]    = {.name = "offline", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_SETUP,
                         .text = "AT+CFUN=4", .end = rows_end_offline, .timeout_ms = 15000},
    /*  > AT%CMNG=1
     *  < %CMNG: 16842753,0,"2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1"
     *  < %CMNG: 4294967293,10,"2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1"
     *  < OK                    an empty store says just OK
     *  and what native TLS has stored under tag 321, type 2:
     *  < %CMNG: 3212,0,"EB569D288E10B1D9D5B1BD45642AD4B8D063E0C48584A6C3A7A700987D671B68"                            */
    [PLAN_LIST]       = {.name = "list", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_LIST,
                         .run_if = rows_if_whole_list, .text = "AT%CMNG=1", .prefix = "%CMNG:", .line = rows_line_list,
                         .end = rows_end_list, .timeout_ms = 5000, .tries = 3, .odd = REASON_unexpected_answer},
    /*  > AT%CMNG=1,16842753    where the whole list does not fit the AT host's 4,096 octets
     *  > AT%CMNG=1,168427530,0 with native TLS, and so for each type of the tag                                      */
    [PLAN_LIST_TAG]   = {.name = "list_tag", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_LIST,
                         .run_if = rows_if_list_by_tag, .send = rows_send_list_tag, .prefix = "%CMNG:",
                         .line = rows_line_list, .end = rows_end_list_tag, .timeout_ms = 5000, .tries = 3,
                         .odd = REASON_unexpected_answer},
    [PLAN_CLAIM]      = {.name = "claim", .kind = ROW_HOST, .phase = JOB_RUNNING, .run_if = rows_if_not_claimed,
                         .message = LEDGER_CLAIM, .end = rows_end_claim},
    /*  products whose boards make their own key: rows_key_… of job/rows_key.c                                        */
    [PLAN_KEY_DECIDE] = {.name = "key_decide", .kind = ROW_CHECK, .phase = JOB_RUNNING, .run_if = rows_if_key,
                         .end = rows_end_key_decide},
    /*  > AT%CMNG=3,16842753,2  a key of ours that got no certificate; one of unknown origin is never deleted
     *  < OK                                                                                                          */
    [PLAN_DELETE_KEY] = {.name = "delete_key", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_DELETE,
                         .run_if = rows_if_key_orphan, .send = rows_send_delete_key, .end = rows_end_delete_key,
                         .timeout_ms = 5000},
    /*  > AT%CMNG=1,16842753,2
     *  < OK                                                                                                          */
    [PLAN_KEY_GONE]   = {.name = "key_gone", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_LIST,
                         .run_if = rows_if_key_deleted, .send = rows_send_list_key, .prefix = "%CMNG:",
                         .line = rows_line_key, .end = rows_end_key_gone, .timeout_ms = 5000, .tries = 3,
                         .odd = REASON_unexpected_answer},
    /*  > AT%CMNG=1,16842753,2  what is on record as "none stood there" must be true: asked for a second time         */
    [PLAN_KEY_ABSENT] = {.name = "key_absent", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_LIST,
                         .run_if = rows_if_to_intend, .send = rows_send_list_key, .prefix = "%CMNG:",
                         .line = rows_line_key, .end = rows_end_key_absent, .timeout_ms = 5000, .tries = 3,
                         .odd = REASON_unexpected_answer},
    [PLAN_INTEND]     = {.name = "intend", .kind = ROW_HOST, .phase = JOB_RUNNING, .run_if = rows_if_to_intend,
                         .message = LEDGER_INTEND, .end = rows_end_intend},
    /*  > AT%KEYGEN=16842753,2,0
     *  < %KEYGEN: "MIIBCzCBrwIBADAvMS0w….0oRDoQEmoQRBIVhP2dn3…"
     *  < OK                    the line may be missing though the key was made (host buffers too small)              */
    [PLAN_KEYGEN]     = {.name = "keygen", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_KEYGEN,
                         .run_if = rows_if_to_make_key, .send = rows_send_keygen, .prefix = "%KEYGEN:",
                         .line = rows_line_keygen, .timeout_ms = 15000},
    /*  > AT%CMNG=1,16842753,2
     *  < %CMNG: 16842753,2,"372A8D78…370C"
     *  < OK                    a digest over who knows what, but it changes with the key                             */
    [PLAN_KEY_SEEN]   = {.name = "key_seen", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_LIST,
                         .run_if = rows_if_key_unlisted, .send = rows_send_list_key, .prefix = "%CMNG:",
                         .line = rows_line_key, .end = rows_end_key_seen, .timeout_ms = 5000, .tries = 3,
                         .odd = REASON_unexpected_answer},
    /*  > AT%DEVICEUUID         the request is held against it, so that one damaged octet must not stand in it         */
    [PLAN_KEY_UUID]   = {.name = "key_uuid", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_OPTIONAL,
                         .run_if = rows_if_key_uuid, .text = "AT%DEVICEUUID", .prefix = "%DEVICEUUID:",
                         .line = rows_line_key_uuid, .end = rows_end_key_uuid, .timeout_ms = 2000},
    [PLAN_CSR]        = {.name = "csr", .kind = ROW_HOST, .phase = JOB_RUNNING, .run_if = rows_if_key_made,
                         .message = LEDGER_CSR, .end = rows_end_csr},
    [PLAN_SIGN]       = {.name = "sign", .kind = ROW_HOST, .phase = JOB_RUNNING, .run_if = rows_if_key_made,
                         .message = LEDGER_SIGN},
    [PLAN_ISSUE]      = {.name = "issue", .kind = ROW_HOST, .phase = JOB_RUNNING, .run_if = rows_if_key_made,
                         .message = LEDGER_ISSUE, .end = rows_end_issue},
    [PLAN_KEY_READY]  = {.name = "key_ready", .kind = ROW_CHECK, .phase = JOB_RUNNING, .run_if = rows_if_key,
                         .end = rows_end_key_ready},
    [PLAN_DIGEST]     = {.name = "digest", .kind = ROW_HOST, .phase = JOB_RUNNING, .run_if = rows_if_not_digested,
                         .message = LEDGER_DIGEST, .end = rows_end_digest},
    [PLAN_EXPLAIN]    = {.name = "explain", .kind = ROW_HOST, .phase = JOB_RUNNING, .run_if = rows_if_unexplained,
                         .message = LEDGER_EXPLAIN, .end = rows_end_explain},
    [PLAN_DECIDE]     = {.name = "decide", .kind = ROW_CHECK, .phase = JOB_RUNNING, .end = rows_end_decide},
    /*  products that sign their commands: rows_…owner… of job/rows_sudo.c                                             */
    [PLAN_AUTHORIZE]  = {.name = "authorize", .kind = ROW_HOST, .phase = JOB_RUNNING, .run_if = rows_if_to_authorize,
                         .message = LEDGER_AUTHORIZE, .end = rows_end_authorize},
    /*  > AT%XPMNG=2
     *  < %XPMNG: "-----BEGIN PUBLIC KEY-----<LF>MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE…"
     *  < OK                    513: none is there                                                                    */
    [PLAN_OWNER]      = {.name = "owner", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_OWNER,
                         .run_if = rows_if_owner_unknown, .send = rows_send_owner, .prefix = "%XPMNG:",
                         .line = rows_line_owner, .end = rows_end_owner, .timeout_ms = 5000, .tries = 3,
                         .odd = REASON_unexpected_answer},
    /*  > AT%CMNG=3,0,5         another's, where the product says to replace it; so for each tag that it may have
     *  < OK                                                                                                          */
    [PLAN_OWNER_DELETE] = {.name = "owner_delete", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_OWNER,
                         .run_if = rows_if_owner_other, .send = rows_send_owner_delete, .end = rows_end_owner_delete,
                         .timeout_ms = 5000},
    /*  > AT%XPMNG=0,"-----BEGIN PUBLIC KEY-----<LF>MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE…"
     *  < OK                    519, on some builds 520: one is there already                                         */
    [PLAN_OWNER_WRITE] = {.name = "owner_write", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_OWNER,
                         .run_if = rows_if_owner_absent, .send = rows_send_owner_write, .end = rows_end_owner_write,
                         .timeout_ms = 15000},
    /*  > AT%XSUDO=16,"MEUCIQD…";%CMNG=1,16842753
     *  < OK                    changes nothing, and tells before anything is spent whether signatures are taken      */
    [PLAN_OWNER_PROVE] = {.name = "owner_prove", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_PROVE_OWNER,
                         .run_if = rows_if_owner_ours, .send = rows_send_owner_prove, .prefix = "%CMNG:",
                         .line = rows_line_any, .end = rows_end_owner_prove, .timeout_ms = 5000},
    [PLAN_EXPOSE]     = {.name = "expose", .kind = ROW_ASK, .phase = JOB_RUNNING, .run_if = rows_if_to_expose,
                         .message = LEDGER_EXPOSE},
    /*  > AT%CMNG=3,16842753,4
     *  < OK                    with native TLS AT#XCMNG=3,16842753,4, which says ERROR where there is none           */
    [PLAN_DELETE_STRAY] = {.name = "delete_stray", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_DELETE,
                         .run_if = rows_if_stray, .send = rows_send_delete_stray, .end = rows_end_delete_stray,
                         .timeout_ms = 5000},
    /*  > AT%CMNG=3,16842753,1  before writing on firmware that shows no digests: what is seen gone and then seen there
     *  < OK                    can only be what was written                                                          */
    [PLAN_DELETE_ENTRY] = {.name = "delete_entry", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_DELETE,
                         .run_if = rows_if_to_vanish, .send = rows_send_delete_entry, .end = rows_end_delete_entry,
                         .timeout_ms = 5000},
    /*  > AT%CMNG=1,16842753,1
     *  < OK                                                                                                          */
    [PLAN_SEE_GONE]   = {.name = "see_gone", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_LIST,
                         .run_if = rows_if_vanished, .send = rows_send_list_entry, .prefix = "%CMNG:",
                         .line = rows_line_gone, .end = rows_end_gone, .timeout_ms = 5000, .tries = 3,
                         .odd = REASON_unexpected_answer},
    /*  > AT%CMNG=0,16842753,0,"-----BEGIN CERTIFICATE-----<LF>MIIDQTCC…-----END CERTIFICATE-----<LF>"
     *  < OK                    the same for every board, so it may go while the exposure is being committed
     *  and signed: > AT%XSUDO=1212,"MEUCIQD…";%CMNG=0,16842753,0,"-----BEGIN CERTIFICATE-----<LF>MIIDQTCC…"
     *  and with native TLS, here as in all writes, where every failure is a bare ERROR:
     *  > AT#XCMNG=0,16842753,0,"-----BEGIN CERTIFICATE-----<LF>MIIDQTCC…-----END CERTIFICATE-----<LF>"
     *  < OK                                                                                                          */
    [PLAN_WRITE_CA]   = {.name = "write_ca", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_WRITE,
                         .run_if = rows_if_shared_ca, .send = rows_send_write, .end = rows_end_write,
                         .timeout_ms = 15000},
    /*  native TLS only: the CA was taken, so the build is the right one                                              */
    [PLAN_EXPOSE_LATE] = {.name = "expose_late", .kind = ROW_ASK, .phase = JOB_RUNNING,
                         .run_if = rows_if_to_expose_late, .message = LEDGER_EXPOSE},
    [PLAN_EXPOSED]    = {.name = "exposed", .kind = ROW_AWAIT, .phase = JOB_RUNNING, .run_if = rows_if_expose_out,
                         .message = LEDGER_EXPOSE, .end = rows_end_exposed},
    [PLAN_STILL_HERE] = {.name = "still_here", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_IDENTITY,
                         .run_if = rows_if_was_quiet, .text = "AT+CGSN=1", .prefix = "+CGSN:", .line = rows_line_imei,
                         .end = rows_end_identity, .timeout_ms = 2000, .tries = 3, .odd = REASON_imei_invalid},
    [PLAN_WRITE_BUNDLE_CA] = {.name = "write_bundle_ca", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_WRITE,
                         .run_if = rows_if_bundle_ca, .send = rows_send_write, .end = rows_end_write,
                         .timeout_ms = 15000},
    [PLAN_WRITE_CLIENT_CERT] = {.name = "write_client_cert", .kind = ROW_AT, .phase = JOB_RUNNING,
                         .group = GROUP_WRITE, .run_if = rows_if_client_cert, .send = rows_send_write,
                         .end = rows_end_write, .timeout_ms = 15000},
    [PLAN_WRITE_PSK_IDENTITY] = {.name = "write_psk_identity", .kind = ROW_AT, .phase = JOB_RUNNING,
                         .group = GROUP_WRITE, .run_if = rows_if_psk_identity, .send = rows_send_write,
                         .end = rows_end_write, .timeout_ms = 15000},
    [PLAN_WRITE_PSK]  = {.name = "write_psk", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_WRITE,
                         .run_if = rows_if_psk, .send = rows_send_write, .end = rows_end_write, .timeout_ms = 15000,
                         .is_secret = true},
    /*  the private key last: whatever fails before it has spent nothing that matters                                 */
    [PLAN_WRITE_PRIVATE_KEY] = {.name = "write_private_key", .kind = ROW_AT, .phase = JOB_RUNNING,
                         .group = GROUP_WRITE, .run_if = rows_if_private_key, .send = rows_send_write,
                         .end = rows_end_write, .timeout_ms = 15000, .is_secret = true},
    [PLAN_PROVE]      = {.name = "prove", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_LIST,
                         .run_if = rows_if_prove_whole, .text = "AT%CMNG=1", .prefix = "%CMNG:",
                         .line = rows_line_list, .end = rows_end_list, .timeout_ms = 5000, .tries = 3,
                         .odd = REASON_unexpected_answer},
    [PLAN_PROVE_TAG]  = {.name = "prove_tag", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_LIST,
                         .run_if = rows_if_prove_by_tag, .send = rows_send_list_tag, .prefix = "%CMNG:",
                         .line = rows_line_list, .end = rows_end_list_tag, .timeout_ms = 5000, .tries = 3,
                         .odd = REASON_unexpected_answer},
    [PLAN_PROVE_IMEI] = {.name = "prove_imei", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_IDENTITY,
                         .run_if = rows_if_wrote, .text = "AT+CGSN=1", .prefix = "+CGSN:", .line = rows_line_imei,
                         .end = rows_end_identity, .timeout_ms = 2000, .tries = 3, .odd = REASON_imei_invalid},
    /*  > AT%JWT=0,0,"","8F1C…",16842753,2
     *  < %JWT: "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiIs….eyJpc3MiOi….9ZBl…"
     *  < OK                    the nonce is its audience; without a time, since a modem offline knows none           */
    [PLAN_POSSESS]    = {.name = "possess", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_TOKEN,
                         .run_if = rows_if_to_possess, .send = rows_send_jwt, .prefix = "%JWT:",
                         .line = rows_line_jwt, .end = rows_end_jwt, .timeout_ms = 10000, .tries = 2,
                         .odd = REASON_possession_failed, .hides_answer = true},
    [PLAN_POSSESSED]  = {.name = "possessed", .kind = ROW_HOST, .phase = JOB_RUNNING,
                         .run_if = rows_if_to_possess, .message = LEDGER_POSSESSION, .end = rows_end_possessed},
    /*  > AT%ATTESTTOKEN
     *  < %ATTESTTOKEN: "2dn3hQFQUDYx….0oRDoQEmoQRBIfZYQGuX…"
     *  < OK                    the cloud knows the device by it; whoever has it can claim the device there           */
    [PLAN_ATTEST]     = {.name = "attest", .kind = ROW_AT, .phase = JOB_RUNNING, .group = GROUP_OPTIONAL,
                         .run_if = rows_if_to_attest, .text = "AT%ATTESTTOKEN", .prefix = "%ATTESTTOKEN:",
                         .line = rows_line_attest, .end = rows_end_attest, .timeout_ms = 5000, .hides_answer = true},
    [PLAN_ATTESTED]   = {.name = "attested", .kind = ROW_HOST, .phase = JOB_RUNNING,
                         .run_if = rows_if_attested, .message = LEDGER_ATTEST, .end = rows_end_attested},
    [PLAN_JUDGE]      = {.name = "judge", .kind = ROW_CHECK, .phase = JOB_RUNNING, .end = rows_end_judge},
    /*  > AT+CFUN=0
     *  < OK                    settings reach NVM here; boards reset without it are blocked from attaching after 5 to 7 */
    [PLAN_LEAVE]      = {.name = "leave", .kind = ROW_AT, .phase = JOB_LEAVING, .group = GROUP_LEAVE,
                         .run_if = rows_if_to_leave, .send = rows_send_leave, .timeout_ms = 10000},
    [PLAN_RECORD]     = {.name = "record", .kind = ROW_HOST, .phase = JOB_RECORDING, .message = LEDGER_RECORD},
};

static const struct no_rule rules[] = {
    /* group           code          action    times  outcome       fault          reason                    detail */
    {GROUP_SETUP,    707,          NO_REPEAT,  8,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_bytes_lost,        "octets are lost in every command"},
    {GROUP_SETUP,    CODE_TIMEOUT, NO_RECOVER, 4,   OUTCOME_FAIL, FAULT_BOARD,      REASON_no_answer,         "stopped answering"},
    {GROUP_SETUP,    CODE_ERROR,   NO_REPEAT,  2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},
    {GROUP_SETUP,    528,          NO_END,     0,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_supply_low,        NULL},
    {GROUP_SETUP,    CODE_ANY,     NO_REPEAT,  2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},

    {GROUP_IDENTITY, 707,          NO_REPEAT,  8,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_bytes_lost,        "octets are lost in every command"},
    {GROUP_IDENTITY, CODE_TIMEOUT, NO_RECOVER, 4,   OUTCOME_FAIL, FAULT_BOARD,      REASON_no_answer,         "stopped answering"},
    {GROUP_IDENTITY, CODE_ANY,     NO_REPEAT,  2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_identity_missing,  NULL},

    {GROUP_OPTIONAL, CODE_TIMEOUT, NO_RECOVER, 4,   OUTCOME_FAIL, FAULT_BOARD,      REASON_no_answer,         "stopped answering"},
    {GROUP_OPTIONAL, CODE_ANY,     NO_IGNORE,  255, OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},

    {GROUP_LIST,     707,          NO_REPEAT,  8,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_bytes_lost,        "octets are lost in every command"},
    {GROUP_LIST,     CODE_TIMEOUT, NO_RECOVER, 4,   OUTCOME_FAIL, FAULT_BOARD,      REASON_no_answer,         "the list was never finished"},
    {GROUP_LIST,     513,          NO_IGNORE,  255, OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},
    {GROUP_LIST,     60,           NO_RECOVER, 1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_modem_crashed,     NULL},
    {GROUP_LIST,     CODE_ERROR,   NO_SETUP,   2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},
    {GROUP_LIST,     CODE_ANY,     NO_REPEAT,  2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},

    {GROUP_DELETE,   707,          NO_REPEAT,  8,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_bytes_lost,        "octets are lost in every command"},
    {GROUP_DELETE,   CODE_TIMEOUT, NO_RECOVER, 4,   OUTCOME_FAIL, FAULT_BOARD,      REASON_no_answer,         "a deletion was never answered"},
    {GROUP_DELETE,   513,          NO_IGNORE,  255, OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},
    {GROUP_DELETE,   514,          NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_entry_protected,   NULL},
    {GROUP_DELETE,   518,          NO_OFFLINE, 2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, "the modem does not stay offline"},
    {GROUP_DELETE,   528,          NO_POWER,   1,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_supply_low,        NULL},
    {GROUP_DELETE,   60,           NO_RECOVER, 1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_modem_crashed,     NULL},
    {GROUP_DELETE,   CODE_ERROR,   NO_SETUP,   1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},
    {GROUP_DELETE,   CODE_ANY,     NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},

    /* One damaged octet makes another command of it (type 11 of type 1), so no refusal is believed at once.           */
    /* A write that was never answered may have been stored: the list tells. A second time it is the line's fault.  */
    {GROUP_WRITE,    707,          NO_REPEAT,  8,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_bytes_lost,        "octets are lost in every command"},
    {GROUP_WRITE,    CODE_TIMEOUT, NO_RECOVER, 4,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_line_wedged,       NULL},
    {GROUP_WRITE,    514,          NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_entry_protected,   NULL},
    {GROUP_WRITE,    515,          NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_memory_full,       NULL},
    {GROUP_WRITE,    20,           NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_memory_full,       NULL},
    {GROUP_WRITE,    23,           NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_modem_crashed,     "memory failure"},
    {GROUP_WRITE,    24,           NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_CREDENTIAL, REASON_too_long,          NULL},
    {GROUP_WRITE,    518,          NO_OFFLINE, 1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, "the modem does not stay offline"},
    {GROUP_WRITE,    519,          NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_entry_protected,   "it exists and cannot be overwritten"},
    {GROUP_WRITE,    520,          NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_entry_protected,   "the modem asks for a signed command: signed_commands of the product, by who owns its key"},
    /* The station has parsed it, so a refusal means that it arrived changed. The same again is the path's doing.    */
    {GROUP_WRITE,    527,          NO_SETUP,   1,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_content_refused,   "refused twice, though the certificate is sound"},
    {GROUP_WRITE,    528,          NO_POWER,   1,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_supply_low,        NULL},
    {GROUP_WRITE,    60,           NO_RECOVER, 1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_modem_crashed,     NULL},
    {GROUP_WRITE,    CODE_ERROR,   NO_SETUP,   1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},
    {GROUP_WRITE,    CODE_ANY,     NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},

    /* AT#XCMNG never says why: a lost octet, a modem gone online, a warning latched, or no such entry to delete.      */
    /* What may have caused it is undone and the list read anew; for the second time see rows_end_native_refused.      */
    {GROUP_NATIVE_WRITE, CODE_TIMEOUT, NO_RECOVER, 4, OUTCOME_FAIL, FAULT_FIXTURE,  REASON_line_wedged,       NULL},
    {GROUP_NATIVE_WRITE, CODE_ANY, NO_POWER,   1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},
    {GROUP_NATIVE_DELETE, CODE_TIMEOUT, NO_RECOVER, 4, OUTCOME_FAIL, FAULT_BOARD,   REASON_no_answer,         "a deletion was never answered"},
    {GROUP_NATIVE_DELETE, CODE_ANY, NO_POWER,  2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},

    /* Writing says "exists" when what was read before was damaged: it is read again.                                 */
    {GROUP_OWNER,    CODE_TIMEOUT, NO_RECOVER, 4,   OUTCOME_FAIL, FAULT_BOARD,      REASON_no_answer,         "stopped answering"},
    {GROUP_OWNER,    513,          NO_IGNORE,  255, OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},
    {GROUP_OWNER,    514,          NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_entry_protected,   NULL},
    {GROUP_OWNER,    515,          NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_memory_full,       NULL},
    {GROUP_OWNER,    518,          NO_OFFLINE, 2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, "the modem does not stay offline"},
    {GROUP_OWNER,    519,          NO_OFFLINE, 2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_authentication_failed, "a public key is there already, and none is shown"},
    {GROUP_OWNER,    520,          NO_OFFLINE, 2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_authentication_failed, "a public key is there already, and none is shown"},
    {GROUP_OWNER,    528,          NO_POWER,   1,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_supply_low,        NULL},
    {GROUP_OWNER,    60,           NO_RECOVER, 1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_modem_crashed,     NULL},
    {GROUP_OWNER,    CODE_ERROR,   NO_SETUP,   2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_authentication_failed, "this modem or its host program knows no public keys"},
    {GROUP_OWNER,    CODE_ANY,     NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},

    {GROUP_PROVE_OWNER, CODE_TIMEOUT, NO_RECOVER, 4, OUTCOME_FAIL, FAULT_BOARD,     REASON_no_answer,         "stopped answering"},
    {GROUP_PROVE_OWNER, 513,       NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_authentication_failed, "the modem finds no public key"},
    {GROUP_PROVE_OWNER, 514,       NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_authentication_failed, "the modem cannot use its public key"},
    {GROUP_PROVE_OWNER, 520,       NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_authentication_failed, "the station's public key is there, and its signature is refused"},
    {GROUP_PROVE_OWNER, CODE_ERROR, NO_SETUP,  2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_authentication_failed, "this modem or its host program knows no %XSUDO"},
    {GROUP_PROVE_OWNER, CODE_ANY,  NO_REPEAT,  2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, NULL},

    /* The key was shown to be right, so the octets arrived other than they were signed; nothing was carried out.      */
    {GROUP_SIGNED,   CODE_ANY,     NO_SETUP,   1,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_bytes_lost,        "signatures are refused though the key is right: the commands arrive damaged"},

    /* A key may have been made all the same: the list tells. 519 is one that the list did not show.                   */
    {GROUP_KEYGEN,   CODE_TIMEOUT, NO_RECOVER, 2,   OUTCOME_FAIL, FAULT_BOARD,      REASON_keygen_failed,     "never answered"},
    {GROUP_KEYGEN,   514,          NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_entry_protected,   NULL},
    {GROUP_KEYGEN,   515,          NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_memory_full,       NULL},
    {GROUP_KEYGEN,   518,          NO_OFFLINE, 1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_unexpected_answer, "the modem does not stay offline"},
    {GROUP_KEYGEN,   519,          NO_OFFLINE, 1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_keygen_failed,     "it says that a key stands there, and lists none"},
    {GROUP_KEYGEN,   523,          NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_keygen_failed,     NULL},
    {GROUP_KEYGEN,   528,          NO_POWER,   1,   OUTCOME_FAIL, FAULT_FIXTURE,    REASON_supply_low,        NULL},
    {GROUP_KEYGEN,   60,           NO_RECOVER, 1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_modem_crashed,     NULL},
    {GROUP_KEYGEN,   CODE_ERROR,   NO_SETUP,   1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_keygen_failed,     "this modem or its host program knows no such command"},
    {GROUP_KEYGEN,   CODE_ANY,     NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_keygen_failed,     NULL},

    {GROUP_TOKEN,    CODE_TIMEOUT, NO_RECOVER, 1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_no_answer,         "stopped answering"},
    {GROUP_TOKEN,    CODE_ERROR,   NO_SETUP,   1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_possession_failed, "this modem or its host program knows no such command"},
    {GROUP_TOKEN,    51,           NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_possession_failed, "this build signs no tokens"},
    {GROUP_TOKEN,    CODE_ANY,     NO_REPEAT,  1,   OUTCOME_FAIL, FAULT_BOARD,      REASON_possession_failed, NULL},

    /* The verdict stands already: in the end it is only noted that the board was left badly.                         */
    {GROUP_LEAVE,    CODE_ANY,     NO_REPEAT,  3,   OUTCOME_NONE, FAULT_NONE,       REASON_leave_failed,      NULL},
};
/* clang-format on */

#define RULES (sizeof(rules) / sizeof(rules[0]))

const struct row *plan_row(enum plan_row row)
{
    return &rows[row];
}

static bool takes_answer(const struct row *row, enum ledger_kind kind)
{
    return (row->kind == ROW_HOST || row->kind == ROW_AWAIT) && row->message == kind;
}

const struct row *plan_answer_row(enum ledger_kind kind)
{
    int i = 0;
    while (!takes_answer(&rows[i], kind)) {
        i++; /* plan_check shows that there is one */
    }
    return &rows[i];
}

static bool rule_fits(const struct no_rule *rule, enum row_group group, int code)
{
    return rule->group == group && (rule->code == code || rule->code == CODE_ANY);
}

const struct no_rule *plan_no_rule(enum row_group group, int code)
{
    for (size_t i = 0; i < RULES; i++) {
        if (rule_fits(&rules[i], group, code)) {
            return &rules[i];
        }
    }
    return &rules[RULES - 1]; /* plan_check shows that every group ends with CODE_ANY */
}

static const char *check_row(const struct row *row)
{
    if (!row->name) {
        return "a row has no name";
    }
    for (const struct row *other = rows; other < row; other++) {
        if (strcmp(other->name, row->name) == 0) {
            return row->name;
        }
    }
    if (row->kind != ROW_AT) {
        return row->kind == ROW_CHECK && !row->end ? row->name : NULL;
    }
    bool is_sound = row->timeout_ms > 0 && (row->text != NULL) != (row->send != NULL) &&
                    row->group != GROUP_NONE && (row->prefix != NULL) == (row->line != NULL);
    return is_sound ? NULL : row->name;
}

static uint32_t count_takers(enum ledger_kind kind)
{
    uint32_t n = 0;
    for (int i = 0; i < PLAN_ROWS; i++) {
        n += takes_answer(&rows[i], kind);
    }
    return n;
}

const char *plan_check(void)
{
    for (int i = 0; i < PLAN_ROWS; i++) {
        const char *bad = check_row(&rows[i]);
        if (bad) {
            return bad;
        }
    }
    for (int kind = LEDGER_CLAIM; kind <= LEDGER_RECORD; kind++) {
        if (count_takers((enum ledger_kind)kind) != 1) {
            return "a message's answer is taken by no row, or by several";
        }
    }
    for (int group = GROUP_SETUP; group <= GROUP_LEAVE; group++) {
        const struct no_rule *last = plan_no_rule((enum row_group)group, CODE_ANY);
        if (last->group != (enum row_group)group) {
            return "a group has no rule for every code";
        }
    }
    return NULL;
}
