// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/reload.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/log.h"
#include "user/controller/cookies.h"
#include "user/controller/push.h"

struct folder {
	struct folder *next;
	uv_fs_event_t event;
	struct reload *reload;
	char path[];
};

struct reload {
	struct controller *controller;
	uv_signal_t hangup;
	uv_timer_t timer;
	struct folder *folders;
	size_t folder_count;
	struct words names;		/* of the files, without their folders */
	uint64_t first;			/* change that has not been looked at, by the loop's clock; 0: none */
	bool is_reading;		/* a job waits or runs */
	bool again;			/* something has changed since it began */
	int open_handles;
};

static void reload_later(struct reload *reload, uint64_t milliseconds);

/* Before the start is told, announce_state() has the word: systemd would take ours for the end of the start. */
static void reload_tell(const struct controller *controller, void (*tell)(void))
{
	if (controller->announcements.is_ready)
		tell();
}

/* -- reading -- */

static void reload_now(struct reload *reload)
{
	int fault;

	reload->first = 0;
	uv_timer_stop(&reload->timer);
	if (reload->is_reading) {
		reload->again = true;
		return;
	}
	fault = push_config(reload->controller);
	if (fault == -EBUSY)
		reload_later(reload, RELOAD_DELAY_MILLISECONDS);
	else if (fault)
		log_error("reading %s again: %s", reload->controller->config, strerror(-fault));
	if (fault && fault != -EBUSY)
		reload_tell(reload->controller, service_ready);
	reload->is_reading = !fault;
	reload->again = false;
}

static void reload_on_timer(uv_timer_t *timer)
{
	reload_now(timer->data);
}

static void reload_later(struct reload *reload, uint64_t milliseconds)
{
	uv_timer_start(&reload->timer, reload_on_timer, milliseconds, 0);
}

/* If the file is faulty the secrets stay as they are. */
static void reload_secrets(struct controller *controller)
{
	struct faults faults;

	faults_init(&faults);
	if (!cookies_load(controller->tables.cookies, controller->cookie_secrets, &faults))
		log_notice("%s has been read again", controller->cookie_secrets);
	faults_log(&faults);
	faults_free(&faults);
}

static void reload_on_hangup(uv_signal_t *handle, int number)
{
	struct reload *reload = handle->data;
	struct controller *controller = reload->controller;

	(void)number;
	if (controller->stopping)
		return;
	if (!controller->config && !controller->cookie_secrets) {
		log_warning("SIGHUP: there is no --config FILE to read again, and no --cookie-secrets; `ecsctl push FILE`");
		return;
	}
	reload_tell(controller, service_reloading);
	if (controller->cookie_secrets)
		reload_secrets(controller);
	if (!controller->config) {
		reload_tell(controller, service_ready);
		return;
	}
	log_notice("SIGHUP: reading %s again", controller->config);
	reload_now(reload);
}

/* -- watching -- */

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Folders that are mounted into containers are changed by renaming a link "..data" beside the files, which are links through it. */
static bool reload_is_ours(const struct reload *reload, const char *name)
{
	return !name || !strncmp(name, "..", 2) || words_find(&reload->names, name, strlen(name)) != WORDS_NONE;
}

static void reload_on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
	struct folder *folder = event->data;
	struct reload *reload = folder->reload;
	uint64_t now = uv_now(&reload->controller->loop);

	(void)events;
	if (status) {
		log_warning("watching %s: %s; SIGHUP reads the configuration again", folder->path, uv_strerror(status));
		return;
	}
	if (!reload_is_ours(reload, name))
		return;
	if (reload->is_reading) {
		reload->again = true;
		return;
	}
	if (!reload->first)
		reload->first = now;
	if (now - reload->first < RELOAD_DELAY_MILLISECONDS)
		reload_later(reload, RELOAD_SETTLE_MILLISECONDS);
}

static bool reload_watches(const struct reload *reload, const char *path, size_t length)
{
	for (const struct folder *each = reload->folders; each; each = each->next)
		if (strlen(each->path) == length && !memcmp(each->path, path, length))
			return true;
	return false;
}

static void reload_watch(struct reload *reload, const char *path, size_t length)
{
	struct folder *folder = calloc(1, sizeof(*folder) + length + 1);
	int fault;

	if (!folder)
		return;
	memcpy(folder->path, path, length);
	folder->reload = reload;
	folder->event.data = folder;
	uv_fs_event_init(&reload->controller->loop, &folder->event);
	reload->open_handles++;
	folder->next = reload->folders;
	reload->folders = folder;
	reload->folder_count++;
	fault = uv_fs_event_start(&folder->event, reload_on_event, folder->path, 0);
	if (fault)
		log_warning("watching %s: %s; SIGHUP reads the configuration again", folder->path, uv_strerror(fault));
}

/* True if its folder is watched from now on. */
static bool reload_add(struct reload *reload, const char *path)
{
	const char *name = name_of(path);
	size_t length = name - path;

	if (words_find(&reload->names, name, strlen(name)) == WORDS_NONE)
		words_add(&reload->names, name, strlen(name));
	if (!length)
		path = "./", length = 2;
	if (reload_watches(reload, path, length) || reload->folder_count >= RELOAD_FOLDERS_MAX)
		return false;
	reload_watch(reload, path, length);
	return true;
}

/* Files in folders that were not watched may have changed since they were read. */
void reload_done(struct reload *reload, const struct words *paths)
{
	bool is_new = false;

	reload->is_reading = false;
	for (size_t i = 0; reload->controller->watch && i < paths->count; i++)
		is_new = reload_add(reload, paths->list[i]) || is_new;
	if (is_new || reload->again)
		reload_later(reload, RELOAD_SETTLE_MILLISECONDS);
	reload->again = false;
	reload_tell(reload->controller, service_ready);
}

/* -- start and end -- */

int reload_start(struct controller *controller)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (!reload)
		return -ENOMEM;
	reload->controller = controller;
	words_init(&reload->names);
	uv_signal_init(&controller->loop, &reload->hangup);
	uv_timer_init(&controller->loop, &reload->timer);
	reload->hangup.data = reload->timer.data = reload;
	reload->open_handles = 2;
	reload->is_reading = controller->config;	/* the start queues the first job */
	uv_signal_start(&reload->hangup, reload_on_hangup, SIGHUP);
	controller->reload = reload;
	if (controller->watch)
		reload_add(reload, controller->config);
	return 0;
}

static void reload_free(struct reload *reload)
{
	if (--reload->open_handles)
		return;
	words_free(&reload->names);
	free(reload);
}

static void reload_on_closed(uv_handle_t *handle)
{
	reload_free(handle->data);
}

static void reload_on_folder_closed(uv_handle_t *handle)
{
	struct folder *folder = handle->data;
	struct reload *reload = folder->reload;

	free(folder);
	reload_free(reload);
}

void reload_stop(struct reload *reload)
{
	struct folder *next;

	if (!reload)
		return;
	for (struct folder *each = reload->folders; each; each = next) {
		next = each->next;
		uv_close((uv_handle_t *)&each->event, reload_on_folder_closed);
	}
	uv_close((uv_handle_t *)&reload->hangup, reload_on_closed);
	uv_close((uv_handle_t *)&reload->timer, reload_on_closed);
}
