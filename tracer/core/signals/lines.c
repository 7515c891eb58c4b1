/* Lines and scripts of a shell, read without one: what is not plain is left alone. */
#include "signals/lines.h"

#include <ctype.h>
#include <string.h>

#include "signals/launchers.h"
#include "signals/words.h"

#define BLANKS " \t"
#define SEPARATORS "\n;|&<>"
#define QUOTING "()$`\\\"'*?[#~={}!"

/* What follows these is no command of its own, comes more than once, or is run in another way than from its file. */
static const char *const syntax[] = {"if",   "then", "else",  "elif",  "fi",     "for",      "while", "until",  "do",
                                     "done", "case", "esac",  "in",    "select", "function", "time",  "coproc", "eval",
                                     ".",    "source", "trap", "alias", "command", "builtin"};

static int is_syntax(const char *name)
{
    for (size_t i = 0; i < sizeof syntax / sizeof *syntax; i++)
        if (!strcmp(syntax[i], name))
            return 1;
    return 0;
}

/* The length of NAME=VALUE and the blanks behind it; 0: it is something else, or its value has quotes. */
static size_t assignment(const char *text)
{
    size_t name = 0;
    while (isalnum((unsigned char)text[name]) || text[name] == '_')
        name++;
    if (!name || isdigit((unsigned char)*text) || text[name] != '=')
        return 0;
    size_t all = name + 1 + strcspn(text + name + 1, BLANKS SEPARATORS "()$`\\\"'*?[#~{}!");
    size_t blanks = strspn(text + all, BLANKS);
    return blanks ? all + blanks : 0;
}

/* Behind the quotes at `at`; 0: they do not end, or have a command in them. */
static size_t after_quotes(const char *line, size_t at)
{
    char quote = line[at];
    for (at++; line[at] && line[at] != quote; at++) {
        if (quote == '"' && (line[at] == '`' || (line[at] == '$' && line[at + 1] == '(')))
            return 0;
        if (quote == '"' && line[at] == '\\' && line[at + 1])
            at++;
    }
    return line[at] ? at + 1 : 0;
}

/* Behind the separator that ends the command at `at`; 0: nothing plain follows. */
static size_t after_command(const char *line, size_t at)
{
    for (char before = ' '; line[at]; before = line[at], at++) {
        char c = line[at], next = line[at + 1];
        if (strchr("`(){}", c) || (c == '<' && next == '<') || (c == '#' && strchr(BLANKS "\n", before)))
            return 0;
        if (c == '\'' || c == '"') {
            if (!(at = after_quotes(line, at)))
                return 0;
            at--;
        } else if (c == '\\' && next) {
            at++;
        } else if (c == '\n' || (c == ';' && next != ';')) {
            return at + 1;
        } else if (c == '|' || (c == '&' && before != '>' && before != '<' && next != '>')) {
            return next == c ? at + 2 : strchr(";&|", next) ? 0 : at + 1;
        } else if (c == ';') {
            return 0;
        }
    }
    return 0;
}

int lines_read(const char *line, size_t at, lines_command *command)
{
    at += strspn(line + at, BLANKS "\n");
    command->at = at;
    command->end = after_command(line, at);
    for (size_t length; (length = assignment(line + at));)
        at += length;
    if (!strncmp(line + at, "exec ", 5))
        at += 5 + strspn(line + at + 5, BLANKS);
    size_t length = strcspn(line + at, BLANKS SEPARATORS QUOTING);
    int is_whole = !line[at + length] || strchr(BLANKS SEPARATORS, line[at + length]);
    command->words = line + at;
    if (!length || !is_whole || length >= sizeof command->name)
        return 0;
    memcpy(command->name, line + at, length);
    command->name[length] = 0;
    return !is_syntax(command->name);
}

size_t lines_words(const char *words)
{
    return strcspn(words, SEPARATORS);
}

int lines_have(const char *text, int begins, int (*is_it)(const char *name))
{
    char name[LINES_WORD];
    for (size_t at = 0; text[at];) {
        size_t length = strcspn(text + at, BLANKS SEPARATORS QUOTING);
        if (length && begins && length < sizeof name) {
            memcpy(name, text + at, length);
            name[length] = 0;
            if (is_it(name))
                return 1;
            int is_option = *name == '-' || isdigit((unsigned char)*name);
            begins = is_option || text[at + length] == '=' || !strcmp(name, "exec") || is_syntax(name) ||
                     launchers_know(word_base(name));
        } else if (length) {
            begins = 0;
        } else if (text[at] == '#' && (!at || strchr(BLANKS "\n", text[at - 1]))) {
            length = strcspn(text + at, "\n");
        } else if (text[at] == '\'' || text[at] == '"') {
            size_t behind = after_quotes(text, at);
            length = behind ? behind - at : 1;
            begins = 0;
        } else if (strchr("\n;|&(`{!", text[at])) {
            begins = 1;
        }
        at += length ? length : 1;
    }
    return 0;
}
