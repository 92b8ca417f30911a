// SPDX-License-Identifier: GPL-3.0-or-later
/* The section `checks`. */
#include <errno.h>
#include <libknot/descriptor.h>
#include <string.h>

#include "user/controller/parser.h"

#define CHECK_KEYS(X) X(type) X(interval) X(timeout) X(rise) X(fall) X(port) X(path) X(host) X(status) X(query) \
	X(query_type) X(command)
enum check_key {
#define X(name) CHECK_##name,
	CHECK_KEYS(X)
#undef X
	CHECK_KEY_COUNT
};
static const char *const check_keys[] = {
#define X(name) #name,
	CHECK_KEYS(X)
#undef X
};

#define KEY(name) (1 << CHECK_##name)
#define COMMON_KEYS (KEY(type) | KEY(interval) | KEY(timeout) | KEY(rise) | KEY(fall))
static const struct {
	uint32_t allowed, required;
	uint16_t port;
} check_types[CONFIG_CHECK_TYPE_COUNT] = {
	[CONFIG_CHECK_http] = {KEY(port) | KEY(path) | KEY(host) | KEY(status), 0, 80},
	[CONFIG_CHECK_https] = {KEY(port) | KEY(path) | KEY(host) | KEY(status), 0, 443},
	[CONFIG_CHECK_tcp] = {KEY(port), KEY(port), 0},
	[CONFIG_CHECK_dns] = {KEY(port) | KEY(query) | KEY(query_type), KEY(query), 53},
	[CONFIG_CHECK_icmp] = {0, 0, 0},
	[CONFIG_CHECK_exec] = {KEY(command), KEY(command), 0},
	[CONFIG_CHECK_file] = {KEY(path), KEY(path), 0},
};

static int text_keep(struct parser *parser, const struct node *node, const char *what, const char **out)
{
	const char *text;

	if (!tree_text(node, what, &text, parser->faults))
		return 0;
	*out = arena_text(parser->config->arena, text, node->length);
	return *out ? 0 : -ENOMEM;
}

/* Goes into a request as it is: nothing that could end a line or a word there. */
static void text_printable(struct parser *parser, const struct node *node, const char *what)
{
	for (size_t i = 0; node->kind == NODE_SCALAR && i < node->length; i++)
		if (node->text[i] <= ' ' || node->text[i] == 0x7f) {
			faults_error(parser->faults, &node->place, "%s: expected printable ASCII without spaces", what);
			return;
		}
}

static int check_path(struct parser *parser, const struct node *node, struct config_check *check)
{
	int fault = text_keep(parser, node, "`path`, which begins with /", &check->path);

	if (fault || !check->path)
		return fault;
	if (check->path[0] != '/')
		faults_error(parser->faults, &node->place, "expected `path` to begin with /, not \"%.64s\"",
			     check->path);
	if (check->type != CONFIG_CHECK_file)
		text_printable(parser, node, "`path`");
	return 0;
}

static int check_query(struct parser *parser, const struct node *const *values, struct config_check *check)
{
	const struct node *type = values[CHECK_query_type];
	const char *text;
	int fault = 0;

	check->query_type = 1;
	if (type && tree_text(type, "a record type such as A", &text, parser->faults) &&
	    knot_rrtype_from_string(text, &check->query_type))
		faults_error(parser->faults, &type->place, "expected a record type such as A, not \"%.64s\"", text);
	check->query = arena_alloc(parser->config->arena, 1, sizeof(*check->query));
	if (!check->query)
		return -ENOMEM;
	parser_name(parser, values[CHECK_query], "`query`", check->query, &fault);
	return fault;
}

static int check_command(struct parser *parser, const struct node *node, struct config_check *check)
{
	const struct node_item *item;
	size_t count = 0;
	int fault = 0;

	if (!tree_expect(node, NODE_LIST, "`command`, a list of a program and its arguments", parser->faults))
		return 0;
	if (!node->count || node->count > 64) {
		faults_error(parser->faults, &node->place, "expected `command` to have 1 to 64 words");
		return 0;
	}
	check->command = arena_alloc(parser->config->arena, node->count + 1, sizeof(*check->command));
	if (!check->command)
		return -ENOMEM;
	for (item = node->items; item && !fault; item = item->next)
		fault = text_keep(parser, item->value, "a word of `command`", &check->command[count++]);
	if (!fault && check->command[0] && check->command[0][0] != '/')
		faults_error(parser->faults, &node->place, "expected `command` to begin with the program's whole path, "
			     "not \"%.64s\"", check->command[0]);
	return fault;
}

/* Keys that other types have. */
static void check_keys_fit(struct parser *parser, const struct node *node, const struct node *const *values,
			   enum config_check_type type)
{
	for (int key = 0; key < CHECK_KEY_COUNT; key++) {
		if (values[key] && !((check_types[type].allowed | COMMON_KEYS) & 1 << key))
			faults_error(parser->faults, &values[key]->place, "a check of type %s has no `%s`",
				     config_check_type_names[type], check_keys[key]);
		if (!values[key] && check_types[type].required & 1 << key)
			faults_error(parser->faults, &node->place, "a check of type %s needs `%s`",
				     config_check_type_names[type], check_keys[key]);
	}
}

static void check_numbers(struct parser *parser, const struct node *const *values, struct config_check *check)
{
	struct faults *faults = parser->faults;
	uint32_t number;

	check->interval = 5000;
	check->timeout = 2000;
	check->rise = 2;
	check->fall = 3;
	check->status = 200;
	check->port = check_types[check->type].port;
	if (values[CHECK_interval])
		tree_duration(values[CHECK_interval], "`interval`", 100, 3600000, &check->interval, faults);
	if (values[CHECK_timeout])
		tree_duration(values[CHECK_timeout], "`timeout`", 10, 3600000, &check->timeout, faults);
	else if (check->timeout > check->interval)
		check->timeout = check->interval;
	if (values[CHECK_rise])
		tree_number(values[CHECK_rise], "`rise`", 1, 100, &check->rise, faults);
	if (values[CHECK_fall])
		tree_number(values[CHECK_fall], "`fall`", 1, 100, &check->fall, faults);
	if (values[CHECK_port] && tree_number(values[CHECK_port], "`port`", 1, 65535, &number, faults))
		check->port = number;
	if (values[CHECK_status] && tree_number(values[CHECK_status], "`status`", 100, 599, &number, faults))
		check->status = number;
	if (check->timeout > check->interval)
		faults_error(faults, &(values[CHECK_timeout] ? values[CHECK_timeout] : values[CHECK_interval])->place,
			     "expected `timeout` (%u ms) to be no longer than `interval` (%u ms)", check->timeout,
			     check->interval);
}

static int check_read(struct parser *parser, const struct node *node, struct config_check *check)
{
	const struct node *values[CHECK_KEY_COUNT];
	uint32_t type;
	int fault = 0;

	check->place = parser_place(parser, node);
	if (!tree_fields(node, "a check", check_keys, CHECK_KEY_COUNT, values, parser->faults))
		return 0;
	if (!values[CHECK_type]) {
		faults_error(parser->faults, &node->place,
			     "expected the check's `type`: http, https, tcp, dns, icmp, exec or "
			     "file");
		return 0;
	}
	if (!tree_choice(values[CHECK_type], "a check's `type`", config_check_type_names, CONFIG_CHECK_TYPE_COUNT,
			 &type, parser->faults))
		return 0;
	check->type = type;
	check_keys_fit(parser, node, values, type);
	check_numbers(parser, values, check);
	if (type == CONFIG_CHECK_http || type == CONFIG_CHECK_https)
		check->path = "/";
	if (values[CHECK_path])
		fault = check_path(parser, values[CHECK_path], check);
	if (!fault && values[CHECK_host]) {
		fault = text_keep(parser, values[CHECK_host], "`host`, a name", &check->host);
		text_printable(parser, values[CHECK_host], "`host`");
	}
	if (!fault && type == CONFIG_CHECK_dns && values[CHECK_query])
		fault = check_query(parser, values, check);
	if (!fault && values[CHECK_command])
		fault = check_command(parser, values[CHECK_command], check);
	return fault;
}

int config_checks(struct parser *parser)
{
	size_t count = section_count(parser, SECTION_checks, NODE_MAP, "a map of checks by name");
	struct config *config = parser->config;
	struct section_walk walk = {0};
	struct config_check *check;
	int fault = 0;

	config->checks = arena_alloc(config->arena, count, sizeof(*config->checks));
	if (!config->checks)
		return -ENOMEM;
	while (!fault && section_next(parser, SECTION_checks, &walk)) {
		check = &config->checks[config->check_count];
		if (!parser_define(parser, walk.item->key, "check", &parser->checks, &check->name, &fault))
			continue;
		config->check_count++;
		fault = check_read(parser, walk.item->value, check);
	}
	return fault;
}
