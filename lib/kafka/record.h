/* Event lines and Kafka records: the CloudEvents Kafka protocol binding 1.0,
 * binary and structured mode, and records that are no events.
 *
 * Works on slices and knows no client library. Both ways never fail and lose
 * nothing: what does not fit one form travels in another.
 *
 * BINARY   The value is the bytes of data, or its text if it is a string and
 *          the type not JSON, or what data_base64 decodes to; null if there is
 *          none. datacontenttype is the header content-type,
 *          every other attribute ce_NAME with its text (the binding encodes
 *          nothing further), in the order of the line. An attribute that is no
 *          string has its JSON text as value and an empty header "dppjson"
 *          behind it; one that is null is left out, as it is for CloudEvents.
 *          dpphdr becomes the record's own headers, where it stands among the
 *          attributes; those of its names that would be read as an attribute
 *          get the prefix "dpphdr_", so that no sender of a header can speak
 *          for the event.
 * STRUCTURED  The value is the line without dpporigin, the content type
 *          application/cloudevents+json; charset=UTF-8. If dpphdr is the last
 *          member, it is cut from the value and becomes record headers. Also in
 *          binary mode when that could not be read back: the data is itself
 *          typed application/cloudevents..., data_base64 or dppkey is no
 *          base 64, specversion is not 1.0, an attribute comes twice.
 * FOREIGN  A record without a complete set of ce_ headers, with one twice, or
 *          with anything that would not be written back as it was: type
 *          kafka.record, source the topic, id "topic/partition/offset", time
 *          the record's timestamp, all headers in dpphdr. An event of exactly
 *          that shape becomes such a record again, with its timestamp.
 *
 * The record's key is dppkey (base 64, null for a null key), else partitionkey,
 * else null. partitionkey is an attribute as well (ce_partitionkey), unless it
 * is the first member of the line: the record had a key, and the event no such
 * attribute. A key that is no UTF-8 is read as dppkey. dpporigin is not
 * written. (The notation of dpphdr: record/header.h.)
 *
 * Record to line to record, in the mode it came in, gives key, value, headers
 * and, for foreign records, the timestamp (years 1970 to 9999) as they were,
 * byte for byte; but for a structured value with line ends, which become
 * blanks. Line to record to line gives the same bytes if dpporigin is missing
 * or last, dppkey is missing or as it is read here, and dpphdr holds no
 * content-type of an event: in structured mode for any such line, in binary
 * mode for one as dpp writes it: no blanks between tokens, strings escaped as
 * json_encode() does, no attribute null, data or data_base64 last and the right
 * one of the two (event_write_value()). A foreign record's id and source name
 * the new place. */
#ifndef KAFKA_RECORD_H
#define KAFKA_RECORD_H

#include <stdint.h>

#include "base/buf.h"
#include "record/header.h"

struct event;

enum kafka_mode { KAFKA_BINARY, KAFKA_STRUCTURED };

/* p == NULL is null. time_ms < 0: none, the event's own time is an attribute
 * (a record that is written gets the time of writing). */
struct kafka_record {
    struct slice key;
    struct slice value;
    int64_t time_ms;
    const struct header *headers;
    size_t n;
};

/* Working memory, used again: no allocation once it has grown. */
struct kafka_scratch {
    struct buf bytes; /* what is decoded, and names of headers */
    struct buf text;  /* dpphdr */
    struct buf kinds; /* of headers */
    struct header *headers;
    size_t n;
    size_t room;
    struct slice *names; /* of attributes: does one come twice? */
    size_t named;
    size_t names_room;
};

void kafka_scratch_init(struct kafka_scratch *);
void kafka_scratch_release(struct kafka_scratch *);

/* The event as a record; slices point into the line and the scratch, until the
 * next call with the same scratch. */
void kafka_record_encode(struct kafka_scratch *, const struct event *,
                         enum kafka_mode, struct kafka_record *);

/* Append the event line, without dpporigin and line end; one that
 * event_parse() takes, and no control line, whatever the record holds. */
void kafka_record_decode(struct kafka_scratch *, const struct kafka_record *,
                         const char *topic, uint32_t partition, uint64_t offset,
                         struct buf *line);

#endif
