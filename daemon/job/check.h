/*
 * Judgements on what a board lists, apart from any exchange: pure functions over rows, entries and policy.
 */
#ifndef CERTLINE_JOB_CHECK_H
#define CERTLINE_JOB_CHECK_H

#include "job/job.h"
#include "job/place.h"

/* One row `%CMNG: tag,type[,"sha"]`. False when it is not such a row, digest length included. */
bool check_parse_row(struct span line, struct cmng_row *ret);

/* Modem firmware before 1.3.2 shows the type's octet 32 times where a digest belongs. */
bool check_is_placeholder(const struct cmng_row *row);

/* 15 digits, the last one being the Luhn check digit (3GPP TS 23.003 annex B). */
bool check_imei(struct span digits);

/* The row with this tag and type, or NULL. */
const struct cmng_row *check_find(const struct cmng_row *rows, uint32_t n, uint32_t sec_tag, uint32_t type);

/* Reads the last list into the entries: present, digest, right. */
void check_entries(struct job *job);

/* A row under one of the product's tags that is none of its entries (types 0 to 4). Index, or -1. `from`
 * starts. */
int check_next_stray(const struct job *job, uint32_t from);

/* What a row under one of the product's tags is in the product's terms; false for every other row. */
bool check_origin(const struct job *job, const struct cmng_row *row, struct place *ret_origin);

/* This row is one of our own writes that a damaged command put under another tag. */
bool check_is_misdirected(const struct job *job, const struct cmng_row *row);

/* Nothing is listed but entries of the product and the modem's own. */
bool check_is_plain(const struct job *job);

/* The same rows, in whatever order. */
bool check_same_rows(const struct cmng_row *a, uint32_t n_a, const struct cmng_row *b, uint32_t n_b);

/* Foreign rows (neither entries nor strays nor the modem's own) are as they were found. False: *ret_tag and
 * *ret_type name one that is not. */
bool check_foreign_unchanged(const struct job *job, uint32_t *ret_tag, uint32_t *ret_type);

/* All entries are right. */
bool check_all_right(const struct job *job);

/* The content of an entry as the modem gets it: the bundle's from the job's memory, a file's from the
 * product. */
struct span check_content(const struct job *job, uint32_t entry);

#endif
