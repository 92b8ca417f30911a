/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of a job, for push.c (asking and replying), push_job.c and push_start.c (the worker's thread). Everyone else: push.h. */
#ifndef ECSDNS_CONTROLLER_PUSH_JOB_H
#define ECSDNS_CONTROLLER_PUSH_JOB_H

#include "user/controller/push.h"

enum push_kind { PUSH_BUNDLE, PUSH_ROLLBACK, PUSH_START, PUSH_CONFIG, PUSH_FILL };

struct push {
	struct push *next;
	uv_work_t work;
	struct controller *controller;
	struct http_request *request;	/* null: nobody asked */
	enum push_kind kind;
	struct push_options options;
	uint32_t of;			/* the generation whose bundle was read, 0 if none */
	uint8_t *archive;
	size_t length;
	/* results */
	int fault;
	struct faults faults;
	struct ids ids;
	struct generation *made;
	struct image_changes changes;
	bool is_first;			/* of PUSH_CONFIG: the start's */
	struct words paths;		/* likewise: of the files that were read */
	json_t *differences;		/* from what was live before; null: not asked for, or not known */
	uint64_t compile_nanoseconds, publish_nanoseconds, all_nanoseconds;
	enum figures_result blame;	/* whose fault it is, should this step fail */
	const char *done;		/* "published", "adopted", ...: for the log */
};

/* -- the jobs, by kind: 0 or -errno with errors in push->faults -- */

int push_new(struct push *push);	/* PUSH_BUNDLE, PUSH_ROLLBACK: push_job.c */
int push_file(struct push *push);	/* PUSH_CONFIG */
int push_begin(struct push *push);	/* PUSH_START, PUSH_FILL: push_start.c */

/* Does it say what it changes? */
bool push_tells(const struct push *push);

/* -- their steps: push_job.c; likewise -- */

/* The bundle of a generation -> push->archive. */
int push_read_kept(struct push *push, uint32_t generation);

/* push->archive, which is freed, -> push->made; *bundle is the caller's. */
int push_compile(struct push *push, struct bundle **bundle);

/* Publishes push->made; `keep` is the bundle to keep, null if it is kept already. */
int push_publish(struct push *push, uint32_t number, const struct bundle *keep);

/* push->made as the publisher takes it; the health has to live as long. */
struct health push_health(const struct push *push);
struct publication push_publication(const struct push *push, uint32_t number, const struct health *health);

#endif
