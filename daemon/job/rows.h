/*
 * What the rows of the plan do: choose, send, read, judge. Private to job/. One file a phase of a job; what
 * they share stands at the end.
 *
 * rows_if_… say whether a row is needed and pick what it works on. rows_send_… fill in a command whose octets
 * live in the job until the next one. rows_line_… take an information line and say job->is_odd when they
 * cannot read it. rows_end_… take the end, and say where it goes on; those of a ledger's answer may run while
 * the job is in another row, and move nowhere.
 */
#ifndef CERTLINE_JOB_ROWS_H
#define CERTLINE_JOB_ROWS_H

#include "job/plan.h"

/* ---- who answers, and whether it is admitted: rows_identity.c ---- */

bool rows_if_may_ident(struct job *job);
bool rows_if_has_transfer(struct job *job);
bool rows_if_no_ident(struct job *job);
bool rows_if_uuid(struct job *job);
bool rows_if_not_admitted(struct job *job);
bool rows_if_was_quiet(struct job *job);
bool rows_if_wrote(struct job *job);
void rows_line_ident(struct job *job, struct span line);
void rows_line_imei(struct job *job, struct span line);
void rows_line_firmware(struct job *job, struct span line);
void rows_line_model(struct job *job, struct span line);
void rows_line_hardware(struct job *job, struct span line);
void rows_line_uuid(struct job *job, struct span line);
void rows_line_supply(struct job *job, struct span line);
enum row_next rows_end_ident(struct job *job);
enum row_next rows_end_identity(struct job *job);
enum row_next rows_end_firmware(struct job *job);
enum row_next rows_end_uuid(struct job *job);
enum row_next rows_end_allow(struct job *job);

/* The store knows this IMEI as another device: whether it is one is asked a second time, from the row that
 * this sets. False: it was, and stays so. */
bool rows_ask_device_again(struct job *job);

/* ---- offline, and what the board lists: rows_list.c ---- */

bool rows_if_as_found(struct job *job);
bool rows_if_power_warned(struct job *job);
bool rows_if_whole_list(struct job *job);
bool rows_if_list_by_tag(struct job *job);
bool rows_if_prove_whole(struct job *job);
bool rows_if_prove_by_tag(struct job *job);
void rows_send_list_tag(struct job *job, struct chat_command *command);
void rows_line_found(struct job *job, struct span line);
void rows_line_supply_again(struct job *job, struct span line);
void rows_line_list(struct job *job, struct span line);
enum row_next rows_end_power(struct job *job);
enum row_next rows_end_offline(struct job *job);
enum row_next rows_end_list(struct job *job);
enum row_next rows_end_list_tag(struct job *job);

/* ---- keys that boards make, and their possession: rows_key.c ---- */

bool rows_if_key(struct job *job);
bool rows_if_key_orphan(struct job *job);
bool rows_if_key_deleted(struct job *job);
bool rows_if_to_intend(struct job *job);
bool rows_if_to_make_key(struct job *job);
bool rows_if_key_unlisted(struct job *job);
bool rows_if_key_made(struct job *job);
bool rows_if_key_uuid(struct job *job);
bool rows_if_to_possess(struct job *job);
bool rows_if_to_attest(struct job *job);
bool rows_if_attested(struct job *job);
void rows_send_delete_key(struct job *job, struct chat_command *command);
void rows_send_list_key(struct job *job, struct chat_command *command);
void rows_send_keygen(struct job *job, struct chat_command *command);
void rows_send_jwt(struct job *job, struct chat_command *command);
void rows_line_key(struct job *job, struct span line);
void rows_line_keygen(struct job *job, struct span line);
void rows_line_key_uuid(struct job *job, struct span line);
void rows_line_jwt(struct job *job, struct span line);
void rows_line_attest(struct job *job, struct span line);
enum row_next rows_end_key_decide(struct job *job);
enum row_next rows_end_delete_key(struct job *job);
enum row_next rows_end_key_gone(struct job *job);
enum row_next rows_end_key_absent(struct job *job);
enum row_next rows_end_intend(struct job *job);
enum row_next rows_end_key_seen(struct job *job);
enum row_next rows_end_key_uuid(struct job *job);
enum row_next rows_end_csr(struct job *job);
enum row_next rows_end_issue(struct job *job);
enum row_next rows_end_key_ready(struct job *job);
enum row_next rows_end_jwt(struct job *job);
enum row_next rows_end_possessed(struct job *job);
enum row_next rows_end_attest(struct job *job);
enum row_next rows_end_attested(struct job *job);

/* The made key's entry is not right, and digests are known: what stands there, and whose doing is it? */
enum row_next rows_decide_key(struct job *job);

/* %KEYGEN was answered with a no. */
void rows_key_refused(struct job *job);

/* The entry of the key that the board makes; -1: none. */
int rows_key_entry(const struct job *job);

/* ---- what it is to hold, what differs, and may it be written: rows_decide.c ---- */

bool rows_if_not_claimed(struct job *job);
bool rows_if_not_digested(struct job *job);
bool rows_if_unexplained(struct job *job);
enum row_next rows_end_claim(struct job *job);
enum row_next rows_end_digest(struct job *job);
enum row_next rows_end_explain(struct job *job);
enum row_next rows_end_decide(struct job *job);

/* A write did not arrive as it left: from now on contents go in chunks. */
void rows_note_damage(struct job *job);

/* ---- authenticated writes: rows_sudo.c ---- */

bool rows_if_to_authorize(struct job *job);
bool rows_if_owner_unknown(struct job *job);
bool rows_if_owner_other(struct job *job);
bool rows_if_owner_absent(struct job *job);
bool rows_if_owner_ours(struct job *job);
void rows_send_owner(struct job *job, struct chat_command *command);
void rows_send_owner_delete(struct job *job, struct chat_command *command);
void rows_send_owner_write(struct job *job, struct chat_command *command);
void rows_send_owner_prove(struct job *job, struct chat_command *command);
void rows_line_owner(struct job *job, struct span line);
void rows_line_any(struct job *job, struct span line);
enum row_next rows_end_authorize(struct job *job);
enum row_next rows_end_owner(struct job *job);
enum row_next rows_end_owner_delete(struct job *job);
enum row_next rows_end_owner_write(struct job *job);
enum row_next rows_end_owner_prove(struct job *job);

/* The commands of a round, for AUTHORIZE. */
void rows_prepare_commands(struct job *job);

/* A command with its signature, where the product asks for one; head, content and tail are as they will be
 * sent. */
void rows_sign(struct job *job, struct chat_command *command);

/* The deletion of this row is among the signed commands. */
bool rows_is_signed(const struct job *job, const struct cmng_row *stray);

/* ---- exposure, deletions, writes: rows_write.c ---- */

bool rows_if_to_expose(struct job *job);
bool rows_if_to_expose_late(struct job *job);
bool rows_if_expose_out(struct job *job);
bool rows_if_stray(struct job *job);
bool rows_if_to_vanish(struct job *job);
bool rows_if_vanished(struct job *job);
bool rows_if_shared_ca(struct job *job);
bool rows_if_bundle_ca(struct job *job);
bool rows_if_client_cert(struct job *job);
bool rows_if_psk_identity(struct job *job);
bool rows_if_psk(struct job *job);
bool rows_if_private_key(struct job *job);
void rows_send_delete_stray(struct job *job, struct chat_command *command);
void rows_send_delete_entry(struct job *job, struct chat_command *command);
void rows_send_list_entry(struct job *job, struct chat_command *command);
void rows_send_write(struct job *job, struct chat_command *command);
void rows_line_gone(struct job *job, struct span line);
enum row_next rows_end_exposed(struct job *job);
enum row_next rows_end_delete_stray(struct job *job);
enum row_next rows_end_delete_entry(struct job *job);
enum row_next rows_end_gone(struct job *job);
enum row_next rows_end_write(struct job *job);

/* Another entry is still to be written after this one: its transfer may be committed while this one is being
 * stored. */
bool rows_has_more_to_write(const struct job *job);

/* The whole command that writes this entry is no longer than an AT host takes. */
bool rows_fits_line(const struct job *job, uint32_t entry);

/* AT#XCMNG said ERROR too often: sets the verdict. */
void rows_end_native_refused(struct job *job);

/* ---- proof, leaving, record: rows_judge.c ---- */

bool rows_if_to_leave(struct job *job);
void rows_send_leave(struct job *job, struct chat_command *command);
enum row_next rows_end_judge(struct job *job);

/* What goes on record, for RECORD. */
void rows_prepare_record(struct job *job);

/* ---- shared: rows.c ---- */

/* Sets the verdict (the first one stands). `detail` NULL: none. */
enum row_next job_end(struct job *job, enum outcome outcome, enum fault fault, enum reason reason,
                      const char *detail);

/* On from that row. */
static inline enum row_next rows_jump(struct job *job, enum plan_row row)
{
    job->row = (uint8_t)row;
    return ROW_JUMP;
}

/* "client_cert (tag 16842753): " before what is wrong with an entry; ends the job as FAIL. */
enum row_next rows_end_for_entry(struct job *job, uint32_t entry, enum fault fault, enum reason reason,
                                 const char *what);

/* This board passed before, and the product only compares it then. */
bool rows_is_compared(const struct job *job);

/* The n-th write of an entry in a job is the last. */
#define ROWS_WRITES_MAX 2

/* This entry is not right, and may be written once more. */
bool rows_is_to_write(const struct job *job, uint32_t entry);

/* What lists and changes entries, without the AT in front: the modem's own, and that of Serial LTE Modem with
 * native TLS. */
#define ROWS_CMNG     "%CMNG="
#define ROWS_XCMNG    "#XCMNG="
#define ROWS_ANY_TYPE UINT32_MAX

/* "%CMNG=opcode,tag,type", or "%CMNG=opcode,tag" for ROWS_ANY_TYPE. */
void rows_add_command(struct buf *b, const char *name, uint32_t opcode, uint32_t sec_tag, uint32_t type);

/* The same behind AT as a command's head, in the job's own memory. */
void rows_head(struct job *job, struct chat_command *command, const char *name, uint32_t opcode,
               uint32_t sec_tag, uint32_t type);

/* "AT%CMNG=opcode,tag,type" of an entry. */
void rows_head_entry(struct job *job, uint32_t entry, uint32_t opcode, struct chat_command *command);

#endif
