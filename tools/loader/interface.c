// SPDX-License-Identifier: GPL-3.0-or-later
/* What the loader needs to know of a network interface: its MAC addresses, and what stands in the program's way. */
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/loader/loader.h"

/* A frame, the XDP headroom of 256 and the kernel's skb_shared_info of 320 octets share one page. */
#define NATIVE_MTU_MAX 3498

static int interface_ioctl(const char *name, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), code;

	if (fd < 0)
		return -errno;
	strncpy(ifr->ifr_name, name, IFNAMSIZ - 1);
	code = ioctl(fd, request, ifr) ? -errno : 0;
	close(fd);
	return code;
}

int interface_find(const char *name)
{
	unsigned int ifindex = if_nametoindex(name);

	if (ifindex)
		return ifindex;
	fprintf(stderr, "ecsdns-loader: no such interface: %s; `ip link` lists them\n", name);
	return -ENODEV;
}

/* `keep`: the MACs that the entry has beside the interface's own stay, unless --mac names others. */
static int interface_write(const struct loader *loader, const char *name, int ifindex, bool keep)
{
	struct interface entry = {};
	struct tables tables;
	struct ifreq ifr = {};
	char error[512];
	int code;

	code = interface_ioctl(name, SIOCGIFHWADDR, &ifr);
	if (code) {
		fprintf(stderr, "ecsdns-loader: MAC address of %s: %s\n", name, strerror(-code));
		return code;
	}
	code = tables_open(&tables, loader->pins, TABLES_WRITE, error, sizeof(error));
	if (code) {
		fprintf(stderr, "ecsdns-loader: %s\n", error);
		goto out;
	}
	if (!keep || loader->mac_count || bpf_map_lookup_elem(tables.fd[TABLE_interfaces], &ifindex, &entry)) {
		memcpy(entry.macs[1], loader->macs, sizeof(loader->macs[0]) * loader->mac_count);
		entry.count = 1 + loader->mac_count;
	}
	memcpy(entry.macs[0], ifr.ifr_hwaddr.sa_data, 6);
	if (bpf_map_update_elem(tables.fd[TABLE_interfaces], &ifindex, &entry, BPF_ANY)) {
		code = -errno;
		fprintf(stderr, "ecsdns-loader: table interfaces: %s\n", strerror(errno));
	}
out:
	tables_close(&tables);
	return code;
}

int interface_register(const struct loader *loader, const char *name, int ifindex)
{
	return interface_write(loader, name, ifindex, false);
}

int interface_refresh(const struct loader *loader, const char *name, int ifindex)
{
	return interface_write(loader, name, ifindex, true);
}

/* The table itself, in whatever layout, or -errno. */
static int interfaces_open(const char *pins)
{
	char path[PATH_MAX];
	int map;

	snprintf(path, sizeof(path), "%s/interfaces", pins);
	map = bpf_obj_get(path);
	return map < 0 ? -errno : map;
}

/* The entry that other tables have of an interface, to these. Absent there, it has been taken already. */
static void interface_take(const struct loader *loader, const char *name, int ifindex)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	struct interface entry;
	int theirs = interfaces_open(loader->from), ours = interfaces_open(loader->pins);

	if (theirs < 0 || ours < 0 || bpf_obj_get_info_by_fd(theirs, &info, &length) || info.value_size != sizeof(entry)) {
		if (!loader->mac_count)
			fprintf(stderr, "ecsdns-loader: warning: %s/interfaces cannot be read (another layout): MACs that were given with --mac have "
				"to be given again for %s\n", loader->from, name);
	} else if (!bpf_map_lookup_elem(theirs, &ifindex, &entry)) {
		bpf_map_update_elem(ours, &ifindex, &entry, BPF_ANY);	/* what fails here, interface_refresh() tells */
	}
	if (theirs >= 0)
		close(theirs);
	if (ours >= 0)
		close(ours);
}

int interface_move(const struct loader *loader, const char *name, int ifindex)
{
	interface_take(loader, name, ifindex);
	return interface_refresh(loader, name, ifindex);
}

void interface_leave(const struct loader *from, int ifindex)
{
	int map = interfaces_open(from->pins);

	if (map < 0)
		return;
	bpf_map_delete_elem(map, &ifindex);	/* absent: as wished */
	close(map);
}

void interface_forget(const struct loader *loader, int ifindex)
{
	struct tables tables;
	char error[512];

	if (!tables_open(&tables, loader->pins, TABLES_WRITE, error, sizeof(error)))
		bpf_map_delete_elem(tables.fd[TABLE_interfaces], &ifindex);	/* absent: as wished */
	tables_close(&tables);
}

static void finding(FILE *to, json_t *into, const char *name, const char *what, const char *mend)
{
	if (to)
		fprintf(to, "%s: %s\n  mend: %s\n", name, what, mend);
	if (into)
		json_array_append_new(into, json_pack("{s:s, s:s, s:s}", "interface", name, "finding", what, "mend", mend));
}

static void warn_offloads(const char *name, FILE *to, json_t *into)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	struct ifreq ifr = { .ifr_data = (void *)&flags };
	char mend[128];

	if (interface_ioctl(name, SIOCETHTOOL, &ifr))
		return;
	if (flags.data & ETH_FLAG_RXVLAN) {
		snprintf(mend, sizeof(mend), "ethtool -K %s rxvlan off, if tagged queries arrive here", name);
		finding(to, into, name, "receive VLAN offload strips tags before the program sees them, so answers to tagged "
			"queries would leave untagged", mend);
	}
	if (flags.data & ETH_FLAG_LRO) {
		snprintf(mend, sizeof(mend), "ethtool -K %s lro off", name);
		finding(to, into, name, "large receive offload keeps most drivers from native mode", mend);
	}
}

static void warn_queues(const char *name, FILE *to, json_t *into)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq ifr = { .ifr_data = (void *)&channels };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int have, most;
	char what[128], mend[128];

	if (interface_ioctl(name, SIOCETHTOOL, &ifr))
		return;
	have = channels.combined_count + channels.rx_count;
	most = channels.max_combined ? channels.max_combined : channels.max_rx;
	if (!have || have >= (unsigned long)cpus || have >= most)
		return;
	snprintf(what, sizeof(what), "%u receive queues for %ld CPUs: as many CPUs answer", have, cpus);
	snprintf(mend, sizeof(mend), "ethtool -L %s %s %u", name, channels.max_combined ? "combined" : "rx",
		 most < cpus ? most : (unsigned int)cpus);
	finding(to, into, name, what, mend);
}

static void warn_link(const char *name, FILE *to, json_t *into)
{
	struct ifreq ifr = {};
	char what[160], mend[128];

	if (!interface_ioctl(name, SIOCGIFMTU, &ifr) && ifr.ifr_mtu > NATIVE_MTU_MAX) {
		snprintf(what, sizeof(what), "MTU %d is beyond what most drivers hold in one buffer: native mode will be refused",
			 ifr.ifr_mtu);
		snprintf(mend, sizeof(mend), "ip link set dev %s mtu %d", name, NATIVE_MTU_MAX);
		finding(to, into, name, what, mend);
	}
	memset(&ifr, 0, sizeof(ifr));
	if (interface_ioctl(name, SIOCGIFFLAGS, &ifr))
		return;
	if (ifr.ifr_flags & IFF_SLAVE)
		finding(to, into, name, "is a port of a bond, and the bond's other ports would not answer",
			"attach to the bond itself; its driver passes the program on");
	if (!(ifr.ifr_flags & IFF_UP)) {
		snprintf(mend, sizeof(mend), "ip link set dev %s up", name);
		finding(to, into, name, "is down", mend);
	}
}

void interface_warn(const char *name, FILE *to, json_t *into)
{
	warn_link(name, to, into);
	warn_offloads(name, to, into);
	warn_queues(name, to, into);
}
