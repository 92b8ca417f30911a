// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/faults.h"
#include "user/common/log.h"

static const char more_errors[] = "at least %zu more errors";
static const char more_warnings[] = "%zu more warnings";

void faults_init(struct faults *faults)
{
	memset(faults, 0, sizeof(*faults));
}

void faults_free(struct faults *faults)
{
	for (size_t i = 0; i < faults->count; i++) {
		free(faults->list[i].file);
		free(faults->list[i].text);
	}
	free(faults->list);
	faults_init(faults);
}

/* Quoted input may be anything: what comes out is one line of UTF-8. */
static void text_clean(char *text)
{
	json_t *string = json_string(text);
	bool utf8 = string;

	json_decref(string);
	for (; *text; text++)
		if ((uint8_t)*text < ' ' || *text == 0x7f || (!utf8 && (uint8_t)*text >= 0x80))
			*text = '?';
}

/* Takes text over; a fault without memory for its text is still counted. */
static void faults_add(struct faults *faults, bool warning, const struct place *place, char *text)
{
	struct fault *list = faults->list;

	if (faults->count == faults->room) {
		list = realloc(list, (faults->room * 2 + 16) * sizeof(*list));
		if (!list)
			goto lost;
		faults->list = list;
		faults->room = faults->room * 2 + 16;
	}
	list += faults->count;
	*list = (struct fault){.warning = warning, .text = text};
	if (place && place->file) {
		list->file = strdup(place->file);
		list->line = place->line;
		list->column = place->column;
		if (list->file)
			text_clean(list->file);
	}
	text_clean(text);
	faults->count++;
	return;
lost:
	free(text);
}

static void faults_addv(struct faults *faults, bool warning, const struct place *place, const char *format,
			va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) >= 0)
		faults_add(faults, warning, place, text);
}

int faults_error(struct faults *faults, const struct place *place, const char *format, ...)
{
	va_list args;

	if (faults->errors++ >= FAULTS_ERRORS_MAX)
		return -EINVAL;
	va_start(args, format);
	faults_addv(faults, false, place, format, args);
	va_end(args);
	return -EINVAL;
}

void faults_warning(struct faults *faults, const struct place *place, const char *format, ...)
{
	va_list args;

	if (faults->warnings++ >= FAULTS_WARNINGS_MAX)
		return;
	va_start(args, format);
	faults_addv(faults, true, place, format, args);
	va_end(args);
}

int faults_memory(struct faults *faults)
{
	faults_error(faults, NULL, "not enough memory");
	return -ENOMEM;
}

bool faults_enough(const struct faults *faults)
{
	return faults->errors >= FAULTS_ERRORS_MAX;
}

int faults_format(const struct fault *fault, char *line, size_t room)
{
	char at[24] = "";

	if (fault->file && fault->line && fault->column)
		snprintf(at, sizeof(at), "%u:%u:", fault->line, fault->column);
	else if (fault->file && fault->line)
		snprintf(at, sizeof(at), "%u:", fault->line);
	return snprintf(line, room, "%s%s%s%s%s: %s", fault->file ? fault->file : "", fault->file ? ":" : "", at,
			fault->file ? " " : "", fault->warning ? "warning" : "error", fault->text);
}

void faults_print(const struct faults *faults, FILE *to)
{
	char line[4096];

	for (size_t i = 0; i < faults->count; i++) {
		faults_format(&faults->list[i], line, sizeof(line));
		fprintf(to, "%s\n", line);
	}
	if (faults->errors > FAULTS_ERRORS_MAX) {
		fprintf(to, more_errors, faults->errors - FAULTS_ERRORS_MAX);
		fputc('\n', to);
	}
	if (faults->warnings > FAULTS_WARNINGS_MAX) {
		fprintf(to, more_warnings, faults->warnings - FAULTS_WARNINGS_MAX);
		fputc('\n', to);
	}
}

void faults_log(const struct faults *faults)
{
	char line[1024];

	for (size_t i = 0; i < faults->count; i++) {
		faults_format(&faults->list[i], line, sizeof(line));
		if (faults->list[i].warning)
			log_warning("%s", line);
		else
			log_error("%s", line);
	}
}

static json_t *fault_json(const struct fault *fault)
{
	json_t *object = json_pack("{s:s, s:s}", "severity", fault->warning ? "warning" : "error", "text", fault->text);

	if (object && fault->file)
		json_object_set_new(object, "file", json_string(fault->file));
	if (object && fault->line)
		json_object_set_new(object, "line", json_integer(fault->line));
	if (object && fault->column)
		json_object_set_new(object, "column", json_integer(fault->column));
	return object;
}

static int more_json(json_t *array, const char *severity, json_t *text)
{
	return json_array_append_new(array, json_pack("{s:s, s:o}", "severity", severity, "text", text));
}

json_t *faults_json(const struct faults *faults)
{
	json_t *array = json_array();
	int lost = 0;

	for (size_t i = 0; array && i < faults->count; i++)
		lost |= json_array_append_new(array, fault_json(&faults->list[i]));
	if (array && faults->errors > FAULTS_ERRORS_MAX)
		lost |= more_json(array, "error", json_sprintf(more_errors, faults->errors - FAULTS_ERRORS_MAX));
	if (array && faults->warnings > FAULTS_WARNINGS_MAX)
		lost |= more_json(array, "warning", json_sprintf(more_warnings, faults->warnings - FAULTS_WARNINGS_MAX));
	if (!lost)
		return array;
	json_decref(array);
	return NULL;
}

static int fault_read_json(struct faults *faults, json_t *object)
{
	const char *severity, *text, *file = NULL;
	json_int_t line = 0, column = 0;
	struct place place;

	if (json_unpack(object, "{s:s, s:s, s?s, s?I, s?I}", "severity", &severity, "text", &text, "file", &file,
			"line", &line, "column", &column) ||
	    line < 0 || line > UINT32_MAX || column < 0 || column > UINT32_MAX)
		return -EINVAL;
	place = (struct place){file, line, column};
	if (!strcmp(severity, "warning"))
		faults_warning(faults, &place, "%s", text);
	else
		faults_error(faults, &place, "%s", text);
	return 0;
}

int faults_read_json(struct faults *faults, const json_t *array)
{
	int fault = json_is_array(array) ? 0 : -EINVAL;

	for (size_t i = 0; i < json_array_size(array) && !fault; i++)
		fault = fault_read_json(faults, json_array_get(array, i));
	return fault;
}
