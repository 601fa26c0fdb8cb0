/*
 * Runs a fuzz target without libFuzzer: fuzz_x [corpus directory].
 *
 * Every file of the corpus is run as it is and under a fixed number of mutations from a generator whose seed
 * is the file's name, so that two runs are the same run. Without a corpus an empty input is mutated. The
 * target runs in a child process; when that dies, the parent makes the same input again, keeps it in a file
 * and names it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fuzz.h"

#define MUTATIONS_PER_FILE 500
#define FILES_MAX          400
#define SIZE_MOST          16384

struct input {
    size_t size;
    uint8_t octets[SIZE_MOST];
};

/* Where the child is, in memory that both see. */
struct progress {
    int file, mutation;
    long runs;
};

struct corpus {
    char *names[FILES_MAX];
    int count;
    const char *directory;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t seed_of(const char *name, int mutation)
{
    uint64_t seed = UINT64_C(14695981039346656037);
    for (; *name; name++) {
        seed = (seed ^ (uint8_t)*name) * UINT64_C(1099511628211);
    }
    return (seed ^ (uint64_t)mutation * UINT64_C(0x9E3779B97F4A7C15)) | 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_corpus(struct corpus *corpus, const char *directory)
{
    corpus->directory = directory;
    DIR *dir = directory ? opendir(directory) : NULL;
    if (directory && !dir && errno != ENOENT) {
        perror(directory);
        return -1;
    }
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] != '.' && corpus->count < FILES_MAX) {
            corpus->names[corpus->count++] = strdup(entry->d_name);
        }
    }
    if (dir) {
        closedir(dir);
    }
    qsort(corpus->names, (size_t)corpus->count, sizeof(*corpus->names), by_name);
    return 0;
}

static void free_corpus(struct corpus *corpus)
{
    for (int i = 0; i < corpus->count; i++) {
        free(corpus->names[i]);
    }
}

static const char *name_of(const struct corpus *corpus, int file)
{
    return file < corpus->count ? corpus->names[file] : "(empty)";
}

static int load(const struct corpus *corpus, int file, struct input *input)
{
    input->size = 0;
    if (file >= corpus->count) {
        return 0;
    }
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", corpus->directory, corpus->names[file]);
    FILE *in = fopen(path, "rb");
    if (!in) {
        perror(path);
        return -1;
    }
    input->size = fread(input->octets, 1, sizeof(input->octets), in);
    fclose(in);
    return 0;
}

static void insert(struct input *input, size_t at, const uint8_t *octets, size_t n)
{
    if (n > SIZE_MOST - input->size) {
        return;
    }
    memmove(input->octets + at + n, input->octets + at, input->size - at);
    memcpy(input->octets + at, octets, n);
    input->size += n;
}

/* One change: what parsers of lines, quotes and numbers trip over. */
static void mutate_once(struct input *input, uint64_t *random)
{
    static const char *const words[] = {"\r\n", "\"", "\\", "\0", "OK\r\n",     "ERROR", "{", "}",
                                        ",",    "-",  "[",  "]",  "4294967296", "%2e",   "/", "\xff"};
    uint64_t r = next_random(random);
    size_t at = input->size > 0 ? (size_t)(r >> 8) % input->size : 0;
    size_t n = input->size > 0 ? 1 + (size_t)(r >> 32) % (input->size - at < 16 ? input->size - at : 16) : 0;
    uint8_t octet = (uint8_t)(r >> 48), copy[16];
    const char *word = words[(r >> 40) % (sizeof(words) / sizeof(*words))];
    switch (r % 6) {
    case 0:
        insert(input, at, &octet, 1);
        break;
    case 1:
        insert(input, at, (const uint8_t *)word, *word ? strlen(word) : 1);
        break;
    case 2: /* leave out */
        memmove(input->octets + at, input->octets + at + n, input->size - at - n);
        input->size -= n;
        break;
    case 3: /* double */
        memcpy(copy, input->octets + at, n);
        insert(input, at, copy, n);
        break;
    case 4: /* flip a bit */
        if (n > 0) {
            input->octets[at] ^= (uint8_t)(1u << (octet & 7));
        }
        break;
    case 5: /* cut off */
        input->size = octet < 32 ? at : input->size;
        break;
    }
}

static int make(const struct corpus *corpus, int file, int mutation, struct input *input)
{
    int r = load(corpus, file, input);
    uint64_t random = seed_of(name_of(corpus, file), mutation);
    int changes = mutation == 0 ? 0 : 1 + mutation % 8;
    if (corpus->count == 0) {
        changes *= 8; /* nothing to start from */
    }
    for (int i = 0; i < changes; i++) {
        mutate_once(input, &random);
    }
    return r;
}

/* In memory of exactly its size, so that the sanitizer sees the first octet too many. */
static void run_one(const struct input *input)
{
    uint8_t *copy = malloc(input->size > 0 ? input->size : 1);
    if (!copy) {
        abort();
    }
    memcpy(copy, input->octets, input->size);
    LLVMFuzzerTestOneInput(copy, input->size);
    free(copy);
}

static int run_all(const struct corpus *corpus, struct progress *progress)
{
    static struct input input;
    int files = corpus->count > 0 ? corpus->count : 1;
    for (int file = 0; file < files; file++) {
        for (int mutation = 0; mutation <= MUTATIONS_PER_FILE; mutation++) {
            progress->file = file;
            progress->mutation = mutation;
            if (make(corpus, file, mutation, &input) < 0) {
                return 1;
            }
            run_one(&input);
            progress->runs++;
        }
    }
    return 0;
}

static void keep_culprit(const struct corpus *corpus, const struct progress *progress)
{
    static struct input input;
    make(corpus, progress->file, progress->mutation, &input);
    FILE *out = fopen("fuzz-culprit", "wb");
    if (out) {
        fwrite(input.octets, 1, input.size, out);
        fclose(out);
    }
    fprintf(stderr, "failed at %s, mutation %d (%zu octets, kept in ./fuzz-culprit)\n",
            name_of(corpus, progress->file), progress->mutation, input.size);
}

int main(int argc, char **argv)
{
    struct corpus corpus = {0};
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED || list_corpus(&corpus, argc > 1 ? argv[1] : NULL) < 0) {
        return 1;
    }
    pid_t child = fork();
    if (child == 0) {
        int r = run_all(&corpus, progress);
        free_corpus(&corpus);
        exit(r);
    }
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
        keep_culprit(&corpus, progress);
    } else {
        printf("%d files, %ld runs\n", corpus.count, progress->runs);
    }
    free_corpus(&corpus);
    return status == 0 ? 0 : 1;
}
