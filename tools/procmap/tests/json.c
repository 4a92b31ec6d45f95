// SPDX-License-Identifier: GPL-2.0
/*
 * Checks that standard input is JSON Lines as procmap's manual promises: each
 * line is one object, printable ASCII alone, without a key twice, strings with
 * whole surrogate pairs. Prints the first fault; exit status 0 or 1.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEYS	32

static bool value(const char **s);

static bool literal(const char **s, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*s, word, len))
		return false;
	*s += len;
	return true;
}

static bool hex4(const char **s, unsigned int *unit)
{
	int i;

	*unit = 0;
	for (i = 0; i < 4; i++, (*s)++) {
		if (!isxdigit(**s))
			return false;
		*unit = *unit << 4 | (**s <= '9' ? **s - '0' :
				      (**s | 0x20) - 'a' + 10);
	}
	return true;
}

static bool unicode_escape(const char **s)
{
	unsigned int high, low;

	if (!hex4(s, &high))
		return false;
	if (high < 0xd800 || high > 0xdfff)
		return true;
	return high < 0xdc00 && literal(s, "\\u") && hex4(s, &low) &&
	       low >= 0xdc00 && low <= 0xdfff;
}

static bool string(const char **s)
{
	if (*(*s)++ != '"')
		return false;
	while (**s != '"') {
		if (**s < 0x20 || **s > 0x7e)
			return false;
		if (*(*s)++ != '\\')
			continue;
		if (!**s || !strchr("\"\\/bfnrtu", **s))
			return false;
		if (*(*s)++ == 'u' && !unicode_escape(s))
			return false;
	}
	(*s)++;
	return true;
}

static bool number(const char **s)
{
	if (**s == '-')
		(*s)++;
	if (!isdigit(**s) || (**s == '0' && isdigit((*s)[1])))
		return false;
	while (isdigit(**s))
		(*s)++;
	return true;
}

static bool array(const char **s)
{
	(*s)++;
	if (literal(s, "]"))
		return true;
	do {
		if (!value(s))
			return false;
	} while (literal(s, ","));
	return literal(s, "]");
}

static bool is_new_key(const char *keys[], size_t nr, size_t len)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!strncmp(keys[i], keys[nr], len))
			return false;
	return true;
}

static bool object(const char **s)
{
	const char *keys[MAX_KEYS];
	size_t nr = 0;

	if (*(*s)++ != '{')
		return false;
	if (literal(s, "}"))
		return true;
	do {
		if (nr == MAX_KEYS)
			return false;
		keys[nr] = *s;
		if (!string(s) || !is_new_key(keys, nr, *s - keys[nr]))
			return false;
		nr++;
		if (!literal(s, ":") || !value(s))
			return false;
	} while (literal(s, ","));
	return literal(s, "}");
}

static bool value(const char **s)
{
	switch (**s) {
	case '{':
		return object(s);
	case '[':
		return array(s);
	case '"':
		return string(s);
	default:
		return literal(s, "null") || literal(s, "true") ||
		       literal(s, "false") || number(s);
	}
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;
	int nr = 0;

	while (getline(&line, &room, stdin) > 0) {
		const char *s = line;

		nr++;
		if (!object(&s) || strcmp(s, "\n")) {
			printf("line %d, column %d is not as promised: %s",
			       nr, (int)(s - line) + 1, line);
			return 1;
		}
	}
	free(line);
	if (!nr)
		puts("no line at all");
	return !nr;
}
