// SPDX-License-Identifier: GPL-3.0-or-later
/* Zone data, record by record. */
#include "user/controller/diff.h"

#include <libknot/libknot.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_TEXT_OCTETS 4096		/* longer ones are cut in the list; counted they are all the same */

struct records_change {
	json_int_t added, removed;
	struct diff_list list;
};

static void record_change(struct records_change *change, const struct zone_node *node, const struct zone_rrset *set,
			  const struct zone_rdata *record, bool is_added)
{
	char owner[KNOT_DNAME_TXT_MAXLEN + 1] = "", type[32] = "", data[RECORD_TEXT_OCTETS] = "";
	knot_rrset_t text;

	*(is_added ? &change->added : &change->removed) += 1;
	if (!diff_list_has_room(&change->list))
		return;
	knot_dname_to_str(owner, node->name, sizeof(owner));
	knot_rrtype_to_string(set->type, type, sizeof(type));
	knot_rrset_init(&text, (knot_dname_t *)node->name, set->type, KNOT_CLASS_IN, set->ttl);
	if (knot_rrset_add_rdata(&text, record->octets, record->length, NULL) ||
	    knot_rrset_txt_dump_data(&text, 0, data, sizeof(data), &KNOT_DUMP_STYLE_DEFAULT) < 0)
		strcpy(data, "...");
	knot_rdataset_clear(&text.rrs, NULL);
	diff_list_add(&change->list, json_pack("{s:s, s:o}", "change", is_added ? "added" : "removed", "record",
					       json_sprintf("%s %u %s %s", owner, set->ttl, type,
							    data)));
}

/* -- record sets: sorted by data, and then side by side -- */

static int record_order(const void *left, const void *right)
{
	const struct zone_rdata *a = *(const struct zone_rdata *const *)left, *b = *(const struct zone_rdata *const *)right;
	size_t shorter = a->length < b->length ? a->length : b->length;
	int order = shorter ? memcmp(a->octets, b->octets, shorter) : 0;

	return order ? order : (int)a->length - (int)b->length;
}

/* The caller frees it. Null without memory. */
static const struct zone_rdata **records_sorted(const struct zone_rrset *set)
{
	const struct zone_rdata **records = calloc(set->count, sizeof(*records));

	for (size_t i = 0; records && i < set->count; i++)
		records[i] = &set->records[i];
	if (records)
		qsort(records, set->count, sizeof(*records), record_order);
	return records;
}

static void set_all(struct records_change *change, const struct zone_node *node, const struct zone_rrset *set, bool is_added)
{
	for (size_t i = 0; i < set->count; i++)
		record_change(change, node, set, &set->records[i], is_added);
}

/* A TTL is part of every record of its set. False without memory. */
static bool set_compare(struct records_change *change, const struct zone_node *node, const struct zone_rrset *before,
			const struct zone_rrset *after)
{
	const struct zone_rdata **was, **is;
	size_t i = 0, j = 0;
	int order;

	if (before->ttl != after->ttl) {
		set_all(change, node, before, false);
		set_all(change, node, after, true);
		return true;
	}
	was = records_sorted(before);
	is = records_sorted(after);
	while (was && is && (i < before->count || j < after->count)) {
		order = i == before->count ? 1 : j == after->count ? -1 : record_order(&was[i], &is[j]);
		if (order < 0)
			record_change(change, node, before, was[i], false);
		if (order > 0)
			record_change(change, node, after, is[j], true);
		i += order <= 0;
		j += order >= 0;
	}
	free(was);
	free(is);
	return was && is;
}

/* -- names -- */

/* Those of `node` that `other`, its zone's counterpart, does not have or has otherwise. False without memory. */
static bool node_compare(struct records_change *change, const struct zone_node *node, const struct zone *other,
			 bool is_before)
{
	const struct zone_node *twin = other ? zone_node(other, node->name) : NULL;
	bool is_whole = true;

	for (size_t i = 0; i < node->rrset_count && is_whole; i++) {
		const struct zone_rrset *set = &node->rrsets[i];
		const struct zone_rrset *counterpart = twin ? zone_node_rrset(twin, set->type) : NULL;

		if (!counterpart)
			set_all(change, node, set, !is_before);
		else if (is_before)
			is_whole = set_compare(change, node, set, counterpart);
	}
	return is_whole;
}

static bool zone_compare(struct records_change *change, const struct zone *zone, const struct zone *other, bool is_before)
{
	bool is_whole = true;

	for (const struct zone_node *node = zone ? zone_apex(zone) : NULL; node && is_whole; node = zone_next(node))
		is_whole = node_compare(change, node, other, is_before);
	return is_whole;
}

/* -- zones -- */

static const struct zone *zone_of(const struct generation *generation, uint32_t number)
{
	return number == CONFIG_NONE ? NULL :
		zone_set_find(generation->zones, generation->config->zones[number].origin.name);
}

/* RFC 1035 3.3.13: behind the two names, and 16 octets follow. Null without a zone. */
static json_t *zone_serial(const struct zone *zone, uint32_t *serial)
{
	const struct zone_rdata *soa;
	const uint8_t *at;

	if (!zone)
		return json_null();
	soa = zone_node_rrset(zone_apex(zone), KNOT_RRTYPE_SOA)->records;
	at = soa->octets + soa->length - 20;
	*serial = (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
	return json_integer(*serial);
}

/* Null: nothing has changed, or no memory, and then *is_whole is false. */
static json_t *zone_json(const char *name, const struct zone *before, const struct zone *after, size_t limit, bool *is_whole)
{
	struct records_change change = {.list = diff_list(limit)};
	uint32_t old = 0, new = 0;
	json_t *result;

	*is_whole = zone_compare(&change, before, after, true) && zone_compare(&change, after, before, false);
	if (!*is_whole || (before && after && !change.added && !change.removed)) {
		json_decref(change.list.list);
		return NULL;
	}
	result = json_pack("{s:s, s:s, s:o, s:o}", "zone", name, "change", !before ? "added" : !after ? "removed" : "changed",
			   "serial_before", zone_serial(before, &old), "serial_after", zone_serial(after, &new));
	/* RFC 1982 3.2 */
	json_object_set_new(result, "serial_grew", json_boolean(!before || !after || (int32_t)(new - old) > 0));
	json_object_set_new(result, "records_added", json_integer(change.added));
	json_object_set_new(result, "records_removed", json_integer(change.removed));
	diff_list_end(&change.list, result);
	return result;
}

json_t *diff_zones(const struct generation *before, const struct generation *after, size_t limit, bool *changed)
{
	const struct config *was = before->config, *is = after->config;
	json_t *list = json_array(), *zone;
	struct diff_pairs pairs;
	bool is_whole = true;

	if (diff_pairs(&pairs, describe_zone_name, was->zone_count, was, is->zone_count, is))
		return NULL;
	for (size_t i = 0; i < pairs.count && is_whole; i++) {
		zone = zone_json(pairs.list[i].name, zone_of(before, pairs.list[i].before), zone_of(after, pairs.list[i].after),
				 limit, &is_whole);
		if (zone)
			json_array_append_new(list, zone);
	}
	free(pairs.list);
	*changed = *changed || json_array_size(list);
	if (is_whole)
		return list;
	json_decref(list);
	return NULL;
}
