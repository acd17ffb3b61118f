/* Connectors: what a service's webhooks look like, as data;
 * dpp-connector(5).
 *
 * A file share/connectors/NAME.yaml says how requests are signed, and where
 * the event's id, type and key are. It is found in $DPP_SHARE, else where dpp
 * is installed, else beside the program; a name with '/' is a path. */
#ifndef CONNECTOR_CONNECTOR_H
#define CONNECTOR_CONNECTOR_H

#include "http/sign.h"

struct conf;
struct conf_file;
struct err;

/* Where a value comes from. */
enum connector_from {
    CONNECTOR_NOWHERE,
    CONNECTOR_TEXT,   /* the text itself */
    CONNECTOR_HEADER, /* a field of the request */
    CONNECTOR_BODY,   /* a JSON pointer into its body */
};

struct connector_ref {
    enum connector_from from;
    const char *text;
};

/* A request with what must come of it; the tests run them all. */
struct connector_example {
    const char *about;
    const char *secret;         /* NULL: one that signs nothing here */
    const char *now;            /* RFC 3339, for the tolerance; or NULL */
    const struct conf *headers; /* a map of texts; or NULL */
    const char *body;
    bool accept;
    const struct conf *event; /* members of the event; or NULL */
};

/* All texts live as long as the connector. */
struct connector {
    char *name;
    const char *about;
    const char *docs;    /* where the service describes it */
    const char *checked; /* the day that was last read */
    bool is_signed;
    struct sign_scheme sign;
    const char *source; /* of the events */
    struct connector_ref id;
    struct connector_ref type;
    struct connector_ref key;
    struct connector_ref subject;
    struct connector_example *example;
    unsigned examples;
    struct conf_file *file;
};

/* STATUS_CONFIG for one that does not exist (the message lists those that do)
 * or that contradicts itself. */
struct connector *connector_load(const char *name, struct err *);
void connector_free(struct connector *);

/* "header:NAME", "body:/POINTER", else a text. STATUS_CONFIG. */
int connector_ref_parse(struct connector_ref *, const char *text, struct err *);

#endif
