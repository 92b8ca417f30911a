// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_OCTETS_MAX 65536

static const char *const how_names[NOTE_HOW_COUNT] = {
#define X(name) #name,
	NOTE_HOWS(X)
#undef X
};

int note_write(const struct state *state, uint32_t generation, const struct note *note)
{
	json_t *json = json_pack("{s:s, s:o, s:s?, s:o, s:s}", "how", how_names[note->how],
				 "rollback_to", note->of ? json_integer(note->of) : json_null(), "file", note->file,
				 "uid", note->has_uid ? json_integer(note->uid) : json_null(), "reason", note->reason);
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	int fault = text ? state_note_write(state, generation, text, strlen(text)) : -ENOMEM;

	free(text);
	json_decref(json);
	return fault;
}

/* A field of this kind, or what stands for it. */
static void note_take(json_t *into, const char *field, const json_t *note, json_type type, json_t *otherwise)
{
	json_t *value = json_object_get(note, field);

	if (value && json_typeof(value) == type)
		json_object_set(into, field, value);
	else
		json_object_set(into, field, otherwise);
	json_decref(otherwise);
}

void note_read(const struct state *state, uint32_t generation, json_t *into)
{
	uint8_t *octets = NULL;
	size_t length = 0;
	json_t *note = NULL;

	if (!state_note_read(state, generation, NOTE_OCTETS_MAX, &octets, &length))
		note = json_loadb((const char *)octets, length, 0, NULL);
	free(octets);
	note_take(into, "how", note, JSON_STRING, json_string(""));
	note_take(into, "rollback_to", note, JSON_INTEGER, json_null());
	note_take(into, "file", note, JSON_STRING, json_null());
	note_take(into, "uid", note, JSON_INTEGER, json_null());
	note_take(into, "reason", note, JSON_STRING, json_string(""));
	json_decref(note);
}
