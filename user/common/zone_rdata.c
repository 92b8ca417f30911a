// SPDX-License-Identifier: GPL-3.0-or-later
/* Data of records as libknot's descriptors see them: a row of items, some of which are names. */
#include <libknot/descriptor.h>
#include <libknot/dname.h>
#include <string.h>

#include "user/common/zone_tree.h"

/* One item after the other: for (struct items items = items_of(type, octets, length); items_next(&items); ). */
struct items {
	const int *kinds;		/* KNOT_RDATA_WF_*, or octets */
	const uint8_t *next, *end;
	const uint8_t *at;		/* the item; null if it runs past the end */
	uint32_t length;
};

static struct items items_of(uint16_t type, const uint8_t *octets, uint16_t length)
{
	const knot_rdata_descriptor_t *descriptor = knot_get_rdata_descriptor(type);
	static const uint8_t nothing;

	if (!descriptor->type_name)
		descriptor = knot_get_obsolete_rdata_descriptor(type);
	if (!length)
		octets = &nothing;	/* RFC 3597 5: data of no octets, which then stand nowhere */
	return (struct items){ .kinds = descriptor->block_types, .next = octets, .end = octets + length };
}

static int kind_is_name(int kind)
{
	return kind == KNOT_RDATA_WF_FIXED_DNAME || kind == KNOT_RDATA_WF_COMPRESSIBLE_DNAME ||
	       kind == KNOT_RDATA_WF_DECOMPRESSIBLE_DNAME;
}

/* Octets of an item of this kind, or -1 if it runs past `end`. */
static int item_length(int kind, const uint8_t *at, const uint8_t *end)
{
	int length = 4, strings;

	if (kind_is_name(kind)) {
		length = knot_dname_wire_check(at, end, NULL);
		return length > 0 ? length : -1;
	}
	switch (kind) {
	case KNOT_RDATA_WF_NAPTR_HEADER:
		for (strings = 0; strings < 3; strings++)
			length += at + length < end ? at[length] + 1 : 65536;
		return at + length <= end ? length : -1;
	case KNOT_RDATA_WF_REMAINDER:
		return end - at;
	default:
		return kind <= end - at ? kind : -1;
	}
}

static int items_next(struct items *items)
{
	int kind = *items->kinds, length;

	if (kind == KNOT_RDATA_WF_END)
		return 0;
	items->kinds++;
	length = item_length(kind, items->next, items->end);
	items->at = length < 0 ? NULL : items->next;
	items->length = length < 0 ? 0 : length;
	items->next += items->length;
	return 1;
}

int zone_rdata_is_sound(uint16_t type, const uint8_t *octets, uint16_t length)
{
	struct items items = items_of(type, octets, length);

	while (items_next(&items))
		if (!items.at)
			return 0;
	return items.next == items.end;
}

int zone_rdata_has_names(uint16_t type)
{
	struct items items = items_of(type, NULL, 0);

	for (; *items.kinds != KNOT_RDATA_WF_END; items.kinds++)
		if (kind_is_name(*items.kinds))
			return 1;
	return 0;
}

void zone_rdata_lower(uint16_t type, uint8_t *lowered, const uint8_t *octets, uint16_t length)
{
	struct items items = items_of(type, octets, length);
	int kind = *items.kinds;

	for (; items_next(&items); kind = *items.kinds) {
		if (kind_is_name(kind))
			zone_name_lower(lowered + (items.at - octets), items.at);
		else
			memcpy(lowered + (items.at - octets), items.at, items.length);
	}
}
