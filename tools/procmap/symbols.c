// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions and source lines, by libdw of elfutils in this process: from the file, from
 * its .gnu_debugdata, and from separate debug files.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

#ifdef HAVE_LIBDW

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <sys/stat.h>

const bool have_libdw = true;

const char *symbols_version(void)
{
	static char text[32];

	snprintf(text, sizeof(text), "libdw %s", dwfl_version(NULL));
	return text;
}

#define MAX_DEPTH	64		/* of what holds functions */

/* Some code, and the number of what it belongs to. */
struct range {
	Dwarf_Addr low, high;
	size_t index;
};

struct ranges {
	struct range *ranges;
	size_t nr, room;
};

/* A compilation unit, and its functions as far as they had to be read. */
struct unit {
	Dwarf_Die die;
	Dwarf_Die next;			/* what is read next */
	bool started, ended;
	Dwarf_Die *functions;
	size_t nr, room;
	struct ranges ranges;
};

struct symbols {
	Dwfl *dwfl;
	Dwfl_Module *module;
	GElf_Addr bias;			/* of libdwfl's addresses to ELF's */
	Dwarf *dwarf;			/* NULL: there is no debug information */
	Dwarf_Addr dwarf_bias;
	struct unit *units;
	size_t nr, room;
	bool read;
	struct ranges ranges;		/* of the units */
	char *debug_path;
	Dwfl_Callbacks callbacks;
	const char *name;		/* of the file, in the process */
};

/* --- code and what it belongs to */

static void add_range(struct ranges *r, Dwarf_Addr low, Dwarf_Addr high,
		      size_t index)
{
	if (low >= high)
		return;
	r->ranges = grow(r->ranges, r->nr, &r->room, sizeof(*r->ranges));
	r->ranges[r->nr++] = (struct range){ low, high, index };
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

static void sort_ranges(struct ranges *r)
{
	size_t i;

	for (i = 1; i < r->nr; i++)
		if (r->ranges[i - 1].low > r->ranges[i].low)
			break;
	if (i < r->nr)
		qsort(r->ranges, r->nr, sizeof(*r->ranges), compare_ranges);
}

static const struct range *find_range(const struct ranges *r, Dwarf_Addr addr)
{
	size_t low = 0, high = r->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->ranges[mid].low <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low && addr < r->ranges[low - 1].high ? &r->ranges[low - 1] : NULL;
}

/* What the linker has left out is at 0, or at the end of all. */
static bool is_linked(Dwarf_Addr low)
{
	return low && low < (Dwarf_Addr)-2;
}

static bool add_die_ranges(struct ranges *r, Dwarf_Die *die, size_t index)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t offset = 0;
	bool any = false;

	/* Most have just one, for which there is no need to look for more. */
	if (!dwarf_lowpc(die, &low) && !dwarf_highpc(die, &high)) {
		if (is_linked(low))
			add_range(r, low, high, index);
		return is_linked(low);
	}
	while ((offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0) {
		if (!is_linked(low))
			continue;
		add_range(r, low, high, index);
		any = true;
	}
	return any;
}

/* --- units and their functions */

static struct unit *add_unit(struct symbols *s, const Dwarf_Die *die)
{
	size_t i;

	for (i = s->nr; i-- > 0;)
		if (s->units[i].die.addr == die->addr)
			return &s->units[i];
	s->units = grow(s->units, s->nr, &s->room, sizeof(*s->units));
	s->units[s->nr] = (struct unit){ .die = *die };
	return &s->units[s->nr++];
}

/* Some compilers write no .debug_aranges: reads what the units say themselves. */
static void read_units(struct symbols *s)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die, split;
	uint8_t type;

	s->read = true;
	while (!dwarf_get_units(s->dwarf, cu, &cu, NULL, &type, &die, &split)) {
		Dwarf_Die *full = type == DW_UT_skeleton && split.addr ? &split :
			&die;

		s->units = grow(s->units, s->nr, &s->room, sizeof(*s->units));
		s->units[s->nr] = (struct unit){ .die = *full };
		add_die_ranges(&s->ranges, &die, s->nr++);
	}
	sort_ranges(&s->ranges);
}

static void free_units(struct symbols *s)
{
	size_t i;

	for (i = 0; i < s->nr; i++) {
		free(s->units[i].functions);
		free(s->units[i].ranges.ranges);
	}
	s->nr = 0;
}

/* The index is enough where there is one, and saves reading the rest. */
static struct unit *find_unit(struct symbols *s, Dwarf_Addr addr)
{
	const struct range *range;
	Dwarf_Die die, split;

	if (!s->read && dwarf_addrdie(s->dwarf, addr, &die)) {
		if (!dwarf_cu_info(die.cu, NULL, NULL, NULL, &split, NULL, NULL,
				   NULL) && split.addr)
			die = split;
		return add_unit(s, &die);
	}
	if (!s->read) {
		free_units(s);
		read_units(s);
	}
	range = find_range(&s->ranges, addr);
	return range ? &s->units[range->index] : NULL;
}

/* Namespaces, classes and modules hold functions too. */
static bool holds_functions(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_class_type ||
	       tag == DW_TAG_structure_type || tag == DW_TAG_module;
}

static void read_functions(struct unit *u, Dwarf_Die *die, int depth)
{
	int tag = dwarf_tag(die);
	Dwarf_Die child;

	if (tag == DW_TAG_subprogram && add_die_ranges(&u->ranges, die, u->nr)) {
		u->functions = grow(u->functions, u->nr, &u->room,
				    sizeof(*u->functions));
		u->functions[u->nr++] = *die;
	} else if (holds_functions(tag) && depth < MAX_DEPTH &&
		   !dwarf_child(die, &child)) {
		do {
			read_functions(u, &child, depth + 1);
		} while (!dwarf_siblingof(&child, &child));
	}
}

static Dwarf_Die *find_among(struct unit *u, size_t first, Dwarf_Addr addr)
{
	size_t i;

	for (i = first; i < u->ranges.nr; i++) {
		const struct range *r = &u->ranges.ranges[i];

		if (addr >= r->low && addr < r->high)
			return &u->functions[r->index];
	}
	return NULL;
}

/* Reads on until the function turns up. */
static Dwarf_Die *find_function(struct unit *u, Dwarf_Addr addr)
{
	Dwarf_Die *found = find_among(u, 0, addr);
	size_t nr;

	if (!u->started)
		u->ended = dwarf_child(&u->die, &u->next);
	u->started = true;
	while (!found && !u->ended) {
		nr = u->ranges.nr;
		read_functions(u, &u->next, 0);
		found = find_among(u, nr, addr);
		u->ended = dwarf_siblingof(&u->next, &u->next);
	}
	return found;
}

/* --- names */

/* libstdc++ takes longer to load than most look-ups: only for whom it serves. */
static char *demangle(const char *name)
{
	static char *(*function)(const char *, char *, size_t *, int *);
	static bool looked;
	int status;

	if (!looked) {
		void *lib = dlopen("libstdc++.so.6", RTLD_LAZY);

		if (lib)
			*(void **)&function = dlsym(lib, "__cxa_demangle");
		looked = true;
	}
	return function ? function(name, NULL, NULL, &status) : NULL;
}

static char *readable_name(const char *name)
{
	char *plain = NULL;

	if (!name)
		return NULL;
	if (!strncmp(name, "_Z", 2))
		plain = demangle(name);
	return plain ? plain : xstrdup(name);
}

/* The name that the linker knows says more, if it is one of C++. */
static char *die_name(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	const char *name = NULL;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr))
		name = dwarf_formstring(&attr);
	if (!name || strncmp(name, "_Z", 2))
		name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name,
							     &attr));
	return readable_name(name);
}

/* --- lines and frames */

/* From the root, if the compiler has said where it ran. */
static char *full_path(struct unit *u, const char *source)
{
	Dwarf_Attribute attr;
	const char *dir;

	dir = dwarf_formstring(dwarf_attr(&u->die, DW_AT_comp_dir, &attr));
	if (*source == '/' || !dir || *dir != '/')
		return xstrdup(source);
	return xasprintf("%s/%s", dir, source);
}

static void set_line(struct frame *f, struct unit *u, Dwarf_Addr addr)
{
	Dwarf_Line *line = dwarf_getsrc_die(&u->die, addr);
	const char *source = line ? dwarf_linesrc(line, NULL, NULL) : NULL;

	if (!source || dwarf_lineno(line, &f->line) || !f->line)
		return;
	f->source = full_path(u, source);
	dwarf_linecol(line, &f->column);
}

static int number_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	return dwarf_formudata(dwarf_attr(die, name, &attr), &value) ||
	       value > INT32_MAX ? 0 : value;
}

/* Where the call was that was inlined. */
static void set_call(struct frame *f, struct unit *u, Dwarf_Die *die)
{
	int file = number_of(die, DW_AT_call_file);
	const char *source;
	Dwarf_Files *files;
	size_t nr;

	f->line = number_of(die, DW_AT_call_line);
	if (!f->line || dwarf_getsrcfiles(&u->die, &files, &nr) ||
	    (size_t)file >= nr)
		return;
	source = dwarf_filesrc(files, file, NULL, NULL);
	if (!source)
		return;
	f->source = full_path(u, source);
	f->column = number_of(die, DW_AT_call_column);
}

#define MAX_INLINED	64

/* The inlined functions in another one that an address is in, outermost first. */
static size_t find_inlined(Dwarf_Die *parent, Dwarf_Addr addr, Dwarf_Die *found)
{
	Dwarf_Die die, child;
	size_t nr = 0;
	int left = 1024;		/* levels and blocks, of a hostile file */

	die = *parent;
	while (nr < MAX_INLINED && left-- && !dwarf_child(&die, &child)) {
		int tag;

		do {
			tag = dwarf_tag(&child);
			if ((tag == DW_TAG_inlined_subroutine ||
			     tag == DW_TAG_lexical_block) &&
			    dwarf_haspc(&child, addr) > 0)
				break;
			tag = 0;
		} while (!dwarf_siblingof(&child, &child));
		if (!tag)
			break;
		if (tag == DW_TAG_inlined_subroutine)
			found[nr++] = child;
		die = child;
	}
	return nr;
}

static void add_frames(struct answer *a, struct unit *u, Dwarf_Die *function,
		       Dwarf_Addr addr)
{
	Dwarf_Die inlined[MAX_INLINED];
	size_t nr = find_inlined(function, addr, inlined);
	struct frame *f = add_frame(a);
	Dwarf_Addr entry;

	set_line(f, u, addr);
	while (nr--) {
		f->function = die_name(&inlined[nr]);
		f = add_frame(a);
		set_call(f, u, &inlined[nr]);
	}
	f->function = die_name(function);
	if (!dwarf_entrypc(function, &entry) && entry <= addr) {
		f->has_offset = true;
		f->offset = addr - entry + (a->addr - a->lookup);
	}
}

static void find_dwarf(struct symbols *s, struct answer *a)
{
	Dwarf_Addr addr = a->elf_addr + s->bias - s->dwarf_bias;
	struct unit *u = find_unit(s, addr);
	Dwarf_Die *function;
	struct frame *f;

	if (!u)
		return;
	function = find_function(u, addr);
	if (function) {
		add_frames(a, u, function, addr);
		return;
	}
	f = add_frame(a);
	set_line(f, u, addr);
}

/* --- symbol tables */

#define SIZED		64		/* the rank of a symbol that has a size */
#define UNSIZED_MAX	4096

/* The best symbol so far of an address. */
struct match {
	struct answer *a;
	const char *name;
	GElf_Addr start;
	int rank;
};

static bool is_symbol(const GElf_Sym *sym, GElf_Word section, const char *name)
{
	int type = GELF_ST_TYPE(sym->st_info);

	return (type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE ||
		type == STT_GNU_IFUNC) &&
	       section != SHN_UNDEF && section != SHN_ABS && name && *name &&
	       *name != '$';
}

/*
 * Of several at one place, a sized one that others may call, with the fewest
 * underscores in front, is the one that people know.
 */
static int rank_of(const GElf_Sym *sym, const char *name)
{
	int type = GELF_ST_TYPE(sym->st_info);

	return (sym->st_size ? SIZED : 0) + (type != STT_NOTYPE ? 32 : 0) +
	       (GELF_ST_BIND(sym->st_info) != STB_LOCAL ? 16 : 0) +
	       (name[0] != '_' ? 2 : 0) + (name[1] != '_' ? 1 : 0);
}

/* How far a symbol without a size may reach: within its section, and not too far. */
static GElf_Xword reach(Elf *elf, const GElf_Sym *sym)
{
	Elf_Scn *section = elf_getscn(elf, sym->st_shndx);
	GElf_Shdr header;

	if (sym->st_size)
		return sym->st_size;
	if (!section || !gelf_getshdr(section, &header) ||
	    sym->st_value - header.sh_addr >= header.sh_size)
		return 0;
	header.sh_size -= sym->st_value - header.sh_addr;
	return header.sh_size < UNSIZED_MAX ? header.sh_size : UNSIZED_MAX;
}

static bool is_better(const struct match *m, GElf_Addr start, int rank)
{
	bool sized = rank >= SIZED, other_sized = m->rank >= SIZED;

	if (!m->name || sized != other_sized)
		return !m->name || sized;
	return start > m->start || (start == m->start && rank > m->rank);
}

/* Offers a symbol to the addresses that it may be of; they are in order. */
static void offer(struct match *matches, size_t nr, const struct match *offered,
		  GElf_Xword size, GElf_Addr bias)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (matches[mid].a->elf_addr + bias < offered->start)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < nr; low++) {
		struct match *m = &matches[low];

		if (m->a->elf_addr + bias - offered->start >= size)
			break;
		if (!is_better(m, offered->start, offered->rank))
			continue;
		m->name = offered->name;
		m->start = offered->start;
		m->rank = offered->rank;
	}
}

static void take_match(const struct match *m, GElf_Addr bias)
{
	struct frame *f = m->a->nr_frames ? &m->a->frames[0] : add_frame(m->a);

	f->function = readable_name(m->name);
	f->has_offset = true;
	f->offset = m->a->elf_addr + bias - m->start + (m->a->addr - m->a->lookup);
}

/* One pass over the table serves all addresses. */
static void find_in_table(struct symbols *s, struct match *matches, size_t nr)
{
	int i, symbols = dwfl_module_getsymtab(s->module);
	GElf_Word section;
	GElf_Sym sym;
	Elf *elf;
	size_t m;

	for (i = 1; i < symbols; i++) {
		struct match match = { };

		match.name = dwfl_module_getsym_info(s->module, i, &sym,
						     &match.start, &section, &elf,
						     NULL);
		if (!is_symbol(&sym, section, match.name))
			continue;
		match.rank = rank_of(&sym, match.name);
		offer(matches, nr, &match, reach(elf, &sym), s->bias);
	}
	for (m = 0; m < nr; m++)
		if (matches[m].name)
			take_match(&matches[m], s->bias);
}

/* --- files */

/* The debug file of a program in a container may be found there, or here. */
static int find_debuginfo(Dwfl_Module *module, void **userdata,
			  const char *modname, Dwarf_Addr base,
			  const char *file_name, const char *debuglink,
			  GElf_Word crc, char **found)
{
	struct symbols *s = *userdata;
	int fd;

	fd = dwfl_standard_find_debuginfo(module, userdata, modname, base,
					  file_name, debuglink, crc, found);
	if (fd < 0 && file_name && strcmp(file_name, s->name))
		fd = dwfl_standard_find_debuginfo(module, userdata, modname, base,
						  s->name, debuglink, crc, found);
	return fd;
}

static bool open_module(struct symbols *s, const struct object *obj)
{
	int fd = dup(obj->fd);
	void **userdata;

	s->dwfl = dwfl_begin(&s->callbacks);
	if (!s->dwfl || fd < 0)
		goto fail;
	dwfl_report_begin(s->dwfl);
	/* It keeps the descriptor, unless it fails. */
	s->module = dwfl_report_offline(s->dwfl, obj->path, obj->path, fd);
	if (!s->module)
		goto fail;
	dwfl_report_end(s->dwfl, NULL, NULL);
	dwfl_module_info(s->module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
	*userdata = s;
	return dwfl_module_getelf(s->module, &s->bias);
fail:
	if (fd >= 0)
		close(fd);
	return false;
}

/* Where debug files are: those of a container too, if it has its own. */
static char *debug_path(const struct process *proc)
{
	static const char here[] = "/usr/lib/debug";
	const char *more = proc->opts->debug_dirs;
	char *there = xasprintf("/proc/%d/root%s", proc->number, here);
	struct stat a, b;
	bool own;
	char *ret;

	own = !stat(there, &a) && (stat(here, &b) || a.st_ino != b.st_ino ||
				   a.st_dev != b.st_dev);
	ret = xasprintf("%s%s:.debug:%s%s%s", more ? more : "", more ? ":" : "",
			own ? there : "", own ? ":" : "", here);
	free(there);
	return ret;
}

static void open_symbols(struct process *proc, struct object *obj)
{
	struct symbols *s = xrealloc(NULL, sizeof(*s));

	*s = (struct symbols){ .name = obj->name };
	s->debug_path = debug_path(proc);
	s->callbacks = (Dwfl_Callbacks){
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = find_debuginfo,
		.section_address = dwfl_offline_section_address,
		.debuginfo_path = &s->debug_path,
	};
	if (open_module(s, obj)) {
		s->dwarf = dwfl_module_getdwarf(s->module, &s->dwarf_bias);
		obj->symbols = s;
	} else {
		char *path = printable(obj->path, strlen(obj->path));

		warn("%s: %s", path, dwfl_errmsg(-1));
		free(path);
		symbols_close(s);
		obj->no_symbols = true;
	}
}

void symbols_close(struct symbols *s)
{
	if (!s)
		return;
	free_units(s);
	free(s->units);
	free(s->ranges.ranges);
	dwfl_end(s->dwfl);
	free(s->debug_path);
	free(s);
}

/* The answers are in the order of their addresses. */
void symbols_find(struct process *proc, struct object *obj,
		  struct answer **answers, size_t nr)
{
	struct match *matches;
	size_t i, unnamed = 0;

	if (!obj->symbols && !obj->no_symbols)
		open_symbols(proc, obj);
	if (!obj->symbols)
		return;
	matches = xrealloc(NULL, nr * sizeof(*matches));
	for (i = 0; i < nr; i++) {
		struct answer *a = answers[i];

		if (obj->symbols->dwarf)
			find_dwarf(obj->symbols, a);
		if (!a->nr_frames || !a->frames[0].function)
			matches[unnamed++] = (struct match){ .a = a };
	}
	if (unnamed)
		find_in_table(obj->symbols, matches, unnamed);
	free(matches);
}

#else /* !HAVE_LIBDW */

const bool have_libdw;

const char *symbols_version(void)
{
	return "without libdw";
}

void symbols_find(struct process *proc, struct object *obj,
		  struct answer **answers, size_t nr)
{
	(void)proc;
	(void)obj;
	(void)answers;
	(void)nr;
}

void symbols_close(struct symbols *symbols)
{
	(void)symbols;
}

#endif /* HAVE_LIBDW */
