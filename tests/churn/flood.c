/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flood KIND INTERFACE TO_MAC SOURCE TARGET PORT COUNT RATE: sends packets of COUNT different flows
 * from addresses that are nobody's, SOURCE and those after it, at no more than RATE packets a
 * second, and ends.
 *
 * KIND: syn, ack, handshake (of each flow a SYN, then the ACK that confirms it, as if an answer had
 * come), udp. Only for a veth of the laboratory: it refuses other interfaces. IPv4.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, FLOWS_PER_SOURCE = 32768, PORT_FIRST = 16384, COUNT_MAX = 10000000 };

enum kind { SYN, ACK, HANDSHAKE, UDP };

struct frame {
	struct ether_header ethernet;
	struct iphdr ip;
	union {
		struct tcphdr tcp;
		struct udphdr udp;
	};
} __attribute__((packed));

static enum kind kind;
static struct frame base;
static uint32_t source;
static uint16_t port;

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t sum(const void *data, size_t size, uint32_t start)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i + 1 < size; i += 2)
		start += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return start;
}

static uint16_t fold(uint32_t total)
{
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	return htons((uint16_t)~total);
}

static size_t transport_size(void)
{
	return kind == UDP ? sizeof(struct udphdr) : sizeof(struct tcphdr);
}

/* Of the pseudo-header and all that follows the IP header. */
static uint16_t transport_checksum(const struct frame *frame)
{
	uint32_t total = sum(&frame->ip.saddr, 8, frame->ip.protocol + (uint32_t)transport_size());

	return fold(sum(&frame->tcp, transport_size(), total));
}

/* The packet of flow `n`; `second`: the one after the SYN. Returns its size. */
static size_t frame_fill(struct frame *frame, uint32_t n, bool second)
{
	uint16_t from = htons((uint16_t)(PORT_FIRST + n % FLOWS_PER_SOURCE));
	uint32_t sequence = n * 2654435761u;

	*frame = base;
	frame->ip.saddr = htonl(source + n / FLOWS_PER_SOURCE);
	frame->ip.check = fold(sum(&frame->ip, sizeof(frame->ip), 0));
	if (kind == UDP) {
		frame->udp = (struct udphdr){.source = from, .dest = htons(port), .len = htons(8)};
		frame->udp.check = transport_checksum(frame);
		return sizeof(*frame) - sizeof(frame->tcp) + sizeof(frame->udp);
	}
	frame->tcp = (struct tcphdr){.source = from,
				     .dest = htons(port),
				     .seq = htonl(sequence + second),
				     .doff = 5,
				     .window = htons(65535)};
	if (kind == SYN || (kind == HANDSHAKE && !second)) {
		frame->tcp.syn = 1;
	} else {
		frame->tcp.ack = 1;
		frame->tcp.ack_seq = htonl(sequence ^ 0x5a5a5a5a);
	}
	frame->tcp.check = transport_checksum(frame);
	return sizeof(*frame);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Sends the batch; waits where the interface's queue is full. */
static void send_all(int fd, struct mmsghdr *messages, unsigned count)
{
	unsigned done = 0;

	while (done < count) {
		int sent = sendmmsg(fd, messages + done, count - done, 0);

		if (sent > 0)
			done += (unsigned)sent;
		else if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR)
			usleep(200);
		else
			die("sending");
	}
}

/* Returns how many packets that were. */
static uint64_t flood(int fd, const struct sockaddr_ll *to, uint32_t count, double rate)
{
	static struct frame frames[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	double next = seconds();
	uint32_t each = kind == HANDSHAKE ? 2 : 1;
	uint64_t total = (uint64_t)count * each, n = 0;

	memset(messages, 0, sizeof(messages));
	while (n < total) {
		double now = seconds();
		unsigned some = 0;

		/* Lost time is not made up for: a burst would overrun the queues on the way. */
		if (next < now)
			next = now;
		else
			usleep((useconds_t)((next - now) * 1e6));
		next += BATCH / rate;
		for (; some < BATCH && n < total; some++, n++) {
			parts[some].iov_base = &frames[some];
			parts[some].iov_len =
				frame_fill(&frames[some], (uint32_t)(n / each), n % each != 0);
			messages[some].msg_hdr.msg_iov = &parts[some];
			messages[some].msg_hdr.msg_iovlen = 1;
			messages[some].msg_hdr.msg_name = (void *)to;
			messages[some].msg_hdr.msg_namelen = sizeof(*to);
		}
		send_all(fd, messages, some);
	}
	return n;
}

static bool is_veth(int fd, const char *interface)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (void *)&info};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return ioctl(fd, SIOCETHTOOL, &request) == 0 && strcmp(info.driver, "veth") == 0;
}

static void base_fill(int fd, const char *interface, const char *to_mac, const char *target)
{
	struct ifreq request = {};
	unsigned mac[6];

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		die(interface);
	memcpy(base.ethernet.ether_shost, request.ifr_hwaddr.sa_data, 6);
	errno = EINVAL;
	if (sscanf(to_mac, "%x:%x:%x:%x:%x:%x", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) !=
	    6)
		die(to_mac);
	for (int i = 0; i < 6; i++)
		base.ethernet.ether_dhost[i] = (uint8_t)mac[i];
	base.ethernet.ether_type = htons(ETHERTYPE_IP);
	base.ip = (struct iphdr){.version = 4,
				 .ihl = 5,
				 .ttl = 64,
				 .frag_off = htons(IP_DF),
				 .protocol = kind == UDP ? IPPROTO_UDP : IPPROTO_TCP,
				 .tot_len = htons((uint16_t)(sizeof(base.ip) + transport_size()))};
	if (inet_pton(AF_INET, target, &base.ip.daddr) != 1)
		die(target);
}

static bool kind_parse(const char *text)
{
	static const char *const names[] = {"syn", "ack", "handshake", "udp"};

	for (int i = 0; i < 4; i++) {
		if (strcmp(text, names[i]) == 0) {
			kind = (enum kind)i;
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_IP)};
	struct in_addr first;
	unsigned long count;
	uint64_t sent;
	double start;
	int fd;

	if (argc != 9 || !kind_parse(argv[1]) || inet_pton(AF_INET, argv[4], &first) != 1) {
		fprintf(stderr, "usage: flood syn|ack|handshake|udp INTERFACE TO_MAC SOURCE TARGET "
				"PORT COUNT RATE\n");
		return 2;
	}
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0 || !is_veth(fd, argv[2])) {
		fprintf(stderr, "flood: %s is no veth\n", argv[2]);
		return 1;
	}
	source = ntohl(first.s_addr);
	port = (uint16_t)atoi(argv[6]);
	count = strtoul(argv[7], NULL, 10);
	if (count > COUNT_MAX)
		count = COUNT_MAX;
	base_fill(fd, argv[2], argv[3], argv[5]);
	to.sll_ifindex = (int)if_nametoindex(argv[2]);
	start = seconds();
	sent = flood(fd, &to, (uint32_t)count, strtod(argv[8], NULL));
	printf("{\"packets\": %lu, \"flows\": %lu, \"seconds\": %.2f}\n", sent, count,
	       seconds() - start);
	return 0;
}
