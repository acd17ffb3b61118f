/* YAML that is taken, and YAML that is refused with a line that leads there. */
#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "unit.h"

struct sample {
    const char *name;
    uint64_t port;
    uint64_t wait;
    uint64_t size;
    bool open;
    unsigned hmac;
    const struct conf *list;
    const struct conf *map;
};

#define AT(member) offsetof(struct sample, member)

static const char *const hashes[] = {"sha1", "sha256", NULL};

static const struct conf_key keys[] = {
    {.name = "name", .want = CONF_WANT_TEXT, .at = AT(name), .required = true},
    {.name = "port",
     .want = CONF_WANT_NUMBER,
     .at = AT(port),
     .min = 1,
     .max = 65535},
    {.name = "wait", .want = CONF_WANT_DURATION, .at = AT(wait)},
    {.name = "size", .want = CONF_WANT_SIZE, .at = AT(size)},
    {.name = "open", .want = CONF_WANT_BOOL, .at = AT(open)},
    {.name = "hmac",
     .want = CONF_WANT_CHOICE,
     .at = AT(hmac),
     .choices = hashes},
    {.name = "list", .want = CONF_WANT_LIST, .at = AT(list)},
    {.name = "map", .want = CONF_WANT_MAP, .at = AT(map)},
    {.name = NULL},
};

static void taken(void)
{
    struct err e;
    struct sample s = {0};
    struct conf_file *f = conf_parse(
        "f",
        SLICE("# a comment\nname: no\nport: 8080\nwait: 5m\nsize: 2k\n"
              "open: true\nhmac: sha256\nlist: [a, 'b', \"c\\n\"]\n"
              "map:\n  x: |\n    text\n  y: {z: 1}\n"),
        &e);

    if (!unit_check(f != NULL, "a file of all kinds is read")) {
        return;
    }
    unit_check(conf_read(conf_root(f), keys, &s, &e) == 0,
               "all its keys are known");
    unit_check(strcmp(s.name, "no") == 0, "a plain no is a text");
    unit_check(s.port == 8080 && s.wait == 300000 && s.size == 2048 && s.open &&
                   s.hmac == 1,
               "numbers, durations, sizes, truth and choices");
    const struct conf *third = s.list->first->next->next;
    unit_check(strcmp(third->text, "c\n") == 0 && third->next == NULL &&
                   third->line == 8 && third->column == 16,
               "the third of the list is in line 8, column 16");
    const struct conf *y = conf_get(s.map, "y");
    unit_check(y != NULL && y->line == 12 && y->column == 6 &&
                   strcmp(conf_get(y, "z")->text, "1") == 0 &&
                   strcmp(conf_get(s.map, "x")->text, "text\n") == 0,
               "maps in maps, and blocks of text");
    conf_free(f);
}

static void refused(const char *title, struct slice text, const char *want)
{
    struct err e = {0};
    struct sample s = {0};
    struct conf_file *f = conf_parse("f.yaml", text, &e);
    const int rc = f != NULL ? conf_read(conf_root(f), keys, &s, &e) : -1;

    if (!unit_check(rc < 0 && strcmp(e.text, want) == 0 &&
                        e.status == STATUS_CONFIG,
                    "refused: %s", title)) {
        printf("# is:     %s\n# wanted: %s\n", rc < 0 ? e.text : "no error",
               want);
    }
    conf_free(f);
}

#define REFUSED(title, text, want) refused(title, SLICE(text), want)

static void tables(void)
{
    REFUSED("a typo", "name: a\nhmacc: sha1\n",
            "f.yaml:2:1: unknown key \"hmacc\" (did you mean \"hmac\"?)");
    REFUSED("swapped letters", "  naem: a\n",
            "f.yaml:1:3: unknown key \"naem\" (did you mean \"name\"?)");
    REFUSED("a key that is like no other", "name: a\ncolour: red\n",
            "f.yaml:2:1: unknown key \"colour\"");
    REFUSED("a missing key", "port: 1\n", "f.yaml:1:1: \"name\" is missing");
    REFUSED("a key without value", "name:\n",
            "f.yaml:1:6: \"name\" has no value");
    REFUSED("null", "name: null\n", "f.yaml:1:7: \"name\" has no value");
    REFUSED("a list for a text", "name: [a]\n",
            "f.yaml:1:7: \"name\" must be a text, not a list");
    REFUSED("a text for a map", "name: a\nmap: b\n",
            "f.yaml:2:6: \"map\" must be a map, not a text");
    REFUSED("a list at the top", "- a\n", "f.yaml:1:1: this must be a map");
    REFUSED("no number", "name: a\nport: 80a\n",
            "f.yaml:2:7: \"port\": \"80a\" is no number");
    REFUSED("a number with a sign", "name: a\nport: -1\n",
            "f.yaml:2:7: \"port\": \"-1\" is no number");
    REFUSED("a number out of range", "name: a\nport: 65536\n",
            "f.yaml:2:7: \"port\": 65536 is out of range");
    REFUSED("a number that wraps", "name: a\nport: 18446744073709551617\n",
            "f.yaml:2:7: \"port\": \"18446744073709551617\" is no number");
    REFUSED("yes", "name: a\nopen: yes\n",
            "f.yaml:2:7: \"open\" must be true or false");
    REFUSED("a choice that is none", "name: a\nhmac: md5\n",
            "f.yaml:2:7: \"hmac\" must be one of sha1, sha256, not \"md5\"");
}

static void syntax(void)
{
    REFUSED("an empty file", "", "f.yaml:1:1: the file is empty");
    REFUSED("comments only", "# x\n", "f.yaml:1:1: the file is empty");
    REFUSED("a key twice", "name: a\nport: 1\nname: b\n",
            "f.yaml:3:1: key \"name\" a second time (first in line 1)");
    REFUSED("a key twice in a flow map", "map: {a: 1, a: 2}\n",
            "f.yaml:1:13: key \"a\" a second time (first in line 1)");
    REFUSED("an anchor", "name: &a b\n",
            "f.yaml:1:7: anchors (&) are not taken");
    REFUSED("an anchor on a map", "map: &a {b: c}\n",
            "f.yaml:1:6: anchors (&) are not taken");
    REFUSED("an alias", "name: *a\n", "f.yaml:1:7: aliases (*) are not taken");
    REFUSED("an alias bomb", "a: &a [x, x]\nb: &b [*a, *a]\nname: [*b, *b]\n",
            "f.yaml:1:4: anchors (&) are not taken");
    REFUSED("a tag", "name: !!binary aGk=\n",
            "f.yaml:1:7: tags (!) are not taken");
    REFUSED("a tag of its own", "name: !x y\n",
            "f.yaml:1:7: tags (!) are not taken");
    REFUSED("a merge", "map: {a: 1}\n<<: {b: 2}\n",
            "f.yaml:2:1: unknown key \"<<\"");
    REFUSED("a second document", "name: a\n---\nname: b\n",
            "f.yaml:2:1: a second document");
    REFUSED("a %TAG", "%TAG ! tag:x,2000:\n---\nname: a\n",
            "f.yaml:1:1: %TAG is not taken");
    REFUSED("a key that is a list", "? [a]\n: b\n",
            "f.yaml:1:3: a key must be a word");
    REFUSED("a NUL in quotes", "name: \"a\\0b\"\n",
            "f.yaml:1:7: a NUL in a text");
    REFUSED("a tab for indentation", "map:\n\ta: b\n",
            "f.yaml:2:1: found character that cannot start any token");
    REFUSED("a raw NUL", "name: a\nport: \0\n",
            "f.yaml:2:7: control characters are not allowed");
    REFUSED("no UTF-8", "name: a\nport: \xff\n",
            "f.yaml:2:7: invalid leading UTF-8 octet");
    REFUSED("a list that does not end", "list: [a, b\n",
            "f.yaml:2:1: did not find expected ',' or ']'");
}

static void repeated(const char *title, const char *head, const char *piece,
                     size_t times, const char *want)
{
    struct buf b;

    buf_init(&b);
    buf_puts(&b, head);
    for (size_t i = 0; i < times; i++) {
        buf_puts(&b, piece);
    }
    refused(title, buf_slice(&b), want);
    buf_release(&b);
}

static void limits(void)
{
    repeated("33 levels", "list: ", "[", 32,
             "f.yaml:1:38: deeper than 32 levels");
    repeated("5,000 levels", "list: ", "[", 5000,
             "f.yaml:1:38: deeper than 32 levels");
    repeated("10,001 nodes", "list: [", "a,", 20000,
             "f.yaml:1:20004: more than 10,000 nodes");
    repeated("more than 1 MiB", "name: ", "aaaaaaaaaaaaaaaa", 65536,
             "f.yaml: larger than 1 MiB");
}

int main(void)
{
    taken();
    tables();
    syntax();
    limits();
    return unit_end();
}
