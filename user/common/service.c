// SPDX-License-Identifier: GPL-3.0-or-later
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "user/common/service.h"

int64_t service_alive_every(unsigned int spare)
{
	uint64_t microseconds;
	int64_t every;

	if (sd_watchdog_enabled(0, &microseconds) <= 0)
		return 0;
	every = microseconds / 1000 / spare;
	return every ? every : 1;
}

void service_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

void service_ready(void)
{
	sd_notifyf(0, "READY=1\nMAINPID=%d", getpid());
}

void service_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void service_stopping(const char *status)
{
	sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

void service_status(char last[SERVICE_STATUS_OCTETS], const char *format, ...)
{
	char status[SERVICE_STATUS_OCTETS];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(status, sizeof(status), format, arguments);
	va_end(arguments);
	if (!strcmp(status, last))
		return;
	memcpy(last, status, sizeof(status));
	sd_notifyf(0, "STATUS=%s", status);
}
