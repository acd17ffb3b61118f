#include "kafka/through.h"

#include <poll.h>

#include "base/err.h"
#include "kafka/reader.h"

enum { LOOK_MS = 1000 };

static int start(struct kafka_reader *r, struct err *e)
{
    struct buf keys;

    buf_init(&keys);
    const int rc = kafka_reader_assign(r, &keys, e);
    buf_release(&keys);
    return rc < 0 ? -1 : kafka_reader_start(r, (struct slice){"", 0}, e);
}

static int read_all(struct kafka_reader *r, kafka_record_fn *fn, void *arg,
                    struct err *e)
{
    struct kafka_reader_record record;
    int rc = start(r, e);

    while (rc == 0) {
        struct pollfd fd;
        while ((rc = kafka_reader_next(r, &record, e)) == 1) {
            if (fn(arg, &record, e) < 0) {
                return -1;
            }
        }
        if (rc < 0 || kafka_reader_ended(r)) {
            return rc;
        }
        (void)poll(&fd, (nfds_t)kafka_reader_fds(r, &fd, 1), LOOK_MS);
        kafka_reader_woken(r);
        rc = kafka_reader_unbalanced(r, e);
    }
    return rc;
}

int kafka_through(const struct kafka_client *client, const char *topic,
                  kafka_record_fn *fn, void *arg, struct err *e)
{
    const struct kafka_reader_conf conf = {.topics = &topic,
                                           .n = 1,
                                           .partition_max = UINT32_MAX,
                                           .stop_at_end = true};
    const char *unknown;
    struct kafka_reader *r = kafka_reader_open(client, &conf, &unknown, e);

    if (r == NULL) {
        return unknown != NULL
                   ? err_set(e, STATUS_UNREACHABLE, "no topic %s", topic)
                   : -1;
    }
    const int rc = read_all(r, fn, arg, e);
    kafka_reader_close(r);
    return rc < 0 ? 1 : 0;
}
