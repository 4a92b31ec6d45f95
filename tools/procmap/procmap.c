// SPDX-License-Identifier: GPL-2.0-only
/* procmap - show the memory mappings of a process, and what is at its addresses */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "command.h"

#define OUTPUT_SIZE	65536
#define HEAP_SIZE	(128 * 1024 * 1024)
#define LARGE_PAGE	((uintptr_t)2 * 1024 * 1024)

static const char help[] =
	"Usage: procmap [OPTION...] PID...\n"
	"       procmap -p PID [OPTION...] ADDRESS...\n"
	"       procmap -p PID [OPTION...] -\n"
	"\n"
	"Show the memory mappings of processes: all of them, or those that cover the\n"
	"hexadecimal addresses given, as arguments or, with '-', in the lines of standard\n"
	"input, which are passed on with the answers below.\n"
	"\n"
	"  -p, --pid=PID          the process, or 'self'\n"
	"\n"
	"Only mappings that are (all that are given must hold):\n"
	"      --read             readable\n"
	"      --write            writable\n"
	"      --exec             executable\n"
	"      --shared           shared\n"
	"      --file             backed by a file\n"
	"\n"
	"With addresses:\n"
	"      --symbolize[=TOOL] print function and line; TOOL is used like addr2line\n"
	"      --debug-dir=DIR    look there for debug files too\n"
	"      --debuginfod[=URL] get debug files from the network\n"
	"      --return-addresses they are return addresses: look up the call before\n"
	"      --elf-address      print 'FILE ADDRESS' for addr2line -e, objdump, nm\n"
	"      --file-offset      print 'FILE OFFSET' for uprobes\n"
	"      --next             where nothing covers an address, the next mapping above\n"
	"      --answers-only     do not pass on the lines of standard input\n"
	"\n"
	"Output:\n"
	"      --build-id         with the build ID of the file\n"
	"      --page-size        with the page size of the mapping\n"
	"      --json             one JSON object a line\n"
	"      --width=COLUMNS    fit the table into so many columns, 0 for no limit;\n"
	"                         default: the terminal's, no limit without one\n"
	"  -h, --help             print this help\n"
	"  -V, --version          print the version, and what there is to work with\n"
	"\n"
	"Exit status: 0 if all was found, 1 if something was not, 2 on an error.\n";

enum {
	OPT_READ = 256,
	OPT_WRITE,
	OPT_EXEC,
	OPT_SHARED,
	OPT_FILE,
	OPT_NEXT,
	OPT_ELF_ADDRESS,
	OPT_FILE_OFFSET,
	OPT_SYMBOLIZE,
	OPT_DEBUG_DIR,
	OPT_DEBUGINFOD,
	OPT_RETURN_ADDRESSES,
	OPT_ANSWERS_ONLY,
	OPT_BUILD_ID,
	OPT_PAGE_SIZE,
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
	{ "elf-address", no_argument,	    NULL, OPT_ELF_ADDRESS },
	{ "file-offset", no_argument,	    NULL, OPT_FILE_OFFSET },
	{ "symbolize",	 optional_argument, NULL, OPT_SYMBOLIZE },
	{ "debug-dir",	 required_argument, NULL, OPT_DEBUG_DIR },
	{ "debuginfod",	 optional_argument, NULL, OPT_DEBUGINFOD },
	{ "return-addresses", no_argument,  NULL, OPT_RETURN_ADDRESSES },
	{ "answers-only", no_argument,	    NULL, OPT_ANSWERS_ONLY },
	{ "build-id",	 no_argument,	    NULL, OPT_BUILD_ID },
	{ "page-size",	 no_argument,	    NULL, OPT_PAGE_SIZE },
	{ "json",	 no_argument,	    NULL, OPT_JSON },
	{ "width",	 required_argument, NULL, OPT_WIDTH },
	{ "help",	 no_argument,	    NULL, 'h' },
	{ "version",	 no_argument,	    NULL, 'V' },
	{ }
};

/* What was given on the command line, besides the options themselves. */
struct command {
	struct options opts;
	const char *pid;
	bool has_width;
};

static __noreturn void show(const char *text)
{
	fputs(text, stdout);
	finish_printing();
	exit(EXIT_SUCCESS);
}

static __noreturn void show_version(void)
{
	struct procmap *pm;

	if (procmap_open(&pm, 0))
		pm = NULL;
	printf("procmap " PROCMAP_VERSION "\n"
	       "symbols: %s\n"
	       "mappings: %s\n",
	       symbols_version(), !pm ? "there is no /proc" :
	       procmap_get_way(pm) == PROCMAP_IOCTL ? "PROCMAP_QUERY" :
	       "the text of /proc/PID/maps; this kernel has no PROCMAP_QUERY");
	procmap_close(pm);
	show("");
}

static const char *parse_pid(const char *arg)
{
	if (!strcmp(arg, "self"))
		return arg;
	if (!*arg || arg[strspn(arg, "0123456789")])
		die("'%s' is not a process ID: give a number, or 'self'\n"
		    "Addresses go with -p PID", printable(arg, strlen(arg)));
	return arg;
}

static int parse_width(const char *arg)
{
	if (!*arg || arg[strspn(arg, "0123456789")] || strlen(arg) > 6)
		die("'%s' is not a width: give a number of columns, or 0",
		    printable(arg, strlen(arg)));
	return atoi(arg);
}

/* The library wants absolute paths, with colons between. */
static void add_debug_dir(struct options *opts, const char *arg)
{
	char *old = opts->debug_dirs;
	char *dir = realpath(arg, NULL);

	if (!dir)
		die("--debug-dir: '%s': %s", printable(arg, strlen(arg)),
		    strerror(errno));
	if (strchr(dir, ':'))
		die("--debug-dir: '%s' has a colon in it, which debug directories cannot have",
		    printable(dir, strlen(dir)));
	opts->debug_dirs = xasprintf("%s%s%s", old ? old : "", old ? ":" : "", dir);
	free(old);
	free(dir);
}

static int terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return 0;
	return size.ws_col;
}

static void set_pid(struct command *cmd, const char *arg)
{
	if (cmd->pid)
		die("-p is given twice\n"
		    "To see several processes, give them as arguments: procmap PID PID");
	cmd->pid = parse_pid(arg);
}

static void parse_option(struct command *cmd, int opt)
{
	struct options *opts = &cmd->opts;

	switch (opt) {
	case 'p':
		set_pid(cmd, optarg);
		break;
	case OPT_READ:
		opts->filter |= PROCMAP_READ;
		break;
	case OPT_WRITE:
		opts->filter |= PROCMAP_WRITE;
		break;
	case OPT_EXEC:
		opts->filter |= PROCMAP_EXEC;
		break;
	case OPT_SHARED:
		opts->filter |= PROCMAP_SHARED;
		break;
	case OPT_FILE:
		opts->filter |= PROCMAP_FILE;
		break;
	case OPT_NEXT:
		opts->next = true;
		break;
	case OPT_ELF_ADDRESS:
		opts->elf_address = true;
		break;
	case OPT_FILE_OFFSET:
		opts->file_offset = true;
		break;
	case OPT_SYMBOLIZE:
		opts->symbolize = true;
		opts->tool = optarg;
		break;
	case OPT_DEBUG_DIR:
		add_debug_dir(opts, optarg);
		break;
	case OPT_DEBUGINFOD:
		opts->debuginfod = optarg ? optarg : "";
		break;
	case OPT_RETURN_ADDRESSES:
		opts->return_addresses = true;
		break;
	case OPT_ANSWERS_ONLY:
		opts->answers_only = true;
		break;
	case OPT_BUILD_ID:
		opts->build_id = true;
		break;
	case OPT_PAGE_SIZE:
		opts->page_size = true;
		break;
	case OPT_JSON:
		opts->json = true;
		break;
	case OPT_WIDTH:
		opts->width = parse_width(optarg);
		cmd->has_width = true;
		break;
	case 'h':
		show(help);
	case 'V':
		show_version();
	default:
		fputs("Try 'procmap --help'.\n", stderr);
		exit(EXIT_ERROR);
	}
}

/* Refuses what would have to be ignored. */
static void check_symbolizer(const struct options *opts)
{
	bool own = opts->symbolize && !opts->tool;
	const char *urls = getenv("DEBUGINFOD_URLS");

	if ((opts->debug_dirs || opts->debuginfod) && !own)
		die("--debug-dir and --debuginfod go with --symbolize, without a TOOL");
	if (own && !have_libdw)
		die("this procmap was built without libdw, which finds symbols\n"
		    "Name another program that does: --symbolize=addr2line or --symbolize=llvm-symbolizer");
	if (opts->debuginfod && !*opts->debuginfod && (!urls || !*urls))
		die("--debuginfod: which server? Give its URL, or set DEBUGINFOD_URLS");
}

static void check_walk(const struct options *opts)
{
	if (opts->next || opts->symbolize || opts->elf_address ||
	    opts->file_offset || opts->return_addresses)
		die("--next, --symbolize, --elf-address, --file-offset and\n"
		    "--return-addresses need addresses: give them behind -p PID,\n"
		    "or '-' to read them from standard input");
}

static void check_lookup(const struct command *cmd, bool input)
{
	const struct options *opts = &cmd->opts;
	bool table = !opts->symbolize && !opts->elf_address && !opts->file_offset;

	if (opts->symbolize + opts->elf_address + opts->file_offset > 1)
		die("of --symbolize, --elf-address and --file-offset, only one can be had\n"
		    "With --symbolize, --json has the others too");
	if (!table && !opts->json &&
	    (opts->build_id || opts->page_size || cmd->has_width))
		die("--build-id, --page-size and --width are of the table, which is\n"
		    "not shown with --symbolize, --elf-address or --file-offset");
	if (opts->next && (!table || input || opts->return_addresses))
		die("--next goes neither with '-' nor with --symbolize, --elf-address,\n"
		    "--file-offset or --return-addresses: the mapping that it finds\n"
		    "need not have the address in it");
}

static void check_command(const struct command *cmd, bool walk, bool input)
{
	const struct options *opts = &cmd->opts;

	if (opts->json && cmd->has_width)
		die("--width is of the table, which is not shown with --json");
	if (opts->answers_only && !input)
		die("--answers-only goes with '-', the lines of standard input");
	check_symbolizer(opts);
	if (walk)
		check_walk(opts);
	else
		check_lookup(cmd, input);
}

static uint64_t hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Takes a whole word as a hexadecimal number, with or without 0x. */
bool parse_address(const char *s, size_t len, uint64_t *addr)
{
	size_t i;

	if (len > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		s += 2;
		len -= 2;
	}
	*addr = 0;
	for (i = 0; i < len; i++) {
		if (hex_digit(s[i]) == 16 || *addr >> 60)
			return false;
		*addr = *addr << 4 | hex_digit(s[i]);
	}
	return len > 0;
}

static int answer_batch(struct process *proc, struct batch *batch)
{
	const struct options *opts = proc->opts;
	int err, status = EXIT_FOUND;
	size_t i;

	progress_start();
	err = process_lookup(proc, batch, opts->filter);
	if (err)
		return process_complain(proc, err);
	if (opts->elf_address || opts->file_offset || opts->symbolize)
		process_symbolize(proc, batch);
	progress_stop();
	if (!opts->json && !opts->elf_address && !opts->file_offset &&
	    !opts->symbolize)
		print_table_header(batch, opts);
	print_answers(batch, opts);
	finish_printing();
	for (i = 0; i < batch->nr; i++)
		if (!is_answered(&batch->answers[i], opts))
			status = EXIT_NOT_FOUND;
	return batch->failed ? EXIT_ERROR : status;
}

static int answer_arguments(struct process *proc, char **args)
{
	struct batch batch = { };
	uint64_t addr;
	int ret;

	for (; *args; args++) {
		struct answer *a;

		if (!parse_address(*args, strlen(*args), &addr))
			die("'%s' is not an address\n"
			    "Give up to 16 hexadecimal digits, or '-' alone to read standard input",
			    printable(*args, strlen(*args)));
		a = add_answer(&batch, addr);
		a->lookup = addr - (proc->opts->return_addresses && addr);
	}
	ret = answer_batch(proc, &batch);
	free_batch(&batch);
	return ret;
}

static int walk(const char *pid, const struct options *opts, bool heading)
{
	struct batch batch = { };
	struct process proc;
	int err, ret = EXIT_FOUND;

	err = process_open(&proc, pid, opts);
	if (!err) {
		progress_start();
		progress("reading the mappings of process %s", pid);
		err = process_walk(&proc, &batch);
		progress_stop();
	}
	if (err) {
		ret = process_complain(&proc, err);
	} else if (!batch.first) {
		warn("process %s has no such mapping", pid);
		ret = EXIT_NOT_FOUND;
	} else {
		print_walk(&proc, &batch, heading);
		finish_printing();
	}
	free_batch(&batch);
	process_close(&proc);
	return ret;
}

static int walk_all(char **pids, const struct options *opts)
{
	bool several = pids[0] && pids[1];
	int status, ret = EXIT_FOUND;
	char **pid;

	for (pid = pids; *pid; pid++)
		parse_pid(*pid);
	for (pid = pids; *pid; pid++) {
		if (pid > pids && !opts->json)
			putchar('\n');
		status = walk(*pid, opts, several);
		if (ret < status)
			ret = status;
	}
	return ret;
}

/* The process is not closed: to free its symbols one by one takes longer than to exit. */
static int look_up(const char *pid, char **args, const struct options *opts)
{
	static struct process proc;
	int ret = process_open(&proc, pid, opts);

	if (ret)
		ret = process_complain(&proc, ret);
	else if (!strcmp(*args, "-") && !args[1])
		ret = answer_input(&proc);
	else
		ret = answer_arguments(&proc, args);
	return ret;
}

/* Nothing is asked of the network unless it is wanted. */
static void set_debuginfod(const char *url)
{
	if (!url)
		unsetenv("DEBUGINFOD_URLS");
	else if (*url && setenv("DEBUGINFOD_URLS", url, 1))
		out_of_memory();
}

/* The files that are mapped stay open. */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Debug information, and the mappings of a large process, fill much memory for a short
 * time. Not to give it back in between saves the kernel from clearing it again and
 * again, and large pages save most of the page faults. So the heap grows at once; what
 * is not used of it takes no memory.
 */
static void prepare_heap(void)
{
	uintptr_t heap;

	mallopt(M_MMAP_THRESHOLD, 2 * HEAP_SIZE);
	mallopt(M_TRIM_THRESHOLD, 2 * HEAP_SIZE);
	heap = (uintptr_t)malloc(HEAP_SIZE);
	if (heap)
		madvise((void *)((heap + LARGE_PAGE - 1) & -LARGE_PAGE),
			HEAP_SIZE - LARGE_PAGE, MADV_HUGEPAGE);
	free((void *)heap);
}

int main(int argc, char **argv)
{
	/* An answer goes out in large pieces, whatever standard output is. */
	static char output[OUTPUT_SIZE];
	struct command cmd = { };
	bool input;
	int opt;

	setlocale(LC_CTYPE, "");
	setvbuf(stdout, output, _IOFBF, sizeof(output));
	while ((opt = getopt_long(argc, argv, "p:hV", long_options, NULL)) >= 0)
		parse_option(&cmd, opt);
	argv += optind;
	input = *argv && !strcmp(*argv, "-") && !argv[1];
	if (input && !cmd.pid)
		die("whose addresses? Give the process with -p PID");
	check_command(&cmd, !cmd.pid || !*argv, input);
	if (!cmd.has_width)
		cmd.opts.width = terminal_width();
	set_debuginfod(cmd.opts.debuginfod);
	allow_many_files();
	prepare_heap();

	if (cmd.pid && *argv)
		opt = look_up(cmd.pid, argv, &cmd.opts);
	else if (*argv)
		opt = walk_all(argv, &cmd.opts);
	else
		opt = walk(cmd.pid ? cmd.pid : "self", &cmd.opts, false);
	free(cmd.opts.debug_dirs);
	return opt;
}
