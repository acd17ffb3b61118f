/* Signatures: published vectors, and everything that must not pass. */
#include "http/sign.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "unit.h"

static const struct sign_scheme github = {
    .header = "X-Hub-Signature-256",
    .prefix = "sha256=",
    .hmac = HMAC_ALG_SHA256,
    .text = "{body}",
    .key_prefix = "",
};

static const struct sign_scheme slack = {
    .header = "X-Slack-Signature",
    .prefix = "v0=",
    .hmac = HMAC_ALG_SHA256,
    .time = "X-Slack-Request-Timestamp",
    .tolerance_ms = 300000,
    .text = "v0:{ts}:{body}",
    .key_prefix = "",
};

static const struct sign_scheme standard = {
    .header = "webhook-signature",
    .prefix = "v1,",
    .hmac = HMAC_ALG_SHA256,
    .encoding = SIGN_BASE64,
    .list = SIGN_BLANK,
    .id = "webhook-id",
    .time = "webhook-timestamp",
    .tolerance_ms = 300000,
    .text = "{id}.{ts}.{body}",
    .key = SIGN_KEY_BASE64,
    .key_prefix = "whsec_",
};

static const struct sign_scheme stripe = {
    .header = "Stripe-Signature",
    .prefix = "",
    .hmac = HMAC_ALG_SHA256,
    .list = SIGN_COMMA,
    .item = "v1",
    .time_item = "t",
    .tolerance_ms = 300000,
    .text = "{ts}.{body}",
    .key_prefix = "",
};

#define GITHUB_SECRET "It's a Secret to Everybody"
#define GITHUB_MAC                                                             \
    "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
#define STANDARD_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define STANDARD_MAC    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

struct
try {
    const char *field[4][2];
    const char *body;
    uint64_t now_ms;
};

/* The reason, or "" if it is accepted. */
static const char *verify(struct sign *s, const struct try *t)
{
    static struct err why;
    struct http_field f[4];
    struct http_message m = {.field = f, .body = slice_of(t->body)};

    while (m.fields < 4 && t->field[m.fields][0] != NULL) {
        f[m.fields] = (struct http_field){slice_of(t->field[m.fields][0]),
                                          slice_of(t->field[m.fields][1])};
        m.fields++;
    }
    why.text[0] = '\0';
    return sign_verify(s, &m, t->now_ms, &why) < 0 ? why.text : "";
}

static struct sign *make(const struct sign_scheme *scheme, const char *secret)
{
    struct err e;
    struct sign *s = sign_new(scheme, &e);

    if (s == NULL || sign_add_key(s, slice_of(secret), 0, &e) < 0) {
        printf("# %s\n", e.text);
        exit(1);
    }
    return s;
}

static void says(struct sign *s, const char *title, struct try t,
                 const char *want)
{
    const char *got = verify(s, &t);

    if (!unit_check(strcmp(got, want) == 0, "%s", title)) {
        printf("# is:     %s\n# wanted: %s\n", got, want);
    }
}

static void body_hmac(void)
{
#define HUB(...)                                                               \
    (struct try)                                                               \
    {                                                                          \
        {__VA_ARGS__}, "Hello, World!", 0                                      \
    }
    const char *one = "no key made this signature (1 key, 1 signature)";
    const char *form =
        "X-Hub-Signature-256 has no signature of the expected form";
    struct sign *s = make(&github, GITHUB_SECRET);

    says(s, "GitHub's published vector",
         HUB({"X-Hub-Signature-256", "sha256=" GITHUB_MAC}), "");
    says(s, "the header's name in another case",
         HUB({"x-hub-signature-256", "sha256=" GITHUB_MAC}), "");
    says(s, "upper-case hexadecimal",
         HUB({"X-Hub-Signature-256",
              "sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C"
              "8B043E17"}),
         "");
    says(s, "another body",
         (struct try){{{"X-Hub-Signature-256", "sha256=" GITHUB_MAC}},
                      "Hello, World?",
                      0},
         one);
    says(s, "no signature", HUB({"X-Other", "x"}),
         "there is no X-Hub-Signature-256");
    says(s, "two signature fields",
         HUB({"X-Hub-Signature-256", "sha256=" GITHUB_MAC},
             {"X-Hub-Signature-256", "sha256=" GITHUB_MAC}),
         "there is more than one X-Hub-Signature-256");
    says(s, "no prefix", HUB({"X-Hub-Signature-256", GITHUB_MAC}), form);
    says(s, "another prefix", HUB({"X-Hub-Signature-256", "sha1=" GITHUB_MAC}),
         form);
    says(s, "an empty signature", HUB({"X-Hub-Signature-256", ""}), form);
    says(s, "a prefix alone", HUB({"X-Hub-Signature-256", "sha256="}), form);
    says(s, "a digit short",
         HUB({"X-Hub-Signature-256",
              "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c"
              "8b043e1"}),
         form);
    says(s, "a byte short",
         HUB({"X-Hub-Signature-256",
              "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c"
              "8b043e"}),
         one);
    says(s, "a byte long",
         HUB({"X-Hub-Signature-256", "sha256=" GITHUB_MAC "00"}), one);
    says(s, "the last bit", /* 17 is 16 */
         HUB({"X-Hub-Signature-256",
              "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c"
              "8b043e16"}),
         one);
    sign_free(s);
}

static void rotation(void)
{
    struct err e;
    struct sign *s = make(&github, "the new one");

    says(s, "the old secret alone is refused by the new one",
         HUB({"X-Hub-Signature-256", "sha256=" GITHUB_MAC}),
         "no key made this signature (1 key, 1 signature)");
    unit_check(sign_add_key(s, SLICE(GITHUB_SECRET), 0, &e) == 0,
               "a second key is taken");
    says(s, "with both, the old one is accepted",
         HUB({"X-Hub-Signature-256", "sha256=" GITHUB_MAC}), "");
    says(s, "and again: a context is used for many messages",
         HUB({"X-Hub-Signature-256", "sha256=" GITHUB_MAC}), "");
    int rc = 0;
    for (int i = 0; i < SIGN_KEYS_MAX && rc == 0; i++) {
        rc = sign_add_key(s, SLICE("more"), 0, &e);
    }
    unit_check(rc < 0 && sign_keys(s) == SIGN_KEYS_MAX,
               "there are at most %d keys", SIGN_KEYS_MAX);
    sign_free(s);
}

static void with_time(void)
{
#define SLACK(ts, at)                                                          \
    (struct try)                                                               \
    {                                                                          \
        {{"X-Slack-Signature",                                                 \
          "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b50" \
          "3"},                                                                \
         {"X-Slack-Request-Timestamp", ts}},                                   \
            "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain="    \
            "testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id="    \
            "U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="  \
            "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%"          \
            "2FT1DC2JH3J"                                                      \
            "%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id="           \
            "398738663015"                                                     \
            ".47445629121.803a0bc887a14d10d2c447fce8b6703c",                   \
            (uint64_t)(at)*1000                                                \
    }
    struct sign *s = make(&slack, "8f742231b10e8888abcd99yyyzzz85a5");

    says(s, "Slack's published vector", SLACK("1531420618", 1531420618), "");
    says(s, "300 s old", SLACK("1531420618", 1531420918), "");
    says(s, "301 s old", SLACK("1531420618", 1531420919),
         "the timestamp is 301 s old, tolerated are 300 s");
    says(s, "300 s ahead", SLACK("1531420618", 1531420318), "");
    says(s, "301 s ahead", SLACK("1531420618", 1531420317),
         "the timestamp is 301 s ahead, tolerated are 300 s");
    says(s, "another timestamp", SLACK("1531420619", 1531420618),
         "no key made this signature (1 key, 1 signature)");
    says(s, "a timestamp with a sign", SLACK("+1531420618", 1531420618),
         "the timestamp is no number");
    says(s, "a timestamp of 20 digits",
         SLACK("18446744075241028234", 1531420618),
         "the timestamp is no number");
    says(s, "an empty timestamp", SLACK("", 1531420618),
         "there is no timestamp");
    sign_free(s);
}

static void with_id(void)
{
#define STD(id, ts, mac)                                                       \
    (struct try)                                                               \
    {                                                                          \
        {{"webhook-id", id},                                                   \
         {"webhook-timestamp", ts},                                            \
         {"webhook-signature", mac}},                                          \
            "{\"test\": 2432232314}", 1614265330000                            \
    }
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
    struct sign *s = make(&standard, STANDARD_SECRET);

    says(s, "the published vector of Standard Webhooks",
         STD(ID, "1614265330", STANDARD_MAC), "");
    says(s, "its second signature is right",
         STD(ID, "1614265330",
             "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= " STANDARD_MAC),
         "");
    says(s, "signatures of other versions are passed over",
         STD(ID, "1614265330", "v1a,AAAA " STANDARD_MAC " v2,x"), "");
    says(s, "only another version",
         STD(ID, "1614265330",
             "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
         "webhook-signature has no signature of the expected form");
    says(s, "17 signatures",
         STD(ID, "1614265330",
             "v1,AA== v1,AA== v1,AA== v1,AA== v1,AA== v1,AA== v1,AA== v1,AA== "
             "v1,AA== v1,AA== v1,AA== v1,AA== v1,AA== v1,AA== v1,AA== "
             "v1,AA== " STANDARD_MAC),
         "webhook-signature has too many signatures");
    says(s, "another id", STD("msg_x", "1614265330", STANDARD_MAC),
         "no key made this signature (1 key, 1 signature)");
    says(s, "an id with a dot, which could be read as the timestamp",
         STD("msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330", "1614265330",
             STANDARD_MAC),
         "the id is not acceptable");
    says(s, "an empty id", STD("", "1614265330", STANDARD_MAC),
         "the id is not acceptable");
    sign_free(s);
}

static void in_a_list(void)
{
#define STRIPE(sig)                                                            \
    (struct try)                                                               \
    {                                                                          \
        {{"Stripe-Signature", sig}}, "{}", (uint64_t)1614265330000             \
    }
    /* openssl dgst -sha256 -hmac whsec_test of "1614265330.{}" */
#define STRIPE_MAC                                                             \
    "5790023bd77209313f2e32e36caf5921bdd2fac398095f83dc2d2ecd5f696f50"
    struct sign *s = make(&stripe, "whsec_test");

    says(s, "time and signature in one field",
         STRIPE("t=1614265330,v1=" STRIPE_MAC ",v0=00"), "");
    says(s, "in another order, with blanks",
         STRIPE("v0=00, v1=00, v1=" STRIPE_MAC ", t=1614265330"), "");
    says(s, "the right signature under another name",
         STRIPE("t=1614265330,v0=" STRIPE_MAC),
         "Stripe-Signature has no signature of the expected form");
    says(s, "no time", STRIPE("v1=" STRIPE_MAC), "there is no timestamp");
    says(s, "two times", STRIPE("t=1614265330,t=1,v1=" STRIPE_MAC),
         "Stripe-Signature has more than one t=");
    sign_free(s);
}

static void scheme_refused(const char *title, struct sign_scheme scheme,
                           const char *want)
{
    struct err e = {0};
    struct sign *s = sign_new(&scheme, &e);

    if (!unit_check(s == NULL && strstr(e.text, want) != NULL, "%s", title)) {
        printf("# is: %s\n", e.text);
    }
    sign_free(s);
}

static void schemes(void)
{
    struct sign_scheme c = github;

    c.text = "";
    scheme_refused("a scheme that does not sign the body", c, "no {body}");
    c.text = "{body}{bdy}";
    scheme_refused("an unknown part", c, "\"{bdy}\" is none of");
    c.text = "{ts}.{body}";
    scheme_refused("{ts} without a timestamp", c, "\"timestamp\" is missing");
    c.time = "X-Time";
    scheme_refused("a timestamp without tolerance", c, "\"tolerance\"");
    c.text = "{body}";
    c.tolerance_ms = 1000;
    scheme_refused("a timestamp that is not signed", c, "protects nothing");
    c.time = NULL;
    scheme_refused("a tolerance without timestamp", c, "no \"timestamp\"");
    c = github;
    c.text = "{id}{body}";
    scheme_refused("{id} without a field", c, "\"id\"");
    c = github;
    c.item = "v1";
    scheme_refused("an item without a list", c, "no \"list\"");
}

static void keys(void)
{
    struct err e;
    struct sign_scheme c = github;
    struct sign *s;

    c.key = SIGN_KEY_HEX;
    s = sign_new(&c, &e);
    unit_check(sign_add_key(s, SLICE("0x00"), 0, &e) < 0 &&
                   strstr(e.text, "no hexadecimal") != NULL &&
                   strstr(e.text, "0x00") == NULL,
               "a secret that is no hexadecimal, and is not repeated");
    unit_check(sign_add_key(s, SLICE(""), 0, &e) < 0, "an empty secret");
    unit_check(sign_add_key(s, SLICE("00ff"), 0, &e) == 0, "a hexadecimal one");
    sign_free(s);
    s = sign_new(&standard, &e);
    unit_check(sign_add_key(s, SLICE("whsec_"), 0, &e) < 0,
               "a secret that is only its prefix");
    unit_check(
        sign_add_key(s, SLICE("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), 0, &e) == 0,
        "a secret without its prefix");
    sign_free(s);
}

int main(void)
{
    body_hmac();
    rotation();
    with_time();
    with_id();
    in_a_list();
    schemes();
    keys();
    return unit_end();
}
