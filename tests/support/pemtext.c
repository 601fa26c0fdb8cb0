#include "support/pemtext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/pem.h"

#define FOLDER "/usr/share/ca-certificates/mozilla/"

static void must(int ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "pemtext: %s\n", what);
        abort();
    }
}

static const char *read_once(char *text, const char *path)
{
    if (text[0] == '\0') {
        FILE *file = fopen(path, "r");
        must(file != NULL, path);
        size_t n = fread(text, 1, PEMTEXT_SIZE - 1, file);
        must(n > 0 && n < PEMTEXT_SIZE - 1, path);
        text[n] = '\0';
        (void)fclose(file);
    }
    return text;
}

const char *pemtext_amazon(void)
{
    static char text[PEMTEXT_SIZE];
    return read_once(text, FOLDER "Amazon_Root_CA_1.crt");
}

const char *pemtext_isrg(void)
{
    static char text[PEMTEXT_SIZE];
    return read_once(text, FOLDER "ISRG_Root_X1.crt");
}

static void add(char *out, size_t *len, const char *text, size_t n)
{
    must(*len + n < PEMTEXT_SIZE, "a changed text is too long");
    memcpy(out + *len, text, n);
    *len += n;
    out[*len] = '\0';
}

size_t pemtext_make(const char *text, const struct pemtext_change *change, char *out)
{
    char found[PEMTEXT_SIZE];
    size_t len = 0;
    const char *hit = change->find != NULL ? strstr(text, change->find) : NULL;
    must(change->find == NULL || hit != NULL, "what should be replaced is not there");
    if (hit != NULL) {
        add(found, &len, text, (size_t)(hit - text));
        add(found, &len, change->put, strlen(change->put));
        add(found, &len, hit + strlen(change->find), strlen(hit) - strlen(change->find));
        text = found;
    }

    len = 0;
    out[0] = '\0';
    if (change->before != NULL) {
        add(out, &len, change->before, strlen(change->before));
    }
    size_t end = strlen(text);
    if (change->drops_final && end > 0 && text[end - 1] == '\n') {
        end--;
    }
    for (size_t i = 0; i < end; i++) {
        const char *line_end = change->line_end != NULL ? change->line_end : "\n";
        if (text[i] == '\n') {
            add(out, &len, line_end, strlen(line_end));
        } else {
            add(out, &len, text + i, 1);
        }
    }
    if (change->behind != NULL) {
        add(out, &len, change->behind, strlen(change->behind));
    }
    return len;
}

size_t pemtext_patch(const char *pem, const char *find, const char *put, char out[PEMTEXT_SIZE])
{
    struct pem read;
    must(pem_parse(span_str(pem), &read) == 0 && read.n_blocks > 0, "not a PEM text");
    struct span der = read.blocks[0].der;
    char *at = memmem(der.at, der.len, find, strlen(find));
    must(at != NULL, find);
    must(strlen(find) == strlen(put), put);
    memcpy(at, put, strlen(put));
    int64_t n = pem_write(&read, (struct pem_style){.final_line_end = true}, out, PEMTEXT_SIZE - 1);
    pem_done(&read);
    must(n > 0, "it does not fit");
    out[n] = '\0';
    return (size_t)n;
}
