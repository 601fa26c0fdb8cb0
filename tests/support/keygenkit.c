#include "support/keygenkit.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool keygenkit_vector(const char *name, char *out, size_t size)
{
    char path[1024];
    const char *folder = getenv("CERTLINE_VECTORS");
    snprintf(path, sizeof(path), "%s/%s", folder ? folder : SOURCE_DIR "/../shared/vectors", name);
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    size_t n = fread(out, 1, size - 1, file);
    fclose(file);
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r')) {
        n--;
    }
    out[n] = '\0';
    return true;
}

struct simboard *keygenkit_board(enum sim_family family, int64_t *now_us)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.family = family;
    struct simboard *board = simboard_new(&config);
    if (!board) {
        abort();
    }
    *now_us = 5000000;
    simboard_run(board, *now_us);
    simboard_port_open(board, *now_us);
    char ignored[8192];
    while (simboard_to_host(board, ignored, sizeof(ignored), *now_us) > 0) {
    }
    if (!keygenkit_ask(board, now_us, "AT+CMEE=1", NULL, NULL, 0) ||
        !keygenkit_ask(board, now_us, "AT+CFUN=4", NULL, NULL, 0)) {
        abort();
    }
    return board;
}

bool keygenkit_ask(struct simboard *board, int64_t *now_us, const char *command, const char *prefix,
                   char *out, size_t size)
{
    static char text[16384];
    size_t len = 0;
    simboard_from_host(board, command, strlen(command), *now_us);
    simboard_from_host(board, "\r", 1, *now_us);
    for (int64_t next; (next = simboard_next_us(board)) != SIM_NEVER;) {
        *now_us = next > *now_us ? next : *now_us;
        simboard_run(board, *now_us);
        len += simboard_to_host(board, text + len, sizeof(text) - 1 - len, *now_us);
    }
    text[len] = '\0';
    if (!strstr(text, "OK\r\n")) {
        return false;
    }
    const char *line = prefix ? strstr(text, prefix) : NULL;
    const char *from = line ? strchr(line, '"') : NULL;
    const char *to = from ? strchr(from + 1, '"') : NULL;
    if (!to || (size_t)(to - from) > size) {
        return prefix == NULL;
    }
    snprintf(out, size, "%.*s", (int)(to - from - 1), from + 1);
    return true;
}

bool keygenkit_is_key_of(struct span cert_der, const char *public_pem)
{
    const unsigned char *at = (const unsigned char *)cert_der.at;
    X509 *cert = d2i_X509(NULL, &at, (long)cert_der.len);
    BIO *bio = BIO_new_mem_buf(public_pem, -1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    bool is_same = cert && key && EVP_PKEY_eq(X509_get0_pubkey(cert), key) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    X509_free(cert);
    return is_same;
}
