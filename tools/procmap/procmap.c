// SPDX-License-Identifier: GPL-2.0
/* procmap - show the memory mappings of a process with PROCMAP_QUERY */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "procmap.h"

#define OUTPUT_SIZE	65536
/* A line that is longer is taken for several. */
#define MAX_LINE	65536
/* A word of fewer digits, with others behind it, is a number of something. */
#define MIN_DIGITS	6

static const char help[] =
	"Usage: procmap [-p PID] [OPTION...]\n"
	"       procmap -p PID [OPTION...] ADDRESS...\n"
	"       procmap -p PID [OPTION...] -\n"
	"\n"
	"Show the memory mappings of a process: all of them, or those that cover the\n"
	"hexadecimal addresses given, as arguments or, with '-', on standard input.\n"
	"\n"
	"  -p, --pid=PID          the process; default for a walk: procmap itself\n"
	"\n"
	"Only mappings that are (all that are given must hold):\n"
	"      --read             readable\n"
	"      --write            writable\n"
	"      --exec             executable\n"
	"      --shared           shared\n"
	"      --file             backed by a file\n"
	"\n"
	"With addresses:\n"
	"      --next             where nothing covers an address, the next mapping above\n"
	"      --file-offset      print 'FILE ADDRESS' for addr2line -e, llvm-symbolizer\n"
	"      --symbolize[=TOOL] print function and line by way of llvm-symbolizer,\n"
	"                         addr2line or TOOL\n"
	"\n"
	"Output:\n"
	"      --build-id         with the build ID of the file\n"
	"      --json             one JSON object a line\n"
	"      --width=COLUMNS    fit the output into so many columns, 0 for no limit;\n"
	"                         default: the terminal's, no limit without one\n"
	"  -h, --help             print this help\n"
	"  -V, --version          print the version\n"
	"\n"
	"Exit status: 0 if all was found, 1 if something was not, 2 on an error.\n";

enum {
	OPT_READ = 256,
	OPT_WRITE,
	OPT_EXEC,
	OPT_SHARED,
	OPT_FILE,
	OPT_NEXT,
	OPT_FILE_OFFSET,
	OPT_SYMBOLIZE,
	OPT_BUILD_ID,
	OPT_JSON,
	OPT_WIDTH,
};

static const struct option long_options[] = {
	{ "pid",	 required_argument, NULL, 'p' },
	{ "read",	 no_argument,	    NULL, OPT_READ },
	{ "write",	 no_argument,	    NULL, OPT_WRITE },
	{ "exec",	 no_argument,	    NULL, OPT_EXEC },
	{ "shared",	 no_argument,	    NULL, OPT_SHARED },
	{ "file",	 no_argument,	    NULL, OPT_FILE },
	{ "next",	 no_argument,	    NULL, OPT_NEXT },
	{ "file-offset", no_argument,	    NULL, OPT_FILE_OFFSET },
	{ "symbolize",	 optional_argument, NULL, OPT_SYMBOLIZE },
	{ "build-id",	 no_argument,	    NULL, OPT_BUILD_ID },
	{ "json",	 no_argument,	    NULL, OPT_JSON },
	{ "width",	 required_argument, NULL, OPT_WIDTH },
	{ "help",	 no_argument,	    NULL, 'h' },
	{ "version",	 no_argument,	    NULL, 'V' },
	{ }
};

static __noreturn void show(const char *text)
{
	fputs(text, stdout);
	if (fflush(stdout))
		die("cannot write: %s", strerror(errno));
	exit(EXIT_SUCCESS);
}

static const char *parse_pid(const char *arg)
{
	if (!strcmp(arg, "self"))
		return arg;
	if (!*arg || arg[strspn(arg, "0123456789")])
		die("'%s' is not a process ID: give a number, or 'self'",
		    printable(arg, strlen(arg)));
	return arg;
}

static int parse_width(const char *arg)
{
	if (!*arg || arg[strspn(arg, "0123456789")] || strlen(arg) > 6)
		die("'%s' is not a width: give a number of columns, or 0",
		    printable(arg, strlen(arg)));
	return atoi(arg);
}

static int terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return 0;
	return size.ws_col;
}

static void parse_option(struct options *opts, int opt)
{
	switch (opt) {
	case 'p':
		opts->pid = parse_pid(optarg);
		break;
	case OPT_READ:
		opts->filter |= PROCMAP_QUERY_VMA_READABLE;
		break;
	case OPT_WRITE:
		opts->filter |= PROCMAP_QUERY_VMA_WRITABLE;
		break;
	case OPT_EXEC:
		opts->filter |= PROCMAP_QUERY_VMA_EXECUTABLE;
		break;
	case OPT_SHARED:
		opts->filter |= PROCMAP_QUERY_VMA_SHARED;
		break;
	case OPT_FILE:
		opts->filter |= PROCMAP_QUERY_FILE_BACKED_VMA;
		break;
	case OPT_NEXT:
		opts->next = true;
		break;
	case OPT_FILE_OFFSET:
		opts->file_offset = true;
		break;
	case OPT_SYMBOLIZE:
		opts->symbolize = true;
		opts->symbolizer = optarg;
		break;
	case OPT_BUILD_ID:
		opts->build_id = true;
		break;
	case OPT_JSON:
		opts->json = true;
		break;
	case OPT_WIDTH:
		opts->width = parse_width(optarg);
		break;
	case 'h':
		show(help);
	case 'V':
		show("procmap " PROCMAP_VERSION "\n");
	default:
		fputs("Try 'procmap --help'.\n", stderr);
		exit(EXIT_ERROR);
	}
}

static void check_options(const struct options *opts, bool walk)
{
	bool files = opts->file_offset || opts->symbolize;

	if (!walk && !opts->pid)
		die("whose addresses? Give the process with -p PID");
	if (walk && (opts->next || files))
		die("--next, --file-offset and --symbolize need addresses\n"
		    "Give them as arguments, or '-' to read them from standard input");
	if (opts->next && files)
		die("--next goes neither with --file-offset nor with --symbolize\n"
		    "The mapping that it finds need not have the address in it");
}

static struct answer *add_answer(struct batch *batch)
{
	struct answer *answer;

	batch->answers = grow(batch->answers, batch->nr_answers,
			      &batch->room_answers, sizeof(*batch->answers));
	answer = &batch->answers[batch->nr_answers++];
	memset(answer, 0, sizeof(*answer));
	return answer;
}

static void add_mapping(struct batch *batch, struct mapping *map)
{
	batch->maps = grow(batch->maps, batch->nr_maps, &batch->room_maps,
			   sizeof(*batch->maps));
	batch->maps[batch->nr_maps++] = map;
}

static void free_frames(struct answer *answer)
{
	size_t i;

	for (i = 0; i < answer->nr_frames; i++) {
		free(answer->frames[i].function);
		free(answer->frames[i].place);
	}
	free(answer->frames);
}

static void empty_batch(struct batch *batch)
{
	size_t i;

	for (i = 0; i < batch->nr_answers; i++)
		free_frames(&batch->answers[i]);
	for (i = 0; i < batch->nr_maps; i++)
		free(batch->maps[i]);
	free_objects(batch);
	batch->nr_answers = 0;
	batch->nr_maps = 0;
	batch->failed = false;
}

static void free_batch(struct batch *batch)
{
	free(batch->answers);
	free(batch->maps);
}

static int compare_addresses(const void *a, const void *b)
{
	const struct answer *x = *(struct answer *const *)a;
	const struct answer *y = *(struct answer *const *)b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* The answers that have an address, in the order of their addresses. */
static struct answer **sort_addresses(struct batch *batch, size_t *nr)
{
	struct answer **sorted;
	size_t i;

	sorted = xrealloc(NULL, (batch->nr_answers + 1) * sizeof(*sorted));
	*nr = 0;
	for (i = 0; i < batch->nr_answers; i++)
		if (!batch->answers[i].text)
			sorted[(*nr)++] = &batch->answers[i];
	qsort(sorted, *nr, sizeof(*sorted), compare_addresses);
	return sorted;
}

static struct mapping *query(struct process *proc, const struct options *opts,
			     __u64 addr, bool or_next)
{
	__u64 flags = opts->filter;

	if (or_next)
		flags |= PROCMAP_QUERY_COVERING_OR_NEXT_VMA;
	return process_query(proc, addr, flags, opts->build_id ||
			     opts->file_offset || opts->symbolize);
}

/*
 * One query for each mapping that is hit. While addresses follow, each query
 * asks for the next mapping too: that answers for all the addresses of a gap.
 */
static void lookup(struct process *proc, struct batch *batch,
		   const struct options *opts)
{
	struct mapping *map = NULL;
	struct answer **sorted;
	bool at_end = false;
	size_t i, nr;

	sorted = sort_addresses(batch, &nr);
	for (i = 0; i < nr && !at_end; i++) {
		__u64 addr = sorted[i]->addr;

		if (!map || addr >= map->q.vma_end) {
			map = query(proc, opts, addr, opts->next || i + 1 < nr);
			if (map)
				add_mapping(batch, map);
			at_end = !map;
		}
		if (map && (addr >= map->q.vma_start || opts->next))
			sorted[i]->map = map;
	}
	free(sorted);
}

static int exit_status(const struct batch *batch, const struct options *opts)
{
	bool files = opts->file_offset || opts->symbolize;
	size_t i;

	if (batch->failed)
		return EXIT_ERROR;
	for (i = 0; i < batch->nr_answers; i++) {
		const struct answer *a = &batch->answers[i];

		if (a->text)
			continue;
		if (!a->map || (files && !a->has_file_addr))
			return EXIT_NOT_FOUND;
	}
	return EXIT_FOUND;
}

/* Looks up, prints and empties a batch of addresses. */
static int answer_batch(struct process *proc, struct batch *batch,
			const struct options *opts)
{
	int ret;

	lookup(proc, batch, opts);
	if (opts->file_offset || opts->symbolize)
		find_file_addresses(batch, proc);
	if (opts->symbolize)
		symbolize(batch, opts->symbolizer);
	print_batch(batch, opts);
	ret = exit_status(batch, opts);
	empty_batch(batch);
	return ret;
}

static size_t hex_digits(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!memchr("0123456789abcdefABCDEF", s[i], 22))
			break;
	return i;
}

static bool has_prefix(const char *s, size_t len)
{
	return len > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
}

/* Takes a whole word as a hexadecimal number, with or without 0x. */
static bool parse_address(const char *s, size_t len, __u64 *addr)
{
	size_t i;

	if (has_prefix(s, len)) {
		s += 2;
		len -= 2;
	}
	if (!len || hex_digits(s, len) != len)
		return false;
	*addr = 0;
	for (i = 0; i < len; i++) {
		int c = s[i] | 0x20;

		if (*addr >> 60)
			return false;
		*addr = *addr << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return true;
}

static bool is_separator(char c)
{
	return c && strchr(" \t\r[](){}<>,:;", c);
}

/* Moves on to the next word of a line, which is empty at the line's end. */
static size_t next_word(const char **s, const char *end)
{
	size_t len = 0;

	while (*s < end && is_separator(**s))
		(*s)++;
	while (*s + len < end && !is_separator((*s)[len]))
		len++;
	return len;
}

/*
 * The address of a line of a stack trace: its first word that has 0x in front,
 * else its first word if that is hexadecimal, and long or alone.
 */
static bool find_address(const char *line, size_t line_len, __u64 *addr)
{
	const char *end = line + line_len;
	const char *s;
	size_t len;

	for (s = line; (len = next_word(&s, end)); s += len)
		if (has_prefix(s, len) && parse_address(s, len, addr))
			return true;
	s = line;
	len = next_word(&s, end);
	if (!parse_address(s, len, addr))
		return false;
	s += len;
	return len >= MIN_DIGITS || !next_word(&s, end);
}

static bool add_line(struct batch *batch, const char *line, size_t len)
{
	struct answer *answer = add_answer(batch);

	if (find_address(line, len, &answer->addr))
		return true;
	answer->text = line;
	answer->text_len = len;
	return false;
}

/*
 * Adds the whole lines of the input to the batch, and what may not get longer.
 * Returns the bytes used.
 */
static size_t add_lines(struct batch *batch, const char *buf, size_t len,
			bool at_end, bool *any)
{
	size_t used = 0;

	while (used < len) {
		const char *line = buf + used;
		const char *nl = memchr(line, '\n', len - used);

		if (!nl && !at_end && len - used < MAX_LINE)
			break;
		if (!nl)
			nl = buf + len;
		*any |= add_line(batch, line, nl - line);
		used = nl - buf + 1;
	}
	return used < len ? used : len;
}

static size_t read_input(char *buf, size_t size)
{
	ssize_t ret;

	do {
		ret = read(STDIN_FILENO, buf, size);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		die("cannot read standard input: %s", strerror(errno));
	return ret;
}

/*
 * What one read brings makes a batch: a line that comes alone is answered at
 * once, lines that come together cost few queries, and nothing that was learnt
 * for an earlier line is taken as still true for a later one.
 */
static int answer_input(struct process *proc, const struct options *opts)
{
	static char buf[MAX_LINE];
	int status, ret = EXIT_FOUND;
	struct batch batch = { };
	bool any = false;
	size_t len = 0;
	size_t got, used;

	do {
		got = read_input(buf + len, sizeof(buf) - len);
		len += got;
		used = add_lines(&batch, buf, len, !got, &any);
		status = answer_batch(proc, &batch, opts);
		if (ret < status)
			ret = status;
		len -= used;
		memmove(buf, buf + used, len);
	} while (got);
	free_batch(&batch);

	if (any)
		return ret;
	warn("no address on standard input");
	return EXIT_NOT_FOUND;
}

static int answer_arguments(struct process *proc, char **args,
			    const struct options *opts)
{
	struct batch batch = { };
	int ret;

	for (; *args; args++) {
		if (!parse_address(*args, strlen(*args),
				   &add_answer(&batch)->addr))
			die("'%s' is not an address\n"
			    "Give up to 16 hexadecimal digits, or '-' alone to read addresses from standard input",
			    printable(*args, strlen(*args)));
	}
	ret = answer_batch(proc, &batch, opts);
	free_batch(&batch);
	return ret;
}

/*
 * Prints only when the last mapping has been read: a process that goes away
 * meanwhile leaves an error, never what looks like a short answer.
 */
static int walk(struct process *proc, const struct options *opts)
{
	struct batch batch = { .walk = true };
	struct mapping *map;
	__u64 addr = 0;
	bool found;

	while ((map = query(proc, opts, addr, true))) {
		add_mapping(&batch, map);
		add_answer(&batch)->map = map;
		addr = map->q.vma_end;
	}
	found = batch.nr_answers;
	if (found)
		print_batch(&batch, opts);
	else
		warn("process %s has no such mapping", proc->pid);
	empty_batch(&batch);
	free_batch(&batch);
	return found ? EXIT_FOUND : EXIT_NOT_FOUND;
}

static void parse_command(struct options *opts, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "p:hV", long_options, NULL)) >= 0)
		parse_option(opts, opt);
	check_options(opts, optind == argc);
	if (!opts->pid)
		opts->pid = "self";
}

int main(int argc, char **argv)
{
	/* An answer goes out in large pieces, whatever standard output is. */
	static char output[OUTPUT_SIZE];
	struct options opts = { };
	struct process proc;

	setlocale(LC_CTYPE, "");
	setvbuf(stdout, output, _IOFBF, sizeof(output));
	opts.width = terminal_width();
	parse_command(&opts, argc, argv);
	argv += optind;

	process_open(&proc, opts.pid);
	if (!*argv)
		return walk(&proc, &opts);
	if (!strcmp(*argv, "-") && !argv[1])
		return answer_input(&proc, &opts);
	return answer_arguments(&proc, argv, &opts);
}
