/*
 * The commands of certlined. Each is one function: it gets what was on the command line, prints for people
 * or, with
 * --json, for programs, and returns the exit code. What belongs to standard output is the command's result;
 * complaints and progress go to standard error.
 */
#ifndef CERTLINE_CMD_CMD_H
#define CERTLINE_CMD_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct config;
struct json;

/* What the shell gets. Never renumbered. */
enum cmd_exit {
    CMD_DONE = 0,
    CMD_FAILED = 1,
    CMD_USAGE = 2,
    CMD_REFUSED = 3, /* some rows or files; the others were taken */
    CMD_CONFIG = 4,  /* the configuration is wrong */
    CMD_LOCKED = 5,  /* another process holds the state */
    CMD_PERSON = 6,  /* needs a person: mark ahead, key missing */
};

/* Borrowed from argv for the process's life. */
struct cmd_args {
    const char *config_path; /* never NULL */
    bool json;
    const char *reason; /* NULL: not given */
    bool retire_unused;
    const char *ca, *product, *lot, *type, *format, *output; /* NULL: not given */
    const char *work_order, *from, *to, *template_file;
    const char *generate_psk; /* a number */
    const char *password_fd;  /* a number */
    bool fix, dry_run;
    uint32_t n_files;
    char **files;
};

/* The commands: the rows in main.c. */
int cmd_serve(const struct cmd_args *args);
int cmd_check(const struct cmd_args *args);
int cmd_import(const struct cmd_args *args);
int cmd_lint(const struct cmd_args *args);
int cmd_export(const struct cmd_args *args);
int cmd_ca(const struct cmd_args *args);
int cmd_key(const struct cmd_args *args);
int cmd_reconcile(const struct cmd_args *args);
int cmd_status(const struct cmd_args *args);
int cmd_doctor(const struct cmd_args *args);
int cmd_audit(const struct cmd_args *args);

/* ---- what several commands do alike (cmd/common.c) */

/* Reads the configuration. 0 and a configuration for config_free; or an exit code, after every mistake was
 * printed to standard error as FILE:LINE:COLUMN: what. */
int cmd_load(const struct cmd_args *args, struct config **ret);

/* Who runs this, for the record: a user's name, in `memory`. */
const char *cmd_who(char *memory, size_t size);

/* The exit code of a negative code from app.h. */
int cmd_exit_of(int code);

/* Prints "certlined: TEXT" to standard error and returns the exit code of `info`. */
int cmd_complain(const struct err_info *info);

/* Prints a tree, indented, to standard output. Returns CMD_DONE, or CMD_FAILED when it cannot be written.
 * Takes `value` over; NULL counts as no memory. */
int cmd_print_json(struct json *value);

#endif
