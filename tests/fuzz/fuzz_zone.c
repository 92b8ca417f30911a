// SPDX-License-Identifier: GPL-3.0-or-later
/* Any text as a master file: it loads or says why not; what loads keeps its promises to those who look names up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/bundle.h"
#include "user/common/zone_tree.h"

#define MUST(condition) do { if (!(condition)) { fprintf(stderr, "not so: %s\n", #condition); abort(); } } while (0)

static const char head[] = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\n";

static void check_node(const struct zone *zone, const struct zone_node *node)
{
	struct zone_found found;
	enum zone_match match = zone_find(zone, node->name, &found);

	MUST(zone_node(zone, node->name) == node);
	MUST(zone_name_length(node->name) == node->name_length && zone_name_within(node->name, zone_apex(zone)->name));
	MUST(match == ZONE_CUT || match == ZONE_DNAME || (match == ZONE_FOUND && found.node == node));
	for (unsigned int i = 0; i < node->rrset_count; i++) {
		MUST(node->rrsets[i].count && node->rrsets[i].line && node->rrsets[i].file);
		MUST(!i || node->rrsets[i].type > node->rrsets[i - 1].type);
		MUST(zone_rrset(zone, node->name, node->rrsets[i].type) == &node->rrsets[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct zone_node *node;
	struct zone *zone = NULL;
	struct bundle *bundle;
	struct faults faults;
	size_t begun;
	char *text;
	int code;

	if (!size)
		return 0;
	/* half of the inputs begin where a zone is already complete */
	begun = data[0] & 1 ? sizeof(head) - 1 : 0;
	text = malloc(begun + size);
	MUST(text && !bundle_new(&bundle));
	memcpy(text, head, begun);
	memcpy(text + begun, data + 1, size - 1);
	MUST(!bundle_add(bundle, "main", text, begun + size - 1) && !bundle_add(bundle, "more", "a A 192.0.2.1\n", 14));
	free(text);
	faults_init(&faults);
	code = zone_load("example.com", "main", bundle, &zone, &faults);
	bundle_free(bundle);
	MUST(code ? !zone && faults.errors : zone && !faults.errors);
	for (node = zone ? zone->apex : NULL; node; node = node->next)
		check_node(zone, node);
	zone_free(zone);
	faults_free(&faults);
	return 0;
}
