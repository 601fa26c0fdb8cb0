/*
 * %XSUDO: a command with a signature over its text, for builds that restrict commands to the owner of the key
 * that %XPMNG installed.
 *
 *   > AT%XSUDO=35,"<base64 of a DER signature>";%CMNG=0,1,0,"TEST ROOT CERTIFICATE"
 *
 * Only so many characters as announced are taken of what follows the semicolon; less than that is 520. The
 * command then runs as if it had come alone.
 */
#include <string.h>

#include <openssl/evp.h>

#include "sim/modem.h"
#include "sim/p256.h"

#define PUBLIC_TAG_MAX 9
#define SIGN_CHARS_MAX 128
#define COMMAND_MAX    8192

/* Base64 without line ends. Returns the number of octets, or -1. */
static int decode(const char *text, size_t len, uint8_t out[SIGN_CHARS_MAX])
{
    char copy[SIGN_CHARS_MAX];

    if (len == 0 || len > sizeof copy || len % 4 != 0)
        return -1;
    memcpy(copy, text, len);
    int n = EVP_DecodeBlock(out, (const unsigned char *)copy, (int)len);
    return n < 0 ? -1 : n - (copy[len - 1] == '=') - (copy[len - 2] == '=');
}

void xsudo_begin(struct modem *m, struct modem_call *call)
{
    struct sim_args *a = &call->args;
    uint8_t sign[SIGN_CHARS_MAX];
    size_t sign_len = 0;

    uint32_t len = sim_args_number(a, COMMAND_MAX);
    const char *text = sim_args_string(a, &sign_len);
    uint32_t tag = sim_args_more(a) && *a->at == ',' ? sim_args_number(a, PUBLIC_TAG_MAX) : MODEM_ANY_TAG;
    if (a->is_wrong || a->at == a->end || *a->at != ';') {
        call->code = modem_bad_parameter(m);
        return;
    }
    const char *command = a->at + 1;
    size_t there = (size_t)(a->end - command);
    int i = modem_public_key(m, tag);
    int n = decode(text, sign_len, sign);
    if (i < 0) {
        call->code = CME_NOT_FOUND;
        return;
    }
    if (n < 0 || len == 0 || len > there) {
        call->code = modem_denied(m);
        return;
    }
    int is_good = p256_verify(m->flash.memory + m->flash.slots[i].at, m->flash.slots[i].len, command, len,
                              sign, (size_t)n);
    if (is_good == 1)
        modem_begin_at(m, command, len);
    else
        call->code = is_good < 0 ? CME_NO_ACCESS : modem_denied(m);
}
