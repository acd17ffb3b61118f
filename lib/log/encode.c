#include "log/encode.h"

#include <inttypes.h>

#include "base/err.h"
#include "record/pos.h"

static int entries(struct buf *out, const struct shared *s,
                   const struct log_entry *v, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (v[i].partition >= s->meta.partitions) {
            return err_set(e, STATUS_BUG,
                           "topic \"%s\" has no partition %" PRIu32, s->topic,
                           v[i].partition);
        }
        if (batch_entry(out, v[i].partition, v[i].part) < 0) {
            return err_set(e, STATUS_STREAM,
                           "topic \"%s\": a batch over %d bytes", s->topic,
                           FORMAT_BODY_MAX);
        }
    }
    return 0;
}

int encode(struct buf *out, const struct shared *s, const struct log_entry *v,
           size_t n, struct slice name, struct slice pos, struct err *e)
{
    const struct cipher_key *key = n > 0 ? cipher_first(&s->cipher) : NULL;

    if (name.n > LOG_NAME_MAX) {
        return err_set(e, STATUS_STREAM, "a name of %zu bytes", name.n);
    }
    if (pos_check(pos, e) < 0) {
        return -1;
    }
    batch_begin(out, name, pos);
    if (key != NULL) {
        cipher_begin(out);
    }
    if (entries(out, s, v, n, e) < 0) {
        return -1;
    }
    if (key != NULL) {
        cipher_end(key, out, batch_body(out));
    }
    batch_finish(out);
    return 0;
}
