/* The dashboard's files, embedded by the build from web/ (cmake/Parts.cmake). */
#ifndef CERTLINE_API_ASSET_H
#define CERTLINE_API_ASSET_H

#include <stddef.h>

struct asset {
    const char *path; /* "/index.html" */
    const char *content_type;
    const char *octets;
    const size_t *len;
    const char *etag; /* with its quotes; another one for every other content */
};

extern const struct asset assets[];
extern const size_t n_assets;

/* The file with this path; "/" is "/index.html". NULL when there is none. */
const struct asset *asset_find(const char *path);

#endif
