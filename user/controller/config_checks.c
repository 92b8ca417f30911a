// SPDX-License-Identifier: GPL-3.0-or-later
/* The section `checks`. */
#include <ctype.h>
#include <errno.h>
#include <libknot/codes.h>
#include <libknot/descriptor.h>
#include <libknot/lookup.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/parser.h"

#define CHECK_KEYS(X) X(type) X(interval) X(timeout) X(rise) X(fall) X(grace) X(source) X(port) X(path) X(host) X(status) X(body) \
	X(body_regex) X(verify) X(ca_file) X(query) X(query_type) X(rcode) X(answer) X(send) X(expect) X(command)
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
#define COMMON_KEYS (KEY(type) | KEY(interval) | KEY(timeout) | KEY(rise) | KEY(fall) | KEY(grace))
#define HTTP_KEYS (KEY(source) | KEY(port) | KEY(path) | KEY(host) | KEY(status) | KEY(body) | KEY(body_regex))
static const struct {
	uint32_t allowed, required;
	uint16_t port;
} check_types[CONFIG_CHECK_TYPE_COUNT] = {
	[CONFIG_CHECK_http] = {HTTP_KEYS, 0, 80},
	[CONFIG_CHECK_https] = {HTTP_KEYS | KEY(verify) | KEY(ca_file), 0, 443},
	[CONFIG_CHECK_tcp] = {KEY(source) | KEY(port) | KEY(send) | KEY(expect), KEY(port), 0},
	[CONFIG_CHECK_dns] = {KEY(source) | KEY(port) | KEY(query) | KEY(query_type) | KEY(rcode) | KEY(answer),
			      KEY(query), 53},
	[CONFIG_CHECK_icmp] = {KEY(source), 0, 0},
	[CONFIG_CHECK_exec] = {KEY(command), KEY(command), 0},
	[CONFIG_CHECK_file] = {KEY(path), KEY(path), 0},
};

/* What regcomp() and regexec() make of a pattern grows with these. */
#define REGEX_OCTETS_MAX 256
#define REGEX_REPEATS_MAX 100

/* -- texts -- */

static int text_keep(struct parser *parser, const struct node *node, const char *what, const char **out)
{
	const char *text;

	if (!tree_text(node, what, &text, parser->faults))
		return 0;
	*out = arena_text(parser->config->arena, text, node->length);
	return *out ? 0 : -ENOMEM;
}

/* Likewise, a null node being none, and not longer than what is looked for it in. */
static int text_keep_short(struct parser *parser, const struct node *node, const char *what, size_t most,
			   const char **out)
{
	if (!node)
		return 0;
	if (node->kind == NODE_SCALAR && node->length > most) {
		faults_error(parser->faults, &node->place, "expected %s of at most %zu octets", what, most);
		return 0;
	}
	return text_keep(parser, node, what, out);
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

/* The path of a file of the controller's host, or of a URL. */
static int text_path(struct parser *parser, const struct node *node, const char *what, const char **out)
{
	char expected[64];
	int fault;

	snprintf(expected, sizeof(expected), "%s, which begins with /", what);
	fault = text_keep(parser, node, expected, out);
	if (!fault && *out && (*out)[0] != '/')
		faults_error(parser->faults, &node->place, "expected %s to begin with /, not \"%.64s\"", what, *out);
	return fault;
}

/* -- http and https -- */

static int check_path(struct parser *parser, const struct node *node, struct config_check *check)
{
	int fault = text_path(parser, node, "`path`", &check->path);

	if (!fault && check->type != CONFIG_CHECK_file)
		text_printable(parser, node, "`path`");
	return fault;
}

/* "200" or "300-399" */
static bool status_parse(const char *text, struct config_status *status)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	status->first = status->last = strtoul(text, &end, 10);
	if (end != text + 3)
		return false;
	if (*end == '-' && isdigit((unsigned char)end[1])) {
		text = end + 1;
		status->last = strtoul(text, &end, 10);
		if (end != text + 3)
			return false;
	}
	return !*end && status->first >= 100 && status->last <= 599 && status->first <= status->last;
}

static void status_read(struct parser *parser, const struct node *node, struct config_check *check)
{
	static const char what[] = "`status`, a number from 100 to 599 or a range such as 200-299, or a list of such";
	const char *text;

	if (!tree_text(node, what, &text, parser->faults))
		return;
	if (status_parse(text, &check->statuses[check->status_count]))
		check->status_count++;
	else
		faults_error(parser->faults, &node->place, "expected %s, not \"%.64s\"", what, text);
}

static int check_status(struct parser *parser, const struct node *node, struct config_check *check)
{
	check->statuses = arena_alloc(parser->config->arena, CONFIG_STATUSES_MAX, sizeof(*check->statuses));
	if (!check->statuses)
		return -ENOMEM;
	if (!node) {
		check->statuses[check->status_count++] = (struct config_status){200, 200};
		return 0;
	}
	if (node->kind != NODE_LIST) {
		status_read(parser, node, check);
		return 0;
	}
	if (!node->count || node->count > CONFIG_STATUSES_MAX) {
		faults_error(parser->faults, &node->place, "expected `status` to have 1 to %d items", CONFIG_STATUSES_MAX);
		return 0;
	}
	for (const struct node_item *item = node->items; item; item = item->next)
		status_read(parser, item->value, check);
	return 0;
}

/* Why a pattern is not taken: matching has to end soon, whatever the reply, and compiling as well. Null if it is. */
static const char *regex_refused(const char *pattern, size_t length)
{
	uint64_t repeats = 1;

	if (length > REGEX_OCTETS_MAX)
		return "it is longer than 256 octets";
	for (const char *at = pattern; *at; at++) {
		if (*at == '\\' && at[1]) {
			if (isdigit((unsigned char)*++at))
				return "back-references can take for ever";
		} else if (*at == '{') {
			uint64_t first = strtoul(at + 1, NULL, 10);
			const char *comma = at + 1 + strspn(at + 1, "0123456789");
			uint64_t last = *comma == ',' ? strtoul(comma + 1, NULL, 10) : 0;

			first = first > last ? first : last;
			repeats *= first > 1 ? first : 1;
			if (first > REGEX_REPEATS_MAX || repeats > REGEX_REPEATS_MAX)
				return "its {repetitions} multiply to more than 100";
		}
	}
	return NULL;
}

static int check_regex(struct parser *parser, const struct node *node, struct config_check *check)
{
	const char *refused;
	char why[96];
	int fault = text_keep(parser, node, "`body_regex`, a regular expression", &check->body_regex), error;

	if (fault || !check->body_regex)
		return fault;
	refused = regex_refused(check->body_regex, node->length);
	if (!refused) {
		check->regex = arena_alloc(parser->config->arena, 1, sizeof(*check->regex));
		if (!check->regex)
			return -ENOMEM;
		error = regcomp(check->regex, check->body_regex, REG_EXTENDED | REG_NOSUB);
		if (!error)
			return 0;
		regerror(error, check->regex, why, sizeof(why));
		check->regex = NULL;	/* nothing to be freed */
		refused = why;
	}
	faults_error(parser->faults, &node->place, "`body_regex`: %s", refused);
	return 0;
}

static int check_http(struct parser *parser, const struct node *node, const struct node *const *values,
		      struct config_check *check)
{
	int fault = check_status(parser, values[CHECK_status], check);

	check->verify = true;
	if (!fault && values[CHECK_host]) {
		fault = text_keep(parser, values[CHECK_host], "`host`, a name", &check->host);
		text_printable(parser, values[CHECK_host], "`host`");
		if (check->host && strpbrk(check->host, ":/?#@[]"))
			faults_error(parser->faults, &values[CHECK_host]->place, "expected `host`, a name alone, not "
				     "\"%.64s\"", check->host);
	}
	if (!fault)
		fault = text_keep_short(parser, values[CHECK_body], "`body`, a part of the reply", CONFIG_BODY_OCTETS_MAX,
					&check->body);
	if (!fault && values[CHECK_body_regex])
		fault = check_regex(parser, values[CHECK_body_regex], check);
	if (values[CHECK_verify])
		tree_bool(values[CHECK_verify], "`verify`", &check->verify, parser->faults);
	if (!fault && values[CHECK_ca_file])
		fault = text_path(parser, values[CHECK_ca_file], "`ca_file`", &check->ca_file);
	if (values[CHECK_ca_file] && !check->verify)
		faults_error(parser->faults, &values[CHECK_ca_file]->place, "`ca_file` has no meaning with `verify: false`");
	if (check->type == CONFIG_CHECK_https && check->verify && !values[CHECK_host])
		faults_warning(parser->faults, &node->place, "without `host` the certificate has to name each member's "
			       "address; give the name it has, or `verify: false`");
	return fault;
}

/* -- dns -- */

static void check_rcode(struct parser *parser, const struct node *node, struct config_check *check)
{
	const knot_lookup_t *rcode;
	const char *text;

	if (!tree_text(node, "`rcode`, such as NOERROR or NXDOMAIN", &text, parser->faults))
		return;
	rcode = knot_lookup_by_name(knot_rcode_names, text);
	if (rcode && rcode->id <= 15)
		check->rcode = rcode->id;
	else
		faults_error(parser->faults, &node->place, "expected `rcode`, such as NOERROR or NXDOMAIN, not \"%.64s\"",
			     text);
}

static int check_dns(struct parser *parser, const struct node *const *values, struct config_check *check)
{
	const struct node *type = values[CHECK_query_type];
	const char *text;
	int fault = 0;

	check->query_type = 1;
	if (type && tree_text(type, "a record type such as A", &text, parser->faults) &&
	    knot_rrtype_from_string(text, &check->query_type))
		faults_error(parser->faults, &type->place, "expected a record type such as A, not \"%.64s\"", text);
	if (values[CHECK_rcode])
		check_rcode(parser, values[CHECK_rcode], check);
	check->query = arena_alloc(parser->config->arena, 1, sizeof(*check->query));
	if (!check->query)
		return -ENOMEM;
	if (values[CHECK_query])
		parser_name(parser, values[CHECK_query], "`query`", check->query, &fault);
	return fault ? fault : text_keep_short(parser, values[CHECK_answer], "`answer`, the data of a record as text", 1024,
					       &check->answer);
}

/* -- tcp, exec, file -- */

static int check_tcp(struct parser *parser, const struct node *const *values, struct config_check *check)
{
	int fault = text_keep_short(parser, values[CHECK_send], "`send`, a text", CONFIG_EXPECT_OCTETS_MAX, &check->send);

	return fault ? fault : text_keep_short(parser, values[CHECK_expect], "`expect`, a part of the reply",
					       CONFIG_EXPECT_OCTETS_MAX, &check->expect);
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

static void check_placeholders(struct parser *parser, const struct node *node, const char *path)
{
	for (const char *at = path; at && (at = strchr(at, '{')); at++)
		if (strncmp(at, "{pool}", 6) && strncmp(at, "{member}", 8) && strncmp(at, "{address}", 9)) {
			faults_error(parser->faults, &node->place, "`path`: {pool}, {member} and {address} stand for the "
				     "member's; nothing else begins with {");
			return;
		}
}

/* -- all types -- */

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
	if (values[CHECK_grace])
		tree_duration(values[CHECK_grace], "`grace`", 0, 3600000, &check->grace, faults);
	if (values[CHECK_port] && tree_number(values[CHECK_port], "`port`", 1, 65535, &number, faults))
		check->port = number;
	if (check->timeout > check->interval)
		faults_error(faults, &(values[CHECK_timeout] ? values[CHECK_timeout] : values[CHECK_interval])->place,
			     "expected `timeout` (%u ms) to be no longer than `interval` (%u ms)", check->timeout,
			     check->interval);
}

static void source_read(struct parser *parser, const struct node *node, struct config_check *check)
{
	struct config_address address, *source;

	if (!parser_address(parser, node, "`source`, an address of this host", &address))
		return;
	source = address.length == 4 ? &check->source4 : &check->source6;
	if (source->length)
		faults_error(parser->faults, &node->place, "expected at most one `source` of each address family");
	*source = address;
}

/* One address, or one of each family. */
static void check_source(struct parser *parser, const struct node *node, struct config_check *check)
{
	if (node->kind != NODE_LIST) {
		source_read(parser, node, check);
		return;
	}
	if (!node->count)
		faults_error(parser->faults, &node->place, "expected `source` to have an address");
	for (const struct node_item *item = node->items; item; item = item->next)
		source_read(parser, item->value, check);
}

/* What the types have of their own. */
static int check_special(struct parser *parser, const struct node *node, const struct node *const *values,
			 struct config_check *check)
{
	switch (check->type) {
	case CONFIG_CHECK_http:
	case CONFIG_CHECK_https: return check_http(parser, node, values, check);
	case CONFIG_CHECK_tcp: return check_tcp(parser, values, check);
	case CONFIG_CHECK_dns: return check_dns(parser, values, check);
	case CONFIG_CHECK_exec: return values[CHECK_command] ? check_command(parser, values[CHECK_command], check) : 0;
	case CONFIG_CHECK_file: check_placeholders(parser, values[CHECK_path], check->path); return 0;
	default: return 0;
	}
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
	if (values[CHECK_source])
		check_source(parser, values[CHECK_source], check);
	if (type == CONFIG_CHECK_http || type == CONFIG_CHECK_https)
		check->path = "/";
	if (values[CHECK_path])
		fault = check_path(parser, values[CHECK_path], check);
	return fault ? fault : check_special(parser, node, values, check);
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

/* -- comparing -- */

static bool text_equal(const char *one, const char *other)
{
	return one && other ? !strcmp(one, other) : one == other;
}

static bool command_equal(const char **one, const char **other)
{
	if (!one || !other)
		return one == other;
	for (; *one && *other; one++, other++)
		if (strcmp(*one, *other))
			return false;
	return *one == *other;
}

bool config_check_equal(const struct config_check *one, const struct config_check *other)
{
	return one->type == other->type && one->port == other->port && one->verify == other->verify &&
	       !memcmp(&one->source4, &other->source4, sizeof(one->source4)) &&
	       !memcmp(&one->source6, &other->source6, sizeof(one->source6)) &&
	       one->status_count == other->status_count &&
	       (!one->status_count ||
		!memcmp(one->statuses, other->statuses, one->status_count * sizeof(*one->statuses))) &&
	       text_equal(one->path, other->path) && text_equal(one->host, other->host) &&
	       text_equal(one->body, other->body) && text_equal(one->body_regex, other->body_regex) &&
	       text_equal(one->ca_file, other->ca_file) && one->query_type == other->query_type &&
	       text_equal(one->query ? one->query->text : NULL, other->query ? other->query->text : NULL) &&
	       one->rcode == other->rcode && text_equal(one->answer, other->answer) &&
	       text_equal(one->send, other->send) && text_equal(one->expect, other->expect) &&
	       command_equal(one->command, other->command);
}
