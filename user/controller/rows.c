// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "user/controller/rows.h"

/* Rows of one batch: large enough that system calls do not count, small enough to stay in the cache. */
#define BATCH_ROWS 4096
/* The longest key and value of a keyed table. */
#define ROW_OCTETS_MAX 512

void rows_init(struct rows *rows, uint32_t key_octets, uint32_t value_octets)
{
	memset(rows, 0, sizeof(*rows));
	rows->key_octets = key_octets;
	rows->value_octets = value_octets;
}

void rows_free(struct rows *rows)
{
	free(rows->octets);
	rows_init(rows, rows->key_octets, rows->value_octets);
}

static size_t rows_stride(const struct rows *rows)
{
	return rows->key_octets + rows->value_octets;
}

const uint8_t *rows_key(const struct rows *rows, size_t at)
{
	return rows->octets + at * rows_stride(rows);
}

const uint8_t *rows_value(const struct rows *rows, size_t at)
{
	return rows_key(rows, at) + rows->key_octets;
}

int rows_reserve(struct rows *rows, size_t count)
{
	uint8_t *octets;

	if (count <= rows->room)
		return 0;
	octets = reallocarray(rows->octets, count, rows_stride(rows));
	if (!octets)
		return -ENOMEM;
	rows->octets = octets;
	rows->room = count;
	return 0;
}

int rows_add(struct rows *rows, const void *key, const void *value)
{
	uint8_t *row;

	if (rows->count == rows->room && rows_reserve(rows, rows->room ? rows->room * 2 : 64))
		return -ENOMEM;
	row = rows->octets + rows->count++ * rows_stride(rows);
	memcpy(row, key, rows->key_octets);
	memcpy(row + rows->key_octets, value, rows->value_octets);
	return 0;
}

/*
 * The first four octets count last: in an LPM key they are the prefix length, so that a topology's rows are in order
 * of address and then length, as the topology compiler makes them.
 */
static int rows_order(const void *one, const void *other, void *key_octets)
{
	int order = memcmp((const uint8_t *)one + 4, (const uint8_t *)other + 4, *(uint32_t *)key_octets - 4);

	return order ? order : memcmp(one, other, 4);
}

void rows_sort(struct rows *rows)
{
	size_t i;

	for (i = 1; i < rows->count; i++)
		if (rows_order(rows_key(rows, i - 1), rows_key(rows, i), &rows->key_octets) > 0)
			break;
	if (i < rows->count)
		qsort_r(rows->octets, rows->count, rows_stride(rows), rows_order, &rows->key_octets);
}

int rows_compare(const struct rows *old, const struct rows *fresh, struct rows_difference *difference)
{
	size_t i = 0, j = 0;

	memset(difference, 0, sizeof(*difference));
	difference->gone = calloc(old->count + 1, sizeof(*difference->gone));
	difference->fresh = calloc(fresh->count + 1, sizeof(*difference->fresh));
	if (!difference->gone || !difference->fresh) {
		rows_difference_free(difference);
		return -ENOMEM;
	}
	while (i < old->count || j < fresh->count) {
		uint32_t key_octets = fresh->key_octets;
		int order = i == old->count ? 1 : j == fresh->count ? -1 :
			    rows_order(rows_key(old, i), rows_key(fresh, j), &key_octets);
		int same = !order && !memcmp(rows_value(old, i), rows_value(fresh, j), fresh->value_octets);

		if (order <= 0 && !same)
			difference->gone[difference->gone_count++] = i;
		if (order >= 0 && !same)
			difference->fresh[difference->fresh_count++] = j;
		i += order <= 0;
		j += order >= 0;
	}
	return 0;
}

void rows_difference_free(struct rows_difference *difference)
{
	free(difference->gone);
	free(difference->fresh);
	memset(difference, 0, sizeof(*difference));
}

static int rows_take(uint32_t slot_at, uint32_t slot_octets, struct rows slots[2], const uint8_t *key,
		     const uint8_t *value)
{
	uint32_t slot = 0;

	memcpy(&slot, key + slot_at, slot_octets);
	return slot < 2 ? rows_add(&slots[slot], key, value) : 0;
}

int rows_read(int map, uint32_t slot_at, uint32_t slot_octets, struct rows slots[2])
{
	uint32_t key_octets = slots[0].key_octets, value_octets = slots[0].value_octets, count, i, room = BATCH_ROWS;
	uint8_t *keys = calloc(room, key_octets), *values = calloc(room, value_octets);
	uint8_t from[ROW_OCTETS_MAX], to[ROW_OCTETS_MAX];
	int first = 1, fault, stored = 0;

	do {
		if (!keys || !values) {
			fault = -ENOMEM;
			break;
		}
		count = room;
		fault = bpf_map_lookup_batch(map, first ? NULL : from, to, keys, values, &count, NULL);
		if (fault == -ENOSPC) {		/* one bucket of a hash holds more rows than there is room for */
			room *= 2;
			free(keys);
			free(values);
			keys = calloc(room, key_octets);
			values = calloc(room, value_octets);
			continue;
		}
		if (fault && fault != -ENOENT)
			break;
		for (i = 0; i < count && !stored; i++)
			stored = rows_take(slot_at, slot_octets, slots, keys + (size_t)i * key_octets,
					   values + (size_t)i * value_octets);
		memcpy(from, to, sizeof(from));
		first = 0;
	} while (!stored && fault != -ENOENT);
	free(keys);
	free(values);
	rows_sort(&slots[0]);
	rows_sort(&slots[1]);
	return stored ? stored : fault == -ENOENT ? 0 : fault;
}

/* Rows by position -> the two arrays a batch call takes. Returns how many. */
static uint32_t rows_batch(const struct rows *rows, const uint32_t *at, size_t count, uint8_t *keys, uint8_t *values)
{
	uint32_t i, batch = count < BATCH_ROWS ? count : BATCH_ROWS;

	for (i = 0; i < batch; i++) {
		memcpy(keys + (size_t)i * rows->key_octets, rows_key(rows, at[i]), rows->key_octets);
		memcpy(values + (size_t)i * rows->value_octets, rows_value(rows, at[i]), rows->value_octets);
	}
	return batch;
}

static int rows_apply(int map, const struct rows *rows, const uint32_t *at, size_t count, size_t *done, int write)
{
	uint8_t *keys = calloc(BATCH_ROWS, rows->key_octets), *values = calloc(BATCH_ROWS, rows->value_octets);
	int fault = keys && values ? 0 : -ENOMEM;
	uint32_t batch;

	*done = 0;
	while (!fault && *done < count) {
		batch = rows_batch(rows, at + *done, count - *done, keys, values);
		fault = write ? bpf_map_update_batch(map, keys, values, &batch, NULL) :
				bpf_map_delete_batch(map, keys, &batch, NULL);
		*done += batch;
	}
	free(keys);
	free(values);
	return fault;
}

int rows_delete(int map, const struct rows *rows, const uint32_t *at, size_t count, size_t *done)
{
	return rows_apply(map, rows, at, count, done, 0);
}

int rows_write(int map, const struct rows *rows, const uint32_t *at, size_t count, size_t *done)
{
	return rows_apply(map, rows, at, count, done, 1);
}

int rows_verify(int map, const struct rows *rows, const uint32_t *at, size_t count)
{
	uint8_t value[ROW_OCTETS_MAX];
	size_t i;
	int fault;

	for (i = 0; i < count; i++) {
		fault = bpf_map_lookup_elem(map, rows_key(rows, at[i]), value);
		if (fault)
			return fault;
		if (memcmp(value, rows_value(rows, at[i]), rows->value_octets))
			return -EIO;
	}
	return 0;
}

/*
 * A look-up cannot tell: in an LPM trie it falls back to a shorter prefix. Deleting once more can: nothing may be there.
 */
int rows_verify_gone(int map, const struct rows *old, const struct rows *fresh,
		     const struct rows_difference *difference)
{
	uint32_t key_octets = old->key_octets;
	size_t i, j = 0;
	int fault;

	for (i = 0; i < difference->gone_count; i++) {
		const uint8_t *key = rows_key(old, difference->gone[i]);

		while (j < difference->fresh_count &&
		       rows_order(rows_key(fresh, difference->fresh[j]), key, &key_octets) < 0)
			j++;
		if (j < difference->fresh_count &&
		    !rows_order(rows_key(fresh, difference->fresh[j]), key, &key_octets))
			continue;	/* changed: written anew */
		fault = bpf_map_delete_elem(map, key);
		if (fault != -ENOENT)
			return fault ? fault : -EIO;
	}
	return 0;
}
