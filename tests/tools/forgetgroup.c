/* forgetgroup HOST:PORT GROUP: deletes a consumer group with its offsets, as
 * the brokers do to one that nobody has used for offsets.retention.minutes. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    char why[256];
    size_t n = 0;

    if (argc != 3) {
        return 64;
    }
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], why,
                            sizeof why);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_DeleteGroup_t *group = rd_kafka_DeleteGroup_new(argv[2]);
    rd_kafka_DeleteGroups(rk, &group, 1, NULL, q);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, -1);
    const rd_kafka_group_result_t **result =
        rd_kafka_DeleteGroups_result_groups(
            rd_kafka_event_DeleteGroups_result(ev), &n);
    const rd_kafka_error_t *error =
        n == 1 ? rd_kafka_group_result_error(result[0]) : NULL;
    const int rc = n == 1 && error == NULL ? 0 : 1;
    if (rc != 0) {
        (void)fprintf(stderr, "forgetgroup: %s: %s\n", argv[2],
                      error != NULL ? rd_kafka_error_string(error)
                                    : rd_kafka_event_error_string(ev));
    }
    rd_kafka_event_destroy(ev);
    rd_kafka_DeleteGroup_destroy(group);
    rd_kafka_queue_destroy(q);
    rd_kafka_destroy(rk);
    return rc;
}
