// SPDX-License-Identifier: GPL-3.0-or-later
/* The sections `checks` and `pools`. */
#include <errno.h>
#include <libknot/descriptor.h>
#include <string.h>

#include "user/controller/choose.h"
#include "user/controller/parser.h"
#include "user/controller/prefixes.h"

/* -- checks -- */

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

/* -- pools -- */

#define POOL_KEYS(X) X(check) X(method) X(max_answers) X(spread) X(min_up) X(depends_on) X(members) X(cname)
enum pool_key {
#define X(name) POOL_##name,
	POOL_KEYS(X)
#undef X
	POOL_KEY_COUNT
};
static const char *const pool_keys[] = {
#define X(name) #name,
	POOL_KEYS(X)
#undef X
};

static int member_read(struct parser *parser, const struct node *node, struct config_member *member,
		       struct words *names, struct words *addresses)
{
	static const char *const keys[] = {"name", "address", "weight"};
	const struct node *values[3];
	int fault = 0;

	member->place = parser_place(parser, node);
	member->weight = 1;
	if (!tree_fields(node, "a member", keys, 3, values, parser->faults))
		return 0;
	if (!values[0] || !values[1]) {
		faults_error(parser->faults, &node->place, "expected a member's `name` and `address`");
		return 0;
	}
	parser_define(parser, values[0], "member", names, &member->name, &fault);
	if (!fault && parser_address(parser, values[1], "an address", &member->address)) {
		/* Octets as text, so that 2001:db8::1 and 2001:db8:0::1 are one. */
		char text[PREFIX_TEXT_OCTETS];
		struct topology_prefix whole = {.length = member->address.length * 8};

		memcpy(whole.address, member->address.octets, sizeof(whole.address));
		prefix_text(&whole, whole.length, text);
		if (words_find(addresses, text, strlen(text)) != WORDS_NONE)
			faults_error(parser->faults, &values[1]->place, "address %.64s is in this pool twice",
				     values[1]->text);
		else if (words_add(addresses, text, strlen(text)) == WORDS_NONE)
			fault = -ENOMEM;
	}
	if (values[2])
		tree_number(values[2], "`weight`", 0, 65535, &member->weight, parser->faults);
	return fault;
}

/* A family whose members all weigh nothing could never be answered. */
static void pool_weights(struct parser *parser, const struct node *node, const struct config_pool *pool, uint8_t length)
{
	uint64_t members = 0, weight = 0;

	for (size_t i = 0; i < pool->member_count; i++) {
		members += pool->members[i].address.length == length;
		weight += pool->members[i].address.length == length ? pool->members[i].weight : 0;
	}
	if (members && !weight)
		faults_error(parser->faults, &node->place,
			     "all IPv%c members weigh 0, so that none could be chosen: give one "
			     "a `weight`",
			     length == 4 ? '4' : '6');
}

static int pool_members(struct parser *parser, const struct node *node, struct config_pool *pool)
{
	struct words names = {0}, addresses = {0};
	const struct node_item *item;
	int fault = 0;

	if (!tree_expect(node, NODE_LIST, "a list of members", parser->faults))
		return 0;
	if (!node->count) {
		faults_error(parser->faults, &node->place, "expected at least one member");
		return 0;
	}
	pool->members = arena_alloc(parser->config->arena, node->count, sizeof(*pool->members));
	if (!pool->members)
		return -ENOMEM;
	for (item = node->items; item && !fault && !faults_enough(parser->faults); item = item->next)
		fault = member_read(parser, item->value, &pool->members[pool->member_count++], &names, &addresses);
	words_free(&names);
	words_free(&addresses);
	if (pool->method == CONFIG_METHOD_weighted || pool->method == CONFIG_METHOD_hash) {
		pool_weights(parser, node, pool, 4);
		pool_weights(parser, node, pool, 16);
	}
	parser->config->member_count += pool->member_count;
	return fault;
}

/* Members of a family that can be chosen, and how many of them must be up. */
static void pool_quorum(struct parser *parser, const struct node *node, const struct config_pool *pool, uint8_t length)
{
	uint32_t members = 0;

	for (size_t i = 0; i < pool->member_count; i++)
		members += choose_member_fits(pool, &pool->members[i], length == 4 ? SERVICE_A : SERVICE_AAAA);
	if (members && members < pool->min_up)
		faults_error(parser->faults, &node->place,
			     "`min_up` is %u, but the pool has only %u IPv%c member%s that can be chosen, so that it could never "
			     "be up for them", pool->min_up, members, length == 4 ? '4' : '6', members > 1 ? "s" : "");
}

static void pool_min_up(struct parser *parser, const struct node *node, struct config_pool *pool)
{
	if (!tree_number(node, "`min_up`", 1, ANSWER_RECORDS_MAX, &pool->min_up, parser->faults))
		return;
	pool_quorum(parser, node, pool, 4);
	pool_quorum(parser, node, pool, 16);
	if (pool->check == CONFIG_NONE && pool->min_up > 1)
		faults_warning(parser->faults, &node->place, "`min_up` has no meaning without a `check`: all members count as up");
}

static void pool_spread(struct parser *parser, const struct node *node, struct config_pool *pool)
{
	if (pool->method != CONFIG_METHOD_hash)
		faults_error(parser->faults, &node->place, "`spread` is for method hash, where a block of clients has one member; "
			     "method %s does not look at blocks", config_method_names[pool->method]);
	else
		parser_lengths(parser, node, "the lengths of blocks to be spread", "blocks to be spread", &pool->spread4,
			       &pool->spread6);
}

static int pool_cname(struct parser *parser, const struct node *const *values, struct config_pool *pool)
{
	int fault = 0;

	for (int key = 0; key < POOL_KEY_COUNT; key++)
		if (key != POOL_cname && values[key])
			faults_error(parser->faults, &values[key]->place,
				     "a pool with a `cname` has no `%s`: the name is all that it gives", pool_keys[key]);
	pool->cname = arena_alloc(parser->config->arena, 1, sizeof(*pool->cname));
	if (!pool->cname)
		return -ENOMEM;
	parser->config->member_count++;
	parser_name(parser, values[POOL_cname], "`cname`", pool->cname, &fault);
	return fault;
}

/* *depends becomes its `depends_on`, for when all pools are known. */
static int pool_read(struct parser *parser, const struct node *node, struct config_pool *pool, const struct node **depends)
{
	const struct node *values[POOL_KEY_COUNT];
	uint32_t method = CONFIG_METHOD_all;
	int fault;

	pool->place = parser_place(parser, node);
	pool->check = CONFIG_NONE;
	pool->max_answers = 8;
	pool->min_up = 1;
	pool->first_member = parser->config->member_count;
	if (!tree_fields(node, "a pool", pool_keys, POOL_KEY_COUNT, values, parser->faults))
		return 0;
	if (values[POOL_cname])
		return pool_cname(parser, values, pool);
	if (values[POOL_check])
		pool->check = parser_refer(parser, values[POOL_check], "check", &parser->checks);
	if (values[POOL_method])
		tree_choice(values[POOL_method], "`method`", config_method_names, CONFIG_METHOD_COUNT, &method,
			    parser->faults);
	pool->method = method;
	if (values[POOL_max_answers]) {
		tree_number(values[POOL_max_answers], "`max_answers`", 1, ANSWER_RECORDS_MAX, &pool->max_answers,
			    parser->faults);
		if (method != CONFIG_METHOD_all)
			faults_warning(parser->faults, &values[POOL_max_answers]->place,
				       "`max_answers` has no meaning with "
				       "method %s, which gives one record",
				       config_method_names[method]);
	}
	if (values[POOL_spread])
		pool_spread(parser, values[POOL_spread], pool);
	*depends = values[POOL_depends_on];
	if (!values[POOL_members]) {
		faults_error(parser->faults, &node->place, "expected a pool's `members`, or its `cname`");
		return 0;
	}
	fault = pool_members(parser, values[POOL_members], pool);
	if (!fault && values[POOL_min_up])
		pool_min_up(parser, values[POOL_min_up], pool);
	return fault;
}

int config_pools(struct parser *parser)
{
	size_t count = section_count(parser, SECTION_pools, NODE_MAP, "a map of pools by name");
	struct config *config = parser->config;
	struct section_walk walk = {0};
	const struct node **depends;
	struct config_pool *pool;
	int fault = 0;

	config->pools = arena_alloc(config->arena, count, sizeof(*config->pools));
	depends = arena_alloc(parser->trees, count, sizeof(*depends));
	if (!config->pools || !depends)
		return -ENOMEM;
	while (!fault && section_next(parser, SECTION_pools, &walk)) {
		pool = &config->pools[config->pool_count];
		if (!parser_define(parser, walk.item->key, "pool", &parser->pools, &pool->name, &fault))
			continue;
		config->pool_count++;
		if (!strcmp(pool->name, "serve-all") || !strcmp(pool->name, "nodata"))
			faults_error(parser->faults, &walk.item->key->place,
				     "a pool cannot be named \"%s\", which has a "
				     "meaning for `when_all_down`",
				     pool->name);
		fault = pool_read(parser, walk.item->value, pool, &depends[pool - config->pools]);
	}
	return fault ? fault : config_depends(parser, depends);
}
