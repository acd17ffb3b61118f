/* The gate: what a request must pass before anybody looks into it. Route,
 * method, signature; the HTTP parser has kept the limits before. */
#ifndef LISTEN_GATE_H
#define LISTEN_GATE_H

#include "listen/routes.h"

/* 0: it may pass, *route says where. Else the status of the answer and the
 * reason, which is for us and not for the client. */
unsigned gate_check(const struct routes *, const struct http_message *,
                    uint64_t now_ms, const struct route **route,
                    struct err *why);

#endif
