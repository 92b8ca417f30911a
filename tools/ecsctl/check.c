// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "tools/ecsctl/local.h"
#include "user/controller/prefixes.h"

static void check_print(const json_t *reply)
{
	output_faults(json_object_get(reply, "faults"));
	printf("good: ");
	output_summary(reply);
}

static int check_file(const struct ecsctl *ecsctl, const char *path, const struct config_resolvers *resolvers)
{
	struct generation *generation = NULL;
	struct bundle *bundle = NULL;
	struct faults faults;
	struct ids ids;
	json_t *reply;
	int fault;

	faults_init(&faults);
	ids_init(&ids, SERVICES_ENTRIES, REGIONS_ENTRIES);
	fault = bundle_read_disk(path, CONFIG_FILE_OCTETS_MAX, &bundle, &faults);
	if (!fault)
		fault = generation_make(bundle, resolvers, NULL, &ids, &generation, &faults);
	if (fault) {
		local_refused(ecsctl, &faults);
	} else {
		reply = generation_summary(generation);
		json_object_set_new(reply, "faults", faults_json(&faults));
		output_reply(ecsctl, reply, check_print);
		json_decref(reply);
	}
	generation_free(generation);
	bundle_free(bundle);
	ids_free(&ids);
	faults_free(&faults);
	return fault ? REFUSED : DONE;
}

/* "/24,/56" */
static int resolvers_parse(const char *text, struct config_resolvers *resolvers)
{
	char v4[8] = "";
	const char *comma = strchr(text, ',');

	if (!comma || (size_t)(comma - text) >= sizeof(v4))
		return 0;
	memcpy(v4, text, comma - text);
	return prefix_length_parse(v4, 32, &resolvers->v4) && prefix_length_parse(comma + 1, 128, &resolvers->v6);
}

static int check_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	struct config_resolvers resolvers;
	const char *prefixes = NULL;
	const struct verb_option own[] = {{"resolver-prefixes", NULL, &prefixes}, {0}};
	int at = verb_options(ecsctl, argc, argv, own);

	if (at < 0)
		return -1 - at;
	if (argc - at != 1)
		return verb_usage(ecsctl, "one configuration file was expected");
	if (prefixes && !resolvers_parse(prefixes, &resolvers))
		return verb_usage(ecsctl, "--resolver-prefixes: expected two lengths, for IPv4 from /1 to /32 and for IPv6 "
				  "from /1 to /128, such as /24,/56, not %s", prefixes);
	return check_file(ecsctl, argv[at], prefixes ? &resolvers : NULL);
}

const struct verb verb_check = {
	.name = "check", .arguments = "[--resolver-prefixes /N4,/N6] FILE",
	.summary = "say what is wrong with a configuration, here and without the controller",
	.details = "\nReads FILE and what it names, and compiles it as a push would. Warns of what client subnets make\n"
		   "pointless or dangerous: prefixes longer than resolvers send, regions and prefixes that no client can\n"
		   "reach or that change nothing, topologies of one address family, CNAMEs to names of others. Whether it\n"
		   "fits into the tables of a host, `ecsctl push --dry-run` says there.\n\n"
		   "  --resolver-prefixes /N4,/N6\n"
		   "                 lengths of the client subnets that resolvers send for IPv4 and IPv6\n"
		   "                 (default: FILE's server.ecs.resolver_prefixes, or else /24,/56)\n",
	.run = check_run,
};
