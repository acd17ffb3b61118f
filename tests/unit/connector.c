/* Every example of every connector in share/connectors, and what must not be
 * loaded. */
#include "connector/connector.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "connector/envelope.h"
#include "record/json.h"
#include "record/pointer.h"
#include "unit.h"

static void message(struct http_message *m, struct http_field *room,
                    const struct connector_example *x)
{
    *m = (struct http_message){.method = SLICE("POST"),
                               .path = SLICE("/"),
                               .body = slice_of(x->body),
                               .field = room};
    if (x->headers == NULL) {
        return;
    }
    for (const struct conf *c = x->headers->first; c != NULL; c = c->next) {
        room[m->fields++] =
            (struct http_field){slice_of(c->key), slice_of(c->text)};
    }
}

/* The members of the event that the example names. */
static bool event_is(const struct connector *c,
                     const struct connector_example *x,
                     const struct http_message *m)
{
    struct envelope e;
    struct slice key;
    struct buf line;
    struct buf got;
    bool good = true;

    envelope_init(&e);
    buf_init(&line);
    buf_init(&got);
    envelope_write(&e, c, NULL, m, &line, &key);
    const struct conf *want = x->event != NULL ? x->event->first : NULL;
    for (; want != NULL; want = want->next) {
        char *pointer = mem_printf("/%s", want->key);
        buf_clear(&got);
        (void)json_scalar(&got, json_pointer(buf_slice(&line), pointer));
        if (!slice_is(buf_slice(&got), want->text)) {
            printf("# %s is \"%s\", wanted \"%s\"\n", want->key, buf_cstr(&got),
                   want->text);
            good = false;
        }
        free(pointer);
    }
    good &= json_valid(buf_slice(&line));
    buf_release(&line);
    buf_release(&got);
    envelope_release(&e);
    return good;
}

static bool run(const struct connector *c, const struct connector_example *x)
{
    struct http_field room[HTTP_FIELDS_MAX];
    struct http_message m;
    struct err e = {0};
    uint64_t now = clock_wall_ms();
    struct sign *s = sign_new(&c->sign, &e);
    bool good;

    message(&m, room, x);
    if ((x->now != NULL && time_parse(x->now, &now, &e) < 0) || s == NULL ||
        sign_add_key(s, slice_of(x->secret), 0, &e) < 0) {
        printf("# %s\n", e.text);
        sign_free(s);
        return false;
    }
    good = (sign_verify(s, &m, now, &e) == 0) == x->accept;
    if (!good) {
        printf("# %s\n", x->accept ? e.text : "it was accepted");
    }
    sign_free(s);
    return good && (!x->accept || event_is(c, x, &m));
}

static void examples(const char *name)
{
    struct err e;
    struct connector *c = connector_load(name, &e);
    unsigned accepted = 0;
    unsigned refused = 0;

    if (!unit_check(c != NULL, "%s is loaded", name)) {
        printf("# %s\n", e.text);
        return;
    }
    for (unsigned i = 0; i < c->examples; i++) {
        const struct connector_example *x = &c->example[i];
        unit_check(run(c, x), "%s: %s", name, x->about);
        accepted += x->accept;
        refused += !x->accept;
    }
    unit_check(accepted > 0 && refused > 0,
               "%s has examples of what is accepted and what is refused", name);
    connector_free(c);
}

static void all(void)
{
    DIR *d = opendir("share/connectors");
    unsigned n = 0;

    if (d == NULL) {
        unit_check(false, "there is share/connectors");
        return;
    }
    for (const struct dirent *f; (f = readdir(d)) != NULL;) {
        char *name = mem_strdup(f->d_name);
        char *dot = strrchr(name, '.');
        if (dot != NULL && strcmp(dot, ".yaml") == 0) {
            *dot = '\0';
            examples(name);
            n++;
        }
        free(name);
    }
    (void)closedir(d);
    unit_check(n >= 3, "%u connectors were run", n);
}

#define HEAD "about: x\nwebhook:\n  source: /x\n"
#define SIGN "  sign: {header: X, hmac: sha256, encoding: hex, signed: '{body}'"

static void refused(const char *title, const char *text, const char *want)
{
    char path[] = "/tmp/connector.XXXXXX";
    const int fd = mkstemp(path);
    struct err e = {0};

    if (fd < 0 || fd_write(fd, text, strlen(text)) < 0) {
        unit_check(false, "a temporary file");
        return;
    }
    (void)close(fd);
    struct connector *c = connector_load(path, &e);
    const char *behind = strchr(e.text, ':');
    if (!unit_check(c == NULL && behind != NULL &&
                        strcmp(behind + 1, want) == 0,
                    "refused: %s", title)) {
        printf("# is: %s\n", c == NULL ? e.text : "accepted");
    }
    connector_free(c);
    (void)unlink(path);
}

static void files(void)
{
    struct err e = {0};

    unit_check(connector_load("githb", &e) == NULL &&
                   strcmp(e.text, "no connector is called \"githb\"; there are "
                                  "github, hmac, standard-webhooks") == 0,
               "an unknown name is answered by those that there are");
    unit_check(connector_load("..", &e) == NULL,
               "a name cannot lead out of the folder");
    unit_check(connector_load("./nowhere.yaml", &e) == NULL &&
                   e.status == STATUS_CONFIG,
               "a name with a slash is a path");
    refused("a typo", HEAD "  typ: x\n",
            "4:3: unknown key \"typ\" (did you mean \"type\"?)");
    refused("no type", HEAD, "3:3: \"type\" is missing");
    refused("a header that is none", HEAD "  type: 'header:a b'\n",
            "4:9: \"type\": \"a b\" is no name of a header");
    refused("a pointer that is none", HEAD "  type: body:a\n",
            "4:9: \"type\": \"a\" is no JSON pointer; write body:/a/b");
    refused("a signature of a kind that is not there",
            HEAD "  type: x\n  sign: {hmac: md5}\n",
            "5:16: \"hmac\" must be one of sha1, sha256, sha512, not \"md5\"");
    refused("a scheme that contradicts itself",
            HEAD "  type: x\n" SIGN ", tolerance: 5m}\n",
            "5:9: a \"tolerance\", and no \"timestamp\"");
}

static void find(struct slice line, const char *pointer, const char *want)
{
    struct buf got;

    buf_init(&got);
    const bool there = json_scalar(&got, json_pointer(line, pointer));
    const bool good =
        want != NULL ? there && slice_is(buf_slice(&got), want) : !there;
    if (!unit_check(good, "%s is %s", pointer, want != NULL ? want : "none")) {
        printf("# is: %s\n", there ? buf_cstr(&got) : "none");
    }
    buf_release(&got);
}

static void pointers(void)
{
    const struct slice text = SLICE(
        "{\"a\":{\"b\":\"x\\u00e9\",\"c/d\":1e2,\"~\":true},\"a\\\"\":0.10,"
        "\"n\":null,\"l\":[1],\"twice\":1,\"twice\":2,\"\":{\"\":7}}");

    find(text, "/a/b", "x\xc3\xa9");
    find(text, "/a/c~1d", "1e2");
    find(text, "/a/~0", "true");
    find(text, "/a\"", "0.10");
    find(text, "/twice", "2");
    find(text, "//", "7");
    find(text, "/a", NULL);
    find(text, "/n", NULL);
    find(text, "/l", NULL);
    find(text, "/l/0", NULL);
    find(text, "/a/b/c", NULL);
    find(text, "/none", NULL);
    find(SLICE("{\"a\":1,"), "/a", NULL);
    find(SLICE("[1]"), "/0", NULL);
    unit_check(json_pointer_valid("") && json_pointer_valid("/a~0~1") &&
                   !json_pointer_valid("a") && !json_pointer_valid("/~") &&
                   !json_pointer_valid("/~2"),
               "what a pointer may be");
}

/* One request without connector. */
static void header_is(const char *title, const struct http_field *f, unsigned n,
                      const char *want)
{
    const struct http_message m = {.method = SLICE("POST"),
                                   .path = SLICE("/hook"),
                                   .body = SLICE("1"),
                                   .field = f,
                                   .fields = n};
    struct envelope e;
    struct buf line;
    struct slice key;

    envelope_init(&e);
    buf_init(&line);
    envelope_write(&e, NULL, NULL, &m, &line, &key);
    const struct slice got = json_pointer(buf_slice(&line), "/dpphdr");
    if (!unit_check(want != NULL ? slice_is(got, want) : got.p == NULL, "%s",
                    title)) {
        printf("# %s\n", buf_cstr(&line));
    }
    buf_release(&line);
    envelope_release(&e);
}

#define FIELD(n, v)                                                            \
    {                                                                          \
        SLICE(n), SLICE(v)                                                     \
    }

static void headers(void)
{
    const struct http_field plain[] = {FIELD("User-Agent", "x"),
                                       FIELD("X-A", "1"), FIELD("X-A", ""),
                                       FIELD("x-b", "\xc3\xa9")};
    header_is("kept fields come in order, as they were written", plain, 4,
              "\"User-Agent: x\\nX-A: 1\\nX-A: \\nx-b: \xc3\xa9\"");
    const struct http_field odd[] = {FIELD("X-A", "\xff"),
                                     FIELD("X-B", "a\tb")};
    header_is("bytes that are no text are base 64", odd, 2,
              "\"X-A:: /w==\\nX-B:: YQli\"");
    const struct http_field gone[] = {FIELD("Authorization", "Bearer x"),
                                      FIELD("cookie", "a=b"),
                                      FIELD("X-Api-Key", "k"),
                                      FIELD("X-Gitlab-Token", "t"),
                                      FIELD("X-Hub-Signature", "s"),
                                      FIELD("Connection", "close"),
                                      FIELD("Content-Length", "1"),
                                      FIELD("Content-Type", "text/x"),
                                      FIELD("Traceparent", "00-1"),
                                      FIELD("Expect", "100-continue")};
    header_is("secrets and the connection's own do not travel", gone, 10, NULL);
    const struct http_field types[] = {FIELD("Content-Type", "a/b"),
                                       FIELD("Content-Type", "c/d")};
    header_is("of two types neither is an attribute", types, 2,
              "\"Content-Type: a/b\\nContent-Type: c/d\"");
}

int main(void)
{
    all();
    files();
    pointers();
    headers();
    return unit_end();
}
