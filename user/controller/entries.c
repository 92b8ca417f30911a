// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/answers.h"
#include "user/controller/entries.h"

struct entry {
	uint32_t references;
	uint32_t hash;
	uint32_t same_bucket;		/* the next; 0: none */
	uint32_t before, behind;	/* in the queue of its state */
	uint8_t state;
};

int entries_init(struct entries *entries, struct tables *tables, uint32_t slot)
{
	uint32_t half = tables->entries[TABLE_answers] / GENERATION_SLOTS, buckets = 64;

	memset(entries, 0, sizeof(*entries));
	while (buckets < half)
		buckets *= 2;
	entries->tables = tables;
	entries->base = half * slot;
	entries->count = half;
	entries->fresh = 1;
	entries->counts[ENTRY_FRESH] = half ? half - 1 : 0;
	entries->bucket_mask = buckets - 1;
	entries->list = calloc(half + 1, sizeof(*entries->list));
	entries->buckets = calloc(buckets, sizeof(*entries->buckets));
	if (entries->list && entries->buckets)
		return 0;
	entries_free(entries);
	return -ENOMEM;
}

void entries_free(struct entries *entries)
{
	free(entries->list);
	free(entries->buckets);
	memset(entries, 0, sizeof(*entries));
}

static struct answer *entry_answer(const struct entries *entries, uint32_t at)
{
	return &entries->tables->answers[entries->base + at];
}

/* -- queues: first left, first free, so that what flaps keeps its contents for long -- */

static void queue_put(struct entries *entries, uint32_t at, enum entry_state state)
{
	struct entry *entry = &entries->list[at];

	entry->state = state;
	entry->behind = 0;
	entry->before = entries->last[state];
	if (entry->before)
		entries->list[entry->before].behind = at;
	else
		entries->first[state] = at;
	entries->last[state] = at;
	entries->counts[state]++;
}

static void queue_take(struct entries *entries, uint32_t at)
{
	struct entry *entry = &entries->list[at];

	entries->counts[entry->state]--;
	*(entry->before ? &entries->list[entry->before].behind : &entries->first[entry->state]) = entry->behind;
	*(entry->behind ? &entries->list[entry->behind].before : &entries->last[entry->state]) = entry->before;
}

static uint32_t queue_move(struct entries *entries, enum entry_state from, enum entry_state to)
{
	uint32_t moved = 0, at;

	for (at = entries->first[from]; at; at = entries->first[from], moved++) {
		queue_take(entries, at);
		queue_put(entries, at, to);
	}
	return moved;
}

/* -- contents -- */

static void bucket_put(struct entries *entries, uint32_t at, uint32_t hash)
{
	uint32_t *bucket = &entries->buckets[hash & entries->bucket_mask];

	entries->list[at].hash = hash;
	entries->list[at].same_bucket = *bucket;
	*bucket = at;
}

static void bucket_take(struct entries *entries, uint32_t at)
{
	uint32_t *link = &entries->buckets[entries->list[at].hash & entries->bucket_mask];

	while (*link != at)
		link = &entries->list[*link].same_bucket;
	*link = entries->list[at].same_bucket;
}

static uint32_t bucket_find(const struct entries *entries, const struct answer *answer, uint32_t hash)
{
	uint32_t at = entries->buckets[hash & entries->bucket_mask];

	while (at && (entries->list[at].hash != hash || memcmp(entry_answer(entries, at), answer, sizeof(*answer))))
		at = entries->list[at].same_bucket;
	return at;
}

/* -- use -- */

static void entry_use(struct entries *entries, uint32_t at)
{
	struct entry *entry = &entries->list[at];

	if (!entry->references++) {
		if (entry->state != ENTRY_FRESH)
			queue_take(entries, at);
		else
			entries->counts[ENTRY_FRESH]--;
		entry->state = ENTRY_USED;
		entries->counts[ENTRY_USED]++;
	}
	/* Those below the last one in use that nobody uses were never used in this generation either: they are free. */
	for (; entries->fresh <= at; entries->fresh++)
		if (entries->fresh < at) {
			entries->counts[ENTRY_FRESH]--;
			bucket_put(entries, entries->fresh, (uint32_t)answer_hash(entry_answer(entries, entries->fresh)));
			queue_put(entries, entries->fresh, ENTRY_FREE);
		}
}

int entries_hold(struct entries *entries, uint32_t number)
{
	uint32_t at = number - entries->base;

	if (number <= entries->base || at >= entries->count)
		return -ERANGE;
	if (at >= entries->fresh)
		bucket_put(entries, at, (uint32_t)answer_hash(entry_answer(entries, at)));
	entry_use(entries, at);
	return 0;
}

/* One that may be written, out of its bucket. 0: none. */
static uint32_t entry_free(struct entries *entries)
{
	uint32_t at = entries->first[ENTRY_FREE];

	if (at)
		bucket_take(entries, at);
	else if (entries->fresh < entries->count)
		at = entries->fresh;
	return at;
}

int entries_put(struct entries *entries, const struct answer *answer, uint32_t *number)
{
	uint32_t hash = (uint32_t)answer_hash(answer), at = bucket_find(entries, answer, hash);

	if (!at) {
		at = entry_free(entries);
		if (!at)
			return -ENOSPC;
		*entry_answer(entries, at) = *answer;
		bucket_put(entries, at, hash);
		entries->written++;
	}
	entry_use(entries, at);
	*number = entries->base + at;
	return 0;
}

void entries_release(struct entries *entries, uint32_t number)
{
	uint32_t at = number - entries->base;

	if (--entries->list[at].references)
		return;
	entries->counts[ENTRY_USED]--;
	queue_put(entries, at, ENTRY_LEFT);
}

/* -- from left to free -- */

uint64_t entries_rest(struct entries *entries)
{
	static uint64_t rounds;		/* of all, so that none is taken for another's of the same number */

	queue_move(entries, ENTRY_LEFT, ENTRY_RESTING);
	entries->round = __atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
	return entries->round;
}

uint32_t entries_rested(struct entries *entries, uint64_t round)
{
	uint32_t moved = round == entries->round ? queue_move(entries, ENTRY_RESTING, ENTRY_FREE) : 0;

	if (moved)
		entries_forsake(entries->tables);
	return moved;
}

/*
 * Before anything is written over: a copy that has a piece of what is written then, finds the word moved. Nobody who
 * begins later can come here, since the indices have moved long before.
 */
void entries_forsake(struct tables *tables)
{
	__atomic_store_n(&tables->control->recycled, tables->control->recycled + 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
