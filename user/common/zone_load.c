// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <libknot/descriptor.h>
#include <libknot/dname.h>
#include <libzscanner/scanner.h>
#include <stdlib.h>
#include <string.h>

#include "maps/wire.h"
#include "user/common/bundle.h"
#include "user/common/zone_tree.h"

#define ZONE_INCLUDES_MAX 10		/* files within files; RFC 1035 names no limit, a loop has none */
#define ZONE_TTL_DEFAULT 3600		/* for records before any $TTL; RFC 2308 4 asks for one */
#define ZONE_TTL_MAX 0x7fffffff		/* RFC 2181 8 */

/* One file being read. */
struct loading {
	struct zone *zone;
	struct bundle *bundle;
	struct faults *faults;
	zs_scanner_t *scanner;
	struct place place;		/* of the record or fault at hand */
	const struct bundle_file *file;
	unsigned int depth;
};

static int load_file(struct loading *loading, const char *origin, uint32_t ttl);
static int load_records(struct loading *loading);
static int load_include(struct loading *loading);
static int load_record(struct loading *loading);
static void load_fault(struct loading *loading);
static int is_of_nsec3(const zs_scanner_t *scanner);
static int grow(struct loading *loading, struct zone_node *node);

int zone_load(const char *origin, const char *file, struct bundle *bundle, struct zone **out, struct faults *faults)
{
	struct loading loading = { .bundle = bundle, .faults = faults };
	size_t errors = faults->errors;
	uint8_t name[256];
	char text[1024];
	int code;

	if (zone_name_parse(origin, name))
		return faults_error(faults, NULL, "zone \"%s\": not a domain name; write one like example.com", origin);
	loading.file = bundle_file(bundle, file, 0, NULL, faults);
	if (!loading.file)
		return -ENOENT;
	loading.zone = zone_new(name);
	if (loading.zone)
		loading.zone->growing = arena_new();
	if (!loading.zone || !loading.zone->growing) {
		zone_free(loading.zone);
		return faults_memory(faults);
	}
	code = load_file(&loading, zone_name_text(name, text), ZONE_TTL_DEFAULT);
	if (!code && faults->errors == errors)
		code = zone_check(loading.zone, loading.file->name, faults);
	if (!code && faults->errors != errors)
		code = -EINVAL;
	if (code) {
		zone_free(loading.zone);
		return code;
	}
	*out = loading.zone;
	return 0;
}

static int load_file(struct loading *loading, const char *origin, uint32_t ttl)
{
	int code;

	loading->place = (struct place){ .file = arena_text(loading->zone->arena, loading->file->name,
							    strlen(loading->file->name)) };
	loading->scanner = calloc(1, sizeof(*loading->scanner));
	if (!loading->place.file || !loading->scanner) {
		free(loading->scanner);
		return faults_memory(loading->faults);
	}
	if (zs_init(loading->scanner, origin, CLASS_IN, ttl)) {
		code = faults_error(loading->faults, &loading->place, "reading the zone: %s",
				    zs_strerror(loading->scanner->error.code));
		goto out;
	}
	if (loading->file->length) {
		if (zs_set_input_string(loading->scanner, (const char *)loading->file->octets, loading->file->length))
			code = faults_memory(loading->faults);
		else
			code = load_records(loading);
	} else {
		code = loading->depth ? 0 : faults_error(loading->faults, &loading->place,
							 "an empty file, but a zone begins with an SOA record");
	}
	zs_deinit(loading->scanner);
out:
	free(loading->scanner);
	return code;
}

/* Goes on after faults, to show as many as a person wants to mend at once. */
static int load_records(struct loading *loading)
{
	zs_scanner_t *scanner = loading->scanner;
	int code = 0;

	while (!code && !faults_enough(loading->faults)) {
		if (zs_parse_record(scanner))
			return faults_error(loading->faults, &loading->place, "reading the zone: %s",
					    zs_strerror(scanner->error.code));
		loading->place.line = scanner->line_counter;
		switch (scanner->state) {
		case ZS_STATE_DATA:
			code = load_record(loading);
			break;
		case ZS_STATE_INCLUDE:
			code = load_include(loading);
			/* The scanner takes it for granted that its caller gives up here. */
			scanner->error.fatal = false;
			scanner->error.code = ZS_OK;
			break;
		case ZS_STATE_ERROR:
			load_fault(loading);
			if (scanner->error.fatal)
				return -EINVAL;
			break;
		default:
			return 0;
		}
	}
	return code;
}

/* The scanner's words are few, so the line it stopped in is shown, cut, and with dots for what cannot be printed. */
#define LOAD_LINE_SHOWN 60

/* The scanner reads a faulty line to its end before it stops, so that no column is known. */
static void load_line(const zs_scanner_t *scanner, char line[LOAD_LINE_SHOWN + 1])
{
	const char *start = scanner->input.current;
	size_t length = 0;

	while (start > scanner->input.start && start[-1] != '\n')
		start--;
	for (; length < LOAD_LINE_SHOWN && start < scanner->input.end && *start != '\n'; start++)
		line[length++] = *start >= ' ' && *start <= '~' ? *start : *start == '\t' ? ' ' : '.';
	line[length] = 0;
}

static void load_fault(struct loading *loading)
{
	int fault = loading->scanner->error.code;
	char line[LOAD_LINE_SHOWN + 1];
	const char *hint = "";

	load_line(loading->scanner, line);
	switch (fault) {
	case ZS_BAD_ORIGIN:
	case ZS_BAD_INCLUDE_ORIGIN:
		hint = "; write the whole name with its final dot";
		break;
	case ZS_DOS_NEWLINE:
		hint = "; end lines with a line feed alone";
		break;
	case ZS_BAD_NUMBER:
	case ZS_UNSUPPORTED_TYPE:
		hint = "; expected a TTL, the class IN, or a record type such as A, MX or TYPE65280";
		break;
	case ZS_BAD_PREVIOUS_OWNER:
		hint = "; a record that begins with blanks takes the owner of the one before it";
		break;
	}
	faults_error(loading->faults, &loading->place, "%s in \"%s\"%s", zs_strerror(fault), line, hint);
}

/* The included file's name as the bundle knows it: relative to the directory of the file that includes it. */
static char *include_name(const struct loading *loading)
{
	const char *name = loading->scanner->include_filename, *includer = loading->file->name;
	const char *slash = strrchr(includer, '/');
	size_t directory = slash ? slash + 1 - includer : 0;
	char *joined;

	if (name[0] == '/')
		return strdup(name);
	if (!strncmp(name, "./", 2))
		name += 2;
	joined = malloc(directory + strlen(name) + 1);
	if (joined) {
		memcpy(joined, includer, directory);
		strcpy(joined + directory, name);
	}
	return joined;
}

/* The scanner leaves the origin for the included file, as text, in its buffer. */
static int load_include(struct loading *loading)
{
	struct loading inner = { .zone = loading->zone, .bundle = loading->bundle, .faults = loading->faults,
				 .depth = loading->depth + 1 };
	char *name;

	if (inner.depth > ZONE_INCLUDES_MAX)
		return faults_error(loading->faults, &loading->place, "$INCLUDE nested more than %d deep; does a file "
				    "include itself?", ZONE_INCLUDES_MAX);
	name = include_name(loading);
	if (!name)
		return faults_memory(loading->faults);
	inner.file = bundle_file(loading->bundle, name, 0, &loading->place, loading->faults);
	free(name);
	if (!inner.file)
		return -ENOENT;
	return load_file(&inner, (const char *)loading->scanner->buffer, loading->scanner->default_ttl);
}

static int load_record(struct loading *loading)
{
	zs_scanner_t *scanner = loading->scanner;
	const uint8_t *origin = loading->zone->apex->name;
	struct faults *faults = loading->faults;
	char text[1024], origin_text[1024];
	struct zone_node *node;

	knot_dname_to_lower(scanner->r_owner);
	zone_name_text(scanner->r_owner, text);
	if (scanner->r_class != CLASS_IN)
		faults_error(faults, &loading->place, "%s has class %u; expected IN", text, scanner->r_class);
	else if (!zone_name_within(scanner->r_owner, origin))
		faults_error(faults, &loading->place, "%s is not in the zone %s; is a final dot missing or too many?",
			     text, zone_name_text(origin, origin_text));
	else if (scanner->r_type == TYPE_SOA && zone_name_length(scanner->r_owner) != zone_name_length(origin))
		faults_error(faults, &loading->place, "an SOA record at %s; expected it at the zone's name, %s", text,
			     zone_name_text(origin, origin_text));
	else if (!scanner->r_type || scanner->r_type == TYPE_OPT ||
		 (scanner->r_type >= TYPE_META_FIRST && scanner->r_type <= TYPE_META_LAST))
		faults_error(faults, &loading->place, "%s: type %u is for queries; it cannot stand in a zone", text,
			     scanner->r_type);
	else if (scanner->r_ttl > ZONE_TTL_MAX)
		faults_error(faults, &loading->place, "%s: TTL %u; expected at most %d (RFC 2181)", text, scanner->r_ttl,
			     ZONE_TTL_MAX);
	else if (!zone_rdata_is_sound(scanner->r_type, scanner->r_data, scanner->r_data_length))
		faults_error(faults, &loading->place, "%s: these data are not a record of this type", text);
	else if (!is_of_nsec3(scanner)) {
		node = zone_node_make(loading->zone, scanner->r_owner);
		return node ? grow(loading, node) : faults_memory(faults);
	}
	return 0;	/* the next records may have faults of their own */
}

/* A hash is no name of the zone: nobody who asks for it is to find anything (RFC 5155 7.2.8). */
static int is_of_nsec3(const zs_scanner_t *scanner)
{
	return scanner->r_type == KNOT_RRTYPE_NSEC3 ||
	       (scanner->r_type == KNOT_RRTYPE_RRSIG && !scanner->r_data[0] && scanner->r_data[1] == KNOT_RRTYPE_NSEC3);
}

/* -- record sets as they grow -- */

static struct zone_growing *growing_find(struct loading *loading, struct zone_node *node)
{
	const zs_scanner_t *scanner = loading->scanner;
	struct zone_growing **where = &node->growing, *growing;

	while (*where && (*where)->set.type < scanner->r_type)
		where = &(*where)->next;
	if (*where && (*where)->set.type == scanner->r_type)
		return *where;
	growing = arena_alloc(loading->zone->growing, 1, sizeof(*growing));
	if (!growing)
		return NULL;
	growing->set = (struct zone_rrset){ .type = scanner->r_type, .ttl = scanner->r_ttl, .file = loading->place.file,
					    .line = loading->place.line };
	growing->last = &growing->first;
	growing->next = *where;
	*where = growing;
	return growing;
}

static void growing_ttl(struct loading *loading, struct zone_growing *growing)
{
	uint32_t ttl = loading->scanner->r_ttl;
	char text[1024];

	if (growing->set.ttl == ttl)
		return;
	if (ttl < growing->set.ttl)
		growing->set.ttl = ttl;
	faults_warning(loading->faults, &loading->place, "%s: records of one type with different TTLs; all get %u",
		       zone_name_text(loading->scanner->r_owner, text), growing->set.ttl);
}

static int grow(struct loading *loading, struct zone_node *node)
{
	const zs_scanner_t *scanner = loading->scanner;
	struct zone_growing *growing = growing_find(loading, node);
	struct zone_growing_record *record = arena_alloc(loading->zone->growing, 1, sizeof(*record));
	const uint8_t *octets = arena_octets(loading->zone->arena, scanner->r_data, scanner->r_data_length);
	char text[1024];

	if (!growing || !record || !octets)
		return faults_memory(loading->faults);
	if (growing->set.count == ZONE_RRSET_RECORDS_MAX)
		return faults_error(loading->faults, &loading->place, "%s: more than %d records of one type",
				    zone_name_text(node->name, text), ZONE_RRSET_RECORDS_MAX);
	growing_ttl(loading, growing);
	record->rdata.octets = octets;
	record->rdata.length = scanner->r_data_length;
	*growing->last = record;
	growing->last = &record->next;
	growing->set.count++;
	return 0;
}
