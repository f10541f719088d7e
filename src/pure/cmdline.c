/* SPDX-License-Identifier: MIT */
/*
 * Which options does the command line set?
 *
 * The line is cut into words at blanks outside quotes; a word is cut at its first '=' and looked
 * up in the caller's table. Words nobody knows are collected and named once, because a typing
 * mistake should be seen but must not keep a machine down; a known option with a bad value is
 * refused, because it would run with something else than was asked for. The grammars of single
 * options are in cmdline_value.c.
 */
#include "pure/cmdline.h"

#include "base/err.h"
#include "base/lib.h"
#include "pure/port.h"

/* The words nobody knows, for one warning. */
struct cmdline_unknown {
    char text[160];
    size_t len;
    unsigned int more; /* words that did not fit */
};

static bool cmdline_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * Takes the next word off *line into word[CMDLINE_WORD], without its quotes. 1: a word, 0: the end
 * of the line, -EINVAL: too long, or a quote without its partner.
 */
static int cmdline_next_word(const char **line, char *word, struct reason *why)
{
    const char *s = *line, *start;
    bool quoted = false;
    size_t n = 0;

    while (cmdline_is_blank(*s))
        s++;
    for (start = s; *s && (quoted || !cmdline_is_blank(*s)); s++) {
        if (*s == '"')
            quoted = !quoted;
        else if (n < CMDLINE_WORD - 1)
            word[n++] = *s;
        else
            n = CMDLINE_WORD;
    }
    *line = s;
    word[MIN(n, (size_t)CMDLINE_WORD - 1)] = '\0';
    if (!quoted && n < CMDLINE_WORD)
        return s != start;
    word[MIN(n, (size_t)40)] = '\0';
    if (quoted)
        return reason_set(why, -EINVAL, "option with a quote that does not end: %s", word);
    return reason_set(why, -EINVAL, "option longer than %u characters: %s...", CMDLINE_WORD - 1,
                      word);
}

static char cmdline_fold(char c)
{
    return c == '_' ? '-' : c;
}

static bool cmdline_same_name(const char *a, const char *b)
{
    for (; cmdline_fold(*a) == cmdline_fold(*b); a++, b++)
        if (!*a)
            return true;
    return false;
}

static const struct cmdline_opt *cmdline_find(const struct cmdline_opt *opts, unsigned int n,
                                              const char *name)
{
    unsigned int i;

    for (i = 0; i < n; i++)
        if (cmdline_same_name(opts[i].name, name))
            return &opts[i];
    return NULL;
}

int cmdline_parse_bool(const char *value)
{
    static const char *const yes[] = {"", "yes", "on", "true", "enable", "1"};
    static const char *const no[] = {"no", "off", "false", "disable", "0"};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(yes); i++)
        if (!strcmp(value, yes[i]))
            return 1;
    for (i = 0; i < ARRAY_SIZE(no); i++)
        if (!strcmp(value, no[i]))
            return 0;
    return -EINVAL;
}

static int cmdline_set_number(const struct cmdline_opt *o, const char *value)
{
    const char *end;
    u64 v;
    bool ok;

    if (o->kind == CMDLINE_SIZE)
        ok = num_parse_size(value, o->shift, &v, &end);
    else
        ok = num_parse(value, &v, &end);
    if (!ok || end == value || *end || v < o->min || v > o->max)
        return -EINVAL;
    if (o->kind == CMDLINE_SIZE)
        *(u64 *)o->dst = v;
    else if (v > UINT32_MAX)
        return -EINVAL;
    else
        *(u32 *)o->dst = (u32)v;
    return 0;
}

static int cmdline_set(const struct cmdline_opt *o, const char *value)
{
    int rc;

    switch (o->kind) {
    case CMDLINE_BOOL:
        rc = cmdline_parse_bool(value);
        if (rc < 0)
            return rc;
        *(bool *)o->dst = rc;
        return 0;
    case CMDLINE_UINT:
    case CMDLINE_SIZE:
        return cmdline_set_number(o, value);
    case CMDLINE_STRING:
        if (strlen(value) >= o->max)
            return -EINVAL;
        str_copy(o->dst, value, (size_t)o->max);
        return 0;
    case CMDLINE_CUSTOM:
        return o->parse(value, o->dst);
    case CMDLINE_IGNORE:
    default:
        return 0;
    }
}

static void cmdline_note_unknown(struct cmdline_unknown *u, const char *word)
{
    size_t n = strlen(word);

    if (u->more || u->len + 1 + n >= sizeof(u->text)) {
        u->more++;
        return;
    }
    u->text[u->len] = ' ';
    memcpy(u->text + u->len + 1, word, n + 1);
    u->len += 1 + n;
}

static void cmdline_report_unknown(const struct cmdline_unknown *u)
{
    if (u->more)
        log_msg(LOG_WARN, "unknown options ignored:%s and %u more", u->text, u->more);
    else if (u->len)
        log_msg(LOG_WARN, "unknown options ignored:%s", u->text);
}

/* One word: name, name=value or no-name. The word is cut at '='. */
static int cmdline_take_word(char *word, const struct cmdline_opt *opts, unsigned int n,
                             struct cmdline_unknown *unknown, struct reason *why)
{
    char *eq = strchr(word, '=');
    const char *value = eq ? eq + 1 : "";
    const struct cmdline_opt *o;

    if (eq)
        *eq = '\0';
    o = cmdline_find(opts, n, word);
    if (!o && !eq && !strncmp(word, "no-", 3)) {
        o = cmdline_find(opts, n, word + 3);
        value = "no";
        if (o && (o->kind == CMDLINE_UINT || o->kind == CMDLINE_SIZE || o->kind == CMDLINE_STRING))
            return reason_set(why, -EINVAL, "option %s: cannot be negated", o->name);
    }
    if (!o) {
        if (eq)
            *eq = '=';
        cmdline_note_unknown(unknown, word);
        return 0;
    }
    if (!eq && *value == '\0' && o->kind != CMDLINE_BOOL && o->kind != CMDLINE_CUSTOM &&
        o->kind != CMDLINE_IGNORE)
        return reason_set(why, -EINVAL, "option %s: needs a value", o->name);
    if (cmdline_set(o, value))
        return reason_set(why, -EINVAL, "option %s: bad value \"%s\"", o->name, value);
    return 0;
}

int cmdline_parse(const char *line, const struct cmdline_opt *opts, unsigned int n,
                  struct reason *why)
{
    struct cmdline_unknown unknown = {.text = ""};
    char word[CMDLINE_WORD];
    int rc = 0, found;

    /* A bad value does not hide the options after it: noreboot counts wherever it stands. */
    while ((found = cmdline_next_word(&line, word, rc ? NULL : why)) > 0 && strcmp(word, "--")) {
        found = *word ? cmdline_take_word(word, opts, n, &unknown, rc ? NULL : why) : 0;
        if (rc == 0)
            rc = found;
    }
    cmdline_report_unknown(&unknown);
    return rc ? rc : MIN(found, 0);
}
