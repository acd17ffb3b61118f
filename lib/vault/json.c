#include "vault/json.h"

#include <stddef.h>
#include <stdlib.h>

#include "vault/safe.h"

static void *wiped_alloc(size_t n)
{
    size_t *p = malloc(sizeof(max_align_t) + n);

    if (p == NULL) {
        return NULL;
    }
    *p = n;
    return (char *)p + sizeof(max_align_t);
}

static void wiped_free(void *memory)
{
    if (memory != NULL) {
        size_t *p = (void *)((char *)memory - sizeof(max_align_t));
        safe_wipe(memory, *p);
        free(p);
    }
}

void vault_json_begin(struct vault_json *was)
{
    json_get_alloc_funcs(&was->alloc, &was->free);
    json_set_alloc_funcs(wiped_alloc, wiped_free);
}

void vault_json_end(const struct vault_json *was)
{
    json_set_alloc_funcs(was->alloc, was->free);
}
