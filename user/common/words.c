// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/words.h"

void words_init(struct words *words)
{
	memset(words, 0, sizeof(*words));
}

void words_free(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->list[i]);
	free(words->list);
	free(words->slots);
	words_init(words);
}

/* FNV-1a, which is enough for names that the operator chose. */
static size_t words_hash(const char *text, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	while (length--)
		hash = (hash ^ (uint8_t)*text++) * 0x100000001b3ULL;
	return hash ^ hash >> 32;
}

/* The slot that holds the name, or the empty one where it would go. */
static size_t words_slot(const struct words *words, const char *text, size_t length)
{
	size_t mask = words->slot_count - 1, slot = words_hash(text, length) & mask;
	const char *name;

	for (; words->slots[slot]; slot = (slot + 1) & mask) {
		name = words->list[words->slots[slot] - 1];
		if (strlen(name) == length && !memcmp(name, text, length))
			break;
	}
	return slot;
}

static void words_fill(struct words *words)
{
	memset(words->slots, 0, words->slot_count * sizeof(*words->slots));
	for (size_t i = 0; i < words->count; i++)
		if (words->list[i])
			words->slots[words_slot(words, words->list[i], strlen(words->list[i]))] = i + 1;
}

/* Room for `count` names in the list and in the hash. */
static int words_reserve(struct words *words, size_t count)
{
	size_t room = words->room ? words->room : 16, slot_count = words->slot_count ? words->slot_count : 64;
	uint32_t *slots;
	char **list;

	if (count > words->room) {
		while (room < count)
			room *= 2;
		list = realloc(words->list, room * sizeof(*list));
		if (!list)
			return -ENOMEM;
		words->list = list;
		words->room = room;
	}
	while (slot_count <= count * 2)
		slot_count *= 2;
	if (slot_count != words->slot_count) {
		slots = malloc(slot_count * sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		free(words->slots);
		words->slots = slots;
		words->slot_count = slot_count;
		words_fill(words);
	}
	return 0;
}

uint32_t words_find(const struct words *words, const char *text, size_t length)
{
	return words->slot_count ? words->slots[words_slot(words, text, length)] - 1 : WORDS_NONE;
}

uint32_t words_add(struct words *words, const char *text, size_t length)
{
	uint32_t number = words->count;

	return words_set(words, number, text, length) ? WORDS_NONE : number;
}

int words_set(struct words *words, uint32_t number, const char *text, size_t length)
{
	size_t count = number < words->count ? words->count : (size_t)number + 1;
	int fault = words_reserve(words, count);
	char *copy, *old;

	if (fault)
		return fault;
	copy = strndup(text, length);
	if (!copy)
		return -ENOMEM;
	while (words->count < count)
		words->list[words->count++] = NULL;
	old = words->list[number];
	words->list[number] = copy;
	if (old)
		words_fill(words);
	else
		words->slots[words_slot(words, copy, length)] = number + 1;
	free(old);
	return 0;
}
