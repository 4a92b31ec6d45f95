// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines of standard input, each of which comes out as it came, with the answers to the
 * addresses on it below.
 *
 * There is no list of formats. What a mapping covers is an address; every other word
 * is text, however much it looks like a number.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

#define READ_SIZE	65536
#define MAX_LINE	1048576		/* a longer one passes through unanswered */
/* A shorter word has to have 0x in front. */
#define MIN_DIGITS	6
/* How far in front of an address the symbol of its file may begin */
#define MAX_SYMBOL	4096

/* A line, and which of the batch's answers are to words of it. */
struct line {
	const char *text;
	size_t len;			/* with the newline, which the last may lack */
	size_t first, nr;
};

struct input {
	struct process *proc;
	char *buf;
	size_t len, room;
	bool passing;			/* in a line that is too long */
	bool any;			/* there was an address */
	bool said_gone;
	struct batch batch;
	struct line *lines;
	size_t nr_lines, room_lines;
};

struct word {
	const char *s;
	size_t len;
};

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || (c & 0x80) || (c && strchr("_.+-/$%\\", c));
}

/* The next word, without the end of a sentence; it is empty at the line's end. */
static struct word next_word(const char *s, const char *end)
{
	struct word w;

	do {
		while (s < end && !is_word(*s))
			s++;
		w = (struct word){ s, 0 };
		while (s < end && is_word(*s))
			s++;
		w.len = s - w.s;
		while (w.len && w.s[w.len - 1] == '.')
			w.len--;
	} while (!w.len && s < end);
	return w;
}

static bool has_prefix(struct word w)
{
	return w.len > 2 && w.s[0] == '0' && (w.s[1] == 'x' || w.s[1] == 'X');
}

/* "symbol+0x10", or "symbol+27" */
static bool has_offset(struct word w)
{
	const char *plus = memchr(w.s, '+', w.len);

	return plus && plus > w.s && plus + 1 < w.s + w.len &&
	       plus[1] >= '0' && plus[1] <= '9';
}

static const char *skip_blanks(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	return s;
}

static bool is_number(struct word w, uint64_t *addr)
{
	return (has_prefix(w) || w.len >= MIN_DIGITS) &&
	       parse_address(w.s, w.len, addr);
}

/* The file that perf and bpftrace name behind a symbol: "(/file)", "([kernel])" */
static bool is_file(const char *s, const char *end)
{
	s = skip_blanks(s, end);
	return end - s > 1 && *s == '(' && (s[1] == '/' || s[1] == '[');
}

/* "symbol+0x10 (file)", whatever is in the symbol: C++ has blanks and more there. */
static bool names_code(const char *s, const char *end)
{
	struct word w;
	uint64_t addr;

	for (w = next_word(s, end); w.len && !is_number(w, &addr);
	     w = next_word(w.s + w.len, end)) {
		const char *plus = memchr(w.s, '+', w.len);

		if (plus && plus > s && !strncmp(plus, "+0x", 3) &&
		    is_file(w.s + w.len, end))
			return true;
	}
	return false;
}

/*
 * Some tools print what they have found behind a number that may be an offset in a
 * file: "ADDRESS symbol+0x10 (file)", "ADDRESS symbol (file)"; or before it, as in
 * "file(symbol+0x10) [ADDRESS]".
 */
static bool is_resolved(const char *line, struct word w, const char *end)
{
	const char *s = skip_blanks(w.s + w.len, end);
	struct word next = next_word(s, end);

	if (next.len && next.s == s &&
	    (has_offset(next) || is_file(next.s + next.len, end)))
		return true;
	if (names_code(s, end))
		return true;
	if (w.s - line < 4 || strncmp(w.s - 3, ") [", 3))
		return false;
	for (s = w.s - 3; s > line && w.s - s < MAX_SYMBOL && *s != '(';)
		s--;
	next = next_word(s, w.s);
	return *s == '(' && next.s == s + 1 && has_offset(next) && *next.s != '+';
}

static bool is_candidate(const char *line, struct word w, const char *end,
			 uint64_t *addr)
{
	return is_number(w, addr) && !is_resolved(line, w, end);
}

/*
 * A return address is behind the call, where another function may begin. The innermost
 * frame of a stack has none: gdb and eu-stack call it #0. Nor is a value one, as in
 * "arg=0x1234" and "pc=0x1234".
 */
static bool may_return(const char *line, struct word w, const char *end)
{
	bool innermost = end - line > 2 && !memcmp(line, "#0 ", 3);
	bool value = w.s > line && w.s[-1] == '=';

	return !innermost && !value;
}

static void add_line(struct input *in, const char *text, size_t len)
{
	const struct options *opts = in->proc->opts;
	const char *end = text + len;
	struct line *line;
	struct word w;
	uint64_t addr;

	in->lines = grow(in->lines, in->nr_lines, &in->room_lines,
			 sizeof(*in->lines));
	line = &in->lines[in->nr_lines++];
	*line = (struct line){ text, len, in->batch.nr, 0 };
	for (w = next_word(text, end); w.len; w = next_word(w.s + w.len, end)) {
		struct answer *a;

		if (!is_candidate(text, w, end, &addr))
			continue;
		a = add_answer(&in->batch, addr);
		if (opts->return_addresses && addr && may_return(text, w, end))
			a->lookup--;
		line->nr++;
	}
}

/* Drops the answers to words that are none: nothing is mapped there. */
static void drop_text(struct input *in)
{
	struct batch *batch = &in->batch;
	size_t i, j, kept = 0;

	for (i = 0; i < in->nr_lines; i++) {
		struct line *line = &in->lines[i];
		size_t first = kept;

		for (j = line->first; j < line->first + line->nr; j++)
			if (batch->answers[j].map)
				batch->answers[kept++] = batch->answers[j];
		line->first = first;
		line->nr = kept - first;
	}
	batch->nr = kept;
	in->any |= kept > 0;
}

/* Whether a line is nothing but an address, so that it is missed if it is none. */
static bool is_bare(const struct line *line)
{
	const char *end = line->text + line->len;
	struct word w = next_word(line->text, end);

	return w.len && !next_word(w.s + w.len, end).len;
}

static int status_of(const struct input *in)
{
	const struct batch *batch = &in->batch;
	size_t i;

	for (i = 0; i < batch->nr; i++)
		if (!is_answered(&batch->answers[i], in->proc->opts))
			return EXIT_NOT_FOUND;
	return EXIT_FOUND;
}

static int missed(const struct input *in)
{
	size_t i;

	for (i = 0; i < in->nr_lines; i++)
		if (in->lines[i].nr &&
		    !in->batch.answers[in->lines[i].first].map &&
		    is_bare(&in->lines[i]))
			return EXIT_NOT_FOUND;
	return EXIT_FOUND;
}

static void say_gone(struct input *in)
{
	const struct process *proc = in->proc;

	if (in->said_gone)
		return;
	in->said_gone = true;
	warn("process %s %s: from here on, lines pass through unanswered",
	     proc->pid, proc->gone == -ESTALE ? "executed another program" :
	     proc->answered ? "exited" :
	     "has no mappings: it is a kernel thread, or it has exited");
}

/* Looks up what is an address; the others are dropped. */
static int look_up(struct input *in)
{
	struct process *proc = in->proc;
	unsigned int filter = proc->opts->filter;
	int err = 0, status;

	if (proc->opts->symbolize)
		filter |= PROCMAP_EXEC;
	if (in->batch.nr && !proc->gone) {
		err = process_lookup(proc, &in->batch, filter);
		if (err && !proc->gone)
			exit(process_complain(proc, err));
	}
	status = missed(in);
	if (proc->gone && in->batch.nr) {
		say_gone(in);
		status = EXIT_ERROR;
	}
	drop_text(in);
	return status;
}

static void print_lines(const struct input *in)
{
	const struct options *opts = in->proc->opts;
	size_t i;

	if (opts->answers_only) {
		print_answers(&in->batch, opts);
		return;
	}
	for (i = 0; i < in->nr_lines; i++)
		print_line(in->lines[i].text, in->lines[i].len,
			   in->batch.answers + in->lines[i].first,
			   in->lines[i].nr, opts);
}

/* Answers, prints and forgets the lines that have been added. */
static int answer_lines(struct input *in)
{
	const struct options *opts = in->proc->opts;
	int status;

	progress_start();
	status = look_up(in);
	if (opts->elf_address || opts->file_offset || opts->symbolize)
		process_symbolize(in->proc, &in->batch);
	progress_stop();
	print_lines(in);
	finish_printing();
	if (status == EXIT_FOUND)
		status = status_of(in);
	if (in->batch.failed)
		status = EXIT_ERROR;
	empty_batch(&in->batch);
	in->nr_lines = 0;
	return status;
}

static size_t read_input(struct input *in)
{
	ssize_t ret;

	if (in->room - in->len < READ_SIZE) {
		in->room = in->room * 2 + READ_SIZE;
		in->buf = xrealloc(in->buf, in->room);
	}
	do {
		ret = read(STDIN_FILENO, in->buf + in->len, in->room - in->len);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		die("cannot read standard input: %s", strerror(errno));
	in->len += ret;
	return ret;
}

/* Passes the piece of a line through that cannot be answered. */
static size_t pass(struct input *in, const char *text, size_t len)
{
	if (!in->passing)
		warn("a line of more than 1 MiB is not searched for addresses");
	in->passing = text[len - 1] != '\n';
	if (!in->proc->opts->answers_only)
		print_line(text, len, NULL, 0, in->proc->opts);
	return len;
}

/* Adds the whole lines that have come; returns the bytes that are used. */
static size_t add_lines(struct input *in, bool at_end)
{
	size_t used = 0;

	while (used < in->len) {
		const char *text = in->buf + used;
		size_t len = in->len - used;
		const char *nl = memchr(text, '\n', len);

		if (nl)
			len = nl + 1 - text;
		else if (!at_end && len < MAX_LINE && !in->passing)
			break;
		if (in->passing || len > MAX_LINE || (!nl && !at_end)) {
			if (in->nr_lines)	/* they come before it */
				break;
			pass(in, text, len);
		} else {
			add_line(in, text, len);
		}
		used += len;
	}
	return used;
}

/*
 * What one read brings makes a batch: a line that comes alone is answered at once, and
 * lines that come together cost few queries. Mappings are asked for anew each time.
 */
int answer_input(struct process *proc)
{
	struct input in = { .proc = proc };
	int status, ret = EXIT_FOUND;
	size_t got, used;

	if (proc->opts->answers_only && !proc->opts->json &&
	    !proc->opts->symbolize && !proc->opts->elf_address &&
	    !proc->opts->file_offset)
		print_table_header(&in.batch, proc->opts);
	do {
		got = read_input(&in);
		do {
			used = add_lines(&in, !got);
			status = answer_lines(&in);
			if (ret < status)
				ret = status;
			in.len -= used;
			memmove(in.buf, in.buf + used, in.len);
		} while (used && in.len);
	} while (got);
	free_batch(&in.batch);
	free(in.lines);
	free(in.buf);
	if (in.any || ret == EXIT_ERROR)
		return ret;
	warn("no address of process %s on standard input", proc->pid);
	return EXIT_NOT_FOUND;
}
