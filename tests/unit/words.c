/* Cutting words: what a shell would do with a plain line, and nothing more. */
#include <string.h>

#include "base/err.h"
#include "supervise/words.h"
#include "unit.h"

/* Stages as "[word,word][word]", or the error's text. */
static const char *cut(const char *text, size_t n)
{
    static struct buf b;
    struct words w;
    struct err e;

    buf_clear(&b);
    if (words_from_text(&w, "run", (struct slice){text, n}, &e) < 0) {
        buf_printf(&b, "%d %s", e.status, e.text);
        return buf_cstr(&b);
    }
    for (size_t i = 0; i < w.n; i++) {
        buf_putc(&b, '[');
        for (char **v = w.stage[i]; *v != NULL; v++) {
            buf_printf(&b, "%s%s", v == w.stage[i] ? "" : ",", *v);
        }
        buf_putc(&b, ']');
    }
    words_release(&w);
    return buf_cstr(&b);
}

static void gives(const char *what, const char *text, const char *want)
{
    const char *got = cut(text, strlen(text));

    if (!unit_check(strcmp(got, want) == 0, "%s", what)) {
        (void)printf("# text %s\n# gave %s\n# not  %s\n", text, got, want);
    }
}

static void good(void)
{
    gives("blanks and line ends cut words", "a  b\tc\r\nd\n", "[a,b,c,d]");
    gives("\"!\" and \"|\" alone cut stages", "a b ! c | d", "[a,b][c][d]");
    gives("quoted separators are words", "a '!' \"|\" \\! \\| ! b",
          "[a,!,|,!,|][b]");
    gives("single quotes keep everything", "a '$x; \"\\ #' ! b",
          "[a,$x; \"\\ #][b]");
    gives("double quotes keep all but \\\" \\\\ \\$ \\`",
          "a \"q\\\"b\\\\c\\n\\$\\` $x\" ! b", "[a,q\"b\\c\\n$` $x][b]");
    gives("quotes join what stands beside them", "a'b'\"c\"d ''", "[abcd,]");
    gives("a backslash takes the next byte", "a\\ b\\'c\\;", "[a b'c;]");
    gives("a backslash before a line end joins lines", "ab\\\ncd \\\n ! e",
          "[abcd][e]");
    gives("# begins a comment where a word begins", "#!/x -S y\na#b # c ! d\nz",
          "[a#b,z]");
    gives("line ends stay in quotes", "a 'b\nc'", "[a,b\nc]");
    gives("other signs are letters", "a .b[0]{}=~%^?!x", "[a,.b[0]{}=~%^?!x]");
}

static void bad(void)
{
    char nul[] = "a b?c";

    for (const char *p = "$;&<>()*`"; *p != '\0'; p++) {
        char text[32];
        char want[80];
        (void)snprintf(text, sizeof text, "a\n  b%cc", *p);
        (void)snprintf(want, sizeof want,
                       "64 run:2:4: dpp-run is not a shell: \"%c\"", *p);
        const char *got = cut(text, strlen(text));
        unit_check(strcmp(got, want) == 0, "%s", got);
    }
    gives("a bar in a word is refused with its place", "a .b|c",
          "64 run:1:5: put blanks around \"|\", or quotes if it belongs to a "
          "word");
    gives("so is one at the head of a word", "a |c",
          "64 run:1:3: put blanks around \"|\", or quotes if it belongs to a "
          "word");
    gives("columns count characters, not bytes", "\xc3\xa4\xe2\x82\xac $x",
          "64 run:1:4: dpp-run is not a shell: \"$\"");
    gives("an open quote is named by its start", "a\nb 'c\n\n",
          "64 run:2:3: a ' that is not closed");
    gives("a backslash at the end is refused", "a \\",
          "64 run:1:3: a \\ with nothing behind it");
    nul[3] = '\0';
    unit_check(strcmp(cut(nul, 5), "64 run:1:4: a NUL byte") == 0,
               "a NUL byte is refused with its place");
    gives("an empty file is refused", "# nothing\n",
          "64 run: there is no stage to start (try -h)");
    gives("a stage between two separators is refused", "a ! ! b",
          "64 run:1:5: stage 2 is empty: a \"!\" or \"|\" stands between two "
          "stages");
    gives("so is one at the end", "a !",
          "64 run: stage 2 is empty: a \"!\" or \"|\" stands between two "
          "stages");
}

static void limits(void)
{
    static struct buf b;

    for (int i = 0; i < WORDS_STAGES; i++) {
        buf_puts(&b, "a ! ");
    }
    buf_puts(&b, "a");
    unit_check(strstr(cut(b.p, b.n), "more than 64 stages") != NULL,
               "there is a limit of stages");
    buf_clear(&b);
    for (int i = 0; i <= WORDS_MAX; i++) {
        buf_puts(&b, "a ");
    }
    unit_check(strstr(cut(b.p, b.n), "more than 10000 words") != NULL,
               "there is a limit of words");
    buf_release(&b);
}

static void arguments(void)
{
    char *argv[] = {"a", "b c", "!", "d", "|", "e", "$x"};
    struct words w;
    struct err e;

    unit_check(words_from_argv(&w, 7, argv, &e) == 0 && w.n == 3 &&
                   strcmp(w.stage[0][1], "b c") == 0 &&
                   strcmp(w.stage[2][1], "$x") == 0 && w.stage[2][2] == NULL,
               "words of the command line are taken as they are");
    words_release(&w);
}

int main(void)
{
    good();
    bad();
    limits();
    arguments();
    return unit_end();
}
