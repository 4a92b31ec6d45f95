// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output as a table, as JSON Lines and for symbolizers.
 *
 * Names come from whoever made the file, the memory or the symbol. Nothing of
 * them reaches the output that a terminal would take for more than a letter.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "command.h"

#define MIN_PATH	20	/* columns that a path gets, or its own line */
#define INDENT		4
#define ANSWER_INDENT	2

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

/* Most names are of nothing but what is the same in every locale. */
static bool is_plain(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] < ' ' || s[i] > '~' || s[i] == '\\')
			return false;
	return true;
}

static int columns(const char *s, size_t len)
{
	struct glyph g;
	int sum = 0;

	if (is_plain(s, len))
		return len;
	for (; len; s += g.bytes, len -= g.bytes) {
		g = next_glyph(s, len);
		sum += g.columns;
	}
	return sum;
}

static void print_escaped(FILE *out, const char *s, size_t len)
{
	struct glyph g;

	if (is_plain(s, len)) {
		fwrite(s, 1, len, out);
		return;
	}
	for (; len; s += g.bytes, len -= g.bytes) {
		g = next_glyph(s, len);
		fputs(g.out, out);
	}
}

static void print_whole(const char *s)
{
	print_escaped(stdout, s, strlen(s));
}

/* The bytes of a name that fit into so many columns. */
static size_t fitting(const char *s, size_t len, int room)
{
	size_t done = 0;
	struct glyph g;

	for (; done < len; done += g.bytes) {
		g = next_glyph(s + done, len - done);
		room -= g.columns;
		if (room < 0)
			break;
	}
	return done;
}

/* The rest of a name that fits into so many columns. */
static const char *fitting_end(const char *s, size_t len, int room)
{
	int left = columns(s, len);
	struct glyph g;

	for (; left > room; s += g.bytes, len -= g.bytes) {
		g = next_glyph(s, len);
		left -= g.columns;
	}
	return s;
}

/*
 * What a file is called says more than where it is, and where it begins more than what
 * is between: directories are left out from the middle.
 */
static void print_shortened(const char *s, int room)
{
	const char *file = strrchr(s, '/');
	const char *end = s + strlen(s);
	int left;
	size_t head;

	if (columns(s, end - s) <= room) {
		print_whole(s);
		return;
	}
	/* Of the directories, whole ones, if there is room for one and its slash. */
	left = room - 3 - (file ? columns(file, end - file) : 0);
	head = file && left > 1 ? fitting(s, file - s, left - 1) : 0;
	while (head && s[head] != '/')
		head--;
	if (head)
		print_escaped(stdout, s, head + 1);
	else
		file = fitting_end(file ? file : s, end - (file ? file : s),
				   room - 3);
	fputs("...", stdout);
	print_whole(file);
}

/* A name for a message, in memory of its own. */
char *printable(const char *s, size_t len)
{
	char *ret;
	size_t size;
	FILE *out = open_memstream(&ret, &size);

	if (!out)
		out_of_memory();
	print_escaped(out, s, len);
	if (fclose(out))
		out_of_memory();
	return ret;
}

static const char *perms_of(const struct mapping *map)
{
	static const char letters[] = "rwxs", none[] = "---p";
	static char perms[5];
	int i;

	for (i = 0; i < 4; i++)
		perms[i] = map->vma.flags & (PROCMAP_READ << i) ? letters[i] :
			none[i];
	return perms;
}

static const char *build_id_of(const struct mapping *map)
{
	static char id[2 * PROCMAP_BUILD_ID_MAX + 1];
	size_t i;

	id[0] = 0;
	for (i = 0; i < map->vma.build_id_size; i++)
		sprintf(id + 2 * i, "%02x", map->vma.build_id[i]);
	return id;
}

/*
 * The table. Its columns are as wide as what they hold; they grow, never
 * shrink, as more answers come in from standard input.
 */
static struct {
	int addr, offset, dev, inode, page;	/* columns */
	bool folded;			/* build ID and path on a line of their own */
	bool narrow;			/* offset, device and inode too */
	int path;			/* columns left for the path */
} table;

static void widen(int *width, int needed)
{
	if (*width < needed)
		*width = needed;
}

static int digits(uint64_t value, int base)
{
	int n = 1;

	while (value /= base)
		n++;
	return n;
}

static int dev_columns(const struct procmap_vma *vma)
{
	int major = digits(vma->dev_major, 16), minor = digits(vma->dev_minor, 16);

	return (major > 2 ? major : 2) + 1 + (minor > 2 ? minor : 2);
}

static void measure(const struct procmap_vma *vma)
{
	widen(&table.addr, digits(vma->end, 16));
	widen(&table.offset, digits(vma->offset, 16));
	widen(&table.dev, dev_columns(vma));
	widen(&table.inode, digits(vma->inode, 10));
	widen(&table.page, digits(vma->page_size / 1024, 10) + 1);
}

/* Decides where the path goes: 80 columns are few for all that there is. */
static void lay_out(const struct options *opts, int lead)
{
	int build_id = opts->build_id ? 2 * PROCMAP_BUILD_ID_MAX + 1 : 0;

	table.folded = false;
	table.narrow = false;
	table.path = INT_MAX;
	if (!opts->width)
		return;
	table.path = opts->width - lead - (2 * table.addr + 2) - 5 -
		     (table.offset + 1) - (table.dev + 1) - (table.inode + 1) -
		     (opts->page_size ? table.page + 1 : 0) - build_id;
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

/* Lines of input may come one by one: what is usual leaves them lined up. */
static int usual_digits(void)
{
	return sizeof(long) == 4 ? 8 : 12;
}

static void start_table(bool walk)
{
	widen(&table.addr, walk ? 8 : usual_digits());
	widen(&table.offset, 8);
	widen(&table.dev, 5);
	widen(&table.inode, walk ? 5 : 8);
	widen(&table.page, 4);
}

static void size_table(const struct answer *answers, size_t nr,
		       const struct options *opts, int indent)
{
	size_t i;

	start_table(false);
	for (i = 0; i < nr; i++) {
		widen(&table.addr, digits(answers[i].addr, 16));
		if (answers[i].map)
			measure(&answers[i].map->vma);
	}
	lay_out(opts, indent + table.addr + 1);
}

static void print_header(const struct options *opts)
{
	printf("%-*s PERM", 2 * table.addr + 1, "START-END");
	print_gap(table.narrow);
	printf("%-*s %-*s %-*s", table.offset, "OFFSET", table.dev, "DEV",
	       table.folded && !opts->page_size ? 0 : table.inode, "INODE");
	if (opts->page_size)
		printf(" %*s", table.page, "PAGE");
	print_gap(table.folded);
	if (opts->build_id)
		printf("%-*s ", 2 * PROCMAP_BUILD_ID_MAX, "BUILD-ID");
	puts("PATH");
}

void print_table_header(const struct batch *batch, const struct options *opts)
{
	size_table(batch->answers, batch->nr, opts, 0);
	printf("%-*s ", table.addr, "ADDRESS");
	print_header(opts);
}

static void print_tail(const struct mapping *map, bool build_id)
{
	bool has_path = *map->vma.name;
	const char *id = build_id_of(map);

	if (build_id && (*id || has_path)) {
		print_gap(table.folded);
		printf(has_path ? "%-*s " : "%.*s", 2 * PROCMAP_BUILD_ID_MAX,
		       *id ? id : "-");
		print_shortened(map->vma.name, table.path);
	} else if (has_path) {
		print_gap(table.folded);
		print_shortened(map->vma.name, table.path);
	}
	putchar('\n');
}

static void put_hex(uint64_t value, int width, char behind)
{
	char text[ADDRESS_DIGITS + 1];
	int at = ADDRESS_DIGITS;

	text[at] = behind;
	do {
		text[--at] = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value || ADDRESS_DIGITS - at < width);
	fwrite(text + at, 1, sizeof(text) - at, stdout);
}

static void print_row(const struct mapping *map, const struct options *opts)
{
	const struct procmap_vma *vma = &map->vma;
	bool has_tail = *vma->name || (opts->build_id && vma->build_id_size);
	bool fill = opts->page_size || (has_tail && !table.folded);
	char page[24];

	put_hex(vma->start, table.addr, '-');
	put_hex(vma->end, table.addr, ' ');
	fputs(perms_of(map), stdout);
	print_gap(table.narrow);
	put_hex(vma->offset, table.offset, ' ');
	put_hex(vma->dev_major, 2, ':');
	put_hex(vma->dev_minor, 2, ' ');
	printf("%*s%-*" PRIu64, table.dev - dev_columns(vma), "",
	       fill ? table.inode : 0, vma->inode);
	if (opts->page_size) {
		snprintf(page, sizeof(page), "%" PRIu64 "K", vma->page_size / 1024);
		printf(" %*s", table.page, page);
	}
	print_tail(map, opts->build_id);
}

static void print_table_answer(const struct answer *a,
			       const struct options *opts)
{
	put_hex(a->addr, table.addr, ' ');
	if (a->map)
		print_row(a->map, opts);
	else
		puts("not found");
}

/* Of the file that leads there, or what is known of it otherwise. */
static const char *path_of(const struct mapping *map)
{
	return map->object && map->object->path ? map->object->path :
		map->vma.name;
}

/* Quoted in the way that llvm-symbolizer reads names with spaces. */
static void print_file_address(const struct answer *a,
			       const struct options *opts)
{
	const char *path, *quote = "";
	uint64_t addr = a->elf_addr;

	if (!is_answered(a, opts)) {
		printf("?? 0x%" PRIx64 "\n", a->addr);
		return;
	}
	if (opts->file_offset)
		addr = procmap_file_offset(&a->map->vma, a->lookup);
	path = path_of(a->map);
	if (strpbrk(path, " '\""))
		quote = strchr(path, '"') ? "'" : "\"";
	fputs(quote, stdout);
	print_whole(path);
	printf("%s 0x%" PRIx64 "\n", quote, addr);
}

static void print_frame(const struct frame *frame)
{
	if (frame->function)
		print_whole(frame->function);
	else
		fputs("??", stdout);
	if (frame->has_offset && frame->offset)
		printf("+0x%" PRIx64, frame->offset);
	if (!frame->source)
		return;
	fputs(" at ", stdout);
	print_whole(frame->source);
	printf(":%d", frame->line);
	if (frame->column)
		printf(":%d", frame->column);
}

static void print_where(const struct mapping *map)
{
	fputs(" in ", stdout);
	if (*map->vma.name)
		print_whole(map->vma.name);
	else
		fputs("anonymous memory", stdout);
	putchar('\n');
}

static void print_symbolized(const struct answer *a, int indent)
{
	static const struct frame unknown;
	size_t i;

	put_hex(a->addr, usual_digits(), ' ');
	if (!a->map) {
		puts("not found");
		return;
	}
	print_frame(a->nr_frames ? &a->frames[0] : &unknown);
	print_where(a->map);
	for (i = 1; i < a->nr_frames; i++) {
		printf("%*s (inlined into) ", indent + usual_digits(), "");
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

/* KEY, and KEY_hex where the text is not UTF-8 and so not all in it */
static void print_json_text(const char *key, const char *text, size_t len)
{
	size_t i;

	printf("\"%s\":", key);
	if (print_json_string(text, len))
		return;
	printf(",\"%s_hex\":\"", key);
	for (i = 0; i < len; i++)
		printf("%02x", (unsigned char)text[i]);
	putchar('"');
}

static void print_json_mapping(const struct mapping *map,
			       const struct options *opts)
{
	const struct procmap_vma *vma = &map->vma;

	printf("\"start\":\"0x%" PRIx64 "\",\"end\":\"0x%" PRIx64
	       "\",\"perms\":\"%s\"", vma->start, vma->end, perms_of(map));
	printf(",\"offset\":\"0x%" PRIx64 "\",\"dev\":\"%02x:%02x\",\"inode\":%"
	       PRIu64, vma->offset, vma->dev_major, vma->dev_minor, vma->inode);
	if (opts->page_size)
		printf(",\"page_size\":%" PRIu64, vma->page_size);
	if (opts->build_id) {
		fputs(",\"build_id\":", stdout);
		print_json_or_null(vma->build_id_size ? build_id_of(map) : NULL);
	}
	putchar(',');
	if (*vma->name)
		print_json_text("path", vma->name, strlen(vma->name));
	else
		fputs("\"path\":null", stdout);
}

static void print_json_file(const struct answer *a)
{
	bool has_file = a->map->vma.flags & PROCMAP_FILE;

	putchar(',');
	if (has_file || a->has_elf_addr)
		print_json_text("file", path_of(a->map), strlen(path_of(a->map)));
	else
		fputs("\"file\":null", stdout);
	if (has_file)
		printf(",\"file_offset\":\"0x%" PRIx64 "\"",
		       procmap_file_offset(&a->map->vma, a->lookup));
	else
		fputs(",\"file_offset\":null", stdout);
	if (a->has_elf_addr)
		printf(",\"elf_address\":\"0x%" PRIx64 "\"", a->elf_addr);
	else
		fputs(",\"elf_address\":null", stdout);
}

static void print_json_number(const char *key, int value)
{
	if (value)
		printf(",\"%s\":%d", key, value);
	else
		printf(",\"%s\":null", key);
}

static void print_json_frame(const struct frame *f)
{
	fputs("{\"function\":", stdout);
	print_json_or_null(f->function);
	if (f->has_offset)
		printf(",\"offset\":\"0x%" PRIx64 "\"", f->offset);
	else
		fputs(",\"offset\":null", stdout);
	fputs(",\"source\":", stdout);
	print_json_or_null(f->source);
	print_json_number("line", f->source ? f->line : 0);
	print_json_number("column", f->source ? f->column : 0);
	putchar('}');
}

static void print_json_answer(const struct answer *a, const struct options *opts)
{
	size_t i;

	printf("{\"address\":\"0x%" PRIx64 "\",\"found\":%s", a->addr,
	       a->map ? "true" : "false");
	if (a->map) {
		putchar(',');
		print_json_mapping(a->map, opts);
		if (opts->elf_address || opts->file_offset || opts->symbolize)
			print_json_file(a);
		if (opts->symbolize) {
			fputs(",\"frames\":[", stdout);
			for (i = 0; i < a->nr_frames; i++) {
				if (i)
					putchar(',');
				print_json_frame(&a->frames[i]);
			}
			putchar(']');
		}
	}
	putchar('}');
}

static bool is_table(const struct options *opts)
{
	return !opts->json && !opts->symbolize && !opts->elf_address &&
	       !opts->file_offset;
}

static void print_answer(const struct answer *a, const struct options *opts,
			 int indent)
{
	printf("%*s", indent, "");
	if (opts->symbolize)
		print_symbolized(a, indent);
	else if (opts->elf_address || opts->file_offset)
		print_file_address(a, opts);
	else
		print_table_answer(a, opts);
}

void finish_printing(void)
{
	if (fflush(stdout) || ferror(stdout))
		die("cannot write the answer: %s", strerror(errno));
}

/* The answers to what was given as arguments, or asked for without its text. */
void print_answers(const struct batch *batch, const struct options *opts)
{
	size_t i;

	if (is_table(opts))
		size_table(batch->answers, batch->nr, opts, 0);
	for (i = 0; i < batch->nr; i++) {
		if (opts->json) {
			print_json_answer(&batch->answers[i], opts);
			putchar('\n');
		} else {
			print_answer(&batch->answers[i], opts, 0);
		}
	}
}

static void print_json_line(const char *line, size_t len,
			    const struct answer *answers, size_t nr,
			    const struct options *opts)
{
	size_t i;

	putchar('{');
	print_json_text("text", line, len);
	fputs(",\"answers\":[", stdout);
	for (i = 0; i < nr; i++) {
		if (i)
			putchar(',');
		print_json_answer(&answers[i], opts);
	}
	puts("]}");
}

/* A line of input as it came, and the answers below it. */
void print_line(const char *line, size_t len, const struct answer *answers,
		size_t nr, const struct options *opts)
{
	bool ended = len && line[len - 1] == '\n';
	size_t i;

	if (opts->json) {
		print_json_line(line, len - ended, answers, nr, opts);
		return;
	}
	fwrite(line, 1, len, stdout);
	if (nr && !ended)
		putchar('\n');
	if (nr && is_table(opts))
		size_table(answers, nr, opts, ANSWER_INDENT);
	for (i = 0; i < nr; i++)
		print_answer(&answers[i], opts, ANSWER_INDENT);
}

static void print_heading(const struct process *proc)
{
	char *path = xasprintf("/proc/%d/cmdline", proc->number);
	FILE *file = fopen(path, "re");
	char command[4096];
	size_t len, i;

	free(path);
	len = file ? fread(command, 1, sizeof(command) - 1, file) : 0;
	if (file)
		fclose(file);
	while (len && !command[len - 1])
		len--;
	for (i = 0; i < len; i++)
		if (!command[i])
			command[i] = ' ';
	command[len] = 0;
	printf("%d: ", proc->number);
	print_shortened(command, proc->opts->width ?
			proc->opts->width - digits(proc->number, 10) - 2 : INT_MAX);
	putchar('\n');
}

static void print_json_walk(const struct process *proc,
			    const struct batch *batch)
{
	const struct mapping *map;

	for (map = batch->first; map; map = map->next) {
		printf("{\"pid\":%d,", proc->number);
		print_json_mapping(map, proc->opts);
		puts("}");
	}
}

void print_walk(const struct process *proc, const struct batch *batch,
		bool heading)
{
	const struct options *opts = proc->opts;
	const struct mapping *map;

	if (opts->json) {
		print_json_walk(proc, batch);
		return;
	}
	if (heading)
		print_heading(proc);
	start_table(true);
	for (map = batch->first; map; map = map->next)
		measure(&map->vma);
	lay_out(opts, 0);
	print_header(opts);
	for (map = batch->first; map; map = map->next)
		print_row(map, opts);
}
