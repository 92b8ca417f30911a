/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the verbs of ecsctl share. Every verb asks the controller for JSON; with --json that is what is printed, without
 * it the verb's own function prints the same fields for people.
 */
#ifndef ECSDNS_TOOLS_ECSCTL_H
#define ECSDNS_TOOLS_ECSCTL_H

#include <getopt.h>
#include <jansson.h>
#include <stddef.h>

/* Exit codes. */
#define DONE 0
#define REFUSED 1
#define USAGE 2

struct ecsctl {
	const char *socket;
	int is_json;
	int is_progress_wanted;	/* even if standard error is no terminal */
	const struct verb *verb;
};

struct verb {
	const char *name;
	const char *arguments;	/* as usage shows them */
	const char *summary;	/* one line */
	const char *details;	/* more lines for --help, or "" */
	int (*run)(struct ecsctl *ecsctl, int argc, char **argv);	/* returns an exit code */
};

extern const struct verb verb_push, verb_check, verb_status, verb_stats, verb_explain, verb_rollback, verb_history, verb_health,
	verb_diff, verb_dump, verb_top, verb_watch, verb_drain, verb_disable, verb_enable, verb_force_up, verb_force_down, verb_capture;

/*
 * Reads a verb's options: its own, and --json, --socket, --progress and --help, which every verb has. Own options are flags that set
 * an int, or name an argument in a string; a name of one letter is for one dash. The list ends with a null name. Returns
 * the position of the first argument, or -1 - (exit code) when there is nothing more to do.
 */
struct verb_option {
	const char *name;
	int *flag;		/* either */
	const char **argument;	/* or */
};
int verb_options(struct ecsctl *ecsctl, int argc, char **argv, const struct verb_option *own);

/* Says on standard error what is wrong and how the verb is used. Returns USAGE. */
int verb_usage(const struct ecsctl *ecsctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A reply's text for people, on standard output. */
typedef void verb_print(const json_t *reply);

/*
 * Sends a request and prints the reply, as JSON or with `print`. Errors go to standard error. Returns an exit code.
 * `body` may be null; a request with one is a POST.
 */
struct request {
	const char *path;	/* with arguments, escaped */
	int is_post;
	const void *body;
	size_t length;
	const char *doing;	/* shown while it takes longer than a second: "publishing"; may be null */
	int is_quiet;		/* a controller that does not answer is the caller's to tell */
	long seconds;		/* to wait for the reply; 0: as long as it takes */
	struct octets *octets;	/* not null: a good reply is no JSON but these, for the caller to free */
};
struct octets {
	char *at;
	size_t length;
};
int ecsctl_request(struct ecsctl *ecsctl, const struct request *request, verb_print *print);

/* The same in two steps: *reply is set when the controller answered at all, and is the caller's. */
int client_request(const struct ecsctl *ecsctl, const struct request *request, json_t **reply, int *status);

/*
 * Asks for a reply that comes piece by piece, until it ends. `*end` is what the field `footer` behind it says, as JSON, if it
 * came that far; the caller's. Errors have been told. Returns an exit code.
 */
struct client_stream {
	int (*take)(void *context, const void *octets, size_t length);	/* below 0: no more; why is the caller's to tell */
	int (*is_over)(void *context);	/* asked once a second at least */
	const char *footer;
	void *context;
};
int client_stream(const struct ecsctl *ecsctl, const char *path, const struct client_stream *stream, json_t **end);

/* Appends name=value, percent-encoded, to a path. The caller frees the result, null without memory. */
char *client_path(const char *path, const char *const (*arguments)[2], size_t count);

/* Prints a reply, good or bad. */
void output_reply(const struct ecsctl *ecsctl, const json_t *reply, verb_print *print);
void output_error(const struct ecsctl *ecsctl, const json_t *reply);
/* Faults as file:line:column: error: text, to standard error. */
void output_faults(const json_t *faults);

/* "BEFOREpool osaka1 is drained: maintenance (by root since ...)", on standard output. */
void output_setting(const char *before, const json_t *setting);

/* Numbers of a configuration, in a line that has begun: "N services, ...". */
void output_summary(const json_t *summary);

/* How long it took, and what was written. */
void output_effort(const json_t *reply);

/* What a push changes, as diff.h has it; brief: without the lists. Nothing is printed where nothing has changed. */
void output_changes(const json_t *changes, int is_brief);

/* Fields of a reply; absent ones are empty. */
const char *field_text(const json_t *object, const char *name);
long long field_number(const json_t *object, const char *name);
int field_is(const json_t *object, const char *name);
/* A user id as a name, where this host knows one; in a static buffer. */
const char *field_user(const json_t *object, const char *name);
/* Seconds since the epoch as local date and time, in a static buffer. */
const char *field_time(const json_t *object, const char *name);

#endif
