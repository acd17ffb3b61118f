/* YAML from anywhere: a tree within its limits, or one line that says where it
 * stops. */
#include "conf/conf.h"

#include "base/err.h"
#include "driver/must.h"

static unsigned nodes;

static void walk(const struct conf *c, unsigned depth)
{
    FUZZ_MUST(depth <= CONF_DEPTH_MAX + 1 && ++nodes <= CONF_NODES_MAX);
    FUZZ_MUST(c->line > 0 && c->column > 0);
    FUZZ_MUST((c->kind == CONF_TEXT) == (c->text != NULL));
    for (const struct conf *i = c->first; i != NULL; i = i->next) {
        FUZZ_MUST((c->kind == CONF_MAP) == (i->key != NULL));
        FUZZ_MUST(i->key == NULL || conf_get(c, i->key) == i);
        walk(i, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err e = {0};
    struct conf_file *f =
        conf_parse("f", (struct slice){(const char *)data, n}, &e);

    if (f != NULL) {
        nodes = 0;
        walk(conf_root(f), 1);
    } else {
        FUZZ_MUST(e.status == STATUS_CONFIG && e.text[0] == 'f');
        FUZZ_MUST(strchr(e.text, '\n') == NULL);
    }
    conf_free(f);
    return 0;
}
