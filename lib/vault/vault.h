/* The vault: a sealed file of named credentials, for those who hold its key.
 * Its bytes are format.h's; who holds the key of one entry only: grant.h.
 *
 * Files
 *
 *     PATH               the vault, mode 0600; replaced as a whole
 *     PATH.lock          flock(2): readers share it, a writer has it alone
 *     PATH.used/NAME     empty; the time of its last change is when the entry
 *                        was last used. Best effort, and no secret
 *     vault.key          the key, if it is neither elsewhere nor a passphrase
 *     vault.key.new      a key on its way into vault.key       (unlock.h)
 *     vault-ID.seen      the highest generation seen           (seen.h)
 *
 * What holds
 *
 *   1. PATH is one whole file that some writer made: old or new, never half.
 *      It is written beside, synced, renamed, and the folder synced.
 *   2. The generation rises with every write. No two files of a vault have the
 *      same one, because a writer reads, changes and writes under the lock.
 *   3. An entry's counter is the generation of the write that gave it its
 *      value, so it never comes twice, not even for a name removed and put
 *      again, and never exceeds the file's.
 *   4. Every byte of PATH is under the proof at its end; each value is bound
 *      to its vault, name, kind, times and counter besides. Nothing parsed is
 *      believed before the proof was checked.
 *   5. vault.key or vault.key.new opens PATH, if the key comes from there.
 *   6. seen <= the generation of PATH, unless PATH is an older file.
 *
 * A change, and what a crash behind each step leaves
 *
 *     lock, read, check           nothing has happened
 *     rekey: write vault.key.new  a key that opens nothing; the next one
 *                                 takes its place
 *     rekey: write seen, proofs   both keys can read it; its number is the
 *       under both keys           old file's
 *     write PATH.PID.tmp          a stray file, sealed as the vault is; the
 *                                 next writer removes it
 *     rename to PATH              the new vault; seen is lower by one, which
 *                                 is allowed. rekey: vault.key does not fit,
 *                                 vault.key.new does; whoever opens the vault
 *                                 next puts it in its place
 *     sync the folder             from here on, power may fail as well
 *     write seen                  an older file is refused from here on
 *     rekey: rename to vault.key  done
 *
 * init goes the same way as rekey, from no vault to the first one. */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include "vault/format.h"
#include "vault/value.h"

struct err;
struct vault;

struct vault_conf {
    const char *path; /* NULL: the default */
    const char *key;  /* reference, or NULL: see unlock.h */
    bool change;      /* to write it: nobody else has it open meanwhile */
    bool silent;      /* ask for no passphrase */
};

/* A new key, before it is anywhere: by reference, of a passphrase, or neither:
 * 32 random bytes for the default file. */
struct vault_key {
    struct keys_form form;
    struct safe key;
    bool is_default;
};

/* May ask for the passphrase, twice: before the vault is opened for a change,
 * so that nobody waits meanwhile. 64, 77. */
int vault_key_make(struct vault_key *, const char *ref, bool passphrase,
                   struct err *);
void vault_key_release(struct vault_key *);

/* ${XDG_DATA_HOME:-~/.local/share}/dpp/vault, $STATE_DIRECTORY/vault under
 * systemd. Caller frees. */
char *vault_path(void);

/* 77: no vault, not ours alone to read, or the key does not fit; 78: damaged,
 * or older than one that was seen here. */
struct vault *vault_open(const struct vault_conf *, struct err *);
void vault_close(struct vault *);

/* For the time in which a value is waited for: nobody has to wait for us. Then
 * the file is read again, to be changed, with the key that is here already.
 * 75: it got another one meanwhile. */
void vault_pause(struct vault *);
int vault_resume(struct vault *, struct err *);

/* A new, empty one. 78: there is one, or the default key belongs to another;
 * _check_absent says so before a key is made. */
int vault_create(const char *path, const struct vault_key *, struct err *);
int vault_check_absent(const char *path, bool default_key, struct err *);

/* In order of their names; valid until the next change. */
const struct format *vault_list(const struct vault *);
const char *vault_name(const struct vault *);

/* 77: there is none. */
const struct format_entry *vault_find(const struct vault *, const char *name,
                                      struct err *);

/* The value of an entry, and its key. */
int vault_get(const struct vault *, const struct format_entry *, struct value *,
              struct err *);
void vault_entry_key(const struct vault *, const char *name, struct safe *key);

/* Changes, in memory; vault_commit() makes them one write. _set: the entry is
 * made if there is none; created stays as it was then. _adopt: an entry from
 * elsewhere, with its times. */
void vault_set(struct vault *, const char *name, const struct value *,
               uint64_t expires_ms);
void vault_adopt(struct vault *, const struct format_entry *,
                 const struct value *);
int vault_remove(struct vault *, const char *name, struct err *);
int vault_commit(struct vault *, struct err *);

/* All entries under a new key, written at once. 64: the key comes from where
 * no new one can be put. */
int vault_rekey(struct vault *, const struct vault_key *, struct err *);

/* When an entry was last used, ms since 1970, 0 if never; that it is now; and
 * that it was never.
 * path: of the vault. */
uint64_t vault_used(const char *path, const char *name);
void vault_use(const char *path, const char *name);
void vault_use_never(const char *path, const char *name);

#endif
