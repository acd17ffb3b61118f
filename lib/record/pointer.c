#include "record/pointer.h"

#include "record/json.h"

bool json_pointer_valid(const char *p)
{
    if (*p != '\0' && *p != '/') {
        return false;
    }
    for (; *p != '\0'; p++) {
        if (*p == '~' && p[1] != '0' && p[1] != '1') {
            return false;
        }
    }
    return true;
}

/* The next name of the pointer into out; the pointer behind it. */
static const char *next_name(const char *p, struct buf *out)
{
    buf_clear(out);
    for (p++; *p != '\0' && *p != '/'; p++) {
        if (*p == '~') {
            p++;
            buf_putc(out, *p == '0' ? '~' : '/');
        } else {
            buf_putc(out, *p);
        }
    }
    return p;
}

static bool key_is(struct slice key, struct slice name)
{
    struct buf text;

    if (memchr(key.p, '\\', key.n) == NULL) {
        return slice_eq(key, name);
    }
    buf_init(&text);
    json_decode(&text, (struct slice){key.p - 1, key.n + 2});
    const bool same = slice_eq(buf_slice(&text), name);
    buf_release(&text);
    return same;
}

static struct slice member(struct slice object, struct slice name)
{
    struct json_walk w;
    struct slice key;
    struct slice value;
    struct slice found = {0};
    int rc;

    json_walk_init(&w, object);
    while ((rc = json_walk_next(&w, &key, &value)) == 1) {
        if (key_is(key, name)) {
            found = value;
        }
    }
    return rc == 0 ? found : (struct slice){0};
}

struct slice json_pointer(struct slice text, const char *pointer)
{
    struct buf name;

    buf_init(&name);
    while (*pointer != '\0' && text.p != NULL) {
        pointer = next_name(pointer, &name);
        text = member(text, buf_slice(&name));
    }
    buf_release(&name);
    return text;
}

bool json_scalar(struct buf *out, struct slice v)
{
    if (v.n == 0 || v.p[0] == '{' || v.p[0] == '[' || v.p[0] == 'n') {
        return false;
    }
    if (json_is_string(v)) {
        json_decode(out, v);
    } else {
        buf_append_slice(out, v);
    }
    return true;
}
