#include "kafka/claim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "kafka/admin.h"
#include "kafka/reader.h"
#include "record/pos.h"

/* A cursor's metadata may be 4,096 characters, its owner included. */
enum { SEND_MS = 30000, META_MAX = 4096 };

const char kafka_cursors[] = "dpp.cursors";

/* --- keys ------------------------------------------------------------------
 */

/* "TOPIC/PARTITION@CLUSTER" of our own cluster. */
static bool is_ours(struct kafka_claim *c, const char *cluster)
{
    const char *at = strrchr(c->key, '@');
    const char *slash =
        at != NULL ? memrchr(c->key, '/', (size_t)(at - c->key)) : NULL;
    char *end;

    if (slash == NULL || slash == c->key ||
        strncmp(at + 1, cluster, KAFKA_CLUSTER) != 0) {
        return false;
    }
    c->partition = (int32_t)strtol(slash + 1, &end, 10);
    c->topic = mem_strndup(c->key, (size_t)(slash - c->key));
    return end == at;
}

void kafka_claims_init(struct kafka_claims *cs, struct slice name,
                       struct slice keys, const char *cluster)
{
    struct slice key;
    struct slice value;

    *cs = (struct kafka_claims){0};
    while (pos_next(&keys, &key, &value)) {
        cs->v = mem_resize(cs->v, (cs->n + 1) * sizeof *cs->v);
        struct kafka_claim *c = &cs->v[cs->n++];
        *c = (struct kafka_claim){.key = mem_strndup(key.p, key.n)};
        buf_init(&c->text);
        if (is_ours(c, cluster)) {
            c->group = mem_strndup(name.p, name.n);
            continue;
        }
        free(c->topic);
        c->cursor = true;
        c->topic = mem_strdup(kafka_cursors);
        c->partition = 0;
        c->group = mem_printf("%.*s/%s", (int)name.n, name.p, c->key);
    }
}

void kafka_claims_release(struct kafka_claims *cs)
{
    for (size_t i = 0; i < cs->n; i++) {
        free(cs->v[i].key);
        free(cs->v[i].group);
        free(cs->v[i].topic);
        buf_release(&cs->v[i].text);
    }
    free(cs->v);
    *cs = (struct kafka_claims){0};
}

/* --- reading ---------------------------------------------------------------
 *
 * Metadata: "e=EPOCH o=OWNER", then " new" where there is no position yet, or
 * " c=CURSOR" to its end. */

static void read_metadata(struct kafka_claim *c, const char *text)
{
    unsigned long long epoch = 0;
    int used = 0;

    c->owner[0] = '\0';
    c->epoch = 0;
    c->known = true;
    buf_clear(&c->text);
    if (sscanf(text, "e=%20llu%n", &epoch, &used) < 1) {
        return;
    }
    c->epoch = epoch;
    text += used;
    if (sscanf(text, " o=%95[^ ]%n", c->owner, &used) == 1) {
        text += used;
    }
    if (strcmp(text, " new") == 0) {
        c->known = false;
    } else if (strncmp(text, " c=", 3) == 0) {
        buf_puts(&c->text, text + 3);
    }
}

struct reading {
    struct kafka_claims *claims;
    const char *group;
};

static int take_offset(void *arg, const char *topic, uint32_t partition,
                       uint64_t offset, struct slice metadata, struct err *e)
{
    const struct reading *r = arg;
    char text[META_MAX + 1];

    (void)e;
    for (size_t i = 0; i < r->claims->n; i++) {
        struct kafka_claim *c = &r->claims->v[i];
        if (strcmp(c->group, r->group) == 0 && strcmp(c->topic, topic) == 0 &&
            c->partition == (int32_t)partition && metadata.n < sizeof text) {
            memcpy(text, metadata.p, metadata.n);
            text[metadata.n] = '\0';
            read_metadata(c, text);
            c->offset = offset;
            c->stored = true;
        }
    }
    return 0;
}

static int read_all(struct kafka_claims *cs, struct kafka_admin *admin,
                    bool stable, struct err *e)
{
    for (size_t i = 0; i < cs->n; i++) {
        bool done = false;
        for (size_t k = 0; k < i && !done; k++) {
            done = strcmp(cs->v[k].group, cs->v[i].group) == 0;
        }
        struct reading r = {cs, cs->v[i].group};
        if (!done && kafka_admin_offsets(admin, r.group, stable, take_offset,
                                         &r, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int kafka_claims_read(struct kafka_claims *cs, struct kafka_admin *admin,
                      struct err *e)
{
    return read_all(cs, admin, true, e);
}

int kafka_claims_peek(struct kafka_claims *cs, struct kafka_admin *admin,
                      struct err *e)
{
    return read_all(cs, admin, false, e);
}

/* Does the owner of all our keys own anything else? */
struct survey {
    const char *owner;
    size_t owned;
};

static int count_owned(void *arg, const char *topic, uint32_t partition,
                       uint64_t offset, struct slice metadata, struct err *e)
{
    struct survey *s = arg;
    char text[200];
    char owner[KAFKA_ID] = "";

    (void)topic;
    (void)partition;
    (void)offset;
    (void)e;
    (void)snprintf(text, sizeof text, "%.*s", (int)metadata.n, metadata.p);
    if (sscanf(text, "e=%*u o=%95[^ ]", owner) == 1 &&
        strcmp(owner, s->owner) == 0) {
        s->owned++;
    }
    return 0;
}

int kafka_claims_sole_owner(const struct kafka_claims *cs,
                            struct kafka_admin *admin, char owner[KAFKA_ID],
                            struct err *e)
{
    struct survey s = {.owner = cs->n > 0 ? cs->v[0].owner : ""};
    bool one = s.owner[0] != '\0';

    for (size_t i = 0; i < cs->n && one; i++) {
        one = strcmp(cs->v[i].owner, s.owner) == 0;
    }
    if (one && !cs->v[0].cursor &&
        kafka_admin_offsets(admin, cs->v[0].group, false, count_owned, &s, e) <
            0) {
        return -1;
    }
    if (!one || (!cs->v[0].cursor && s.owned != cs->n)) {
        return 0;
    }
    (void)snprintf(owner, KAFKA_ID, "%s", s.owner);
    return 1;
}

static bool is_among(char (*ids)[KAFKA_ID], size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

const char *kafka_claims_other(const struct kafka_claims *cs, const char *self,
                               char (*fenced)[KAFKA_ID], size_t n)
{
    for (size_t i = 0; i < cs->n; i++) {
        const char *owner = cs->v[i].owner;
        if (owner[0] != '\0' && strcmp(owner, self) != 0 &&
            !is_among(fenced, n, owner)) {
            return owner;
        }
    }
    return NULL;
}

int kafka_claims_check(struct kafka_claims *cs, const char *self, bool again,
                       struct err *e)
{
    for (size_t i = 0; i < cs->n; i++) {
        struct kafka_claim *c = &cs->v[i];
        if (again && c->owner[0] != '\0' && strcmp(c->owner, c->first) != 0 &&
            strcmp(c->owner, self) != 0) {
            return err_set(e, STATUS_CONFIG,
                           "another process has claimed %s meanwhile; this "
                           "one leaves for good",
                           c->key);
        }
        if (!again) {
            memcpy(c->first, c->owner, sizeof c->first);
        }
    }
    return 0;
}

/* --- the stream's position -------------------------------------------------
 */

static int take_value(struct kafka_claim *c, struct slice value, struct err *e)
{
    unsigned long long offset;
    unsigned long long epoch;
    char text[64];

    c->dirty = true;
    c->known = true;
    if (c->cursor) {
        if (value.n > META_MAX - KAFKA_ID - 40) {
            return err_set(e, STATUS_CONFIG,
                           "position %s: %zu bytes, more than a cluster keeps",
                           c->key, value.n);
        }
        buf_clear(&c->text);
        buf_append_slice(&c->text, value);
        return 0;
    }
    (void)snprintf(text, sizeof text, "%.*s", (int)value.n, value.p);
    if (sscanf(text, "%20llu@%20llu", &offset, &epoch) != 2) {
        return err_set(e, STATUS_STREAM, "position %s: \"%s\" is no offset",
                       c->key, text);
    }
    c->offset = offset;
    c->epoch = epoch;
    return 0;
}

int kafka_claims_take(struct kafka_claims *cs, struct slice pos, struct err *e)
{
    struct slice key;
    struct slice value;

    while (pos_next(&pos, &key, &value)) {
        struct kafka_claim *c = NULL;
        for (size_t i = 0; i < cs->n && c == NULL; i++) {
            c = slice_is(key, cs->v[i].key) ? &cs->v[i] : NULL;
        }
        if (c == NULL) {
            return err_set(e, STATUS_STREAM,
                           "a mark moves %.*s, which hello did not name",
                           (int)key.n, key.p);
        }
        if (take_value(c, value, e) < 0) {
            return -1;
        }
    }
    return 0;
}

void kafka_claims_position(const struct kafka_claims *cs, struct buf *pos)
{
    char text[64];

    for (size_t i = 0; i < cs->n; i++) {
        const struct kafka_claim *c = &cs->v[i];
        if (c->cursor) {
            if (c->known) {
                pos_put(pos, slice_of(c->key), buf_slice(&c->text));
            }
            continue;
        }
        if (c->known) {
            (void)snprintf(text, sizeof text, "%llu@%llu!",
                           (unsigned long long)c->offset,
                           (unsigned long long)c->epoch);
        } else {
            (void)snprintf(text, sizeof text, "-@%llu!",
                           (unsigned long long)c->epoch);
        }
        pos_put(pos, slice_of(c->key), slice_of(text));
    }
    pos_seal(pos);
}

/* --- into a transaction ----------------------------------------------------
 */

static void add(rd_kafka_topic_partition_list_t *list,
                const struct kafka_claim *c, const char *owner)
{
    rd_kafka_topic_partition_t *to =
        rd_kafka_topic_partition_list_add(list, c->topic, c->partition);
    struct buf text;

    buf_init(&text);
    buf_printf(&text, "e=%llu", (unsigned long long)c->epoch);
    if (owner[0] != '\0') {
        buf_printf(&text, " o=%s", owner);
    }
    if (!c->known) {
        buf_puts(&text, " new");
    } else if (c->cursor) {
        buf_puts(&text, " c=");
        buf_append_slice(&text, buf_slice(&c->text));
    }
    to->offset = c->known && !c->cursor ? (int64_t)c->offset : 0;
    to->metadata_size = text.n;
    to->metadata = mem_strdup(buf_cstr(&text));
    buf_release(&text);
}

/* A record that was refused meanwhile is a wrong state to the library, and the
 * reason when it is asked again. */
static bool is_asked_again(const rd_kafka_error_t *error, int *states)
{
    return rd_kafka_error_is_retriable(error) ||
           (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__STATE &&
            ++*states == 1);
}

/* All keys from i on that are of its group. */
static int send_group(struct kafka_claims *cs, size_t i, rd_kafka_t *rk,
                      const char *owner, bool all, rd_kafka_error_t **error)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(4);
    const char *group = cs->v[i].group;

    for (size_t k = i; k < cs->n; k++) {
        if (strcmp(cs->v[k].group, group) == 0 && (all || cs->v[k].dirty)) {
            add(list, &cs->v[k], owner);
        }
    }
    *error = NULL;
    if (list->cnt > 0) {
        rd_kafka_consumer_group_metadata_t *m =
            rd_kafka_consumer_group_metadata_new(group);
        int states = 0;
        do {
            if (*error != NULL) {
                rd_kafka_error_destroy(*error);
            }
            *error = rd_kafka_send_offsets_to_transaction(rk, list, m, SEND_MS);
        } while (*error != NULL && is_asked_again(*error, &states));
        rd_kafka_consumer_group_metadata_destroy(m);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return *error != NULL ? -1 : 0;
}

int kafka_claims_send(struct kafka_claims *cs, rd_kafka_t *rk,
                      const char *owner, bool all, rd_kafka_error_t **error)
{
    for (size_t i = 0; i < cs->n; i++) {
        bool done = false;
        for (size_t k = 0; k < i && !done; k++) {
            done = strcmp(cs->v[k].group, cs->v[i].group) == 0;
        }
        if (!done && send_group(cs, i, rk, owner, all, error) < 0) {
            return -1;
        }
    }
    return 0;
}

void kafka_claims_sent(struct kafka_claims *cs)
{
    for (size_t i = 0; i < cs->n; i++) {
        cs->v[i].dirty = false;
    }
}
