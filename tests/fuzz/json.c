/* The JSON scanner: what one function calls valid the others walk without a
 * stumble, decoding and encoding give the text back, and a cut text is not
 * whole. */
#include "record/json.h"

#include "driver/must.h"

static void look_string(struct slice v)
{
    struct buf text;
    struct buf again;
    struct buf second;

    buf_init(&text);
    buf_init(&again);
    buf_init(&second);
    json_decode(&text, v);
    FUZZ_MUST(utf8_valid(buf_slice(&text)));
    json_encode(&again, buf_slice(&text));
    FUZZ_MUST(json_valid(buf_slice(&again)));
    json_decode(&second, buf_slice(&again));
    FUZZ_MUST(slice_eq(buf_slice(&text), buf_slice(&second)));
    buf_release(&text);
    buf_release(&again);
    buf_release(&second);
}

/* Members cover the object from end to end, in order. */
static void walk(struct slice text, bool valid)
{
    struct json_walk w;
    struct slice key;
    struct slice value;
    const char *at = text.p;
    int rc;

    json_walk_init(&w, text);
    while ((rc = json_walk_next(&w, &key, &value)) == 1) {
        FUZZ_MUST(key.p > at && value.p > key.p + key.n);
        FUZZ_MUST(json_valid(value) && value.n > 0);
        FUZZ_MUST(value.p + value.n <= text.p + text.n);
        look_string((struct slice){key.p - 1, key.n + 2});
        if (json_is_string(value)) {
            look_string(value);
        }
        at = value.p + value.n;
    }
    FUZZ_MUST(rc != 0 || valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct slice text = {(const char *)data, n};
    const bool valid = json_valid(text);
    const char *end = text.p + n;
    const char *p = json_skip(text.p, end);

    FUZZ_MUST(!valid || (p != NULL && utf8_valid(text)));
    FUZZ_MUST(p == NULL || (p > text.p && p <= end));
    FUZZ_MUST(p == NULL ||
              json_valid((struct slice){text.p, (size_t)(p - text.p)}));
    walk(text, valid);
    if (valid && (*text.p == '{' || *text.p == '[')) {
        FUZZ_MUST(
            !json_valid((struct slice){text.p, (size_t)(p - text.p) - 1}));
    }
    if (valid && json_is_string(text) && p == end) {
        look_string(text);
    }
    return 0;
}
