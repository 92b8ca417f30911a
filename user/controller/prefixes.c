// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/prefixes.h"
#include "user/controller/tree.h"

bool address_parse(const char *text, struct config_address *out)
{
	memset(out, 0, sizeof(*out));
	out->length = strchr(text, ':') ? 16 : 4;
	return inet_pton(out->length == 16 ? AF_INET6 : AF_INET, text, out->octets) == 1;
}

const char *address_text(const struct config_address *address, char text[ADDRESS_TEXT_OCTETS])
{
	return inet_ntop(address->length == 16 ? AF_INET6 : AF_INET, address->octets, text, ADDRESS_TEXT_OCTETS);
}

const char *prefix_text(const struct topology_prefix *prefix, unsigned int bits, char text[PREFIX_TEXT_OCTETS])
{
	inet_ntop(bits == 32 ? AF_INET : AF_INET6, prefix->address, text, PREFIX_TEXT_OCTETS);
	snprintf(text + strlen(text), PREFIX_TEXT_OCTETS - strlen(text), "/%u", prefix->length);
	return text;
}

/* -- one prefix -- */

static bool length_parse(const char *text, unsigned int most, uint8_t *out)
{
	unsigned int length = 0, digits = 0;

	for (; text[digits] >= '0' && text[digits] <= '9' && digits < 3; digits++)
		length = length * 10 + (text[digits] - '0');
	*out = length;
	return digits && !text[digits] && length <= most && (digits == 1 || text[0] != '0');
}

/* Clears what lies behind the length; were there any host bits? */
static bool host_bits_clear(struct topology_prefix *prefix, unsigned int bits)
{
	bool any = false;
	uint8_t keep;

	for (unsigned int i = 0; i < bits / 8; i++) {
		keep = 0xff;
		if (prefix->length < i * 8 + 8)
			keep = prefix->length > i * 8 ? 0xff << (8 - prefix->length % 8) : 0;
		any |= prefix->address[i] & (uint8_t)~keep;
		prefix->address[i] &= keep;
	}
	return any;
}

static bool prefix_error(const char *text, size_t length, const struct place *place, const char *why,
			 struct faults *faults)
{
	faults_error(faults, place, "expected a prefix such as 192.0.2.0/24 or 2001:db8::/32, not \"%.*s\"%s",
		     length < 64 ? (int)length : 64, text, why);
	return false;
}

bool prefix_parse(const char *text, size_t length, const struct place *place, struct topology_prefix *out,
		  unsigned int *bits, struct faults *faults)
{
	char copy[PREFIX_TEXT_OCTETS], right[PREFIX_TEXT_OCTETS], *slash;
	struct config_address address;

	if (length >= sizeof(copy) || memchr(text, 0, length))
		return prefix_error(text, length, place, "", faults);
	memcpy(copy, text, length);
	copy[length] = 0;
	slash = strchr(copy, '/');
	if (slash)
		*slash = 0;
	if (!address_parse(copy, &address))
		return prefix_error(text, length, place, "", faults);
	if (!slash)
		return prefix_error(text, length, place, address.length == 4 ? ": write /32 behind a single address" :
				    ": write /128 behind a single address", faults);
	*bits = address.length * 8;
	memcpy(out->address, address.octets, sizeof(out->address));
	if (!length_parse(slash + 1, *bits, &out->length))
		return prefix_error(text, length, place, address.length == 4 ? ": the length is from 0 to 32" :
				    ": the length is from 0 to 128", faults);
	if (host_bits_clear(out, *bits)) {
		faults_error(faults, place, "host bits are set in %.*s: write %s if that block is meant", (int)length,
			     text, prefix_text(out, *bits, right));
		return false;
	}
	return true;
}

bool prefix_length_parse(const char *text, unsigned int most, uint8_t *out)
{
	uint8_t length;

	if (text[0] != '/' || !length_parse(text + 1, most, &length) || !length)
		return false;
	*out = length;
	return true;
}

/* -- lists -- */

int prefixes_add(struct config_prefixes *list, const struct topology_prefix *prefix, uint32_t file, uint32_t line,
		 uint32_t column)
{
	size_t room = list->room ? list->room * 2 : 64;
	void *grown;

	if (list->count == list->room) {
		grown = realloc(list->prefixes, room * sizeof(*list->prefixes));
		if (!grown)
			return -ENOMEM;
		list->prefixes = grown;
		grown = realloc(list->places, room * sizeof(*list->places));
		if (!grown)
			return -ENOMEM;
		list->places = grown;
		list->room = room;
	}
	list->prefixes[list->count] = *prefix;
	list->places[list->count++] = (struct config_prefix_place){file, line, column};
	return 0;
}

void prefixes_free(struct config_prefixes *list)
{
	free(list->prefixes);
	free(list->places);
	memset(list, 0, sizeof(*list));
}

/* -- tables -- */

struct table {
	struct place place;	/* of what is being read */
	uint32_t file;
	struct words *regions;
	struct config_prefixes *v4, *v6;
	struct faults *faults;
};

struct span {
	const char *text;
	size_t length;
};

static struct span span_trim(const char *from, const char *to)
{
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (from < to && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\r'))
		to--;
	return (struct span){from, to - from};
}

/* WORDS_NONE: an error, or no memory if there is none in `faults`. */
static uint32_t table_region(struct table *table, struct span name)
{
	uint32_t region = words_find(table->regions, name.text, name.length);

	if (region != WORDS_NONE)
		return region;
	if (tree_label_ok(name.text, name.length))
		return words_add(table->regions, name.text, name.length);
	faults_error(table->faults, &table->place, "expected a region's name, 1 to %d letters, digits and \"._-\", not "
		     "\"%.*s\"", REGION_TEXT_OCTETS - 1, name.length < 64 ? (int)name.length : 64, name.text);
	return WORDS_NONE;
}

static int table_line(struct table *table, const char *line, const char *end)
{
	const char *comma = memchr(line, ',', end - line);
	struct span prefix = span_trim(line, comma ? comma : end), name;
	struct topology_prefix parsed = {0};
	size_t errors = table->faults->errors;
	uint32_t column;
	unsigned int bits;

	if (!comma && (!prefix.length || *prefix.text == '#'))
		return 0;
	column = table->place.column = prefix.text - line + 1;
	if (*prefix.text == '#')
		return 0;
	if (!comma) {
		faults_error(table->faults, &table->place,
			     "expected \"prefix,region\", for instance 192.0.2.0/24,tokyo");
		return 0;
	}
	if (!prefix_parse(prefix.text, prefix.length, &table->place, &parsed, &bits, table->faults))
		return 0;
	name = span_trim(comma + 1, end);
	table->place.column = name.text - line + 1;
	parsed.region = table_region(table, name);
	if (parsed.region == WORDS_NONE)
		return table->faults->errors > errors ? 0 : -ENOMEM;
	return prefixes_add(bits == 32 ? table->v4 : table->v6, &parsed, table->file, table->place.line, column);
}

int prefixes_read(const struct bundle_file *file, uint32_t number, struct words *regions, struct config_prefixes *v4,
		  struct config_prefixes *v6, struct faults *faults)
{
	struct table table = {
		.place = {.file = file->name}, .file = number, .regions = regions, .v4 = v4, .v6 = v6, .faults = faults,
	};
	const char *at = (const char *)file->octets, *end = at + file->length, *next;
	int fault = 0;

	if (memchr(at, 0, file->length)) {
		faults_error(faults, &table.place, "expected lines of text, \"prefix,region\"; this is a binary file");
		return 0;
	}
	if (file->length >= 3 && !memcmp(at, "\xef\xbb\xbf", 3))
		at += 3;	/* a byte order mark, as spreadsheets write it */
	for (; at < end && !fault && !faults_enough(faults); at = next + 1) {
		next = memchr(at, '\n', end - at);
		if (!next)
			next = end;
		table.place.line++;
		fault = table_line(&table, at, next);
	}
	return fault;
}

/* -- order -- */

static int prefix_compare(const struct topology_prefix *one, const struct topology_prefix *other)
{
	int order = memcmp(one->address, other->address, sizeof(one->address));

	return order ? order : (int)one->length - other->length;
}

/* Equal prefixes stay in the order they were written in. */
static int number_compare(const void *left, const void *right, void *context)
{
	const struct topology_prefix *prefixes = context;
	uint32_t one = *(const uint32_t *)left, other = *(const uint32_t *)right;
	int order = prefix_compare(&prefixes[one], &prefixes[other]);

	return order ? order : one < other ? -1 : 1;
}

static int prefixes_order(struct config_prefixes *list)
{
	struct topology_prefix *prefixes = malloc(list->count * sizeof(*prefixes));
	struct config_prefix_place *places = malloc(list->count * sizeof(*places));
	uint32_t *order = malloc(list->count * sizeof(*order));

	if (!prefixes || !places || !order) {
		free(prefixes);
		free(places);
		free(order);
		return -ENOMEM;
	}
	for (size_t i = 0; i < list->count; i++)
		order[i] = i;
	qsort_r(order, list->count, sizeof(*order), number_compare, list->prefixes);
	for (size_t i = 0; i < list->count; i++) {
		prefixes[i] = list->prefixes[order[i]];
		places[i] = list->places[order[i]];
	}
	free(order);
	free(list->prefixes);
	free(list->places);
	list->prefixes = prefixes;
	list->places = places;
	list->room = list->count;
	return 0;
}

static bool prefixes_ordered(const struct config_prefixes *list)
{
	for (size_t i = 1; i < list->count; i++)
		if (prefix_compare(&list->prefixes[i - 1], &list->prefixes[i]) >= 0)
			return false;
	return true;
}

struct place prefix_place(const struct config_prefixes *list, size_t at, const char *const *files)
{
	const struct config_prefix_place *place = &list->places[at];

	return (struct place){files[place->file], place->line, place->column};
}

int prefixes_sort(struct config_prefixes *list, unsigned int bits, const char *const *files, struct faults *faults)
{
	char text[PREFIX_TEXT_OCTETS];
	struct place place, first;
	int fault;

	if (prefixes_ordered(list))
		return 0;
	fault = prefixes_order(list);
	if (fault)
		return fault;
	for (size_t i = 1; i < list->count && !faults_enough(faults); i++) {
		if (prefix_compare(&list->prefixes[i - 1], &list->prefixes[i]))
			continue;
		place = prefix_place(list, i, files);
		first = prefix_place(list, i - 1, files);
		faults_error(faults, &place, "duplicate prefix %s: it is at %s:%u:%u already",
			     prefix_text(&list->prefixes[i], bits, text), first.file, first.line, first.column);
	}
	return 0;
}
