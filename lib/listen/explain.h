/* dpp-listen --explain: what would happen to this request, step by step. */
#ifndef LISTEN_EXPLAIN_H
#define LISTEN_EXPLAIN_H

#include <stdint.h>

#include "listen/routes.h"

/* Append the steps as lines. The status of the answer. */
unsigned explain_request(const struct routes *, struct slice request,
                         uint64_t max_body, uint64_t now_ms, struct buf *out);

#endif
