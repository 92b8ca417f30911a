// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "maps/limits.h"
#include "user/common/words.h"
#include "user/controller/tree.h"

struct builder {
	struct arena *arena;
	struct faults *faults;
	const char *file;
	yaml_parser_t yaml;
	uint64_t nodes;
	struct words anchors;
	struct {
		struct node *node;
		bool whole;	/* its end was seen */
	} anchored[TREE_ANCHORS_MAX];
};

static int build_document(struct builder *builder, const struct node **out);
static int build_node(struct builder *builder, yaml_event_t *event, int depth, const struct node **out);
static int build_scalar(struct builder *builder, struct node *node, yaml_event_t *event);
static int build_items(struct builder *builder, struct node *node, int depth);
static int build_alias(struct builder *builder, const yaml_event_t *event, const struct node **out);
static int build_anchor(struct builder *builder, const yaml_event_t *event, struct node *node, uint32_t *number);
static int keys_check(struct builder *builder, const struct node *map);

int tree_parse(const struct bundle_file *file, struct arena *arena, const struct node **out, struct faults *faults)
{
	struct builder *builder = calloc(1, sizeof(*builder));
	size_t errors = faults->errors;
	int fault = -ENOMEM;

	*out = NULL;
	if (!builder)
		return faults_memory(faults);
	builder->arena = arena;
	builder->faults = faults;
	builder->file = arena_text(arena, file->name, strlen(file->name));
	if (!builder->file || !yaml_parser_initialize(&builder->yaml))
		goto out;
	yaml_parser_set_input_string(&builder->yaml, file->octets, file->length);
	yaml_parser_set_encoding(&builder->yaml, YAML_UTF8_ENCODING);
	fault = build_document(builder, out);
	yaml_parser_delete(&builder->yaml);
	if (!fault && faults->errors > errors)
		fault = -EINVAL;
out:
	if (fault == -ENOMEM)
		faults_memory(faults);
	words_free(&builder->anchors);
	free(builder);
	return fault;
}

/* -- events -- */

static struct place builder_place(const struct builder *builder, yaml_mark_t mark)
{
	return (struct place){builder->file, mark.line + 1, mark.column + 1};
}

/* libyaml says at which octet it could not read on, not in which line. */
static int builder_unreadable(struct builder *builder)
{
	const yaml_parser_t *yaml = &builder->yaml;
	size_t length = yaml->input.string.end - yaml->input.string.start;
	size_t end = yaml->problem_offset < length ? yaml->problem_offset : length;
	struct place place = {builder->file, 1, 1};

	for (const uint8_t *at = yaml->input.string.start; at < yaml->input.string.start + end; at++) {
		place.column++;
		if (*at == '\n') {
			place.line++;
			place.column = 1;
		}
	}
	return faults_error(builder->faults, &place, "expected text in UTF-8: %s (0x%x)",
			    yaml->problem ? yaml->problem : "unreadable", (unsigned int)yaml->problem_value);
}

static const char *syntax_hint(const char *problem)
{
	if (strstr(problem, "cannot start any token"))
		return "; indent with spaces, not tabs, and put quotes around text with special characters";
	if (strstr(problem, "mapping values are not allowed"))
		return "; put quotes around text with \": \" in it, and check the indentation";
	if (strstr(problem, "did not find expected key") || strstr(problem, "expected ':'"))
		return "; check the indentation of this line and the one before";
	return "";
}

static int builder_syntax(struct builder *builder)
{
	const yaml_parser_t *yaml = &builder->yaml;
	const char *problem = yaml->problem ? yaml->problem : "syntax error";
	struct place place = builder_place(builder, yaml->problem_mark);

	if (yaml->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (yaml->error == YAML_READER_ERROR)
		return builder_unreadable(builder);
	return faults_error(builder->faults, &place, "not YAML: %s%s%s%s%s", yaml->context ? yaml->context : "",
			    yaml->context ? ", " : "", problem, syntax_hint(problem), "");
}

/* The caller deletes the event unless this fails. */
static int builder_next(struct builder *builder, yaml_event_t *event)
{
	return yaml_parser_parse(&builder->yaml, event) ? 0 : builder_syntax(builder);
}

/* Skips an event that is known to come. */
static int builder_skip(struct builder *builder, yaml_event_type_t *type, struct place *place)
{
	yaml_event_t event;
	int fault = builder_next(builder, &event);

	if (fault)
		return fault;
	*type = event.type;
	*place = builder_place(builder, event.start_mark);
	yaml_event_delete(&event);
	return 0;
}

static int build_document(struct builder *builder, const struct node **out)
{
	struct place place = {builder->file, 1, 1}, end;
	yaml_event_type_t type;
	yaml_event_t event;
	int fault = builder_skip(builder, &type, &end);

	if (!fault)
		fault = builder_skip(builder, &type, &end);
	if (fault)
		return fault;
	if (type == YAML_STREAM_END_EVENT)
		return faults_error(builder->faults, &place, "the file is empty: expected a map with keys such as "
				    "`server:`");
	fault = builder_next(builder, &event);
	if (fault)
		return fault;
	fault = build_node(builder, &event, 0, out);
	yaml_event_delete(&event);
	if (!fault)
		fault = builder_skip(builder, &type, &end);	/* the document's end */
	if (!fault)
		fault = builder_skip(builder, &type, &end);
	if (!fault && type != YAML_STREAM_END_EVENT)
		fault = faults_error(builder->faults, &end, "a second document begins here: expected one document a "
				     "file; use `include:` for more files");
	return fault;
}

static int builder_count(struct builder *builder, const struct place *place, uint64_t size)
{
	builder->nodes += size;
	if (builder->nodes <= TREE_NODES_MAX)
		return 0;
	return faults_error(builder->faults, place,
			    "more than %d values in one file, counting what aliases stand for: put "
			    "large prefix tables into `file:` of a topology",
			    TREE_NODES_MAX);
}

static const yaml_char_t *event_tag(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return event->data.scalar.tag;
	return event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.tag :
	       event->data.mapping_start.tag;
}

static int build_node(struct builder *builder, yaml_event_t *event, int depth, const struct node **out)
{
	uint32_t anchor = WORDS_NONE;
	struct node *node;
	int fault;

	if (event->type == YAML_ALIAS_EVENT)
		return build_alias(builder, event, out);
	node = arena_alloc(builder->arena, 1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->place = builder_place(builder, event->start_mark);
	node->size = 1;
	fault = builder_count(builder, &node->place, 1);
	if (!fault && event_tag(event))
		faults_error(builder->faults, &node->place, "tag %.64s: tags have no use here, leave it out",
			     (const char *)event_tag(event));
	if (!fault)
		fault = build_anchor(builder, event, node, &anchor);
	if (!fault && event->type == YAML_SCALAR_EVENT)
		fault = build_scalar(builder, node, event);
	else if (!fault) {
		node->kind = event->type == YAML_MAPPING_START_EVENT ? NODE_MAP : NODE_LIST;
		fault = build_items(builder, node, depth + 1);
	}
	if (anchor != WORDS_NONE)
		builder->anchored[anchor].whole = true;
	*out = node;
	return fault;
}

static int build_scalar(struct builder *builder, struct node *node, yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->length = event->data.scalar.length;
	if (memchr(text, 0, node->length)) {
		faults_error(builder->faults, &node->place, "text with an octet 0 in it");
		node->length = strlen(text);
	}
	node->text = arena_text(builder->arena, text, node->length);
	return node->text ? 0 : -ENOMEM;
}

/* One value, or a key and its value. *type is that of the end if there was none. */
static int build_item(struct builder *builder, struct node *parent, int depth, struct node_item **tail,
		      yaml_event_type_t *type)
{
	const struct node **to;
	struct node_item *item;
	yaml_event_t event;
	int fault;

	item = arena_alloc(builder->arena, 1, sizeof(*item));
	if (!item)
		return -ENOMEM;
	for (to = parent->kind == NODE_MAP ? &item->key : &item->value;; to = &item->value) {
		fault = builder_next(builder, &event);
		if (fault)
			return fault;
		*type = event.type;
		if (*type == YAML_MAPPING_END_EVENT || *type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		fault = build_node(builder, &event, depth, to);
		yaml_event_delete(&event);
		if (fault)
			return fault;
		parent->size += (*to)->size;
		if (to == &item->value)
			break;
	}
	if (parent->count++)
		(*tail)->next = item;
	else
		parent->items = item;
	*tail = item;
	return 0;
}

static int build_items(struct builder *builder, struct node *node, int depth)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	struct node_item *tail = NULL;
	int fault = 0;

	if (depth > TREE_DEPTH_MAX)
		return faults_error(builder->faults, &node->place, "nested deeper than %d levels", TREE_DEPTH_MAX);
	while (!fault && type != YAML_MAPPING_END_EVENT && type != YAML_SEQUENCE_END_EVENT) {
		type = YAML_NO_EVENT;
		fault = build_item(builder, node, depth, &tail, &type);
		if (!fault && faults_enough(builder->faults))
			fault = -EINVAL;
	}
	if (!fault && node->kind == NODE_MAP)
		fault = keys_check(builder, node);
	return fault;
}

/* -- anchors and aliases -- */

static const char *event_anchor(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return (const char *)event->data.scalar.anchor;
	return (const char *)(event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor :
			      event->data.mapping_start.anchor);
}

static int build_anchor(struct builder *builder, const yaml_event_t *event, struct node *node, uint32_t *number)
{
	const char *anchor = event_anchor(event);

	if (!anchor)
		return 0;
	if (words_find(&builder->anchors, anchor, strlen(anchor)) != WORDS_NONE)
		return faults_error(builder->faults, &node->place, "anchor &%.64s is there twice", anchor);
	if (builder->anchors.count == TREE_ANCHORS_MAX)
		return faults_error(builder->faults, &node->place, "more than %d anchors", TREE_ANCHORS_MAX);
	*number = words_add(&builder->anchors, anchor, strlen(anchor));
	if (*number == WORDS_NONE)
		return -ENOMEM;
	builder->anchored[*number].node = node;
	return 0;
}

static int build_alias(struct builder *builder, const yaml_event_t *event, const struct node **out)
{
	const char *anchor = (const char *)event->data.alias.anchor;
	struct place place = builder_place(builder, event->start_mark);
	uint32_t number = words_find(&builder->anchors, anchor, strlen(anchor));

	if (number == WORDS_NONE)
		return faults_error(builder->faults, &place, "no anchor &%.64s stands before this alias", anchor);
	if (!builder->anchored[number].whole)
		return faults_error(builder->faults, &place, "alias *%.64s stands inside of what it refers to", anchor);
	*out = builder->anchored[number].node;
	return builder_count(builder, &place, (*out)->size);
}

/* -- keys -- */

static int key_compare(const void *left, const void *right)
{
	const struct node *one = *(const struct node *const *)left, *other = *(const struct node *const *)right;
	int order = strcmp(one->text, other->text);

	if (order || one == other)
		return order;
	if (one->place.line != other->place.line)
		return one->place.line < other->place.line ? -1 : 1;
	return one->place.column < other->place.column ? -1 : 1;
}

static void keys_compare(struct builder *builder, const struct node **keys, size_t count)
{
	qsort(keys, count, sizeof(*keys), key_compare);
	for (size_t i = 1; i < count; i++)
		if (!strcmp(keys[i]->text, keys[i - 1]->text))
			faults_error(builder->faults, &keys[i]->place,
				     "duplicate key \"%.64s\", it is in line %u already", keys[i]->text,
				     keys[i - 1]->place.line);
}

/* Keys are text, and none is there twice. */
static int keys_check(struct builder *builder, const struct node *map)
{
	const struct node **keys = malloc((map->count + 1) * sizeof(*keys));
	const struct node_item *item;
	size_t count = 0;

	if (!keys)
		return -ENOMEM;
	for (item = map->items; item; item = item->next) {
		if (item->key->kind == NODE_SCALAR && !tree_is_null(item->key))
			keys[count++] = item->key;
		else
			faults_error(builder->faults, &item->key->place, "expected a key, which is text");
	}
	keys_compare(builder, keys, count);
	free(keys);
	/* A list as a key would be met by everyone who looks at keys: no further. */
	return count < map->count ? -EINVAL : 0;
}

/* -- values -- */

bool tree_is_null(const struct node *node)
{
	return node->kind == NODE_SCALAR && node->plain &&
	       (!node->length || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}

static const char *node_text(const struct node *node)
{
	if (node->kind != NODE_SCALAR)
		return node->kind == NODE_LIST ? "a list" : "a map";
	return tree_is_null(node) ? "nothing" : node->text;
}

/* "expected WHAT, not ..." */
static bool node_error(const struct node *node, const char *what, struct faults *faults)
{
	bool quoted = node->kind == NODE_SCALAR && !tree_is_null(node);

	faults_error(faults, &node->place, "expected %s, not %s%.64s%s", what, quoted ? "\"" : "", node_text(node),
		     quoted ? "\"" : "");
	return false;
}

bool tree_expect(const struct node *node, enum node_kind kind, const char *what, struct faults *faults)
{
	return node->kind == kind && !tree_is_null(node) ? true : node_error(node, what, faults);
}

static void key_unknown(const struct node *key, const char *what, const char *const *keys, size_t count,
			struct faults *faults)
{
	char known[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < count && used < sizeof(known); i++)
		used += snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", keys[i]);
	faults_error(faults, &key->place, "unknown key \"%.64s\" in %s: expected one of %s", key->text, what, known);
}

bool tree_fields(const struct node *map, const char *what, const char *const *keys, size_t count,
		 const struct node **values, struct faults *faults)
{
	const struct node_item *item;
	char expected[128];
	size_t i;

	memset(values, 0, count * sizeof(*values));
	snprintf(expected, sizeof(expected), "%s, a map", what);
	if (!tree_expect(map, NODE_MAP, expected, faults))
		return false;
	for (item = map->items; item; item = item->next) {
		for (i = 0; i < count && strcmp(keys[i], item->key->text); i++)
			;
		if (i < count)
			values[i] = item->value;
		else
			key_unknown(item->key, what, keys, count, faults);
	}
	return true;
}

bool tree_text(const struct node *node, const char *what, const char **out, struct faults *faults)
{
	if (node->kind != NODE_SCALAR || !node->length || tree_is_null(node))
		return node_error(node, what, faults);
	*out = node->text;
	return true;
}

/* Digits up to the end or to something else, which *rest points to; no sign, no more than 10 of them. */
static bool digits_read(const char *text, uint64_t *number, const char **rest)
{
	const char *at = text;

	for (*number = 0; *at >= '0' && *at <= '9' && at - text < 10; at++)
		*number = *number * 10 + (*at - '0');
	*rest = at;
	return at > text && (at - text == 1 || *text != '0');
}

bool tree_number(const struct node *node, const char *what, uint32_t least, uint32_t most, uint32_t *out,
		 struct faults *faults)
{
	uint64_t number = 0;
	const char *rest;
	char expected[160];

	if (node->kind == NODE_SCALAR && node->plain && digits_read(node->text, &number, &rest) && !*rest &&
	    number >= least && number <= most) {
		*out = number;
		return true;
	}
	snprintf(expected, sizeof(expected), "%s, a number from %u to %u%s", what, least, most,
		 node->kind == NODE_SCALAR && !node->plain ? " without quotes" : "");
	return node_error(node, expected, faults);
}

bool tree_bool(const struct node *node, const char *what, bool *out, struct faults *faults)
{
	char expected[128];

	if (node->kind == NODE_SCALAR && node->plain && (!strcmp(node->text, "true") || !strcmp(node->text, "false"))) {
		*out = node->text[0] == 't';
		return true;
	}
	snprintf(expected, sizeof(expected), "%s, true or false", what);
	return node_error(node, expected, faults);
}

bool tree_choice(const struct node *node, const char *what, const char *const *choices, size_t count, uint32_t *out,
		 struct faults *faults)
{
	char expected[256];
	size_t used;

	if (node->kind == NODE_SCALAR)
		for (uint32_t i = 0; i < count; i++)
			if (!strcmp(choices[i], node->text)) {
				*out = i;
				return true;
			}
	used = snprintf(expected, sizeof(expected), "%s, one of ", what);
	for (uint32_t i = 0; i < count && used < sizeof(expected); i++)
		used += snprintf(expected + used, sizeof(expected) - used, "%s%s", i ? ", " : "", choices[i]);
	return node_error(node, expected, faults);
}

bool tree_duration(const struct node *node, const char *what, uint32_t least, uint32_t most, uint32_t *out,
		   struct faults *faults)
{
	static const struct {
		const char *name;
		uint32_t milliseconds;
	} units[] = { {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000} };
	char expected[160];
	uint64_t number;
	const char *rest;

	if (node->kind == NODE_SCALAR && digits_read(node->text, &number, &rest))
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (!strcmp(rest, units[i].name) && number * units[i].milliseconds >= least &&
			    number * units[i].milliseconds <= most) {
				*out = number * units[i].milliseconds;
				return true;
			}
	snprintf(expected, sizeof(expected), "%s, a time such as 5s or 500ms, from %u ms to %u s", what, least,
		 most / 1000);
	return node_error(node, expected, faults);
}

bool tree_label_ok(const char *text, size_t length)
{
	if (!length || length >= REGION_TEXT_OCTETS)
		return false;
	for (; length--; text++)
		if (!(*text >= 'a' && *text <= 'z') && !(*text >= 'A' && *text <= 'Z') &&
		    !(*text >= '0' && *text <= '9') && *text != '.' && *text != '_' && *text != '-')
			return false;
	return true;
}

bool tree_label(const struct node *node, const char *what, const char **out, struct faults *faults)
{
	char expected[160];

	if (node->kind == NODE_SCALAR && !tree_is_null(node) && tree_label_ok(node->text, node->length)) {
		*out = node->text;
		return true;
	}
	snprintf(expected, sizeof(expected), "%s, 1 to %d letters, digits and \"._-\"", what, REGION_TEXT_OCTETS - 1);
	return node_error(node, expected, faults);
}
