#include "topic/remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "kafka/admin.h"
#include "kafka/client.h"
#include "kafka/exact.h"
#include "kafka/producer.h"
#include "kafka/watch.h"

static void close_store(struct topic_store *base)
{
    struct remote_store *s = (struct remote_store *)base;

    if (s->exact == NULL) {
        kafka_producer_close(s->producer);
    }
    kafka_exact_free(s->exact);
    kafka_admin_close(s->admin);
    kafka_watch_close(s->watch);
    kafka_client_close(s->client);
    free(s->servers);
    free(s->space);
    free(s);
}

/* What the library would try for ever. */
static int check_servers(const char *servers, struct err *e)
{
    const char *why = NULL;

    if (servers[0] == '\0') {
        why = "no HOST:PORT";
    } else if (strchr(servers, '@') != NULL) {
        why = "no user and password here: -X sasl.username=NAME, -k file:PATH";
    }
    for (const char *p = servers; why == NULL && *p != '\0';) {
        const size_t n = strcspn(p, ",");
        const char *colon = memrchr(p, ':', n);
        const bool bracketed = n > 0 && p[n - 1] == ']';
        if (colon != NULL && !bracketed) {
            const size_t digits = strspn(colon + 1, "0123456789");
            if (digits == 0 || digits > 5 || colon + 1 + digits != p + n) {
                why = "the port is no number";
            }
        }
        p += n + (p[n] == ',' ? 1 : 0);
    }
    return why == NULL
               ? 0
               : err_set(e, STATUS_USAGE, "kafka://%s: %s", servers, why);
}

/* "//HOST:PORT,…[/SPACE]" */
static int parse(struct remote_store *s, const char *rest, struct err *e)
{
    const char *servers = rest + strspn(rest, "/");
    const size_t n = strcspn(servers, "/");
    const char *space = servers[n] == '/' ? servers + n + 1 : "";

    s->servers = mem_strndup(servers, n);
    s->space = space[0] != '\0' ? mem_printf("%s.", space) : mem_strdup("");
    if (check_servers(s->servers, e) < 0) {
        return -1;
    }
    return space[0] != '\0' ? topic_name_check(space, e) : 0;
}

static struct topic_store *
open_store(const char *rest, const struct topic_store_conf *conf, struct err *e)
{
    struct remote_store *s = mem_new(sizeof *s);

    if (parse(s, rest, e) < 0) {
        goto fail;
    }
    s->client = kafka_client_open(
        &(struct kafka_client_conf){.servers = s->servers,
                                    .property = conf->property.v,
                                    .properties = conf->property.n,
                                    .secret = conf->secret},
        e);
    if (s->client == NULL) {
        goto fail;
    }
    s->mode = conf->structured ? KAFKA_STRUCTURED : KAFKA_BINARY;
    if (conf->exactly_once) {
        s->exact = kafka_exact_new(
            s->client,
            &(struct kafka_exact_conf){.interval_ms = conf->commit_ms,
                                       .single_broker = conf->single_broker,
                                       .new_position = conf->new_position});
    }
    return &s->base;
fail:
    close_store(&s->base);
    return NULL;
}

char *remote_name(const struct remote_store *s, const char *name)
{
    return mem_printf("%s%s", s->space, name);
}

const char *remote_own_name(const struct remote_store *s, const char *name)
{
    const size_t n = strlen(s->space);

    return strncmp(name, s->space, n) == 0 ? name + n : NULL;
}

int remote_unknown(const struct topic_store *s, const char *topic,
                   struct err *e)
{
    return err_set(e, STATUS_UNREACHABLE,
                   "no topic \"%s\" in %s; make it with: dpp-topic -b %s "
                   "create %s",
                   topic, s->name, s->name, topic);
}

const struct topic_backend topic_remote = {
    .scheme = "kafka:",
    .open = open_store,
    .close = close_store,
    .writer_open = remote_writer_open,
    .writer_close = remote_writer_close,
    .own = remote_writer_own,
    .add = remote_writer_add,
    .add_line = remote_writer_add_line,
    .cut = remote_writer_cut,
    .commit = remote_writer_commit,
    .drop = remote_writer_drop,
    .ticket = remote_writer_ticket,
    .synced = remote_writer_synced,
    .writer_fd = remote_writer_fd,
    .writer_due = remote_writer_due,
    .hurry = remote_writer_hurry,
    .disown = remote_writer_disown,
    .sync = remote_writer_sync,
    .reader_open = remote_reader_open,
    .reader_close = remote_reader_close,
    .assign = remote_reader_assign,
    .start = remote_reader_start,
    .next = remote_reader_next,
    .ended = remote_reader_ended,
    .position = remote_reader_position,
    .store = remote_reader_store,
    .unbalanced = remote_reader_unbalanced,
    .reader_due = remote_reader_due,
    .lag = remote_reader_lag,
    .fds = remote_reader_fds,
    .woken = remote_reader_woken,
    .watch_open = remote_watch_open,
    .watch_close = remote_watch_close,
    .watch_read = remote_watch_read,
    .watch_fd = remote_watch_fd,
    .watch_due = remote_watch_due,
    .list = remote_list,
    .create = remote_create,
    .show = remote_show,
    .groups = remote_groups,
    .reset = remote_reset,
    .verify = remote_verify,
    .remove = remote_remove,
};
