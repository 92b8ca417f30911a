// SPDX-License-Identifier: GPL-3.0-or-later
/* ecsdns-loader status [IFACE...]: where the program runs, and the tables. Exit 1 if it runs nowhere that was asked. */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/loader/loader.h"

static bool status_is_asked(const struct loader *loader, const char *name)
{
	for (int i = 0; i < loader->interface_count; i++)
		if (!strcmp(loader->interfaces[i], name))
			return true;
	return !loader->interface_count;
}

static json_t *status_interfaces(const struct loader *loader)
{
	struct if_nameindex *all = if_nameindex();
	json_t *list = json_array();
	struct attachment found;

	for (struct if_nameindex *at = all; at && at->if_index; at++) {
		if (!status_is_asked(loader, at->if_name))
			continue;
		hook_find(loader, at->if_name, at->if_index, &found);
		if (found.how == ATTACHED_NOT)
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i}", "interface", at->if_name,
			"mode", found.generic ? "generic" : "native",
			"attached", found.how == ATTACHED_DISPATCHER ? "dispatcher" : "link", "program", (int)found.program_id));
	}
	if_freenameindex(all);
	return list;
}

static void status_print(const json_t *status)
{
	json_t *interfaces = json_object_get(status, "interfaces"), *one;
	size_t i;

	printf("tables      %s, ABI %lld, generation %lld\n", json_string_value(json_object_get(status, "pins")),
	       json_integer_value(json_object_get(status, "abi")), json_integer_value(json_object_get(status, "generation")));
	json_array_foreach(interfaces, i, one)
		printf("%-11s %s mode, %s, program %lld\n", json_string_value(json_object_get(one, "interface")),
		       json_string_value(json_object_get(one, "mode")), json_string_value(json_object_get(one, "attached")),
		       json_integer_value(json_object_get(one, "program")));
	if (!json_array_size(interfaces))
		printf("attached to no interface; `ecsdns-loader attach IFACE`\n");
}

int loader_status(struct loader *loader)
{
	struct tables tables;
	char error[512];
	json_t *status;
	int code;

	code = tables_open(&tables, loader->pins, TABLES_READ, error, sizeof(error));
	if (code) {
		fprintf(stderr, "ecsdns-loader: %s\n", error);
		tables_close(&tables);
		return code;
	}
	status = json_pack("{s:s, s:i, s:I, s:o}", "pins", loader->pins, "abi", ECSDNS_ABI_VERSION,
			   "generation", (json_int_t)tables_generation(tables_control(&tables)),
			   "interfaces", status_interfaces(loader));
	tables_close(&tables);
	if (loader->json) {
		json_dumpf(status, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		status_print(status);
	}
	code = json_array_size(json_object_get(status, "interfaces")) ? 0 : -ENOENT;
	json_decref(status);
	return code;
}
