/* How far the word of a topic has spread among the brokers. */
#ifndef KAFKA_SPREAD_H
#define KAFKA_SPREAD_H

#include <stdbool.h>

struct err;
struct kafka_handle;

/* The brokers say that a topic is made, or removed, before all of them know:
 * wait until each does, so that whoever comes next finds it so. One that cannot
 * be reached is not waited for. Ten seconds at most; -1: 69 no broker, 77. */
int kafka_spread_await(struct kafka_handle *, const char *topic, bool there,
                       struct err *);

#endif
