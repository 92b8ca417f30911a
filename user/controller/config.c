// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <libknot/dname.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/parser.h"
#include "user/controller/prefixes.h"

const char *const config_check_type_names[] = {
#define X(name) #name,
	CONFIG_CHECK_TYPES(X)
#undef X
};

const char *const config_method_names[] = {
#define X(name) #name,
	CONFIG_METHODS(X)
#undef X
};

static const char *const section_names[] = {
#define X(name) #name,
	CONFIG_SECTIONS(X)
#undef X
};

static int parser_init(struct parser *parser, struct bundle *bundle, unsigned int flags, struct faults *faults);
static int parser_read(struct parser *parser);
static void parser_free(struct parser *parser);
static int source_read(struct parser *parser, const struct bundle_file *file, const struct place *from);
static int source_includes(struct parser *parser, const struct node *include);

int config_parse(struct bundle *bundle, unsigned int flags, struct config **out, struct faults *faults)
{
	struct parser parser;
	size_t errors = faults->errors;
	int fault = parser_init(&parser, bundle, flags, faults);

	*out = NULL;
	if (!fault)
		fault = parser_read(&parser);
	if (fault == -ENOMEM)
		faults_memory(faults);
	if (!fault && faults->errors > errors)
		fault = -EINVAL;
	if (fault)
		config_free(parser.config);
	else
		*out = parser.config;
	parser_free(&parser);
	return fault;
}

static int parser_read(struct parser *parser)
{
	int (*const readers[])(struct parser *) = {
		config_server, config_zones, config_checks, config_pools, config_topologies, config_services,
	};
	const struct bundle_file *main = parser->bundle->files[0];
	struct place place = {.file = main->name};
	int fault = source_read(parser, main, &place);

	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]) && !fault; i++)
		fault = faults_enough(parser->faults) ? -EINVAL : readers[i](parser);
	return fault;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	prefixes_free(&config->server.trust4);
	prefixes_free(&config->server.trust6);
	for (size_t i = 0; i < config->topology_count; i++) {
		prefixes_free(&config->topologies[i].v4);
		prefixes_free(&config->topologies[i].v6);
	}
	for (size_t i = 0; i < config->check_count; i++)
		if (config->checks[i].regex)
			regfree(config->checks[i].regex);
	arena_free(config->arena);
	free(config);
}

int config_read_disk(const char *path, struct bundle **bundle, struct config **out, struct faults *faults)
{
	int fault = bundle_read_disk(path, CONFIG_FILE_OCTETS_MAX, bundle, faults);

	*out = NULL;
	if (fault)
		return fault;
	fault = config_parse(*bundle, 0, out, faults);
	if (fault) {
		bundle_free(*bundle);
		*bundle = NULL;
	}
	return fault;
}

static int parser_init(struct parser *parser, struct bundle *bundle, unsigned int flags, struct faults *faults)
{
	static uint64_t serial;

	memset(parser, 0, sizeof(*parser));
	parser->bundle = bundle;
	parser->flags = flags;
	parser->faults = faults;
	parser->config = calloc(1, sizeof(*parser->config));
	if (!parser->config)
		return -ENOMEM;
	parser->config->serial = __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED);
	parser->config->arena = arena_new();
	parser->trees = arena_new();
	if (!parser->config->arena || !parser->trees)
		return -ENOMEM;
	parser->sources = arena_alloc(parser->trees, CONFIG_YAML_FILES_MAX, sizeof(*parser->sources));
	return parser->sources ? 0 : -ENOMEM;
}

static void parser_free(struct parser *parser)
{
	for (size_t i = 0; parser->regions && i < parser->topologies.count; i++)
		words_free(&parser->regions[i]);
	words_free(&parser->files);
	words_free(&parser->checks);
	words_free(&parser->pools);
	words_free(&parser->topologies);
	arena_free(parser->trees);
}

/* -- files -- */

uint32_t parser_file(struct parser *parser, const char *name)
{
	struct config *config = parser->config;
	uint32_t number = words_find(&parser->files, name, strlen(name));
	const char **files;

	if (number != WORDS_NONE)
		return number;
	if (!(config->file_count & (config->file_count - 1))) {	/* full at every power of two */
		files = arena_alloc(config->arena, config->file_count ? config->file_count * 2 : 1, sizeof(*files));
		if (!files)
			return CONFIG_NONE;
		if (config->file_count)
			memcpy(files, config->files, config->file_count * sizeof(*files));
		config->files = files;
	}
	config->files[config->file_count] = arena_text(config->arena, name, strlen(name));
	if (!config->files[config->file_count])
		return CONFIG_NONE;
	config->file_count++;
	return words_add(&parser->files, name, strlen(name));
}

static int source_read(struct parser *parser, const struct bundle_file *file, const struct place *from)
{
	struct source *source = &parser->sources[parser->source_count];
	const struct node *root;
	int fault;

	if (words_find(&parser->files, file->name, strlen(file->name)) != WORDS_NONE)
		return faults_error(parser->faults, from, "%s has been read already: include a file once", file->name);
	if (parser->source_count == CONFIG_YAML_FILES_MAX)
		return faults_error(parser->faults, from, "more than %d files", CONFIG_YAML_FILES_MAX);
	if (file->length > CONFIG_FILE_OCTETS_MAX)
		return faults_error(parser->faults, from, "%s is %zu octets long, at most %lu MiB are read; tables of "
				    "prefixes belong into a file of their own (topologies: file:)", file->name,
				    file->length, CONFIG_FILE_OCTETS_MAX >> 20);
	parser->yaml_octets += file->length;
	if (parser->yaml_octets > CONFIG_YAML_OCTETS_MAX)
		return faults_error(parser->faults, from,
				    "more than %lu MiB of YAML: prefixes belong into `file:` of a "
				    "topology",
				    CONFIG_YAML_OCTETS_MAX >> 20);
	if (parser_file(parser, file->name) == CONFIG_NONE)
		return -ENOMEM;
	fault = tree_parse(file, parser->trees, &root, parser->faults);
	if (fault)
		return fault == -ENOMEM ? -EINVAL : fault;	/* it has said so */
	if (!tree_fields(root, "a configuration", section_names, SECTION_COUNT, source->sections, parser->faults))
		return -EINVAL;
	for (int i = 0; i < SECTION_COUNT; i++)
		if (source->sections[i] && tree_is_null(source->sections[i]))
			source->sections[i] = NULL;
	parser->source_count++;
	return source->sections[SECTION_include] ? source_includes(parser, source->sections[SECTION_include]) : 0;
}

static int source_include(struct parser *parser, const struct node *node)
{
	const struct bundle_file *file;
	const char *name;

	if (!tree_text(node, "the name of a file", &name, parser->faults))
		return 0;
	file = bundle_file(parser->bundle, name, CONFIG_FILE_OCTETS_MAX, &node->place, parser->faults);
	return file ? source_read(parser, file, &node->place) : 0;
}

static int source_includes(struct parser *parser, const struct node *include)
{
	const struct node_item *item;
	int fault = 0;

	if (include->kind == NODE_SCALAR)
		return source_include(parser, include);
	if (!tree_expect(include, NODE_LIST, "the name of a file or a list of them", parser->faults))
		return 0;
	for (item = include->items; item && !fault; item = item->next)
		fault = source_include(parser, item->value);
	return fault;
}

/* -- sections -- */

size_t section_count(struct parser *parser, enum config_section section, enum node_kind kind, const char *what)
{
	const struct node **node;
	size_t count = 0;

	for (size_t i = 0; i < parser->source_count; i++) {
		node = &parser->sources[i].sections[section];
		if (*node && !tree_expect(*node, kind, what, parser->faults))
			*node = NULL;
		if (*node)
			count += (*node)->count;
	}
	return count;
}

bool section_next(struct parser *parser, enum config_section section, struct section_walk *walk)
{
	const struct node *node;

	if (faults_enough(parser->faults))
		return false;
	if (walk->item)
		walk->item = walk->item->next;
	while (!walk->item && walk->source < parser->source_count) {
		node = parser->sources[walk->source++].sections[section];
		walk->item = node ? node->items : NULL;
	}
	return walk->item;
}

/* -- names -- */

/* The place of a node with a file name that outlives the trees. */
static const char *place_file(struct parser *parser, const struct place *place)
{
	uint32_t number = parser_file(parser, place->file);

	return number == CONFIG_NONE ? NULL : parser->config->files[number];
}

struct place parser_place(struct parser *parser, const struct node *node)
{
	return (struct place){place_file(parser, &node->place), node->place.line, node->place.column};
}

bool parser_define(struct parser *parser, const struct node *key, const char *what, struct words *names,
		   const char **name, int *fault)
{
	char expected[64];
	const char *text;

	snprintf(expected, sizeof(expected), "a %s's name", what);
	if (!tree_label(key, expected, &text, parser->faults))
		return false;
	if (words_find(names, text, key->length) != WORDS_NONE) {
		faults_error(parser->faults, &key->place, "%s \"%s\" is there twice", what, text);
		return false;
	}
	*name = arena_text(parser->config->arena, text, key->length);
	if (*name && words_add(names, text, key->length) != WORDS_NONE)
		return true;
	*fault = -ENOMEM;
	return false;
}

uint32_t parser_refer(struct parser *parser, const struct node *node, const char *what, const struct words *names)
{
	const char *text;
	uint32_t number;

	if (!tree_text(node, what, &text, parser->faults))
		return CONFIG_NONE;
	number = words_find(names, text, node->length);
	if (number == WORDS_NONE)
		faults_error(parser->faults, &node->place, "there is no %s \"%.64s\"%s", what, text,
			     names->count ? "" : ", nor any other");
	return number == WORDS_NONE ? CONFIG_NONE : number;
}

int parser_pools(struct parser *parser, const struct node *node, const char *what, uint32_t **pools, size_t *count)
{
	const struct node_item *item;
	uint32_t pool;

	if (!tree_expect(node, NODE_LIST, what, parser->faults))
		return 0;
	if (!node->count) {
		faults_error(parser->faults, &node->place, "expected at least one pool");
		return 0;
	}
	*pools = arena_alloc(parser->config->arena, node->count, sizeof(**pools));
	if (!*pools)
		return -ENOMEM;
	for (item = node->items; item && !faults_enough(parser->faults); item = item->next) {
		pool = parser_refer(parser, item->value, "pool", &parser->pools);
		for (size_t i = 0; i < *count && pool != CONFIG_NONE; i++) {
			if ((*pools)[i] != pool)
				continue;
			faults_error(parser->faults, &item->value->place, "pool %s is in this list twice",
				     parser->config->pools[pool].name);
			pool = CONFIG_NONE;
		}
		if (pool != CONFIG_NONE)
			(*pools)[(*count)++] = pool;
	}
	return 0;
}

static void length_read(struct parser *parser, const struct node *node, const char *of, char family, unsigned int most,
			uint8_t *length)
{
	char expected[96];
	const char *text;

	snprintf(expected, sizeof(expected), "the length of IPv%c %s, from /1 to /%u", family, of, most);
	if (tree_text(node, expected, &text, parser->faults) && !prefix_length_parse(text, most, length))
		faults_error(parser->faults, &node->place, "expected %s, not \"%.64s\"", expected, text);
}

void parser_lengths(struct parser *parser, const struct node *node, const char *what, const char *of, uint8_t *v4, uint8_t *v6)
{
	char expected[128];

	snprintf(expected, sizeof(expected), "%s for IPv4 and IPv6, such as [/24, /56]", what);
	if (!tree_expect(node, NODE_LIST, expected, parser->faults))
		return;
	if (node->count != 2) {
		faults_error(parser->faults, &node->place, "expected two lengths, for IPv4 and IPv6, such as [/24, /56]");
		return;
	}
	length_read(parser, node->items->value, of, '4', 32, v4);
	length_read(parser, node->items->next->value, of, '6', 128, v6);
}

static bool name_set(struct config_name *name, struct arena *arena)
{
	char text[KNOT_DNAME_TXT_MAXLEN + 1];
	size_t length;

	knot_dname_to_lower(name->name);
	name->length = knot_dname_size(name->name);
	if (!knot_dname_to_str(text, name->name, sizeof(text)))
		return false;
	length = strlen(text);
	name->text = arena_text(arena, text, length > 1 ? length - 1 : length);
	return name->text;
}

/* What libknot takes for octets of a label, and we for a slip: they can be written as \DDD. */
static bool name_odd(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text == 0x7f)
			return true;
	return false;
}

bool parser_name(struct parser *parser, const struct node *node, const char *what, struct config_name *out, int *fault)
{
	const char *text;
	char expected[128];

	snprintf(expected, sizeof(expected), "%s, a domain name", what);
	memset(out, 0, sizeof(*out));
	if (!tree_text(node, expected, &text, parser->faults))
		return false;
	if (name_odd(text) || !knot_dname_from_str(out->name, text, NAME_OCTETS_MAX)) {
		faults_error(parser->faults, &node->place,
			     "expected %s such as www.example.com, not \"%.64s\": labels have 1 "
			     "to 63 octets, the name at most 255, other alphabets are written as xn--...",
			     expected, text);
		return false;
	}
	if (name_set(out, parser->config->arena))
		return true;
	*fault = -ENOMEM;
	return false;
}

bool parser_address(struct parser *parser, const struct node *node, const char *what, struct config_address *out)
{
	const char *text;
	char expected[128];

	snprintf(expected, sizeof(expected), "%s such as 192.0.2.1 or \"2001:db8::1\"", what);
	if (!tree_text(node, expected, &text, parser->faults))
		return false;
	if (address_parse(text, out))
		return true;
	faults_error(parser->faults, &node->place, "expected %s, not \"%.64s\"", expected, text);
	return false;
}
