#include "listen/gate.h"

#include "base/err.h"

unsigned gate_check(const struct routes *rs, const struct http_message *m,
                    uint64_t now_ms, const struct route **route,
                    struct err *why)
{
    *route = routes_find(rs, m->path);
    if (*route == NULL) {
        (void)err_set(why, STATUS_REFUSED, "no route takes this path");
        return 404;
    }
    if (!slice_is(m->method, "POST") && !slice_is(m->method, "PUT")) {
        (void)err_set(why, STATUS_REFUSED, "only POST and PUT are taken");
        return 405;
    }
    if ((*route)->sign != NULL &&
        sign_verify((*route)->sign, m, now_ms, why) < 0) {
        return 401;
    }
    return 0;
}
