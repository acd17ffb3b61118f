/* Where events go: URL, headers and secret, as the command line gives them. */
#ifndef DELIVER_TARGET_H
#define DELIVER_TARGET_H

#include "deliver/template.h"
#include "seal/sealer.h"
#include "vault/safe.h"

struct digest;
struct err;
struct secret;

enum {
    TARGET_HEADERS_MAX = 32, /* -H */
    TARGET_TEXT_MAX = 8192,  /* bytes of a filled URL or header */
};

struct target_conf {
    const char *url;
    const char *method; /* POST, PUT, PATCH, DELETE */
    const char *const *header;
    size_t headers;
    const char *secret;            /* reference of -k, or NULL */
    struct sealer_options sealing; /* what is opened on its way out */
};

/* Headers of our own. */
enum target_own {
    CONTENT_TYPE,
    IDEMPOTENCY_KEY,
    CE_SPECVERSION,
    CE_ID,
    CE_SOURCE,
    CE_TYPE,
    CE_TIME,
    EXPECT, /* no waiting for "100 Continue" */
    TARGET_OWN,
};

extern const char *const target_own_name[TARGET_OWN];

struct target_header {
    char *name;
    struct template value;
    struct buf line; /* when no event fills it: the whole line and a NUL */
    bool ours;       /* for a secret that no header of -H takes */
};

struct target {
    char *url;
    char *name; /* the URL without its query, for messages */
    const char *method;
    struct template template; /* has_places: events choose the URL */
    struct target_header header[TARGET_HEADERS_MAX + 1];
    size_t headers;
    bool own[TARGET_OWN];
    struct secret *secret; /* NULL: none */
    struct safe value;     /* its current one, checked */
    struct digest *digest;
    struct sealer *sealer; /* NULL: nothing is opened */
};

/* Checks everything, opens nothing. STATUS_USAGE. */
struct target *target_new(const struct target_conf *, struct err *);
void target_free(struct target *);

/* Read the secret (again); on failure the old one stays. 1: it is another one
 * now. */
int target_load_secret(struct target *, struct err *);

/* Reads the keys of what is to be opened, if it has not. 77, 78. */
int target_start(struct target *, struct err *);

/* Has its entry in the vault changed? Ask it before each request: it looks at
 * most once a second. */
bool target_is_stale(const struct target *);

/* An access token: it was refused, so that it should be renewed; it has ended
 * and a new one is on its way, so that nothing should be sent now; is one on
 * its way, so that target_is_stale() should be asked soon? */
void target_refused(const struct target *);
bool target_waits(const struct target *);
bool target_is_renewing(const struct target *);

/* For -n: a text in its place. */
void target_hide_secret(struct target *);

bool target_has_control(struct slice);

#endif
