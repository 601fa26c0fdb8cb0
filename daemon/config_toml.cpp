/*
 * toml++ behind a C face. The document is copied into a plain tree at once and toml++'s own is dropped: what
 * the rest of the daemon holds is data without a library behind it, in the order of the file (toml++ sorts by
 * key).
 *
 * toml++ 3.3 bounds nested values (256) but not dotted keys, and takes its trees apart by recursion, so that
 * a line of some ten thousand dots overflows the stack (its pull request 242, after this release). Lines are
 * checked for their dots before it sees them: 256 times 64 levels still fit a stack of 8 MiB, also with the
 * address sanitizer's frames.
 */
#include "config_toml.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

struct toml_tree {
    std::deque<toml_node> nodes; /* a deque: its elements keep their place */
    std::deque<std::string> texts;
};

namespace
{

/* A mistake that toml++ takes, but Certline does not. */
struct refusal {
    toml_place place;
    const char *text;
};

/* Implicit tables have no place of their own in some releases: never 0 for a reader. */
toml_place place_of(const toml::source_region &region)
{
    return {std::max(1, static_cast<int>(region.begin.line)),
            std::max(1, static_cast<int>(region.begin.column))};
}

const char *keep(toml_tree &tree, std::string_view text, toml_place place)
{
    if (text.find('\0') != std::string_view::npos) {
        throw refusal{place, "the text holds a NUL character; remove it"};
    }
    return tree.texts.emplace_back(text).c_str();
}

bool stands_before(const toml_place &a, const toml_place &b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

void link_children(toml_node &parent, const std::vector<toml_node *> &children)
{
    toml_node **end = &parent.child;
    for (toml_node *child : children) {
        *end = child;
        end = &child->next;
    }
    parent.n_children = static_cast<uint32_t>(children.size());
}

toml_node &copy(toml_tree &tree, const toml::node &from, unsigned depth);

void copy_children(toml_tree &tree, const toml::node &from, toml_node &to, unsigned depth)
{
    if (depth == TOML_DEPTH_MAX) {
        throw refusal{to.place, "tables and arrays are nested too deep"};
    }
    std::vector<toml_node *> children;
    if (const toml::table *table = from.as_table()) {
        for (auto &&[key, value] : *table) {
            toml_node &child = copy(tree, value, depth + 1);
            child.key_place = place_of(key.source());
            child.key = keep(tree, key.str(), child.key_place);
            children.push_back(&child);
        }
        std::sort(children.begin(), children.end(), [](const toml_node *a, const toml_node *b) {
            return stands_before(a->key_place, b->key_place);
        });
    }
    if (const toml::array *array = from.as_array()) {
        for (auto &&value : *array) {
            children.push_back(&copy(tree, value, depth + 1));
        }
    }
    link_children(to, children);
}

toml_node &copy(toml_tree &tree, const toml::node &from, unsigned depth)
{
    toml_node &to = tree.nodes.emplace_back();
    to.place = place_of(from.source());
    switch (from.type()) {
    case toml::node_type::table:
        to.kind = TOML_TABLE;
        break;
    case toml::node_type::array:
        to.kind = TOML_ARRAY;
        break;
    case toml::node_type::string:
        to.kind = TOML_STRING;
        to.string = keep(tree, from.as_string()->get(), to.place);
        break;
    case toml::node_type::integer:
        to.kind = TOML_INTEGER;
        to.integer = from.as_integer()->get();
        break;
    case toml::node_type::floating_point:
        to.kind = TOML_REAL;
        break;
    case toml::node_type::boolean:
        to.kind = TOML_BOOLEAN;
        to.boolean = from.as_boolean()->get();
        break;
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
    case toml::node_type::none: /* never in a parsed document */
        to.kind = TOML_TIME;
        break;
    }
    copy_children(tree, from, to, depth);
    return to;
}

/* Sizes that toml++ itself does not bound. */
int check_bounds(struct span text, struct err_info *reterr)
{
    if (text.len > TOML_SIZE_MAX) {
        return err_set(reterr, ERR_RANGE, "the file has %zu octets; at most %u are read", text.len,
                       TOML_SIZE_MAX);
    }
    int line = 1;
    unsigned dots = 0; /* those of texts and comments too: telling them apart would take a lexer */
    for (size_t i = 0; i < text.len; i++) {
        dots += text.at[i] == '.';
        if (text.at[i] == '\n') {
            line++;
            dots = 0;
        }
        if (dots > TOML_DOTS_MAX) {
            return err_set_at(reterr, ERR_FORMAT, line, 1, "the line has more than %u dots; break it up",
                              TOML_DOTS_MAX);
        }
    }
    return 0;
}

} // namespace

int toml_read(struct span text, struct toml_tree **ret, struct err_info *reterr)
{
    int r = check_bounds(text, reterr);
    if (r < 0) {
        return r;
    }
    try {
        toml::table document = toml::parse(std::string_view(text.len ? text.at : "", text.len));
        auto tree = std::make_unique<toml_tree>();
        copy(*tree, document, 0);
        *ret = tree.release();
        return 0;
    } catch (const toml::parse_error &e) {
        toml_place at = place_of(e.source());
        std::string_view what = e.description();
        return err_set_at(reterr, ERR_FORMAT, at.line, at.column, "%.*s", static_cast<int>(what.size()),
                          what.data());
    } catch (const refusal &e) {
        return err_set_at(reterr, ERR_FORMAT, e.place.line, e.place.column, "%s", e.text);
    } catch (const std::bad_alloc &) {
        return err_set(reterr, -ENOMEM, "no memory to read the file");
    } catch (const std::exception &) {
        return err_set(reterr, ERR_INTERNAL, "the TOML reader failed");
    }
}

void toml_free(struct toml_tree *tree)
{
    delete tree;
}

const struct toml_node *toml_root(const struct toml_tree *tree)
{
    return &tree->nodes.front();
}

const char *toml_kind_text(enum toml_kind kind)
{
    switch (kind) {
#define X(name, text)                                                                                        \
    case name:                                                                                               \
        return text;
        TOML_KIND_LIST(X)
#undef X
    }
    return "?";
}
