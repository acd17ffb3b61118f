/* The event line: CloudEvents 1.0 in JSON format, as raw bytes with a view on
 * the members that dpp needs (dpp-stage(7)). */
#ifndef RECORD_EVENT_H
#define RECORD_EVENT_H

#include <stdint.h>

#include "base/buf.h"

struct err;

/* Slices of the line as they stand there (strings with quotes and escapes);
 * p == NULL where a member is missing. Borrowed from the line. */
struct event {
    struct slice line; /* without line end */
    struct slice specversion;
    struct slice id;
    struct slice source;
    struct slice type;
    struct slice time;
    struct slice subject;
    struct slice datacontenttype;
    struct slice partitionkey;
    struct slice data;
    struct slice data_base64;
    struct slice dpporigin;
    struct slice dpphdr;
    struct slice dppkey;     /* a string or null, or what is no key at all */
    struct slice origin_cut; /* dpporigin with one comma: what to leave out */
    unsigned char order[16]; /* for event_walk_next(): its first members */
};

/* 0, or -1 with STATUS_STREAM and the reason in the error's text: no JSON
 * object, a required member is missing or no string, a member twice, a member
 * "dpp" (without those before it, it would begin a control line). A line
 * with "dpp" as a later member and no specversion gets *reordered = true: a
 * filter has reordered a control line. */
int event_parse(struct event *, struct slice line, bool *reordered,
                struct err *);

/* Walks all members of a parsed event in their order, those that struct event
 * has no slice for as well. What event_parse() has found is not looked at
 * again: data costs nothing. */
struct event_walk {
    const struct event *ev;
    const char *p;
    size_t n; /* members so far */
};

void event_walk_init(struct event_walk *, const struct event *);
bool event_walk_next(struct event_walk *, struct slice *key,
                     struct slice *value);

/* The line without dpporigin, as two pieces (the second may be empty). */
void event_without_origin(const struct event *, struct slice part[2]);

/* Append the line with dpporigin set to "topic/partition/offset". The line has
 * none yet (that is how topics keep it). No line end. */
void event_add_origin(struct buf *, struct slice line, const char *topic,
                      uint32_t partition, uint64_t offset);

/* True if data stands for its text: a string, and the type is not JSON (as
 * others write an XML body; dpp itself writes data_base64). */
bool event_data_is_text(const struct event *);

/* Append the value's bytes: data as it stands or, if it is text, decoded, and
 * data_base64 decoded. 1; 0 if there is neither (a tombstone); -1 if
 * data_base64 is no base 64. */
int event_value(const struct event *, struct buf *);

/* What orders events: those of one key keep their order in every lane and every
 * topic; p == NULL: nothing does. It is the key of the Kafka record that the
 * event was (dppkey, decoded), where that had one and it is not partitionkey
 * itself, else partitionkey, decoded. In the line, or in room, which is
 * cleared. */
struct slice event_key(const struct event *, struct buf *room);

/* What an event is made of; text that is decoded, p == NULL: left out. */
struct event_parts {
    struct slice id; /* NULL: a UUIDv7 */
    struct slice source;
    struct slice type;
    struct slice subject;
    struct slice time; /* NULL: now */
    struct slice datacontenttype;
    struct slice partitionkey;
    struct slice traceparent;
    struct slice tracestate;
    struct slice dpphdr;
    struct slice value;
    bool tombstone;
};

/* Append one event line without line end. value is spliced in byte for byte as
 * data if it may be (JSON type, valid UTF-8 JSON, no CR or LF, no blank at
 * either end), else it goes to data_base64. */
void event_write(struct buf *, const struct event_parts *);

/* Append the member that holds a value, comma first: data if it may be spliced
 * in, else data_base64. */
void event_write_value(struct buf *, struct slice datacontenttype,
                       struct slice value);

/* True for application/json, text/json and +json, whatever parameters. A
 * missing type counts as JSON, as CloudEvents says. */
bool event_type_is_json(struct slice datacontenttype);

/* Append a dead letter: the event with deadreason, deadstage, deadtime and
 * deadorigin (its dpporigin) as attributes, replacing older ones. */
void event_write_dead(struct buf *, const struct event *, struct slice why,
                      const char *stage);

/* Append a whole event of type dpp.invalid that carries bytes which are no
 * event, base 64. */
void event_wrap_invalid(struct buf *, struct slice bytes);

#endif
