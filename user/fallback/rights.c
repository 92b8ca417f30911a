// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "user/common/log.h"
#include "user/fallback/rights.h"

/*
 * The tables are open by now; reading them through these descriptors needs no rights (kernels from 5.19). Binding to
 * addresses of later pushes does.
 */
static int rights_keep_binding(void)
{
	const cap_value_t bind_only[] = { CAP_NET_BIND_SERVICE };
	cap_t rights = cap_init();
	int code = 0;

	if (!rights)
		return -ENOMEM;
	if (cap_set_flag(rights, CAP_PERMITTED, 1, bind_only, CAP_SET) ||
	    cap_set_flag(rights, CAP_EFFECTIVE, 1, bind_only, CAP_SET) || cap_set_proc(rights))
		code = -errno;
	cap_free(rights);
	return code;
}

static const struct passwd *find(const char *user)
{
	const struct passwd *passwd;

	errno = 0;
	passwd = getpwnam(user);
	if (!passwd)
		log_error("--user %s: %s", user, errno ? strerror(errno) : "no such user");
	return passwd;
}

int rights_find(const char *user, uid_t *uid)
{
	const struct passwd *passwd = user ? find(user) : NULL;

	*uid = passwd ? passwd->pw_uid : (uid_t)-1;
	return user && !passwd ? -ENOENT : 0;
}

int rights_drop(const char *user)
{
	const struct passwd *passwd = find(user);
	int code = 0;

	if (!passwd)
		return -ENOENT;
	if (prctl(PR_SET_KEEPCAPS, 1) || initgroups(user, passwd->pw_gid) || setgid(passwd->pw_gid) ||
	    setuid(passwd->pw_uid))
		code = -errno;
	if (!code)
		code = rights_keep_binding();
	if (!code && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		code = -errno;
	if (code)
		log_error("becoming user %s: %s", user, strerror(-code));
	return code;
}
