// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "tools/ecsctl/local.h"

static void check_print(const json_t *reply)
{
	output_faults(json_object_get(reply, "faults"));
	printf("good: %lld services, %lld zones, %lld topologies (%lld + %lld entries), %lld answers, %lld files\n",
	       field_number(reply, "services"), field_number(reply, "zones"), field_number(reply, "topologies"),
	       field_number(reply, "topology4_entries"), field_number(reply, "topology6_entries"),
	       field_number(reply, "answers"), field_number(reply, "files"));
}

static int check_file(const struct ecsctl *ecsctl, const char *path)
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
		fault = generation_make(bundle, NULL, &ids, &generation, &faults);
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

static int check_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	int at = verb_options(ecsctl, argc, argv, NULL);

	if (at < 0)
		return -1 - at;
	if (argc - at != 1)
		return verb_usage(ecsctl, "one configuration file was expected");
	return check_file(ecsctl, argv[at]);
}

const struct verb verb_check = {
	.name = "check", .arguments = "FILE",
	.summary = "say what is wrong with a configuration, here and without the controller",
	.details = "\nReads FILE and what it names, and compiles it as a push would. Whether it fits into the tables of a\n"
		   "host, `ecsctl push --dry-run` says there.\n",
	.run = check_run,
};
