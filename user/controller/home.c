// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/home.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/log.h"

#define FILE_NAME "home.json"
#define FILE_OCTETS_MAX 65536

/* The number that is written down: 0 or -errno. */
static int home_read(const struct state *state, json_int_t *control)
{
	uint8_t *octets;
	size_t length;
	json_t *json;
	int fault = state_read(state, FILE_NAME, FILE_OCTETS_MAX, &octets, &length);

	if (!fault) {
		json = json_loadb((const char *)octets, length, 0, NULL);
		if (!json || json_unpack(json, "{s:I}", "control", control))
			fault = -EINVAL;
		json_decref(json);
		free(octets);
	}
	return fault;
}

bool home_is_elsewhere(const struct state *state, const struct tables *tables)
{
	json_int_t control = 0;
	int fault = home_read(state, &control);

	if (fault && fault != -ENOENT)
		log_warning("%s/" FILE_NAME ": %s; what the tables hold counts as what was published last", state->path,
			    fault == -EINVAL ? "spoilt" : strerror(-fault));
	return !fault && control != tables_id(tables);
}

int home_write(const struct state *state, const struct tables *tables, const char *pins)
{
	json_int_t control;
	json_t *json;
	char *text;
	int fault;

	if (!home_read(state, &control) && control == tables_id(tables))
		return 0;
	json = json_pack("{s:s, s:I}", "pins", pins, "control", (json_int_t)tables_id(tables));
	text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	fault = text ? state_write(state, FILE_NAME, text, strlen(text), 0640) : -ENOMEM;

	free(text);
	json_decref(json);
	return fault;
}
