// SPDX-License-Identifier: GPL-2.0
/*
 * Output as a table, as JSON Lines and for symbolizers.
 *
 * Names come from whoever made the file, the memory or the symbol. Nothing of
 * them reaches the output that a terminal would take for more than a letter.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "procmap.h"

#define MIN_PATH	20	/* columns that a path gets, or its own line */
#define INDENT		4
#define TOO_LONG	"(path too long)"

/* One character of a name, as it is printed. */
struct glyph {
	size_t bytes;			/* of the name */
	int columns;
	char out[MB_LEN_MAX + 1];
};

/* Characters that change the direction of the text around them. */
static bool is_bidi_control(wint_t c)
{
	return c == 0x061c || c == 0x200e || c == 0x200f ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/*
 * The backslash is escaped too, so that the name can be had back with
 * printf %b. What is a letter depends on the locale.
 */
static struct glyph next_glyph(const char *s, size_t len)
{
	struct glyph g = { .bytes = 1 };
	mbstate_t state = { };
	wchar_t c;
	size_t n;

	n = mbrtowc(&c, s, len, &state);
	if (n && n <= len && n <= MB_LEN_MAX && iswprint(c) && *s != '\\' &&
	    !is_bidi_control(c)) {
		g.bytes = n;
		g.columns = wcwidth(c) > 0 ? wcwidth(c) : 0;
		memcpy(g.out, s, n);
	} else {
		g.columns = 4;
		snprintf(g.out, sizeof(g.out), "\\%03o", (unsigned char)*s);
	}
	return g;
}

static int columns(const char *s, size_t len)
{
	struct glyph g;
	int sum = 0;

	for (; len; s += g.bytes, len -= g.bytes) {
		g = next_glyph(s, len);
		sum += g.columns;
	}
	return sum;
}

/* Prints a name, less its beginning if it takes more columns than room. */
static void print_name(FILE *out, const char *s, size_t len, int room)
{
	int left = columns(s, len);
	struct glyph g;

	if (left > room)
		fputs("...", out);
	else
		room = left + 3;
	for (; len; s += g.bytes, len -= g.bytes) {
		g = next_glyph(s, len);
		if (left <= room - 3)
			fputs(g.out, out);
		left -= g.columns;
	}
}

static void print_whole(const char *s, size_t len)
{
	print_name(stdout, s, len, INT_MAX);
}

/* A name for a message, in memory of its own. */
char *printable(const char *s, size_t len)
{
	char *ret;
	size_t size;
	FILE *out = open_memstream(&ret, &size);

	if (!out)
		die("out of memory");
	print_name(out, s, len, INT_MAX);
	if (fclose(out))
		die("out of memory");
	return ret;
}

static void format_perms(const struct mapping *map, char perms[5])
{
	__u64 flags = map->q.vma_flags;

	perms[0] = flags & PROCMAP_QUERY_VMA_READABLE ? 'r' : '-';
	perms[1] = flags & PROCMAP_QUERY_VMA_WRITABLE ? 'w' : '-';
	perms[2] = flags & PROCMAP_QUERY_VMA_EXECUTABLE ? 'x' : '-';
	perms[3] = flags & PROCMAP_QUERY_VMA_SHARED ? 's' : 'p';
	perms[4] = 0;
}

static void format_build_id(const struct mapping *map,
			    char id[2 * BUILD_ID_MAX + 1])
{
	size_t i;

	id[0] = 0;
	for (i = 0; i < map->q.build_id_size; i++)
		sprintf(id + 2 * i, "%02x", map->build_id[i]);
}

/*
 * The table. Its columns are as wide as what they hold; they grow, never
 * shrink, as more answers come in from standard input.
 */
static struct {
	bool started;
	int addr, offset, dev, inode;	/* columns */
	bool folded;			/* build ID and path on a line of their own */
	bool narrow;			/* offset, device and inode too */
	int path;			/* columns left for the path */
} table;

static void widen(int *width, int needed)
{
	if (*width < needed)
		*width = needed;
}

static void measure(const struct answer *a)
{
	const struct procmap_query *q;

	widen(&table.addr, snprintf(NULL, 0, "%llx", a->addr));
	if (!a->map)
		return;
	q = &a->map->q;
	widen(&table.addr, snprintf(NULL, 0, "%llx", q->vma_end));
	widen(&table.offset, snprintf(NULL, 0, "%llx", q->vma_offset));
	widen(&table.dev, snprintf(NULL, 0, "%02x:%02x", q->dev_major,
				   q->dev_minor));
	widen(&table.inode, snprintf(NULL, 0, "%llu", q->inode));
}

/* Decides where the path goes: 80 columns are few for all that there is. */
static void lay_out(const struct batch *batch, const struct options *opts)
{
	int build_id = opts->build_id ? 2 * BUILD_ID_MAX + 1 : 0;
	int lead = batch->walk ? 0 : table.addr + 1;

	table.folded = false;
	table.narrow = false;
	table.path = INT_MAX;
	if (!opts->width)
		return;
	table.path = opts->width - lead - (2 * table.addr + 2) - 5 -
		     (table.offset + 1) - (table.dev + 1) - (table.inode + 1) -
		     build_id;
	table.narrow = table.path + build_id < -1;
	if (table.path >= MIN_PATH)
		return;
	table.folded = true;
	table.path = opts->width - INDENT - build_id;
	if (table.path < MIN_PATH)
		table.path = MIN_PATH;
}

static void print_gap(bool folded)
{
	if (folded)
		printf("\n%*s", INDENT, "");
	else
		putchar(' ');
}

static void print_header(bool walk, bool build_id)
{
	if (!walk)
		printf("%-*s ", table.addr, "ADDRESS");
	printf("%-*s PERM", 2 * table.addr + 1, "START-END");
	print_gap(table.narrow);
	printf("%-*s %-*s %-*s", table.offset, "OFFSET", table.dev, "DEV",
	       table.folded ? 0 : table.inode, "INODE");
	print_gap(table.folded);
	if (build_id)
		printf("%-*s ", 2 * BUILD_ID_MAX, "BUILD-ID");
	puts("PATH");
}

static void print_path(const struct mapping *map)
{
	if (map->name_too_long)
		fputs(TOO_LONG, stdout);
	else
		print_name(stdout, map->name, strlen(map->name), table.path);
}

static void print_tail(const struct mapping *map, bool build_id)
{
	bool has_path = strlen(map->name) || map->name_too_long;
	char id[2 * BUILD_ID_MAX + 1];

	format_build_id(map, id);
	if (build_id && (*id || has_path)) {
		print_gap(table.folded);
		printf(has_path ? "%-*s " : "%.*s", 2 * BUILD_ID_MAX,
		       *id ? id : "-");
		print_path(map);
	} else if (has_path) {
		print_gap(table.folded);
		print_path(map);
	}
	putchar('\n');
}

static void print_row(const struct mapping *map, bool build_id)
{
	const struct procmap_query *q = &map->q;
	bool has_tail = strlen(map->name) || map->name_too_long ||
			(build_id && q->build_id_size);
	char perms[5], dev[32];

	format_perms(map, perms);
	snprintf(dev, sizeof(dev), "%02x:%02x", q->dev_major, q->dev_minor);
	printf("%0*llx-%0*llx %s", table.addr, q->vma_start, table.addr,
	       q->vma_end, perms);
	print_gap(table.narrow);
	printf("%0*llx %-*s %-*llu", table.offset, q->vma_offset, table.dev,
	       dev, has_tail && !table.folded ? table.inode : 0, q->inode);
	print_tail(map, build_id);
}

static void print_table_answer(const struct answer *a, bool walk, bool build_id)
{
	if (!walk)
		printf("%0*llx ", table.addr, a->addr);
	if (a->map)
		print_row(a->map, build_id);
	else
		puts("not found");
}

/* Most user addresses have no more digits. */
static int usual_digits(void)
{
	return sizeof(long) == 4 ? 8 : 12;
}

/* Lines of input may come one by one: what is usual leaves them lined up. */
static void start_table(bool walk)
{
	table.addr = walk ? 8 : usual_digits();
	table.offset = 8;
	table.dev = 5;
	table.inode = walk ? 5 : 8;
}

static void print_table_header(const struct batch *batch,
			       const struct options *opts)
{
	size_t i;

	if (!table.started)
		start_table(batch->walk);
	for (i = 0; i < batch->nr_answers; i++)
		measure(&batch->answers[i]);
	lay_out(batch, opts);
	if (!table.started)
		print_header(batch->walk, opts->build_id);
	table.started = true;
}

/* Quoted in the way that llvm-symbolizer reads names with spaces. */
static void print_file_offset(const struct answer *a)
{
	const char *path, *quote = "";

	if (!a->has_file_addr) {
		printf("?? 0x%llx\n", a->addr);
		return;
	}
	path = a->map->object->path;
	if (strpbrk(path, " '\""))
		quote = strchr(path, '"') ? "'" : "\"";
	fputs(quote, stdout);
	print_whole(path, strlen(path));
	printf("%s 0x%llx\n", quote, a->file_addr);
}

static void print_frame(const struct frame *frame)
{
	if (frame->function)
		print_whole(frame->function, strlen(frame->function));
	else
		fputs("??", stdout);
	if (frame->place) {
		fputs(" at ", stdout);
		print_whole(frame->place, strlen(frame->place));
	}
}

static void print_where(const struct mapping *map)
{
	fputs(" in ", stdout);
	if (strlen(map->name))
		print_whole(map->name, strlen(map->name));
	else
		fputs(map->name_too_long ? TOO_LONG : "anonymous memory",
		      stdout);
	putchar('\n');
}

static void print_symbolized(const struct answer *a)
{
	static const struct frame unknown;
	size_t i;

	printf("%0*llx ", usual_digits(), a->addr);
	if (!a->map) {
		puts("not found");
		return;
	}
	print_frame(a->nr_frames ? &a->frames[0] : &unknown);
	print_where(a->map);
	for (i = 1; i < a->nr_frames; i++) {
		printf("%*s (inlined into) ", usual_digits(), "");
		print_frame(&a->frames[i]);
		print_where(a->map);
	}
}

/* Decodes one UTF-8 character; returns its bytes, 0 where there is none. */
static size_t decode_utf8(const unsigned char *s, size_t len, unsigned int *cp)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t i, n;

	if (s[0] < 0x80) {
		*cp = s[0];
		return 1;
	}
	n = s[0] >= 0xf8 ? 0 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 :
	    s[0] >= 0xc0 ? 2 : 0;
	if (!n || n > len)
		return 0;
	*cp = s[0] & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
		return 0;
	return n;
}

static void print_json_char(unsigned int cp)
{
	if (cp == '"' || cp == '\\')
		printf("\\%c", cp);
	else if (cp >= 0x20 && cp < 0x7f)
		putchar(cp);
	else if (cp < 0x10000)
		printf("\\u%04x", cp);
	else
		printf("\\u%04x\\u%04x", 0xd7c0 + (cp >> 10),
		       0xdc00 + (cp & 0x3ff));
}

/* In ASCII alone; a byte that is not UTF-8 becomes U+FFFD. */
static bool print_json_string(const char *str, size_t len)
{
	const unsigned char *s = (const unsigned char *)str;
	bool valid = true;

	putchar('"');
	while (len) {
		unsigned int cp;
		size_t n = decode_utf8(s, len, &cp);

		print_json_char(n ? cp : 0xfffd);
		valid &= n > 0;
		s += n ? n : 1;
		len -= n ? n : 1;
	}
	putchar('"');
	return valid;
}

static void print_json_or_null(const char *s)
{
	if (s)
		print_json_string(s, strlen(s));
	else
		fputs("null", stdout);
}

/* KEY, and KEY_hex where the path is not UTF-8 and so not all in it */
static void print_json_path(const char *key, const char *path)
{
	size_t i;

	printf(",\"%s\":", key);
	if (print_json_string(path, strlen(path)))
		return;
	printf(",\"%s_hex\":\"", key);
	for (i = 0; path[i]; i++)
		printf("%02x", (unsigned char)path[i]);
	putchar('"');
}

static void print_json_mapping(const struct mapping *map, bool build_id)
{
	const struct procmap_query *q = &map->q;
	char perms[5], id[2 * BUILD_ID_MAX + 1];

	format_perms(map, perms);
	printf("\"start\":\"0x%llx\",\"end\":\"0x%llx\",\"perms\":\"%s\"",
	       q->vma_start, q->vma_end, perms);
	printf(",\"offset\":\"0x%llx\",\"dev\":\"%02x:%02x\",\"inode\":%llu",
	       q->vma_offset, q->dev_major, q->dev_minor, q->inode);
	printf(",\"page_size\":%llu", q->vma_page_size);
	if (build_id) {
		format_build_id(map, id);
		fputs(",\"build_id\":", stdout);
		print_json_or_null(*id ? id : NULL);
	}
	if (strlen(map->name))
		print_json_path("path", map->name);
	else
		fputs(",\"path\":null", stdout);
	if (map->name_too_long)
		fputs(",\"path_too_long\":true", stdout);
}

static void print_json_file_address(const struct answer *a)
{
	if (!a->has_file_addr) {
		fputs(",\"file\":null,\"file_address\":null", stdout);
		return;
	}
	print_json_path("file", a->map->object->path);
	printf(",\"file_address\":\"0x%llx\"", a->file_addr);
}

static void print_json_frames(const struct answer *a)
{
	size_t i;

	fputs(",\"frames\":[", stdout);
	for (i = 0; i < a->nr_frames; i++) {
		fputs(i ? ",{\"function\":" : "{\"function\":", stdout);
		print_json_or_null(a->frames[i].function);
		fputs(",\"source\":", stdout);
		print_json_or_null(a->frames[i].place);
		putchar('}');
	}
	putchar(']');
}

static void print_json_lookup(const struct answer *a,
			      const struct options *opts)
{
	printf("\"address\":\"0x%llx\",\"found\":%s", a->addr,
	       a->map ? "true" : "false");
	if (!a->map)
		return;
	putchar(',');
	print_json_mapping(a->map, opts->build_id);
	if (opts->file_offset || opts->symbolize)
		print_json_file_address(a);
	if (opts->symbolize)
		print_json_frames(a);
}

static void print_json(const struct answer *a, const struct options *opts,
		       bool walk)
{
	putchar('{');
	if (a->text) {
		fputs("\"text\":", stdout);
		print_json_string(a->text, a->text_len);
	} else if (walk) {
		print_json_mapping(a->map, opts->build_id);
	} else {
		print_json_lookup(a, opts);
	}
	puts("}");
}

static void print_answer(const struct answer *a, const struct options *opts,
			 bool walk)
{
	if (opts->json) {
		print_json(a, opts, walk);
	} else if (a->text) {
		print_whole(a->text, a->text_len);
		putchar('\n');
	} else if (opts->symbolize) {
		print_symbolized(a);
	} else if (opts->file_offset) {
		print_file_offset(a);
	} else {
		print_table_answer(a, walk, opts->build_id);
	}
}

void print_batch(const struct batch *batch, const struct options *opts)
{
	size_t i;

	if (!batch->nr_answers)
		return;
	if (!opts->json && !opts->symbolize && !opts->file_offset)
		print_table_header(batch, opts);
	for (i = 0; i < batch->nr_answers; i++)
		print_answer(&batch->answers[i], opts, batch->walk);
	if (fflush(stdout) || ferror(stdout))
		die("cannot write the answer: %s", strerror(errno));
}
