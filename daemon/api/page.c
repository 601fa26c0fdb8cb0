/*
 * The rack as one page without a script, rendered here from the published slots, so that the address the
 * station prints shows something true in any browser. Colour says nothing that a word beside it does not say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"

#define COLUMNS_MAX 16

static const char style[] =
    "body{margin:0;padding:1.5rem;background:#f3f4f4;color:#1c2226;font:16px/1.4 system-ui,sans-serif}\n"
    "h1{font-size:1.3rem;margin:0 0 .2rem}h2{font-size:1rem;margin:1.5rem 0 .5rem}\n"
    ".quiet{color:#566068;margin:0}\n"
    ".rack{display:grid;gap:.5rem;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));margin:0;padding:"
    "0;"
    "list-style:none}\n"
    ".c1{grid-template-columns:repeat(1,minmax(0,1fr))}.c2{grid-template-columns:repeat(2,minmax(0,1fr))}"
    ".c3{grid-template-columns:repeat(3,minmax(0,1fr))}.c4{grid-template-columns:repeat(4,minmax(0,1fr))}"
    ".c5{grid-template-columns:repeat(5,minmax(0,1fr))}.c6{grid-template-columns:repeat(6,minmax(0,1fr))}"
    ".c7{grid-template-columns:repeat(7,minmax(0,1fr))}.c8{grid-template-columns:repeat(8,minmax(0,1fr))}"
    ".c9{grid-template-columns:repeat(9,minmax(0,1fr))}.c10{grid-template-columns:repeat(10,minmax(0,1fr))}"
    ".c11{grid-template-columns:repeat(11,minmax(0,1fr))}.c12{grid-template-columns:repeat(12,minmax(0,1fr))}"
    ".c13{grid-template-columns:repeat(13,minmax(0,1fr))}.c14{grid-template-columns:repeat(14,minmax(0,1fr))}"
    ".c15{grid-template-columns:repeat(15,minmax(0,1fr))}.c16{grid-template-columns:repeat(16,minmax(0,1fr))}"
    "\n"
    ".slot{background:#fff;border:1px solid #ccd2d6;border-left:.5rem solid #9aa4ab;border-radius:.3rem;"
    "padding:.5rem .7rem;min-height:5rem;overflow-wrap:anywhere}\n"
    ".slot p{margin:.15rem 0}.name{color:#566068;font-size:.85rem}.word{font-size:1.25rem;font-weight:600}\n"
    ".small{font-size:.85rem}\n"
    ".pass{border-left-color:#1d7a3a}.pass .word{color:#17632f}\n"
    ".fail{border-left-color:#b3261e;border-left-style:double}.fail .word{color:#98201a}\n"
    ".trouble{border-left-color:#a86400;border-left-style:dashed}.trouble .word{color:#7d4b00}\n"
    ".busy{border-left-color:#2a5fa5}.busy .word{color:#234f89}\n";

/* Text that grows; the first failure sticks. */
struct page {
    char *at;
    size_t len, size;
    bool has_failed;
};

static bool make_room(struct page *p, size_t n)
{
    if (!p->has_failed && p->len + n + 1 > p->size) {
        size_t size = (p->len + n + 1) * 2;
        char *at = realloc(p->at, size);
        p->has_failed = at == NULL;
        p->at = at != NULL ? at : p->at;
        p->size = at != NULL ? size : p->size;
    }
    return !p->has_failed;
}

/* Markup of ours. */
static void add(struct page *p, const char *markup)
{
    size_t n = strlen(markup);

    if (make_room(p, n)) {
        memcpy(p->at + p->len, markup, n + 1);
        p->len += n;
    }
}

/* Text of anybody's: a board may call itself <script>. */
static void add_text(struct page *p, const char *text)
{
    for (; *text != '\0'; text++) {
        char one[2] = {*text, '\0'};
        switch (*text) {
        case '&':
            add(p, "&amp;");
            break;
        case '<':
            add(p, "&lt;");
            break;
        case '>':
            add(p, "&gt;");
            break;
        case '"':
            add(p, "&quot;");
            break;
        default:
            add(p, one);
            break;
        }
    }
}

static void add_number(struct page *p, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    add(p, text);
}

static const char *class_of(const struct slot_view *v)
{
    if (v->has_verdict) {
        return v->verdict.outcome == OUTCOME_PASS   ? "pass"
               : v->verdict.outcome == OUTCOME_FAIL ? "fail"
                                                    : "trouble";
    }
    switch (v->state) {
    case SLOT_OPENING:
    case SLOT_CONTACTING:
    case SLOT_IDENTIFYING:
    case SLOT_RUNNING:
    case SLOT_RECORDING:
        return "busy";
    case SLOT_SILENT:
    case SLOT_HELD:
    case SLOT_QUARANTINED:
        return "trouble";
    case SLOT_ABSENT:
    case SLOT_WAITING:
    case SLOT_DONE:
        break;
    }
    return "";
}

static void add_verdict(struct page *p, const struct slot_view *v)
{
    if (v->verdict.reason == REASON_NONE) {
        return;
    }
    const struct reason_text *reason = reason_text(v->verdict.reason);
    add(p, "<p>");
    add_text(p, reason->title);
    add(p, "</p>");
    if (v->verdict.outcome != OUTCOME_PASS) {
        add(p, "<p class=\"small\">");
        add_text(p, reason->remedy);
        add(p, "</p>");
    }
}

static void add_slot(struct page *p, const struct slot_view *v)
{
    add(p, "<li class=\"slot ");
    add(p, class_of(v));
    add(p, "\"><p class=\"name\">");
    add_text(p, v->name);
    if (*v->imei != '\0') {
        add(p, " · ");
        add_text(p, v->imei);
    }
    add(p, "</p><p class=\"word\">");
    add_text(p, v->has_verdict ? outcome_name(v->verdict.outcome) : slot_state_name(v->state));
    add(p, "</p>");
    if (v->has_verdict) {
        add_verdict(p, v);
    } else if (*v->step != '\0') {
        add(p, "<p class=\"small\">");
        add_text(p, v->step);
        add(p, " · ");
        add_number(p, v->progress_permille / 10);
        add(p, " %</p>");
    }
    add(p, "</li>\n");
}

static void add_fixture(struct page *p, const struct api_sources *s, const struct api_fixture *fixture)
{
    uint32_t count = s->slot_count(s->ctx);
    struct slot_view view;

    add(p, "<h2>");
    add_text(p, fixture->name);
    add(p, "</h2>\n<ul class=\"rack");
    if (fixture->columns >= 1 && fixture->columns <= COLUMNS_MAX) {
        add(p, " c");
        add_number(p, fixture->columns);
    }
    add(p, "\">\n");
    for (uint32_t i = 0; i < count; i++) {
        s->slot_read(s->ctx, i, &view);
        if (strcmp(view.fixture, fixture->name) == 0) {
            add_slot(p, &view);
        }
    }
    add(p, "</ul>\n");
}

void handle_page(const struct env *env, const struct request *r, struct response *out)
{
    const struct api_sources *s = env->sources;
    char now[CLOCK_RFC3339_SIZE];
    struct page page = {0};

    (void)r;
    clock_rfc3339(env->clock->wall_ms(env->clock), now);
    add(&page, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
               "<meta name=\"viewport\" content=\"width=device-width\"><title>");
    add_text(&page, s->station->name);
    add(&page, "</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body><h1>");
    add_text(&page, s->station->name);
    add(&page, "</h1><p class=\"quiet\">As of ");
    add(&page, now);
    add(&page, ". <a href=\"/\">Load again</a></p>\n");
    for (size_t i = 0; i < s->station->n_fixtures; i++) {
        add_fixture(&page, s, &s->station->fixtures[i]);
    }
    add(&page, "</body></html>\n");

    if (page.has_failed) {
        free(page.at);
        response_problem(out, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    response_text(out, 200, "text/html; charset=utf-8", page.at, page.len);
}

void handle_style(const struct env *env, const struct request *r, struct response *out)
{
    (void)env, (void)r;
    response_static(out, 200, "text/css; charset=utf-8", style);
}
