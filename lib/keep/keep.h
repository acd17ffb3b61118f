/* The verbs of dpp-vault, dpp-vault(1). */
#ifndef KEEP_KEEP_H
#define KEEP_KEEP_H

#include "vault/vault.h"

struct err;

struct keep_options {
    const char *path;
    const char *key;
    const char *to;   /* the key of a bundle, or a new one */
    const char *from; /* the key of a bundle */
    const char *kind;
    const char *expires;
    uint64_t overlap_ms;
    uint64_t within_ms;
    bool passphrase;
    bool reveal;
    bool replace;
    bool must_lock;
};

/* One call of a verb. Whoever makes it closes the vault. */
struct keep_call {
    const struct keep_options *o;
    char *const *name; /* checked */
    size_t names;
    struct vault *vault;
    bool silent; /* ask for no passphrase */
    struct err *e;
};

/* entry.c */
int keep_put(struct keep_call *);
int keep_rotate(struct keep_call *);
int keep_get(struct keep_call *);
int keep_rm(struct keep_call *);
int keep_list(struct keep_call *);

/* key.c: keys, and ways out of the vault */
int keep_init(struct keep_call *);
int keep_rekey(struct keep_call *);
int keep_grant(struct keep_call *);
int keep_credentials(struct keep_call *);
int keep_export(struct keep_call *);
int keep_import(struct keep_call *);

/* renew.c: dpp-renew(1) */
int keep_renew(struct keep_call *);

/* forget.c */
int keep_forget(struct keep_call *);

/* For them all: the vault that the options say; the value of "NAME" or
 * "NAME.FIELD", which counts as its use; standard output, which may have to be
 * none that people look at (64). */
int keep_open(struct keep_call *, bool change);
int keep_pick(struct keep_call *, const char *ref, struct safe *out);
int keep_write(struct slice, struct err *);
int keep_refuse_terminal(const char *what, const char *way, struct err *);

#endif
