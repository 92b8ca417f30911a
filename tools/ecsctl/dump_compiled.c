// SPDX-License-Identifier: GPL-3.0-or-later
/* dump --compiled: a configuration as the tables would have it, in an order that depends on nothing but its contents. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecsctl/dump.h"
#include "user/controller/choose.h"
#include "user/controller/diff.h"
#include "user/controller/prefixes.h"

static void line_setting(const struct ecsctl *ecsctl, const char *kind, const char *name, const char *field, const char *value)
{
	json_t *line;

	if (ecsctl->is_json) {
		line = json_pack("{s:s, s:s, s:s, s:s}", "kind", kind, "name", name, "field", field, "value", value);
		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(line);
	} else {
		printf("%s %s%s%s: %s\n", kind, name, *name ? " " : "", field, value);
	}
}

static int field_order(const void *one, const void *other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* By name: where a region is first named in a file means nothing. Takes the settings; 0 or -ENOMEM. */
static int lines_settings(const struct ecsctl *ecsctl, const char *kind, const char *name, json_t *settings)
{
	size_t count = json_object_size(settings), i = 0;
	const char **fields = calloc(count + 1, sizeof(*fields)), *field;
	json_t *value;

	json_object_foreach(settings, field, value)
		if (fields)
			fields[i++] = field;
	if (fields)
		qsort(fields, i, sizeof(*fields), field_order);
	for (size_t at = 0; at < i; at++)
		line_setting(ecsctl, kind, name, fields[at], field_text(settings, fields[at]));
	free(fields);
	json_decref(settings);
	return fields ? 0 : -ENOMEM;
}

/* -- settings -- */

typedef const char *namer(const struct config *config, size_t number);
typedef void describer(json_t *into, const struct config *config, size_t number);

static int dump_settings(const struct ecsctl *ecsctl, const struct config *config, const char *kind, size_t count, namer *name,
			 describer *describe)
{
	struct diff_pairs pairs;
	int fault = diff_pairs(&pairs, name, 0, NULL, count, config);

	for (size_t i = 0; !fault && i < pairs.count; i++) {
		json_t *settings = json_object();

		describe(settings, config, pairs.list[i].after);
		fault = lines_settings(ecsctl, kind, pairs.list[i].name, settings);
	}
	free(pairs.list);
	return fault;
}

/* -- topologies -- */

static void line_entry(const struct ecsctl *ecsctl, const struct compiled_topology *topology, const struct topology_entry *entry,
		       unsigned int bits)
{
	char block[PREFIX_TEXT_OCTETS], target[PREFIX_TEXT_OCTETS] = "";
	const char *region = topology->regions[entry->region].name;
	struct topology_prefix prefix = {.length = entry->length};
	json_t *line;

	memcpy(prefix.address, entry->address, sizeof(prefix.address));
	prefix_text(&prefix, bits, block);
	if (entry->target_length) {
		memcpy(prefix.address, entry->target, sizeof(prefix.address));
		prefix.length = entry->target_length;
		prefix_text(&prefix, bits, target);
	}
	if (ecsctl->is_json) {
		line = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s?}", "kind", "topology", "name", topology->name, "block", block,
				 "region", region, "scope", entry->scope, "target", *target ? target : NULL);
		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(line);
	} else {
		printf("topology %s %s: %s, scope %u%s%s\n", topology->name, block, region, entry->scope,
		       *target ? ", below it " : "", target);
	}
}

static void dump_topology(const struct ecsctl *ecsctl, const struct compiled_topology *topology)
{
	for (size_t i = 0; i < topology->v4.count; i++)
		line_entry(ecsctl, topology, &topology->v4.entries[i], 32);
	for (size_t i = 0; i < topology->v6.count; i++)
		line_entry(ecsctl, topology, &topology->v6.entries[i], 128);
}

static int dump_topologies(const struct ecsctl *ecsctl, const struct generation *generation)
{
	struct diff_pairs pairs;
	int fault = diff_pairs(&pairs, describe_topology_name, 0, NULL, generation->config->topology_count, generation->config);

	if (!fault)
		dump_topology(ecsctl, &generation->compiled->topologies[TOPOLOGY_TRUST]);
	for (size_t i = 0; !fault && i < pairs.count; i++)
		dump_topology(ecsctl, &generation->compiled->topologies[pairs.list[i].after + 1]);
	free(pairs.list);
	return fault;
}

/* -- answers: those of a generation are all new to a diff against nothing -- */

static void line_answer(const struct ecsctl *ecsctl, const json_t *answer)
{
	json_t *line;

	if (ecsctl->is_json) {
		line = json_pack("{s:s, s:s, s:O, s:s, s:s}", "kind", "answer", "name", field_text(answer, "service"), "region",
				 json_object_get(answer, "region"), "type", field_text(answer, "type"), "answer",
				 field_text(answer, "after"));
		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(line);
	} else {
		printf("answer %s %s, %s: %s\n", field_text(answer, "service"), field_text(answer, "type"),
		       *field_text(answer, "region") ? field_text(answer, "region") : "every client", field_text(answer, "after"));
	}
}

static int dump_answers(const struct ecsctl *ecsctl, const struct generation *generation)
{
	static const struct config no_config;
	const struct generation nothing = {.config = (struct config *)&no_config};
	bool changed = false;
	json_t *answers = diff_answers(&nothing, generation, SIZE_MAX, &changed), *each;
	size_t i;

	json_array_foreach(json_object_get(answers, "list"), i, each)
		line_answer(ecsctl, each);
	json_decref(answers);
	return answers ? 0 : -1;
}

static int dump_generation_lines(struct ecsctl *ecsctl, const struct generation *generation)
{
	const struct config *config = generation->config;
	json_t *server = json_object();
	int fault;

	describe_server(server, config);
	fault = lines_settings(ecsctl, "server", "", server);
	if (!fault)
		fault = dump_settings(ecsctl, config, "check", config->check_count, describe_check_name, describe_check);
	if (!fault)
		fault = dump_settings(ecsctl, config, "pool", config->pool_count, describe_pool_name, describe_pool);
	if (!fault)
		fault = dump_settings(ecsctl, config, "service", config->service_count, describe_service_name, describe_service);
	if (!fault)
		fault = dump_topologies(ecsctl, generation);
	if (!fault)
		fault = dump_answers(ecsctl, generation);
	if (fault)
		fprintf(stderr, "ecsctl: no memory\n");
	return fault ? REFUSED : DONE;
}

int dump_compiled(struct ecsctl *ecsctl, struct bundle *bundle)
{
	struct generation *generation = NULL;
	struct faults faults;
	struct ids ids;
	int result;

	faults_init(&faults);
	ids_init(&ids, SERVICES_ENTRIES, REGIONS_ENTRIES);
	if (generation_make(bundle, NULL, NULL, &ids, &generation, &faults))
		result = local_refused(ecsctl, &faults);
	else
		result = dump_generation_lines(ecsctl, generation);
	generation_free(generation);
	ids_free(&ids);
	faults_free(&faults);
	return result;
}
