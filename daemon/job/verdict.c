/*
 * The one table of reasons. A remedy speaks to the person in front of the rack: what to do now, in one
 * sentence.
 */
#include "job/verdict.h"

#include <string.h>

enum { /* FAULT_OF_<reason>: where a reason's fault usually lies, from the list in the header */
#define X(name, fault) FAULT_OF_##name = FAULT_##fault,
       REASON_LIST(X)
#undef X
};

#define ROW(reason, title_, cause_, remedy_)                                                                 \
    [REASON_##reason] = {.name = #reason,                                                                    \
                         .fault = (enum fault)FAULT_OF_##reason,                                             \
                         .title = (title_),                                                                  \
                         .cause = (cause_),                                                                  \
                         .remedy = (remedy_)}

static const struct reason_text reasons[] = {
    ROW(row_invalid, "Row refused", "A row of the imported file is not as a bundle must be.",
        "Correct the row as its detail says and import the file again."),
    ROW(ok, "Provisioned", "Every credential was written and proven.", "Take the board out."),
    ROW(already_right, "Already right", "The board held exactly its own credentials; nothing was written.",
        "Take the board out."),
    ROW(presence_only, "Present, not proven",
        "This modem firmware lists no digests, so only the presence of each entry was seen.",
        "Take the board out; update the modem firmware to 1.3.2 or later for a real proof."),
    ROW(leave_failed, "Provisioned, not shut down",
        "Credentials are proven, but the modem did not confirm its last command.",
        "Take the board out; the next power-on counts as an unclean reset of the modem."),
    ROW(no_answer, "No answer", "The board said nothing to any probe.",
        "Check power and seating, then that the provisioning firmware is on the board."),
    ROW(wrong_front_end, "Unknown firmware", "The board answers, but not as an AT host that Certline knows.",
        "Flash the provisioning firmware and put the board back."),
    ROW(identity_missing, "No identity", "The modem did not tell its IMEI or firmware version.",
        "Set the board aside: its modem may hold a production-test image or no IMEI."),
    ROW(imei_invalid, "IMEI invalid", "The IMEI fails its own check digit, several times over.",
        "Put the board back once; if it stays so, set it aside."),
    ROW(firmware_not_allowed, "Modem firmware not allowed",
        "The product does not admit this modem firmware, or it cannot show digests.",
        "Update the modem firmware, then put the board back."),
    ROW(model_not_allowed, "Model not allowed", "The product does not admit this kind of board.",
        "Check that the right boards are in the rack for this work order."),
    ROW(modem_crashed, "Modem crashed", "The modem reported a system failure or stopped in mid-answer.",
        "Power-cycle the board and put it back; set it aside if it happens again."),
    ROW(memory_full, "Credential memory full", "The modem has no room for another entry.",
        "Delete old entries under other tags, or take a fresh board."),
    ROW(foreign_key, "Unknown key", "A private key of unknown origin stands under the product's tag.",
        "Hand the board to an engineer: Certline does not delete keys it did not make."),
    ROW(foreign_entry, "Other credentials present",
        "Entries stand under the product's tags and the product says to refuse them.",
        "Hand the board to an engineer, or let the product replace them."),
    ROW(authentication_failed, "Signature not accepted",
        "The board's public key is not that of the station, or the modem refuses what the station signed.",
        "Hand the board to an engineer: its public key, or the product's signed_commands, is not as it must "
        "be."),
    ROW(entry_protected, "Entry protected", "The modem does not allow this entry to be changed.",
        "Hand the board to an engineer: tag or type of the product is wrong for this board."),
    ROW(content_refused, "Certificate refused",
        "The modem twice refused a certificate that the station has parsed: line breaks are altered or "
        "octets lost on the way.",
        "Check the slot's RTS/CTS wiring and the board's firmware, then put the board back."),
    ROW(digest_mismatch, "Wrong content on the board", "The modem holds something other than what was sent.",
        "Put the board into another slot; if it stays so, set the board aside."),
    ROW(keygen_failed, "Key not made", "The modem could not generate its key.",
        "Put the board back once; if it stays so, set it aside."),
    ROW(csr_invalid, "Request invalid", "The signing request of the board does not verify.",
        "Put the board back once; if it stays so, set it aside."),
    ROW(possession_failed, "Key not proven", "The board could not sign with the key of its certificate.",
        "Set the board aside for an engineer."),
    ROW(rebooted, "Board keeps rebooting", "The board restarted again and again during the job.",
        "Check its supply, then put it back."),
    ROW(bytes_lost, "Octets lost", "What arrived on the board is damaged, differently each time.",
        "Check RTS/CTS wiring of this slot."),
    ROW(line_wedged, "Write never answered",
        "Small commands work but writing a credential does not: the end of the command is lost.",
        "Check RTS/CTS wiring and the AT host's buffer size on this board."),
    ROW(supply_low, "Supply too low", "The modem's power-off warning is active.",
        "Check this slot's supply and contacts, then put the board back."),
    ROW(port_open_failed, "Port cannot be opened", "The station could not open or configure the serial port.",
        "Check the cable and that no other program holds the port."),
    ROW(flow_control_missing, "No flow control", "The board does not hold back the station when it is busy.",
        "Wire RTS/CTS in this slot."),
    ROW(wrong_port, "Wrong port", "This port carries the board's log, not its AT commands.",
        "Connect the slot to the board's other serial port."),
    ROW(no_bundle, "No credentials left",
        "No bundle is free for this product, or none is bound to this board.",
        "Import more credentials for the product, then press retry."),
    ROW(bundle_not_for_board, "Credentials of another product",
        "The bundle bound to this board belongs to another product.",
        "Check the work order and the imported file."),
    ROW(key_mismatch, "Key does not match", "The private key does not belong to the certificate.",
        "Have the credentials issued again and import them."),
    ROW(key_invalid, "Key invalid", "The private key cannot be parsed.",
        "Have the credentials issued again and import them."),
    ROW(certificate_invalid, "Certificate invalid", "The certificate cannot be parsed.",
        "Have the credentials issued again and import them."),
    ROW(certificate_expired, "Certificate expired", "The certificate is not valid today.",
        "Check the station's clock, then have the credentials issued again."),
    ROW(pem_form, "PEM malformed", "The text of a credential is not a PEM that a modem takes.",
        "Correct the file as its finding says and import it again."),
    ROW(too_long, "Credential too long", "The whole command is longer than the board's AT host can take.",
        "Use a smaller certificate or key, or a firmware with a larger buffer."),
    ROW(reserved_tag, "Tag reserved", "The product uses a tag that is the modem's own or for tests only.",
        "Choose another sec_tag for the product."),
    ROW(duplicate_identity, "Identity used twice", "The same certificate or id is in the store already.",
        "Check the file: every board needs its own credentials."),
    ROW(duplicate_key, "Key of another board", "The board holds, or was to get, another board's key.",
        "Stop and call an engineer: a copied key is a security incident."),
    ROW(store_failed, "Database failed", "The station could not read or write its database.",
        "Leave the board in; check the disk's space and health."),
    ROW(key_locked, "Wrapping key missing", "The key that unseals the credentials is not available.",
        "Call an engineer: put the wrapping key back and restart the station."),
    ROW(signer_failed, "Signer failed", "The certificate could not be issued.", "Call an engineer."),
    ROW(station_restarted, "Station restarted", "The station stopped during this job.",
        "Put the board back: it continues where it was."),
    ROW(mark_ahead, "Database is older than its mark",
        "The database was restored or copied: it may give credentials out twice.",
        "Call an engineer to reconcile it (certlined reconcile)."),
    ROW(clock_wrong, "Clock wrong", "The station's clock is not to be trusted.",
        "Set the clock and restart the station."),
    ROW(internal, "Internal error", "Certline met a state that it does not know.",
        "Put the board back; send the job's record to support if it happens again."),
    ROW(aborted, "Aborted", "A person stopped this job.", "Press retry or put the board back."),
    ROW(unplugged, "Board removed", "The board left in the middle of its job.",
        "Put it back: it continues with its own credentials."),
    ROW(no_order, "No work order", "No order is open for this fixture.",
        "Open a work order for this fixture."),
    ROW(order_full, "Work order full", "As many boards as ordered have passed or are being worked on.",
        "Take the board out, or open the next order."),
    ROW(order_conflict, "Order conflict", "The order does not fit this fixture or product.",
        "Check the work orders of this fixture."),
    ROW(already_passed, "Passed before", "This board passed before and the product refuses a second visit.",
        "Take the board out."),
    ROW(duplicate_imei, "Same IMEI twice",
        "Two boards answer with the same IMEI, at once or one after the other.",
        "Take out all that have it and hand them to an engineer."),
    ROW(quarantined, "Slot in quarantine", "This slot failed board after board.",
        "Use another slot until this one is repaired and released."),
    ROW(timeout, "Took too long", "The job passed its limit.", "Put the board back once."),
    ROW(unexpected_answer, "Answer not understood",
        "The board answered in a way that Certline does not know.",
        "Put the board back once; send the job's record to support if it stays so."),
};
#undef ROW

_Static_assert(sizeof(reasons) / sizeof(reasons[0]) == REASON_COUNT, "every reason has its words");

const struct reason_text *reason_text(enum reason reason)
{
    return &reasons[(unsigned)reason < REASON_COUNT ? reason : REASON_internal];
}

int reason_from_name(const char *name)
{
    for (int i = 0; i < REASON_COUNT; i++) {
        if (strcmp(reasons[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *const outcome_names[] = {
#define X(name, text) [name] = text,
    OUTCOME_LIST(X)
#undef X
};

static const char *const fault_names[] = {
#define X(name, text) [name] = text,
    FAULT_LIST(X)
#undef X
};

static int find(const char *const *table, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(table[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *outcome_name(enum outcome outcome)
{
    return outcome_names[outcome];
}

int outcome_from_name(const char *name)
{
    return find(outcome_names, (int)(sizeof(outcome_names) / sizeof(outcome_names[0])), name);
}

const char *fault_name(enum fault fault)
{
    return fault_names[fault];
}
