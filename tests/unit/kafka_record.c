/* Event lines and Kafka records: each form by example. */
#include <stdio.h>

#include "kafka_test.h"
#include "unit.h"

#define FOREIGN                                                                \
    "{\"specversion\":\"1.0\",\"id\":\"top/3/"                                 \
    "42\",\"source\":\"top\",\"type\":"                                        \
    "\"kafka.record\",\"time\":\"2026-11-25T00:00:00.000Z\""

static const int64_t when = 1795564800000;
static const struct slice null = {NULL, 0};

/* A record is read as this line, and the line is written as this record. */
static bool holds(const struct kafka_record *r, const char *text,
                  enum kafka_mode mode)
{
    struct kafka_record again;
    struct event ev;
    struct buf line;

    buf_init(&line);
    kafka_record_decode(&back, r, "top", 3, 42, &line);
    bool good = slice_is(buf_slice(&line), text) && parse(&ev, slice_of(text));
    if (good) {
        kafka_record_encode(&there, &ev, mode, &again);
        good = same_record(r, &again) && r->time_ms == again.time_ms;
        if (!good) {
            show_record(&again);
        }
    } else {
        show("read", buf_slice(&line));
        show("want", slice_of(text));
    }
    buf_release(&line);
    return good;
}

#define HOLDS(text, key, value, time, mode, ...)                               \
    holds(                                                                     \
        &(struct kafka_record){key, value, time,                               \
                               (const struct header[]){__VA_ARGS__},           \
                               sizeof((const struct header[]){__VA_ARGS__}) /  \
                                   sizeof(struct header)},                     \
        text, mode)

/* --- by example --------------------------------------------------------- */

static void test_binary(void)
{
    unit_check(
        HOLDS("{\"partitionkey\":\"k\",\"specversion\":\"1.0\",\"id\":\"1\","
              "\"source\":\"/s\",\"type\":\"t\",\"datacontenttype\":"
              "\"application/json\",\"data\":{\"a\":0.10}}",
              SLICE("k"), SLICE("{\"a\":0.10}"), -1, KAFKA_BINARY, CE,
              H("content-type", "application/json")),
        "an event's value is the bytes of data, its type the content-type");
    unit_check(HOLDS(LINE ",\"partitionkey\":\"k\",\"x\":\"\\u0000\\n\"}",
                     SLICE("k"), null, -1, KAFKA_BINARY, CE,
                     H("ce_partitionkey", "k"), H("ce_x", "\0\n")),
               "a partitionkey is key and attribute, no data is a tombstone");
    unit_check(HOLDS("{\"dppkey\":null,\"specversion\":\"1.0\",\"id\":\"1\","
                     "\"source\":\"/s\",\"type\":\"t\",\"partitionkey\":\"k\"}",
                     null, null, -1, KAFKA_BINARY, CE,
                     H("ce_partitionkey", "k")),
               "a partitionkey that was not the key does not become it");
    unit_check(HOLDS("{\"dppkey\":\"aw==\",\"partitionkey\":\"k\","
                     "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":"
                     "\"/s\",\"type\":\"t\"}",
                     SLICE("k"), null, -1, KAFKA_BINARY,
                     H("ce_partitionkey", "k"), CE),
               "nor does it get lost where its header is the first");
    unit_check(HOLDS("{\"dppkey\":\"/wA=\",\"specversion\":\"1.0\",\"id\":"
                     "\"1\",\"source\":\"/s\",\"type\":\"t\"}",
                     SLICE("\xff\0"), null, -1, KAFKA_BINARY, CE),
               "a binary key of an event is dppkey");
    unit_check(HOLDS(LINE ",\"a\":7,\"b\":true,\"c\":\"7\",\"d\":{\"x\":[1.0]}"
                          ",\"data_base64\":\"\"}",
                     null, SLICE(""), -1, KAFKA_BINARY, CE, H("ce_a", "7"),
                     H("dppjson", ""), H("ce_b", "true"), H("dppjson", ""),
                     H("ce_c", "7"), H("ce_d", "{\"x\":[1.0]}"),
                     H("dppjson", "")),
               "numbers, booleans and the text \"7\" stay what they are");
    unit_check(HOLDS(LINE ",\"datacontenttype\":\"text/plain\","
                          "\"data_base64\":\"MQ==\"}",
                     null, SLICE("1"), -1, KAFKA_BINARY, CE,
                     H("content-type", "text/plain")),
               "a body of another type is data_base64");
}

static void test_own(void)
{
    unit_check(
        HOLDS(LINE ",\"dpphdr\":\"a: 1\\nb: \\na: 2\\nc\\nd:: /w==\","
                   "\"x\":\"y\"}",
              null, null, -1, KAFKA_BINARY, CE, H("a", "1"), H("b", ""),
              H("a", "2"), {SLICE("c"), {NULL, 0}}, H("d", "\xff"),
              H("ce_x", "y")),
        "own headers keep order, repeats, empty, null and binary values");
    unit_check(HOLDS("{\"dpphdr\":\"a: 1\\n: 3\\nb: 2\\n: 2\\nc: 3\","
                     "\"specversion\":\"1.0\",\"id\":\"1\",\"n\":7,\"source\":"
                     "\"/s\",\"type\":\"t\",\"datacontenttype\":\"a/b\"}",
                     null, null, -1, KAFKA_BINARY, H("a", "1"),
                     H("ce_specversion", "1.0"), H("ce_id", "1"),
                     H("ce_n", "7"), H("dppjson", ""), H("b", "2"),
                     H("ce_source", "/s"), H("ce_type", "t"), H("c", "3"),
                     H("content-type", "a/b")),
               "attributes among own headers stay where they were");
    unit_check(HOLDS(LINE ",\"dpphdr\":\"ce_id: 2\\ncontent-type: a/b\\n"
                          "dpphdr_ce_id: 3\\ndpphdr_x: 4\\nce_data: 5\"}",
                     null, null, -1, KAFKA_BINARY, CE, H("dpphdr_ce_id", "2"),
                     H("dpphdr_content-type", "a/b"),
                     H("dpphdr_dpphdr_ce_id", "3"), H("dpphdr_x", "4"),
                     H("ce_data", "5")),
               "an own header cannot pass for an attribute");
    unit_check(HOLDS(FOREIGN
                     ",\"dpphdr\":\":: v\\n:YTpi: w\\n:/w==\\n:Cg==:: AA==\"}",
                     null, null, when, KAFKA_BINARY, H("", "v"), H("a:b", "w"),
                     {SLICE("\xff"), {NULL, 0}}, H("\n", "\0")),
               "names that are empty, have colons, or are no text come back");
}

static void test_foreign(void)
{
    unit_check(
        holds(&(struct kafka_record){SLICE(""), SLICE("{}"), when, NULL, 0},
              FOREIGN ",\"partitionkey\":\"\",\"data\":{}}", KAFKA_BINARY),
        "a record without headers is a kafka.record, with its time");
    unit_check(
        holds(&(struct kafka_record){SLICE("\xff"), SLICE("x"), -1, NULL, 0},
              "{\"specversion\":\"1.0\",\"id\":\"top/3/42\",\"source\":"
              "\"top\",\"type\":\"kafka.record\",\"dppkey\":\"/w==\","
              "\"data_base64\":\"eA==\"}",
              KAFKA_BINARY),
        "a binary key is dppkey, no timestamp is no time");
    unit_check(HOLDS(FOREIGN ",\"dpphdr\":\"ce_specversion: 1.0\\nce_id: 1\\n"
                             "ce_source: /s\"}",
                     null, null, when, KAFKA_BINARY, H("ce_specversion", "1.0"),
                     H("ce_id", "1"), H("ce_source", "/s")),
               "without ce_type a record is no event");
    unit_check(HOLDS(FOREIGN ",\"dpphdr\":\"ce_specversion: 1.0\\nce_id: 1\\n"
                             "ce_source: /s\\nce_type: t\\nce_type: u\"}",
                     null, null, when, KAFKA_BINARY, CE, H("ce_type", "u")),
               "with two ce_type neither of them wins");
    unit_check(HOLDS(FOREIGN
                     ",\"dpphdr\":\"ce_specversion: 1.0\\nce_id: 1\\n"
                     "ce_source: /s\\nce_type: t\\nce_x: 1\\nce_x: 1\"}",
                     null, null, when, KAFKA_BINARY, CE, H("ce_x", "1"),
                     H("ce_x", "1")),
               "with an extension twice a record is no event");
    unit_check(HOLDS(FOREIGN ",\"dpphdr\":\"ce_specversion: 0.3\\nce_id: 1\\n"
                             "ce_source: /s\\nce_type: t\"}",
                     null, null, when, KAFKA_BINARY, H("ce_specversion", "0.3"),
                     H("ce_id", "1"), H("ce_source", "/s"), H("ce_type", "t")),
               "another specversion is no event");
    unit_check(HOLDS("{\"dpphdr\":\"ce_dpp: end\",\"specversion\":\"1.0\","
                     "\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}",
                     null, null, -1, KAFKA_BINARY, H("ce_dpp", "end"), CE),
               "a record cannot become a control line");
    unit_check(HOLDS(FOREIGN ",\"dpphdr\":\"ce_specversion: 1.0\\n"
                             "ce_id: top/1/2\\nce_source: top\\n"
                             "ce_type: kafka.record\"}",
                     null, null, when, KAFKA_BINARY, H("ce_specversion", "1.0"),
                     H("ce_id", "top/1/2"), H("ce_source", "top"),
                     H("ce_type", "kafka.record")),
               "an event that looks like a foreign record is one");
    unit_check(HOLDS("{\"specversion\":\"1.0\",\"id\":\"top/1/2\",\"source\":"
                     "\"top\",\"type\":\"kafka.record\",\"deadreason\":\"r\"}",
                     null, null, -1, KAFKA_BINARY, H("ce_specversion", "1.0"),
                     H("ce_id", "top/1/2"), H("ce_source", "top"),
                     H("ce_type", "kafka.record"), H("ce_deadreason", "r")),
               "a kafka.record that has got an attribute is an event");
}

static void test_structured(void)
{
    unit_check(HOLDS(LINE " , \"data\": [1 ]} ", null,
                     SLICE(LINE " , \"data\": [1 ]} "), -1, KAFKA_STRUCTURED,
                     H("content-type", STRUCTURED)),
               "in structured mode the value is the line");
    unit_check(HOLDS("{\"partitionkey\":\"k\",\"specversion\":\"1.0\",\"id\":"
                     "\"1\",\"source\":\"/s\",\"type\":\"t\",\"dpphdr\":\"a: "
                     "1\\ncontent-type: Application/CloudEvents+json\"}",
                     SLICE("k"), SLICE(LINE "}"), -1, KAFKA_STRUCTURED,
                     H("a", "1"),
                     H("content-type", "Application/CloudEvents+json")),
               "its record may have a key, own headers and another spelling");
    unit_check(HOLDS(FOREIGN ",\"dpphdr\":\"content-type: " STRUCTURED
                             "\",\"data\":{\"id\":1}}",
                     null, SLICE("{\"id\":1}"), when, KAFKA_BINARY,
                     H("content-type", STRUCTURED)),
               "a structured record that holds no event is a foreign one");
    unit_check(HOLDS(FOREIGN ",\"dpphdr\":\"content-type: " STRUCTURED
                             "\",\"data\":{\"dpp\":\"end\",\"specversion\":"
                             "\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":"
                             "\"t\"}}",
                     null,
                     SLICE("{\"dpp\":\"end\",\"specversion\":\"1.0\",\"id\":"
                           "\"1\",\"source\":\"s\",\"type\":\"t\"}"),
                     when, KAFKA_BINARY, H("content-type", STRUCTURED)),
               "a structured record cannot become a control line");
    unit_check(HOLDS(LINE ",\"datacontenttype\":\"application/cloudevents+json"
                          "\",\"data\":" LINE "}}",
                     null,
                     SLICE(LINE ",\"datacontenttype\":\"application/"
                                "cloudevents+json\",\"data\":" LINE "}}"),
                     -1, KAFKA_BINARY, H("content-type", STRUCTURED)),
               "an event about an event is not mistaken for that event");
    unit_check(HOLDS(LINE ",\"data_base64\":\"?\"}", null,
                     SLICE(LINE ",\"data_base64\":\"?\"}"), -1, KAFKA_BINARY,
                     H("content-type", STRUCTURED)),
               "what binary mode cannot carry goes in structured mode");
}

/* A line is written as this value and this many headers. */
static bool writes(const char *line, const char *value, size_t n)
{
    struct kafka_record r;
    struct event ev;
    bool good = parse(&ev, slice_of(line));

    kafka_record_encode(&there, &ev, KAFKA_BINARY, &r);
    good = good && slice_is(r.value, value) && r.n == n;
    if (!good) {
        show_record(&r);
    }
    return good;
}

static void test_lines(void)
{
    unit_check(writes(LINE ",\"x\":null,\"y\":\"\",\"data\":null}", "null", 5),
               "an attribute that is null is none, data that is null is null");
    unit_check(writes(LINE ",\"datacontenttype\":\"text/xml\",\"data\":"
                           "\"<a b=\\\"c\\\"/>\"}",
                      "<a b=\"c\"/>", 5),
               "a string under another type than JSON is its text");
    unit_check(writes(LINE ",\"x\":1,\"x\":2}", LINE ",\"x\":1,\"x\":2}", 1),
               "with an attribute twice a line goes in structured mode");
    unit_check(writes(LINE ",\"dpphdr\":\"a\\n\\n:?\\n: 9\\n: x\\nb:c\","
                           "\"data\":1}",
                      "1", 8),
               "lines of dpphdr that nobody writes are headers as well");
}

static void test_pretty(void)
{
    static const struct header h[] = {H("content-type", STRUCTURED)};
    const struct kafka_record r = {
        null,
        SLICE("{\r\n\"specversion\":\"1.0\",\n\"id\":\"1\",\"source\":\"/s\","
              "\"type\":\"t\"\n}\n"),
        -1, h, 1};
    struct buf line;

    buf_init(&line);
    kafka_record_decode(&back, &r, "top", 3, 42, &line);
    unit_check(slice_is(buf_slice(&line),
                        "{  \"specversion\":\"1.0\", \"id\":\"1\",\"source\":"
                        "\"/s\",\"type\":\"t\" } "),
               "a structured event on many lines becomes one line");
    buf_release(&line);
}

static void test_origin(void)
{
    static const char *const lines[] = {
        LINE ",\"partitionkey\":\"k\",\"dpporigin\":\"t/0/1\"}",
        "{\"dpporigin\":\"t/0/1\",\"partitionkey\":\"k\",\"specversion\":"
        "\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}",
        LINE ",\"partitionkey\":\"k\",\"dpphdr\":\"a: b\",\"dpporigin\":"
             "\"t/0/1\"}",
        LINE ",\"dpporigin\":\"t/0/1\",\"partitionkey\":\"k\",\"dpphdr\":"
             "\"a: b\"}",
    };
    struct kafka_record r;
    struct event ev;
    bool good = true;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        for (int mode = KAFKA_BINARY; mode <= KAFKA_STRUCTURED; mode++) {
            good = good && parse(&ev, slice_of(lines[i]));
            kafka_record_encode(&there, &ev, (enum kafka_mode)mode, &r);
            for (size_t k = 0; k < r.n; k++) {
                good = good && !slice_is(r.headers[k].name, "ce_dpporigin");
            }
            good = good && slice_is(r.key, "k") &&
                   (r.value.p == NULL ||
                    (parse(&ev, r.value) && ev.dpporigin.p == NULL));
        }
    }
    unit_check(good, "dpporigin is not written, wherever it stands");
}

/* 10,000 headers, repeated names among them; and as many attributes. */
static void test_many(void)
{
    enum { MANY = 10000 };
    static char names[MANY][16];
    static struct header h[MANY + 4] = {CE};
    struct kafka_record r = {null, null, -1, h, MANY + 4};
    struct kafka_record again;
    struct event ev;
    struct buf line;
    bool good = true;

    buf_init(&line);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            const int n =
                snprintf(names[i], sizeof names[i], "%s%d",
                         round == 0 ? "x" : "ce_x", round == 0 ? i / 2 : i);
            h[i + 4] = (struct header){{names[i], (size_t)n}, SLICE("v")};
        }
        if (round == 2) {
            h[MANY + 3] = h[4];
        }
        buf_clear(&line);
        kafka_record_decode(&back, &r, "top", 3, 42, &line);
        good = good && parse(&ev, buf_slice(&line)) &&
               slice_is(ev.type, round < 2 ? "\"t\"" : "\"kafka.record\"");
        kafka_record_encode(&there, &ev, KAFKA_BINARY, &again);
        good = good && same_record(&r, &again);
    }
    buf_release(&line);
    unit_check(good, "10,000 headers, own ones or attributes, come back");
}

int main(void)
{
    test_binary();
    test_own();
    test_foreign();
    test_structured();
    test_lines();
    test_pretty();
    test_origin();
    test_many();
    kafka_scratch_release(&there);
    kafka_scratch_release(&back);
    return unit_end();
}
