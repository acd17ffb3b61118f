/* The retry store: events that are deferred, durable, in order for each key.
 *
 * Records of its journal, the first a letter, decimals with blanks between:
 *
 *     D TRIES AGE TRIED\nLINE             an event is deferred
 *     T OFFSET TRIES AGE TRIED SUCCESS    the event there was tried in vain
 *     X OFFSET                            it is delivered, or dead
 *     S SUCCESS                           when another key was accepted last
 *     C                                   the generation is complete
 *     O                                   a process has opened it
 *
 * Times are milliseconds since 1970. An event's age counts only the time
 * between two of its tries in which the endpoint accepted something else: an
 * outage ages nobody, and neither does a night without traffic.
 *
 * A lost T, X or S costs at most one more try; only D must be durable before
 * anything is built on it. */
#ifndef DELIVER_STORE_H
#define DELIVER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct err;
struct job;
struct lanes;
struct parked;
struct store;

/* Opens, locks and reads it; every key is due at once. key: of encryption, by
 * reference, or NULL; hashes: who names keys. STATUS_RETRY if another process
 * has it. */
struct store *store_open(const char *dir, const char *key, struct lanes *hashes,
                         struct err *);

/* What is gathered is written. */
void store_close(struct store *);

/* Deferred events and keys. */
size_t store_events(const struct store *);
size_t store_keys(const struct store *);

/* Memory of events that are not durable yet. */
size_t store_waiting(const struct store *);

struct parked *store_find(struct store *, struct slice key);

/* True if the store held this very event when it was opened, and still does:
 * it has come again, and is deferred already. */
bool store_holds(struct store *, uint64_t identity);

/* Defer an event, behind those of its key; the job is the store's until it
 * comes back from store_durable(). tries > 0: it failed just now, and is due
 * at due_us (of the endpoint's clock); a key that is parked keeps its time. */
void store_put(struct store *, struct slice key, uint64_t hash, struct job *,
               uint32_t tries, uint64_t due_us);

/* Write what is gathered. 0; 1 the disk is full, call again; -1. */
int store_flush(struct store *, struct err *);

/* The jobs that became durable, a list that is the caller's; or NULL. -1. */
int store_durable(struct store *, struct job **, struct err *);
int store_fd(const struct store *);

/* The next key that is due at this time, taken out; NULL: none. */
struct parked *store_next(struct store *, uint64_t now_us);

/* When the next one is due; UINT64_MAX: never. */
uint64_t store_due(const struct store *);

/* The line of its head, until the next call. */
int store_read(struct store *, struct parked *, struct slice *line,
               struct err *);

/* The head was tried in vain: count it; its tries and age so far. Then give it
 * back with store_again(), or end it with store_done(). */
void store_failed(struct store *, struct parked *, uint64_t wall_ms,
                  uint32_t *tries, uint64_t *age_ms);
void store_again(struct store *, struct parked *, uint64_t due_us);

/* The head is delivered, or dead and synced. */
void store_done(struct store *, struct parked *);

/* Has anything been accepted since the head was tried last? */
bool store_others(const struct store *, const struct parked *);
void store_success(struct store *, uint64_t wall_ms);

#endif
