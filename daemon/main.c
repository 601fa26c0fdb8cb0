/*
 * certlined: arguments and exit codes; each command is in cmd/.
 *
 * Options may stand before or behind the command. A row says which of them a command takes, so that one that
 * would be ignored is refused instead: "reconcile --json" must not look as if it had done something.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "cmd/cmd.h"
#include "config.h"
#include "config_hint.h"
#include "pki/init.h"
#include "version.h"

enum option_bit {
    TAKES_CONFIG = 1 << 0,
    TAKES_JSON = 1 << 1,
    TAKES_REASON = 1 << 2,
    TAKES_RETIRE = 1 << 3,
    TAKES_FILES = 1 << 4,
    TAKES_CA = 1 << 5,
    TAKES_PRODUCT = 1 << 6,
    TAKES_LOT = 1 << 7,
    TAKES_TYPE = 1 << 8,
    TAKES_FORMAT = 1 << 9,
    TAKES_OUTPUT = 1 << 10,
    TAKES_FIX = 1 << 11,
    TAKES_PASSWORD = 1 << 12,
    TAKES_DRY_RUN = 1 << 13,
    TAKES_PSK = 1 << 14,
    TAKES_FILTER = 1 << 15,
    TAKES_TEMPLATE = 1 << 16,
    FILES_OPTIONAL = 1 << 17,
};

/* What getopt_long calls an option by that has no letter. */
enum option_key {
    KEY_JSON = 256,
    KEY_REASON,
    KEY_RETIRE,
    KEY_CA,
    KEY_PRODUCT,
    KEY_LOT,
    KEY_TYPE,
    KEY_FORMAT,
    KEY_FIX,
    KEY_PASSWORD,
    KEY_DRY_RUN,
    KEY_PSK,
    KEY_WORK_ORDER,
    KEY_FROM,
    KEY_TO,
    KEY_TEMPLATE,
};

static const struct option_row {
    const char *name;
    int key;           /* its letter, or an enum option_key */
    const char *value; /* NULL: takes none */
    unsigned bit;      /* 0: for every command */
    const char *sentence;
} options[] = {
    {"config", 'c', "FILE", TAKES_CONFIG, "The configuration; " CONFIG_PATH_DEFAULT " otherwise."},
    {"json", KEY_JSON, NULL, TAKES_JSON, "The result as JSON, for programs."},
    {"reason", KEY_REASON, "TEXT", TAKES_REASON, "Why; it goes into the record."},
    {"retire-unused", KEY_RETIRE, NULL, TAKES_RETIRE, "Retires every bundle that is free or bound."},
    {"product", KEY_PRODUCT, "NAME", TAKES_PRODUCT,
     "The product whose rules hold, or that the bundles are for."},
    {"lot", KEY_LOT, "LOT", TAKES_LOT, "The lot of bundles that name none."},
    {"format", KEY_FORMAT, "FORMAT", TAKES_FORMAT, "ndjson, csv, manager or folder; guessed otherwise."},
    {"dry-run", KEY_DRY_RUN, NULL, TAKES_DRY_RUN, "Says what would become of each row and stores nothing."},
    {"generate-psk", KEY_PSK, "N", TAKES_PSK,
     "Makes N pre-shared keys with identities; -o FILE takes a copy."},
    {"ca", KEY_CA, "FILE", TAKES_CA, "The CAs that certificates must come from."},
    {"type", KEY_TYPE, "TYPE", TAKES_TYPE,
     "What a text is: ca, client_cert, private_key, psk or psk_identity."},
    {"fix", KEY_FIX, NULL, TAKES_FIX, "Writes the canonical form, to the file itself or to -o."},
    {"password-fd", KEY_PASSWORD, "N", TAKES_PASSWORD,
     "Reads the password of encrypted keys from descriptor N."},
    {"work-order", KEY_WORK_ORDER, "ID", TAKES_FILTER, "Only boards that passed in this work order."},
    {"from", KEY_FROM, "TIME", TAKES_FILTER, "Only boards that passed at or after this time (RFC 3339)."},
    {"to", KEY_TO, "TIME", TAKES_FILTER, "Only boards that passed before this time."},
    {"template", KEY_TEMPLATE, "FILE", TAKES_TEMPLATE, "The template of the format \"template\"."},
    {"output", 'o', "PATH", TAKES_OUTPUT, "Where to write: a file, or the folder of an export."},
    {"help", 'h', NULL, 0, "This text, or a command's."},
    {"version", 'V', NULL, 0, "The program's version."},
};
#define OPTIONS (sizeof(options) / sizeof(*options))

static const struct command {
    const char *name;
    int (*run)(const struct cmd_args *args);
    const char *synopsis;
    unsigned takes;
    bool handles_secrets;
    const char *sentence;
} commands[] = {
    {"serve", cmd_serve, "serve [-c FILE]", TAKES_CONFIG, true, "Runs the station until SIGTERM."},
    {"check", cmd_check, "check [-c FILE] [--json]", TAKES_CONFIG | TAKES_JSON, false,
     "Names every mistake of the configuration, or says what it comes to."},
    {"import", cmd_import,
     "import [-c FILE] [--format FORMAT] [--product NAME] [--lot LOT] [--dry-run] FILE...\n"
     "       certlined import [-c FILE] --generate-psk N --product NAME [--lot LOT] -o FILE",
     TAKES_CONFIG | TAKES_FILES | FILES_OPTIONAL | TAKES_FORMAT | TAKES_PRODUCT | TAKES_LOT | TAKES_DRY_RUN |
         TAKES_PSK | TAKES_OUTPUT,
     true, "Takes bundles from files and folders; - is standard input."},
    {"export", cmd_export,
     "export [-c FILE] [--work-order ID] [--product NAME] [--from TIME] [--to TIME] [--template FILE] -o "
     "FOLDER "
     "FORMAT...",
     TAKES_CONFIG | TAKES_FILES | TAKES_FILTER | TAKES_PRODUCT | TAKES_TEMPLATE | TAKES_OUTPUT, true,
     "Writes the boards that passed as the clouds take them: onboarding, devinfo, attestation_tokens, claim, "
     "manager, aws, azure, template."},
    {"lint", cmd_lint,
     "lint [--ca FILE] [-c FILE --product NAME] [--type TYPE] [--fix [-o FILE]] [--json] FILE...",
     TAKES_CONFIG | TAKES_FILES | TAKES_CA | TAKES_PRODUCT | TAKES_TYPE | TAKES_FIX | TAKES_OUTPUT |
         TAKES_PASSWORD | TAKES_JSON,
     true, "Names everything that is wrong with credentials, before a board is touched."},
    {"status", cmd_status, "status [-c FILE] [--json]", TAKES_CONFIG | TAKES_JSON, false,
     "Shows the slots of the running station."},
    {"doctor", cmd_doctor, "doctor [-c FILE] [--json]", TAKES_CONFIG | TAKES_JSON, false,
     "Looks at ports, keys, database, disk, clock and service, and says what to do."},
    {"audit", cmd_audit, "audit verify [-c FILE] [--json] [FOLDER]", TAKES_CONFIG | TAKES_JSON | TAKES_FILES,
     false, "Proves the record: the station's, or a copy of its state in FOLDER."},
    {"ca", cmd_ca, "ca create [-c FILE]", TAKES_CONFIG | TAKES_FILES, true,
     "Makes the CA that [signer] names: a certificate and an encrypted key."},
    {"key", cmd_key, "key rotate [-c FILE]", TAKES_CONFIG | TAKES_FILES, true,
     "Puts another wrapping key in the place of the present one."},
    {"reconcile", cmd_reconcile, "reconcile [-c FILE] --reason TEXT [--retire-unused]",
     TAKES_CONFIG | TAKES_REASON | TAKES_RETIRE, true, "Accepts a database that is behind its mark."},
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

/* ---- help */

static void print_options(unsigned takes)
{
    printf("\nOptions:\n");
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].bit != 0 && !(options[i].bit & takes)) {
            continue;
        }
        char left[40], letter[8] = "    ";
        if (options[i].key < KEY_JSON) {
            snprintf(letter, sizeof(letter), "-%c, ", options[i].key);
        }
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, options[i].name, options[i].value ? " " : "",
                 options[i].value ? options[i].value : "");
        printf("  %-22s %s\n", left, options[i].sentence);
    }
}

static int print_help(const struct command *command)
{
    if (command) {
        printf("Usage: certlined %s\n\n%s\n", command->synopsis, command->sentence);
        print_options(command->takes);
        return CMD_DONE;
    }
    printf("Usage: certlined COMMAND [OPTION]... [FILE]...\n\nProvisions nRF91 boards and proves what they "
           "hold.\n\n"
           "Commands:\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        printf("  %-22s %s\n", commands[i].name, commands[i].sentence);
    }
    print_options(TAKES_CONFIG);
    printf("\nExit codes: 0 done, 1 failed, 2 usage, 3 some rows or files refused, 4 configuration wrong, "
           "5 state locked by\nanother process, 6 needs a person (mark ahead, key missing).\n");
    return CMD_DONE;
}

/* ---- arguments */

struct words {
    struct cmd_args args;
    const struct command *command;
    unsigned given; /* option bits */
    bool wants_help, wants_version;
};

static int unknown(const char *what, const char *word, const struct config_hint *hint, const char *dashes)
{
    if (hint->best) {
        fprintf(stderr, "certlined: there is no %s \"%s\"; did you mean \"%s%s\"?\n", what, word, dashes,
                hint->best);
    } else {
        fprintf(stderr, "certlined: there is no %s \"%s\"; certlined --help names what there is\n", what,
                word);
    }
    return CMD_USAGE;
}

static int find_command(const char *word, const struct command **ret)
{
    struct config_hint hint = config_hint_begin(word);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, word) == 0) {
            *ret = &commands[i];
            return CMD_DONE;
        }
        config_hint_offer(&hint, commands[i].name);
    }
    return unknown("command", word, &hint, "");
}

static const struct option_row *find_option(int key)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].key == key) {
            return &options[i];
        }
    }
    return NULL;
}

/* getopt_long said '?' or ':'. An option that it knows stands in optopt: with ':' it lacks a value, with '?'
 * it has one too many. Otherwise optopt is an unknown letter, or 0 for an unknown long option. */
static int refuse_option(int said, char *const *argv)
{
    const struct option_row *known = find_option(optopt);
    if (known) {
        fprintf(stderr, "certlined: --%s %s\n", known->name,
                said == ':' ? "needs a value behind it" : "takes no value");
        return CMD_USAGE;
    }
    char letter[3] = {'-', (char)optopt, '\0'};
    const char *word = optopt ? letter : argv[optind - 1];
    struct config_hint hint = config_hint_begin(word + strspn(word, "-"));
    for (size_t i = 0; !optopt && i < OPTIONS; i++) {
        config_hint_offer(&hint, options[i].name);
    }
    return unknown("option", word, &hint, "--");
}

/* Options that are a text and nothing else. */
static void take_text(struct cmd_args *args, int key)
{
    const struct {
        int key;
        const char **text;
    } texts[] = {
        {KEY_CA, &args->ca},
        {KEY_PRODUCT, &args->product},
        {KEY_LOT, &args->lot},
        {KEY_TYPE, &args->type},
        {KEY_FORMAT, &args->format},
        {KEY_PASSWORD, &args->password_fd},
        {KEY_PSK, &args->generate_psk},
        {KEY_WORK_ORDER, &args->work_order},
        {KEY_FROM, &args->from},
        {KEY_TO, &args->to},
        {KEY_TEMPLATE, &args->template_file},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (texts[i].key == key) {
            *texts[i].text = optarg;
        }
    }
}

static int take_option(struct words *words, int key)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        words->given |= options[i].key == key ? options[i].bit : 0;
    }
    switch (key) {
    case 'c':
        words->args.config_path = optarg;
        break;
    case KEY_JSON:
        words->args.json = true;
        break;
    case KEY_REASON:
        words->args.reason = optarg;
        break;
    case KEY_RETIRE:
        words->args.retire_unused = true;
        break;
    case 'o':
        words->args.output = optarg;
        break;
    case KEY_FIX:
        words->args.fix = true;
        break;
    case KEY_DRY_RUN:
        words->args.dry_run = true;
        break;
    case 'h':
        words->wants_help = true;
        break;
    case 'V':
        words->wants_version = true;
        break;
    default: /* getopt gives nothing else but these */
        take_text(&words->args, key);
        break;
    }
    return CMD_DONE;
}

/* The first plain word is the command, the others are its files. */
static int take_word(struct words *words, char *word)
{
    if (!words->command) {
        return find_command(word, &words->command);
    }
    words->args.files[words->args.n_files++] = word;
    return CMD_DONE;
}

static int take_arguments(struct words *words, int argc, char **argv)
{
    struct option longs[OPTIONS + 1] = {{0}};
    for (size_t i = 0; i < OPTIONS; i++) {
        longs[i] = (struct option){.name = options[i].name,
                                   .has_arg = options[i].value ? required_argument : no_argument,
                                   .val = options[i].key};
    }
    int r = CMD_DONE, said;
    /* '-': plain words come in their place, as 1; ':': a missing value is told apart. */
    while (r == CMD_DONE && (said = getopt_long(argc, argv, "-:c:o:hV", longs, NULL)) != -1) {
        if (said == '?' || said == ':') {
            r = refuse_option(said, argv);
        } else {
            r = said == 1 ? take_word(words, optarg) : take_option(words, said);
        }
    }
    while (r == CMD_DONE && optind < argc) { /* behind "--" */
        r = take_word(words, argv[optind++]);
    }
    return r;
}

static int check_words(const struct words *words)
{
    const struct command *command = words->command;
    if (!command) {
        fprintf(stderr, "certlined: a command is missing; certlined --help names what there is\n");
        return CMD_USAGE;
    }
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].bit & words->given & ~command->takes) {
            fprintf(stderr, "certlined: %s takes no --%s; usage: certlined %s\n", command->name,
                    options[i].name, command->synopsis);
            return CMD_USAGE;
        }
    }
    bool takes_files = command->takes & TAKES_FILES;
    bool may_do_without = command->takes & FILES_OPTIONAL;
    if (takes_files != (words->args.n_files > 0) && !may_do_without) {
        fprintf(stderr, "certlined: %s %s; usage: certlined %s\n", command->name,
                takes_files ? "lacks a word" : "takes no file", command->synopsis);
        return CMD_USAGE;
    }
    return CMD_DONE;
}

static int run(const struct words *words)
{
    if (words->command->handles_secrets && secret_harden_process() < 0) {
        fprintf(stderr, "certlined: core dumps cannot be turned off for this process\n");
        return CMD_FAILED;
    }
    return words->command->run(&words->args);
}

int main(int argc, char **argv)
{
    if (pki_init() < 0) {
        fprintf(stderr, "certlined: OpenSSL cannot be set up to wipe its memory\n");
        return CMD_FAILED;
    }
    signal(SIGPIPE, SIG_IGN); /* a peer that leaves is an error of its write */

    /* argv itself takes the files: the command came before the first of them, so none lands on an unread
     * word. */
    struct words words = {.args = {.config_path = CONFIG_PATH_DEFAULT, .files = argv}};
    int r = take_arguments(&words, argc, argv);
    if (r != CMD_DONE) {
        return r;
    }
    if (words.wants_version) {
        printf("certlined %s\n", CERTLINE_VERSION);
        return CMD_DONE;
    }
    if (words.wants_help) {
        return print_help(words.command);
    }
    r = check_words(&words);
    return r == CMD_DONE ? run(&words) : r;
}
