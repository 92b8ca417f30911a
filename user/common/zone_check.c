// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <libknot/descriptor.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/zone_tree.h"

struct checking {
	struct zone *zone;
	struct faults *faults;
	const char *file;
};

static int node_finish(struct checking *checking, struct zone_node *node);
static void node_flag(struct checking *checking, struct zone_node *node);
static void node_check_aliases(struct checking *checking, const struct zone_node *node);
static void node_check_hidden(struct checking *checking, const struct zone_node *node);
static void apex_check(struct checking *checking);

/* The tree is whole: lists become arrays, then what is only true of the whole is checked. */
int zone_check(struct zone *zone, const char *file, struct faults *faults)
{
	struct checking checking = { .zone = zone, .faults = faults, .file = file };
	size_t errors = faults->errors;
	struct zone_node *node;

	for (node = zone->apex; node; node = node->next)
		if (node_finish(&checking, node))
			return faults_memory(faults);
	arena_free(zone->growing);
	zone->growing = NULL;
	for (node = zone->apex; node; node = node->next)
		node_flag(&checking, node);
	apex_check(&checking);
	for (node = zone->apex; node && !faults_enough(faults); node = node->next) {
		node_check_aliases(&checking, node);
		node_check_hidden(&checking, node);
	}
	return faults->errors == errors ? 0 : -EINVAL;
}

static struct place rrset_place(const struct zone_rrset *rrset)
{
	return (struct place){ .file = rrset->file, .line = rrset->line };
}

/* -- lists to arrays -- */

/* Data to compare, and which of the records they are of. */
struct comparable {
	struct zone_rdata rdata;
	struct zone_rdata *record;
};

static int rdata_compare(const struct zone_rdata *one, const struct zone_rdata *other)
{
	if (one->length != other->length)
		return one->length < other->length ? -1 : 1;
	return memcmp(one->octets, other->octets, one->length);
}

/* Equal data in the order of the file, which is that of the array. */
static int comparable_compare(const void *one, const void *other)
{
	const struct comparable *a = one, *b = other;
	int order = rdata_compare(&a->rdata, &b->rdata);

	return order ? order : (a->record > b->record) - (a->record < b->record);
}

/* Names are the same in any case (RFC 4343 3). *lowered is what to free afterwards, if anything. */
static struct comparable *rrset_comparable(const struct zone_rrset *rrset, struct zone_rdata *records, uint8_t **lowered)
{
	struct comparable *list = calloc(rrset->count, sizeof(*list));
	size_t octets = 0;
	uint8_t *at;

	for (unsigned int i = 0; list && i < rrset->count; i++) {
		list[i] = (struct comparable){ records[i], &records[i] };
		octets += records[i].length;
	}
	*lowered = NULL;
	if (!list || !octets || !zone_rdata_has_names(rrset->type))
		return list;
	at = *lowered = malloc(octets);
	for (unsigned int i = 0; at && i < rrset->count; i++) {
		zone_rdata_lower(rrset->type, at, records[i].octets, records[i].length);
		list[i].rdata.octets = at;
		at += records[i].length;
	}
	if (!at) {
		free(list);
		list = NULL;
	}
	return list;
}

/* A record that is there twice counts once (RFC 2181 5). Their data are marked by a null and squeezed out. */
static int rrset_unique(struct zone_rrset *rrset, struct zone_rdata *records)
{
	uint8_t *lowered;
	struct comparable *sorted = rrset_comparable(rrset, records, &lowered);
	unsigned int i, count = 0, kept = 0;

	if (!sorted)
		return -ENOMEM;
	qsort(sorted, rrset->count, sizeof(sorted[0]), comparable_compare);
	for (i = 1; i < rrset->count; i++) {
		if (!rdata_compare(&sorted[kept].rdata, &sorted[i].rdata))
			sorted[i].record->octets = NULL;
		else
			kept = i;
	}
	for (i = 0; i < rrset->count; i++)
		if (records[i].octets)
			records[count++] = records[i];
	rrset->count = count;
	free(lowered);
	free(sorted);
	return 0;
}

static int rrset_finish(struct zone *zone, const struct zone_growing *growing, struct zone_rrset *rrset)
{
	struct zone_rdata *records = arena_alloc(zone->arena, growing->set.count, sizeof(*records));
	const struct zone_growing_record *record;
	unsigned int count = 0;

	if (!records)
		return -ENOMEM;
	for (record = growing->first; record; record = record->next)
		records[count++] = record->rdata;
	*rrset = growing->set;
	rrset->records = records;
	return count > 1 ? rrset_unique(rrset, records) : 0;
}

static int node_finish(struct checking *checking, struct zone_node *node)
{
	struct zone_growing *growing;
	struct zone_rrset *rrsets;
	unsigned int count = 0;

	for (growing = node->growing; growing; growing = growing->next)
		count++;
	if (!count)
		return 0;
	rrsets = arena_alloc(checking->zone->arena, count, sizeof(*rrsets));
	if (!rrsets)
		return -ENOMEM;
	count = 0;
	for (growing = node->growing; growing; growing = growing->next)
		if (rrset_finish(checking->zone, growing, &rrsets[count++]))
			return -ENOMEM;
	node->rrsets = rrsets;
	node->rrset_count = count;
	return 0;
}

/* -- checks -- */

static void node_flag(struct checking *checking, struct zone_node *node)
{
	const struct zone_rrset *ns = zone_node_rrset(node, KNOT_RRTYPE_NS);
	const struct zone_rrset *dname = zone_node_rrset(node, KNOT_RRTYPE_DNAME);
	int is_wildcard = node->name[0] == 1 && node->name[1] == '*';
	char text[1024];
	struct place place;

	if (ns && node->parent) {
		place = rrset_place(ns);
		node->flags |= ZONE_NODE_CUT;
		if (is_wildcard)
			faults_error(checking->faults, &place, "%s: a wildcard cannot be a delegation (RFC 4592 4.2)",
				     zone_name_text(node->name, text));
	}
	if (dname) {
		place = rrset_place(dname);
		node->flags |= ZONE_NODE_DNAME;
		if (is_wildcard)
			faults_error(checking->faults, &place, "%s: a wildcard cannot have a DNAME record (RFC 4592 4.4)",
				     zone_name_text(node->name, text));
		if (ns && node->parent)
			faults_error(checking->faults, &place, "%s: DNAME beside NS records below the zone's own name "
				     "(RFC 6672 2.3)", zone_name_text(node->name, text));
	}
}

static void apex_check(struct checking *checking)
{
	const struct zone_node *apex = checking->zone->apex;
	const struct zone_rrset *soa = zone_node_rrset(apex, KNOT_RRTYPE_SOA);
	struct place place = { .file = checking->file };
	char text[1024];

	zone_name_text(apex->name, text);
	if (!soa) {
		faults_error(checking->faults, &place, "the zone %s has no SOA record; write \"%s SOA ns.%s hostmaster.%s "
			     "1 3600 600 604800 300\" or the like", text, text, text, text);
	} else if (soa->count > 1) {
		place = rrset_place(soa);
		faults_error(checking->faults, &place, "the zone %s has %u SOA records; expected one", text, soa->count);
	}
	place = (struct place){ .file = checking->file };
	if (!zone_node_rrset(apex, KNOT_RRTYPE_NS))
		faults_error(checking->faults, &place, "the zone %s has no NS records at its own name; write \"%s NS ns.%s\" "
			     "or the like", text, text, text);
	if (zone_node_rrset(apex, KNOT_RRTYPE_RRSIG)) {
		place = rrset_place(zone_node_rrset(apex, KNOT_RRTYPE_RRSIG));
		faults_warning(checking->faults, &place, "the zone %s is signed, but answers are sent without signatures: "
			       "where its parent has a DS record, resolvers that validate refuse them", text);
	}
}

static int type_stands_beside_cname(uint16_t type)
{
	return type == KNOT_RRTYPE_CNAME || type == KNOT_RRTYPE_RRSIG || type == KNOT_RRTYPE_NSEC ||
	       type == KNOT_RRTYPE_KEY || type == KNOT_RRTYPE_SIG;
}

/* RFC 1034 3.6.2, RFC 2181 10.1, RFC 4035 2.5, RFC 6672 2.4 */
static void node_check_aliases(struct checking *checking, const struct zone_node *node)
{
	const struct zone_rrset *cname = zone_node_rrset(node, KNOT_RRTYPE_CNAME);
	const struct zone_rrset *dname = zone_node_rrset(node, KNOT_RRTYPE_DNAME);
	struct place place;
	char text[1024];

	for (unsigned int i = 0; cname && i < node->rrset_count; i++) {
		if (type_stands_beside_cname(node->rrsets[i].type))
			continue;
		place = rrset_place(cname);
		faults_error(checking->faults, &place, "%s: a CNAME record beside other data (line %u); remove one of them",
			     zone_name_text(node->name, text), node->rrsets[i].line);
		break;
	}
	for (int i = 0; i < 2; i++) {
		const struct zone_rrset *alias = i ? dname : cname;

		if (!alias || alias->count == 1)
			continue;
		place = rrset_place(alias);
		faults_error(checking->faults, &place, "%s: %u %s records; expected one", zone_name_text(node->name, text),
			     alias->count, i ? "DNAME" : "CNAME");
	}
}

static int type_is_seen_at_cut(uint16_t type)
{
	return type == KNOT_RRTYPE_NS || type == KNOT_RRTYPE_DS || type == KNOT_RRTYPE_NSEC || type == KNOT_RRTYPE_RRSIG ||
	       type == KNOT_RRTYPE_A || type == KNOT_RRTYPE_AAAA;
}

/* Records that nobody is ever given: below a DNAME they are forbidden (RFC 6672 2.4), below a delegation only useless. */
static void node_check_hidden(struct checking *checking, const struct zone_node *node)
{
	const struct zone_node *above;
	char text[1024], above_text[1024];
	struct place place;

	if (!node->rrset_count)
		return;
	for (above = node->parent; above; above = above->parent) {
		if (!(above->flags & ZONE_NODE_DNAME))
			continue;
		place = rrset_place(&node->rrsets[0]);
		faults_error(checking->faults, &place, "%s stands below the DNAME record of %s, which redirects it",
			     zone_name_text(node->name, text), zone_name_text(above->name, above_text));
		return;
	}
	for (above = node; above && !(above->flags & ZONE_NODE_CUT); above = above->parent)
		;
	for (unsigned int i = 0; above && i < node->rrset_count; i++) {
		if (type_is_seen_at_cut(node->rrsets[i].type) && (above == node || node->rrsets[i].type != KNOT_RRTYPE_NS))
			continue;
		place = rrset_place(&node->rrsets[i]);
		faults_warning(checking->faults, &place, "%s: hidden by the delegation of %s; only addresses of name servers "
			       "may stand there", zone_name_text(node->name, text),
			       zone_name_text(above->name, above_text));
	}
}
