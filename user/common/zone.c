// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <libknot/dname.h>
#include <stdlib.h>
#include <string.h>

#include "maps/wire.h"
#include "user/common/zone_tree.h"

#define ZONE_SLOTS_FIRST 8
#define HASH_ROOT 2166136261u

/* -- look-ups -- */

/* Label offsets of a name, the leftmost first, without the root. Returns how many. */
static unsigned int name_labels(const uint8_t *name, uint8_t offsets[NAME_LABELS_MAX])
{
	unsigned int count = 0, at = 0;

	while (name[at] && count < NAME_LABELS_MAX) {
		offsets[count++] = at;
		at += name[at] + 1;
	}
	return count;
}

/* A child's hash is its label's octets after its parent's hash (FNV-1a): the data are the operator's, not a client's. */
static uint32_t label_hash(uint32_t parent_hash, const uint8_t *label)
{
	uint32_t hash = parent_hash;

	for (unsigned int i = 0; i <= label[0]; i++)
		hash = (hash ^ label[i]) * 16777619u;
	return hash;
}

static struct zone_node *zone_child(const struct zone *zone, const struct zone_node *parent, const uint8_t *label)
{
	uint32_t hash = label_hash(parent->hash, label);
	struct zone_node *node = zone->slots[hash & (zone->slot_count - 1)];

	for (; node; node = node->chain)
		if (node->hash == hash && node->parent == parent && node->name[0] == label[0] &&
		    !memcmp(node->name, label, label[0] + 1u))
			return node;
	return NULL;
}

/*
 * Goes down from the apex as far as the name's nodes exist, or to where the zone's authority ends (RFC 1034 4.3.2), unless
 * it is to go past that.
 */
static enum zone_match zone_descend(const struct zone *zone, const uint8_t *name, int goes_past, struct zone_found *found)
{
	static const uint8_t star[] = { 1, '*' };
	const struct zone_node *node = zone->apex, *below;
	uint8_t offsets[NAME_LABELS_MAX];
	unsigned int left;

	found->node = NULL;
	found->encloser = NULL;
	if (!zone_name_within(name, zone->apex->name))
		return ZONE_OUTSIDE;
	for (left = name_labels(name, offsets) - zone->labels; left; left--) {
		found->node = node;
		if (node->flags & ZONE_NODE_DNAME && !goes_past)
			return ZONE_DNAME;
		below = zone_child(zone, node, name + offsets[left - 1]);
		if (!below) {
			found->encloser = node;
			found->node = zone_child(zone, node, star);
			return found->node ? ZONE_WILDCARD : ZONE_MISSING;
		}
		node = below;
		if (node->flags & ZONE_NODE_CUT && !goes_past) {
			found->node = node;
			return ZONE_CUT;
		}
	}
	found->node = node;
	return ZONE_FOUND;
}

enum zone_match zone_find(const struct zone *zone, const uint8_t *name, struct zone_found *found)
{
	return zone_descend(zone, name, 0, found);
}

const struct zone_node *zone_glue(const struct zone *zone, const uint8_t *name)
{
	struct zone_found found;

	zone_descend(zone, name, 1, &found);
	return found.node;
}

const struct zone_node *zone_node(const struct zone *zone, const uint8_t *name)
{
	const struct zone_node *node = zone->apex;
	uint8_t offsets[NAME_LABELS_MAX];
	unsigned int left;

	if (!zone_name_within(name, node->name))
		return NULL;
	for (left = name_labels(name, offsets) - zone->labels; left && node; left--)
		node = zone_child(zone, node, name + offsets[left - 1]);
	return node;
}

const struct zone_rrset *zone_node_rrset(const struct zone_node *node, uint16_t type)
{
	for (unsigned int i = 0; node && i < node->rrset_count; i++)
		if (node->rrsets[i].type == type)
			return &node->rrsets[i];
	return NULL;
}

const struct zone_rrset *zone_rrset(const struct zone *zone, const uint8_t *name, uint16_t type)
{
	return zone_node_rrset(zone_node(zone, name), type);
}

const struct zone_node *zone_next(const struct zone_node *node)
{
	return node->next;
}

const struct zone_node *zone_apex(const struct zone *zone)
{
	return zone->apex;
}

/* -- making -- */

struct zone *zone_new(const uint8_t *origin)
{
	struct zone *zone = calloc(1, sizeof(*zone));
	uint8_t offsets[NAME_LABELS_MAX];

	if (!zone)
		return NULL;
	zone->last = &zone->apex;
	zone->labels = name_labels(origin, offsets);
	zone->slot_count = ZONE_SLOTS_FIRST;
	zone->slots = calloc(zone->slot_count, sizeof(zone->slots[0]));
	zone->arena = arena_new();
	if (!zone->slots || !zone->arena || !zone_node_make(zone, origin)) {
		zone_free(zone);
		return NULL;
	}
	return zone;
}

struct zone *zone_make(const uint8_t *origin, uint32_t ttl, const uint8_t *soa, uint16_t length)
{
	struct zone *zone = zone_new(origin);
	struct zone_rdata *record = zone ? arena_alloc(zone->arena, 1, sizeof(*record)) : NULL;
	struct zone_rrset *set = record ? arena_alloc(zone->arena, 1, sizeof(*set)) : NULL;

	if (!set || !(record->octets = arena_octets(zone->arena, soa, length))) {
		zone_free(zone);
		return NULL;
	}
	record->length = length;
	*set = (struct zone_rrset){ .type = TYPE_SOA, .count = 1, .ttl = ttl, .records = record, .file = "" };
	zone->apex->rrsets = set;
	zone->apex->rrset_count = 1;
	return zone;
}

void zone_free(struct zone *zone)
{
	if (!zone)
		return;
	arena_free(zone->arena);
	arena_free(zone->growing);
	free(zone->slots);
	free(zone);
}

/* Twice the slots. Without memory the chains just grow longer. */
static void zone_rehash(struct zone *zone)
{
	size_t count = zone->slot_count * 2;
	struct zone_node **slots = calloc(count, sizeof(slots[0])), *node;

	if (!slots)
		return;
	for (node = zone->apex; node; node = node->next) {
		struct zone_node **slot = &slots[node->hash & (count - 1)];

		node->chain = *slot;
		*slot = node;
	}
	free(zone->slots);
	zone->slots = slots;
	zone->slot_count = count;
}

static struct zone_node *zone_node_add(struct zone *zone, const struct zone_node *parent, const uint8_t *name)
{
	struct zone_node *node = arena_alloc(zone->arena, 1, sizeof(*node)), **slot;
	size_t length = zone_name_length(name);

	if (!node || !(node->name = arena_octets(zone->arena, name, length)))
		return NULL;
	node->name_length = length;
	node->parent = parent;
	node->hash = parent ? label_hash(parent->hash, name) : HASH_ROOT;
	slot = &zone->slots[node->hash & (zone->slot_count - 1)];
	node->chain = *slot;
	*slot = node;
	*zone->last = node;
	zone->last = &node->next;
	if (++zone->node_count > zone->slot_count)
		zone_rehash(zone);
	return node;
}

struct zone_node *zone_node_make(struct zone *zone, const uint8_t *name)
{
	struct zone_node *node = zone->apex, *below;
	uint8_t offsets[NAME_LABELS_MAX];
	unsigned int left;

	if (!node)
		return zone_node_add(zone, NULL, name);
	for (left = name_labels(name, offsets) - zone->labels; left; left--) {
		below = zone_child(zone, node, name + offsets[left - 1]);
		if (!below)
			below = zone_node_add(zone, node, name + offsets[left - 1]);
		if (!below)
			return NULL;
		node = below;
	}
	return node;
}

int zone_add_service(struct zone *zone, const uint8_t *name)
{
	struct zone_node *node;

	if (!zone_name_within(name, zone->apex->name))
		return -EDOM;
	node = zone_node_make(zone, name);
	if (!node)
		return -ENOMEM;
	node->flags |= ZONE_NODE_SERVICE;
	return 0;
}

/* -- sets -- */

struct zone_set {
	struct zone **slots;	/* by hash of the origin */
	size_t slot_count;	/* a power of two, or 0 */
	size_t count;
	unsigned int labels_max;	/* of any origin */
};

struct zone_set *zone_set_new(void)
{
	return calloc(1, sizeof(struct zone_set));
}

void zone_set_free(struct zone_set *set)
{
	struct zone *zone, *next;

	if (!set)
		return;
	for (size_t i = 0; i < set->slot_count; i++) {
		for (zone = set->slots[i]; zone; zone = next) {
			next = zone->chain;
			zone_free(zone);
		}
	}
	free(set->slots);
	free(set);
}

static int zone_has_origin(const struct zone *zone, const uint8_t *origin)
{
	size_t length = zone_name_length(origin);

	return zone->apex->name_length == length && !memcmp(zone->apex->name, origin, length);
}

/* The closest is the one with the most labels. Suffixes are hashed from the root on, and tried the other way round. */
struct zone *zone_set_find(const struct zone_set *set, const uint8_t *name)
{
	uint32_t hashes[NAME_LABELS_MAX + 1];
	uint8_t offsets[NAME_LABELS_MAX + 1];
	unsigned int count = name_labels(name, offsets), labels;
	struct zone *zone;

	if (!set->count)
		return NULL;
	offsets[count] = zone_name_length(name) - 1;	/* the root */
	hashes[0] = HASH_ROOT;
	for (labels = 1; labels <= count && labels <= set->labels_max; labels++)
		hashes[labels] = label_hash(hashes[labels - 1], name + offsets[count - labels]);
	while (labels--) {
		for (zone = set->slots[hashes[labels] & (set->slot_count - 1)]; zone; zone = zone->chain)
			if (zone->hash == hashes[labels] && zone_has_origin(zone, name + offsets[count - labels]))
				return zone;
	}
	return NULL;
}

static void zone_set_insert(struct zone_set *set, struct zone *zone)
{
	struct zone **slot = &set->slots[zone->hash & (set->slot_count - 1)];

	zone->chain = *slot;
	*slot = zone;
}

static int zone_set_grow(struct zone_set *set)
{
	struct zone **slots = set->slots, *zone, *next;
	size_t count = set->slot_count;

	set->slot_count = count ? count * 2 : ZONE_SLOTS_FIRST;
	set->slots = calloc(set->slot_count, sizeof(set->slots[0]));
	if (!set->slots) {
		set->slots = slots;
		set->slot_count = count;
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		for (zone = slots[i]; zone; zone = next) {
			next = zone->chain;
			zone_set_insert(set, zone);
		}
	}
	free(slots);
	return 0;
}

int zone_set_add(struct zone_set *set, struct zone *zone)
{
	const uint8_t *origin = zone->apex->name;
	struct zone *closest = zone_set_find(set, origin);
	uint8_t offsets[NAME_LABELS_MAX];
	unsigned int labels = name_labels(origin, offsets);

	if (closest && closest->labels == labels)
		return -EEXIST;
	if (set->count == set->slot_count && zone_set_grow(set))
		return -ENOMEM;
	zone->hash = HASH_ROOT;
	for (unsigned int i = labels; i; i--)
		zone->hash = label_hash(zone->hash, origin + offsets[i - 1]);
	zone_set_insert(set, zone);
	set->count++;
	if (labels > set->labels_max)
		set->labels_max = labels;
	return 0;
}

size_t zone_set_count(const struct zone_set *set)
{
	return set->count;
}

/* -- names -- */

size_t zone_name_length(const uint8_t *name)
{
	size_t at = 0;

	while (name[at])
		at += name[at] + 1;
	return at + 1;
}

size_t zone_name_lower(uint8_t lowered[256], const uint8_t *name)
{
	size_t length = zone_name_length(name);

	for (size_t i = 0; i < length; i++)	/* label lengths lie below 'A' */
		lowered[i] = name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i];
	return length;
}

int zone_name_within(const uint8_t *name, const uint8_t *ancestor)
{
	size_t length = zone_name_length(name), ancestor_length = zone_name_length(ancestor), at = 0;

	if (ancestor_length > length)
		return 0;
	while (length - at > ancestor_length)
		at += name[at] + 1;
	return length - at == ancestor_length && !memcmp(name + at, ancestor, ancestor_length);
}

int zone_name_parse(const char *text, uint8_t name[256])
{
	if (!*text || !knot_dname_from_str(name, text, KNOT_DNAME_MAXLEN))
		return -EINVAL;
	knot_dname_to_lower(name);
	return 0;
}

const char *zone_name_text(const uint8_t *name, char text[1024])
{
	if (!knot_dname_to_str(text, name, 1024))
		strcpy(text, "?");
	return text;
}
