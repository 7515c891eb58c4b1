/* Programs that run the program named among their arguments, and where among them it is. */
#include "signals/launchers.h"

#include <ctype.h>
#include <string.h>

#include "signals/words.h"

/* `values`: the letters of options whose value may be the next word; `ends`: of options after which no command is run, or
 * none that is plain; `before`: how many words come before the command. */
typedef struct {
    const char *name, *values, *ends;
    int before, forks;
} launcher;

#define UNREAD NULL /* its options are not known here */
static const launcher table[] = {
    {"env", "uC", "S", 0, 0},
    {"nice", "n", "", 0, 0},
    {"nohup", "", "", 0, 0},
    {"timeout", "ks", "", 1, 1},
    {"taskset", "", "p", 1, 0},
    {"ionice", "cn", "pPu", 0, 0},
    {"chrt", "TPD", "pm", 1, 0},
    {"stdbuf", "ioe", "", 0, 0},
    {"setsid", "", "", 0, 1},
    {"time", "fo", "", 0, 1},
    {"chroot", UNREAD, "", 0, 0},
    {"conda", UNREAD, "", 0, 0},
    {"flock", UNREAD, "", 0, 0},
    {"gdb", UNREAD, "", 0, 0},
    {"ltrace", UNREAD, "", 0, 0},
    {"numactl", UNREAD, "", 0, 0},
    {"parallel", UNREAD, "", 0, 0},
    {"perf", UNREAD, "", 0, 0},
    {"pipenv", UNREAD, "", 0, 0},
    {"poetry", UNREAD, "", 0, 0},
    {"prlimit", UNREAD, "", 0, 0},
    {"script", UNREAD, "", 0, 0},
    {"strace", UNREAD, "", 0, 0},
    {"sudo", UNREAD, "", 0, 0},
    {"unshare", UNREAD, "", 0, 0},
    {"uv", UNREAD, "", 0, 0},
    {"valgrind", UNREAD, "", 0, 0},
    {"xargs", UNREAD, "", 0, 0},
};

static const launcher *find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

int launchers_know(const char *name)
{
    return find(name) != NULL;
}

/* Whether an assignment or the name of a variable is about what the command is told by. */
static int is_ours(const char *text)
{
    size_t length = strcspn(text, "=");
    return (length == 10 && !strncmp(text, "PYTHONPATH", 10)) || (length == 12 && !strncmp(text, "TRACER_CHILD", 12)) ||
           (length == 4 && !strncmp(text, "PATH", 4));
}

/* Notes what an option of env's does: `value` is the text behind its letter, or the next word. */
static void read_env(char letter, const char *value, launched *to)
{
    if (letter == 'i' || (letter == 'u' && is_ours(value)))
        to->changes = "a cleaned environment";
}

/* The letters of one word. Returns how many words it takes; 0: no command is plain. */
static int read_letters(const launcher *known, PyObject *words, Py_ssize_t at, const char *word, launched *to)
{
    char value[WORD_BYTES];
    for (const char *c = word + 1; *c; c++) {
        int has_value = strchr(known->values, *c) != NULL;
        if (strchr(known->ends, *c))
            return 0;
        if (has_value && !c[1] && !word_at(words, at + 1, value))
            return 0;
        if (!strcmp(known->name, "env"))
            read_env(*c, !has_value ? "" : c[1] ? c + 1 : value, to);
        if (has_value)
            return c[1] ? 1 : 2;
    }
    return 1;
}

/* A word that begins with two dashes: whether it says all itself. */
static int read_long(const launcher *known, const char *word, launched *to)
{
    int is_env = !strcmp(known->name, "env");
    if (is_env && !strcmp(word, "--ignore-environment"))
        read_env('i', "", to);
    else if (is_env && !strncmp(word, "--unset=", 8))
        read_env('u', word + 8, to);
    else if (is_env && !strncmp(word, "--split-string", 14))
        return 0;
    static const char *const whole[] = {"--foreground", "--preserve-status", "--verbose", "--wait", "--ctty", "--cpu-list",
                                        "--ignore-environment", "--all-tasks", "--fifo", "--other", "--rr", "--batch", "--idle"};
    if (strchr(word, '='))
        return 1;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (!strcmp(whole[i], word))
            return 1;
    return 0; /* its value may be the next word */
}

/* Where the command begins; 0: that is not plain. */
static Py_ssize_t command_at(const launcher *known, PyObject *words, launched *to)
{
    char word[WORD_BYTES];
    Py_ssize_t at = 1;
    for (int takes; word_at(words, at, word) && word[0] == '-'; at += takes) {
        if (!strcmp(word, "--")) {
            at++;
            break;
        }
        if (!word[1] && strcmp(known->name, "env"))
            return 0;
        if (!word[1])
            read_env('i', "", to);
        takes = !word[1] || isdigit((unsigned char)word[1]) ? 1 /* `nice -5` */
                : word[1] == '-' ? read_long(known, word, to) : read_letters(known, words, at, word, to);
        if (!takes)
            return 0;
    }
    at += known->before;
    for (; !strcmp(known->name, "env") && word_at(words, at, word) && strchr(word, '='); at++)
        if (is_ours(word))
            to->changes = "an environment that env changes";
    return word_at(words, at, word) ? at : 0;
}

int launchers_read(const char *path, PyObject *words, launched *to)
{
    const launcher *known = find(word_base(path));
    if (!known)
        return 0;
    *to = (launched){.name = known->name, .forks = known->forks};
    to->command = known->values ? command_at(known, words, to) : 0;
    return 1;
}
