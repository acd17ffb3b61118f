/* JSON that holds secrets: between the two, jansson's memory is wiped when it
 * is given back. Not for two at a time. */
#ifndef VAULT_JSON_H
#define VAULT_JSON_H

#include <jansson.h>

struct vault_json {
    json_malloc_t alloc;
    json_free_t free;
};

void vault_json_begin(struct vault_json *);
void vault_json_end(const struct vault_json *);

#endif
