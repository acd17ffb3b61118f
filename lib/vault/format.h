/* A vault's bytes, dpp-vault(5), and back.
 *
 * Parsing checks the form only: lengths, limits, that names are names and in
 * order. Whether the bytes are ours is for format_proven() (the holder of the
 * list key) and format_open() (the holder of one entry's key) to say, and
 * nobody may act on what was parsed before. */
#ifndef VAULT_FORMAT_H
#define VAULT_FORMAT_H

#include "vault/keys.h"

struct err;

enum {
    FORMAT_NAME_MAX = 64,
    FORMAT_ENTRIES_MAX = 100000,
    FORMAT_SEALED_MAX = 512 * 1024,
    FORMAT_FILE_MAX = 256 << 20,
    FORMAT_HEAD = 12 + KEYS_ID + 1 + KEYS_SALT + 8 + 8 + 8 + 4,
};

struct format_entry {
    char name[FORMAT_NAME_MAX + 1];
    uint8_t kind;
    uint64_t created; /* times in ms since 1970; 0: never */
    uint64_t rotated;
    uint64_t expires;
    uint64_t counter; /* the file's generation when the value last changed */
    unsigned char nonce[KEYS_NONCE];
    struct slice sealed; /* into the file's bytes, or own */
    char *own;
};

struct format {
    unsigned char id[KEYS_ID];
    struct keys_form form;
    uint64_t generation; /* writes of the file so far */
    struct format_entry *entry;
    size_t n;
};

/* [A-Za-z0-9_-], 1 to 64 of them. 64. */
int format_name_check(struct slice name, struct err *);

/* Points into the bytes, which must live as long. 78. */
int format_parse(struct format *, struct slice bytes, struct err *);
void format_release(struct format *);

/* Does the proof at the end fit? */
bool format_proven(struct slice bytes, const struct safe *list_key);

void format_write(const struct format *, const struct safe *list_key,
                  struct buf *out);

struct format_entry *format_find(const struct format *, const char *name);

/* The entry of this name, made in its place if there is none. */
struct format_entry *format_put(struct format *, const char *name);
void format_remove(struct format *, struct format_entry *);

/* The value of an entry under the entry's key; what stands beside it (name,
 * kind, times, counter) and the vault's id are bound to it. */
void format_seal(const struct format *, struct format_entry *,
                 const struct safe *key, const struct safe *plain);
bool format_open(const struct format *, const struct format_entry *,
                 const struct safe *key, struct safe *plain);

#endif
