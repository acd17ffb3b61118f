/* Records on disk, appended and read by offset: a row of generations, each a
 * topic of an embedded log, one of which is in force.
 *
 * A new generation is written beside the old one and comes into force with its
 * last record, the seal; then the old one is removed. A crash before the seal
 * leaves the old one in force (the new one is removed at the next open), a
 * crash behind it the new one (the old one is removed then).
 *
 * One process at a time: a lock on the folder. */
#ifndef DELIVER_JOURNAL_H
#define DELIVER_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct err;
struct journal;

/* Makes the folder; key: by reference, or NULL. STATUS_RETRY with the owner's
 * pid if another has it. */
struct journal *journal_open(const char *dir, const char *key, struct err *);
void journal_close(struct journal *);

/* Each record of the generation in force, in order; -1 from fn ends it. */
typedef int journal_walk_fn(void *, uint64_t offset, struct slice,
                            struct err *);
int journal_walk(struct journal *, journal_walk_fn *, void *, struct err *);

/* Gather a record: head is copied, tail must live until it is flushed.
 * Returns the offset that it will have. */
uint64_t journal_add(struct journal *, struct slice head, struct slice tail);

/* Write what is gathered, atomically. 0; 1 the disk is full: all is kept, try
 * again; -1. */
int journal_flush(struct journal *, struct err *);
bool journal_gathered(const struct journal *);

/* All below this offset is durable. */
int journal_durable(struct journal *, uint64_t *offset, struct err *);

/* Readable when journal_durable() has news; -1: nothing to wait for. */
int journal_fd(const struct journal *);

/* A durable record; the slice lives until the next call. STATUS_IO. */
int journal_read(struct journal *, uint64_t offset, struct slice *,
                 struct err *);

/* Bytes of the generation in force. */
uint64_t journal_bytes(const struct journal *);

/* Begin a new generation: from here on journal_add() and _flush() write to it,
 * journal_read() still reads the old one. Then _seal() or _drop() it. */
int journal_renew(struct journal *, struct err *);
int journal_seal(struct journal *, struct err *);
void journal_drop(struct journal *);

#endif
