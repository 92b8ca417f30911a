/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What one slot of a keyed table (addresses, names, topologies) holds, as a sorted array in memory, and the system
 * calls between such an array and the map. Tables differ in sizes only: a row is the key's octets, then the value's.
 */
#ifndef ECSDNS_CONTROLLER_ROWS_H
#define ECSDNS_CONTROLLER_ROWS_H

#include <stddef.h>
#include <stdint.h>

struct rows {
	uint32_t key_octets;
	uint32_t value_octets;
	uint8_t *octets;	/* count rows */
	size_t count;
	size_t room;		/* rows allocated */
};

/* The rows by which two contents of a slot differ: positions, ascending. A changed row is in both lists. */
struct rows_difference {
	uint32_t *gone;		/* in the old rows */
	size_t gone_count;
	uint32_t *fresh;	/* in the new ones */
	size_t fresh_count;
};

void rows_init(struct rows *rows, uint32_t key_octets, uint32_t value_octets);
void rows_free(struct rows *rows);

/* Makes room for `count` rows in all. 0 or -ENOMEM. */
int rows_reserve(struct rows *rows, size_t count);

/* Appends a row; key and value are copied. 0 or -ENOMEM. */
int rows_add(struct rows *rows, const void *key, const void *value);

/* Sorts into the order that rows_compare() wants; cheap for rows that were added in order. */
void rows_sort(struct rows *rows);

const uint8_t *rows_key(const struct rows *rows, size_t at);
const uint8_t *rows_value(const struct rows *rows, size_t at);

/* Both sorted. 0 or -ENOMEM; the caller frees with rows_difference_free(). */
int rows_compare(const struct rows *old, const struct rows *fresh, struct rows_difference *difference);
void rows_difference_free(struct rows_difference *difference);

/*
 * Reads a whole map and hands each row to its slot: slots[n] for a key whose slot number, `slot_octets` (2 or 4)
 * octets at `slot_at`, is n. Rows of other slots are none of ours. Sorted. 0 or -errno, with partial contents.
 */
int rows_read(int map, uint32_t slot_at, uint32_t slot_octets, struct rows slots[2]);

/* Deletes, or writes, rows of a map by position; `done` counts those that were. 0 or -errno. */
int rows_delete(int map, const struct rows *rows, const uint32_t *at, size_t count, size_t *done);
int rows_write(int map, const struct rows *rows, const uint32_t *at, size_t count, size_t *done);

/* Looks up every row written and compares. 0, -EIO if one differs, or -errno. */
int rows_verify(int map, const struct rows *rows, const uint32_t *at, size_t count);

/* Every row of `gone` that is not in `fresh` (both sorted) must be absent. 0, -EIO, or -errno. */
int rows_verify_gone(int map, const struct rows *old, const struct rows *fresh,
		     const struct rows_difference *difference);

#endif
