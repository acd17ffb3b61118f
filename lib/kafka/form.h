/* What the two ways between lines and records (kafka/record.h) agree upon. */
#ifndef KAFKA_FORM_H
#define KAFKA_FORM_H

#include "kafka/record.h"

struct event;

#define KAFKA_TYPE      "kafka.record"
#define KAFKA_PREFIX    "dpphdr_"
#define KAFKA_JSON_MARK "dppjson"

extern const struct header kafka_structured_type;

enum kafka_kind {
    KAFKA_OWN, /* a header of the record, not of the event */
    KAFKA_ATTRIBUTE,
    KAFKA_CONTENT_TYPE,
    KAFKA_MARK,
};

/* How a header of this name is read. An own header has no other meaning in the
 * mode; the name behind ce_ of an attribute can be a member as it stands. */
enum kafka_kind kafka_kind_of(struct slice name, enum kafka_mode);

/* An own header needs the prefix if it would be read as another kind, or as a
 * prefixed one, without it; bare takes such a prefix off. */
bool kafka_name_needs_prefix(struct slice name, enum kafka_mode);
struct slice kafka_name_bare(struct slice name, enum kafka_mode);

/* application/cloudevents..., in JSON or in any format. */
bool kafka_media_is_json_event(struct slice);
bool kafka_media_is_event(struct slice);

/* The shape of a foreign record's line: see kafka/record.h. */
bool kafka_event_is_foreign(const struct event *);

/* The time of such a line, or -1 if it is not as time_format() writes it. */
int64_t kafka_time(struct slice json);

void kafka_names_add(struct kafka_scratch *, struct slice name);
bool kafka_names_repeat(struct kafka_scratch *);

void kafka_headers_add(struct kafka_scratch *, struct slice name,
                       struct slice value);

#endif
