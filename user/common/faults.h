/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is wrong with what a person wrote, and where: a list that is filled while files are read, and shown at the end.
 * Texts say what was expected and what to write instead.
 */
#ifndef ECSDNS_FAULTS_H
#define ECSDNS_FAULTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Beyond these nobody reads on; what follows is only counted. */
#define FAULTS_ERRORS_MAX 20
#define FAULTS_WARNINGS_MAX 50

struct place {
	const char *file;	/* null: of no file */
	uint32_t line;		/* from 1; 0: of the whole file */
	uint32_t column;	/* from 1, in characters; 0: of the whole line */
};

struct fault {
	char *file;		/* null: of no file */
	uint32_t line, column;
	bool warning;
	char *text;
};

struct faults {
	struct fault *list;	/* in the order they were found */
	size_t count, room;
	size_t errors, warnings;	/* found, of which the list holds the first */
};

void faults_init(struct faults *faults);
void faults_free(struct faults *faults);

/* Both copy all they are given; `place` may be null. faults_error() returns -EINVAL, for `return faults_error(...)`. */
int faults_error(struct faults *faults, const struct place *place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void faults_warning(struct faults *faults, const struct place *place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* For memory that ran out: an error that says so. Returns -ENOMEM. */
int faults_memory(struct faults *faults);

/* Enough errors to stop reading? */
bool faults_enough(const struct faults *faults);

/* "file:line:column: error: text" lines, then how many more there were. */
void faults_print(const struct faults *faults, FILE *to);

/* Each as a line of the log. */
void faults_log(const struct faults *faults);

/* One fault as a line without its newline; returns what snprintf() returns. */
int faults_format(const struct fault *fault, char *line, size_t room);

/*
 * [{"file", "line", "column", "severity": "error" | "warning", "text"}, ...] and back; file, line and column are left
 * out where there are none. How many more there were than the list holds, the last ones say. faults_json() returns a new
 * reference, or null without memory. faults_read_json() adds to the list; 0, -EINVAL for JSON that is not such an array, -ENOMEM.
 */
json_t *faults_json(const struct faults *faults);
int faults_read_json(struct faults *faults, const json_t *array);

#endif
