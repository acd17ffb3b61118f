/* Routes: which path takes whose requests, checked with which keys, and where
 * they go. */
#ifndef LISTEN_ROUTES_H
#define LISTEN_ROUTES_H

#include <stdbool.h>

#include "base/buf.h"
#include "http/sign.h"

struct conf_file;
struct connector;
struct err;
struct secret;

struct route {
    const char *path; /* NULL: every path */
    const char *connector_name;
    const char *source; /* instead of the connector's; or NULL */
    const char *topic;  /* or NULL */
    struct secret **key;
    size_t keys;
    bool is_open; /* unsigned requests of a connector that signs are taken */
    struct connector *connector; /* or NULL */
    struct sign *sign;           /* or NULL */
};

struct routes {
    struct route *route;
    size_t n;
    struct conf_file *file;
};

/* One route for every path; all texts must live as long as the routes. */
void routes_init_one(struct routes *, const char *connector,
                     const char *const *key, size_t keys, const char *topic,
                     bool is_open);

/* From a file, dpp-listen(1). topic: where a route names none. STATUS_CONFIG.
 */
int routes_init_file(struct routes *, const char *path, const char *topic,
                     struct err *);
void routes_release(struct routes *);

/* Loads the connectors and reads the keys. A connector that signs and has no
 * key is refused unless its route is open. */
int routes_open(struct routes *, struct err *);

/* Reads the keys again; on an error the old ones stay. Keys that came through
 * a descriptor stay as they are. */
int routes_renew(struct routes *, struct err *);

/* The same for those whose entry in the vault has changed; ask it before each
 * request, it looks at most once a second. */
int routes_refresh(struct routes *, struct err *);

/* NULL: nobody takes this path. */
const struct route *routes_find(const struct routes *, struct slice path);

#endif
