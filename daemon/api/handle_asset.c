/* The dashboard's files. A browser keeps them and asks each time with the tag it has, so that a new version
 * of the program never meets a page of the old one. */
#include <stdio.h>
#include <string.h>

#include "api/asset.h"
#include "api/handle.h"

const struct asset *asset_of(const struct request *r)
{
    char path[REQUEST_TARGET_MAX + REQUEST_SEGMENTS_MAX + 1] = "/";
    size_t n = 0;

    for (size_t i = 0; i < r->n_segments; i++) {
        if (strchr(r->segments[i], '/') != NULL) {
            return NULL; /* an escaped one is no separator */
        }
        n += (size_t)snprintf(path + n, sizeof(path) - n, "/%s", r->segments[i]);
    }
    return asset_find(path);
}

void handle_asset(const struct env *env, const struct request *r, struct response *out)
{
    const struct asset *asset = asset_of(r);

    (void)env;
    if (strcmp(r->if_none_match, asset->etag) == 0) {
        /* A browser puts these headers in the place of those that it kept (RFC 9111, 4.3.4): with another
         * kind's policy, a page that is loaded again could load nothing. */
        response_octets(out, 304, asset->content_type, "", 0);
    } else {
        response_octets(out, 200, asset->content_type, asset->octets, *asset->len);
    }
    snprintf(out->etag, sizeof(out->etag), "%s", asset->etag);
    out->may_be_kept = true;
}
