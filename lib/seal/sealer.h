/* Events sealed on their way into a topic and opened on their way out of it, as
 * a whole or field by field; dpp-seal(7) is the law.
 *
 * The stage holds the versions of the keys that its own arguments name, and no
 * others. What it is not told to seal or open keeps its bytes: a line is put
 * together from pieces of the one that came, and what comes back is that line,
 * byte for byte.
 *
 * A piece is bound to its event (source, id, subject) and its place in the
 * data, so nobody can put it elsewhere and have it opened there. An event that
 * was split on its way (ID#2, ID#3) carries what its first one carried, so an
 * id is tried without such endings as well.
 *
 *     state of the data           --seal KEY           --open KEY
 *     ------------------------    -----------------    -------------------
 *     in the clear                sealed               passes
 *     under KEY                   passes: it was       opened; dead if it
 *                                 done before          does not open
 *     under another key           sealed once more     passes
 *     none (a tombstone)          passes               passes
 *     no JSON, or no way to       dead                 passes
 *     the field in it
 *     a field that is missing     passes               passes
 *     of a forgotten subject                           dropped; a field
 *                                                      becomes null
 *
 * With a key for each subject an event needs one, or it is dead. A subject that
 * was forgotten gets a new key when it comes again: a refusal would leave the
 * event in the clear, among the dead letters.
 */
#ifndef SEAL_SEALER_H
#define SEAL_SEALER_H

#include "base/opt.h"
#include "record/event.h"

struct err;
struct sealer;

/* What the options say; borrowed. */
struct sealer_options {
    struct opt_list seal;  /* vault:NAME or vault:NAME=PATH */
    struct opt_list open;  /* vault:NAME */
    const char *forgotten; /* erase, dead or pass; NULL: erase */
};

enum sealer_outcome {
    SEALER_PASS,   /* the event as it came */
    SEALER_LINE,   /* another line, without line end */
    SEALER_DEAD,   /* there is a reason instead */
    SEALER_DROP,   /* of a forgotten subject */
    SEALER_FAILED, /* the stage cannot go on; the error says why */
};

/* Looks at the options only. 64. */
struct sealer *sealer_new(const struct sealer_options *, struct err *);
void sealer_free(struct sealer *);

/* Takes the keys from the vault, once. 77, 78. */
int sealer_start(struct sealer *, struct err *);

/* out is cleared first, and is not what the event stands in. */
enum sealer_outcome sealer_seal(struct sealer *, const struct event *,
                                struct buf *out, struct err *);

/* The event as it was before, which stands in the sealer until the next call.
 * What was sealed under several of these keys, one in another, is opened to the
 * ground. The reason of a dead one is in why. */
enum sealer_outcome sealer_open(struct sealer *, const struct event *,
                                struct event *inside, struct buf *why,
                                struct err *);

/* Before anything leaves the stage that was sealed: keys of subjects that were
 * made for it are on the disk then. 74, 75. */
int sealer_sync(struct sealer *, struct err *);

#endif
