/* jq's values: a valid text builds what libjq's own parser builds, is printed
 * so that it reads the same, and printed over itself it keeps its bytes. */
#include "jq/over.h"
#include "jq/value.h"

#include "driver/must.h"
#include "record/json.h"

/* As libjq prints it: it prints infinity as the greatest double. */
static bool same(jv a, jv b)
{
    jv x = jv_dump_string(jv_copy(a), 0);
    jv y = jv_dump_string(jv_copy(b), 0);
    const bool equal = slice_eq(value_text(x), value_text(y));

    jv_free(x);
    jv_free(y);
    return equal;
}

static void look_over(struct value_keys *keys, jv v, struct slice raw)
{
    struct buf out;
    const struct over over = {&out, keys, false};
    const struct over compact = {&out, keys, true};
    jv other = jv_array_append(jv_array(), jv_copy(v));

    buf_init(&out);
    FUZZ_MUST(over_print(&over, v, v, raw) == 1);
    FUZZ_MUST(slice_eq(buf_slice(&out), raw));
    buf_clear(&out);
    FUZZ_MUST(over_print(&compact, v, v, raw) == 1);
    FUZZ_MUST(json_valid(buf_slice(&out)) &&
              memchr(out.p, '\n', out.n) == NULL);
    buf_clear(&out);
    (void)over_print(&compact, other, v, raw);
    FUZZ_MUST(json_valid(buf_slice(&out)));
    if (jv_get_kind(v) == JV_KIND_OBJECT || jv_get_kind(v) == JV_KIND_ARRAY) {
        jv less = jv_get_kind(v) == JV_KIND_ARRAY
                      ? jv_array_slice(jv_copy(v), 1, 1 << 20)
                      : jv_object_set(jv_copy(v), jv_string("a"), jv_true());
        buf_clear(&out);
        FUZZ_MUST(over_print(&compact, less, v, raw) >= 0);
        FUZZ_MUST(json_valid(buf_slice(&out)));
        jv read;
        (void)value_parse(keys, out.p, out.p + out.n, &read);
        jv x = jv_dump_string(read, JV_PRINT_SORTED);
        jv y = jv_dump_string(less, JV_PRINT_SORTED);
        FUZZ_MUST(slice_eq(value_text(x), value_text(y)));
        jv_free(x);
        jv_free(y);
    }
    jv_free(other);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct slice text = {(const char *)data, n};
    struct value_keys keys;
    struct buf out;
    jv v;

    if (!json_valid(text)) {
        return 0;
    }
    const char *end = text.p + n;
    value_keys_init(&keys);
    const char *p = value_parse(&keys, text.p, end, &v);
    if (p != NULL) {
        const char *start = value_blanks(text.p, end);
        FUZZ_MUST(value_blanks(p, end) == end);
        jv theirs = jv_parse_sized(text.p, (int)n);
        FUZZ_MUST(!jv_is_valid(theirs) || same(v, theirs));
        jv_free(theirs);
        buf_init(&out);
        FUZZ_MUST(value_print(&out, v) == 0 && json_valid(buf_slice(&out)));
        jv again;
        FUZZ_MUST(value_parse(&keys, out.p, out.p + out.n, &again) != NULL);
        FUZZ_MUST(same(v, again));
        jv_free(again);
        buf_release(&out);
        look_over(&keys, v, (struct slice){start, (size_t)(p - start)});
        jv_free(v);
    }
    value_keys_release(&keys);
    return 0;
}
