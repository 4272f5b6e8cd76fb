/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slow_link RATE_MBIT ROUND_TRIP_MS LOSS_PERCENT: a slow line on this machine, for tests. Two network namespaces of its
 * own, each with one TUN device: 10.44.0.1 in the near one, 10.44.0.2 in the far one. Packets written into one device
 * come out of the other, no faster than RATE and half a round trip later; of those from the far one LOSS are lost. Once
 * it is ready it prints "up NEAR FAR", paths for `nsenter --net=PATH`, and it goes on until its standard input ends.
 * Needs root; nothing outside of the two namespaces changes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MTU = 1500,
    RING = 1 << 14,        /* packets under way in one direction, at most */
    QUEUE_BYTES = 1000000, /* that wait for the line, like a router's queue; more are dropped */
    DEVICE_QUEUE = 4000    /* packets between the kernel and us */
};

struct packet {
    int64_t due; /* ns */
    int size;
    unsigned char bytes[MTU];
};

/* One direction. */
struct line {
    int from, to;
    double ns_per_byte, loss;
    int64_t delay;
    int64_t busy_until; /* when the last packet has left for the other end */
    struct packet *ring;
    unsigned head, tail; /* packets [tail, head) are under way */
};

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "slow_link: %s: %s\n", what, strerror(errno));
    exit(77);
}

/* ---- devices ---- */

static void change(int control, unsigned long request, struct ifreq *about, const char *what)
{
    if (ioctl(control, request, about) != 0)
        fail(what);
}

static void bring_up(int control, const char *name)
{
    struct ifreq about = {0};
    snprintf(about.ifr_name, sizeof about.ifr_name, "%s", name);
    change(control, SIOCGIFFLAGS, &about, name);
    about.ifr_flags |= IFF_UP;
    change(control, SIOCSIFFLAGS, &about, name);
}

/* Enters a new namespace with a TUN device of this address; *space stays open to name the namespace. */
static int make_end(const char *address, int *space)
{
    if (unshare(CLONE_NEWNET) != 0)
        fail("a network namespace");
    *space = open("/proc/self/ns/net", O_RDONLY);
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK), control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (*space < 0 || device < 0 || control < 0)
        fail("/dev/net/tun");
    struct ifreq about = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(about.ifr_name, sizeof about.ifr_name, "line");
    if (ioctl(device, TUNSETIFF, &about) != 0)
        fail("a TUN device");
    struct sockaddr_in ip = {.sin_family = AF_INET};
    inet_pton(AF_INET, address, &ip.sin_addr);
    memcpy(&about.ifr_addr, &ip, sizeof ip);
    change(control, SIOCSIFADDR, &about, "an address");
    inet_pton(AF_INET, "255.255.255.0", &ip.sin_addr);
    memcpy(&about.ifr_netmask, &ip, sizeof ip);
    change(control, SIOCSIFNETMASK, &about, "a netmask");
    about.ifr_mtu = MTU;
    change(control, SIOCSIFMTU, &about, "an MTU");
    about.ifr_qlen = DEVICE_QUEUE;
    change(control, SIOCSIFTXQLEN, &about, "a queue");
    bring_up(control, "line");
    bring_up(control, "lo");
    close(control);
    return device;
}

/* ---- packets ---- */

/* Takes what has been written into one end: it is dropped, or gets the time at which it comes out of the other. */
static void take_in(struct line *line)
{
    for (int round = 0; round < 512 && line->head - line->tail < RING; round++) {
        struct packet *packet = &line->ring[line->head % RING];
        ssize_t size = read(line->from, packet->bytes, sizeof packet->bytes);
        if (size <= 0)
            return;
        int64_t time = now();
        if (drand48() < line->loss || (double)(line->busy_until - time) > QUEUE_BYTES * line->ns_per_byte)
            continue;
        if (line->busy_until < time)
            line->busy_until = time;
        line->busy_until += (int64_t)((double)size * line->ns_per_byte);
        packet->due = line->busy_until + line->delay;
        packet->size = (int)size;
        line->head++;
    }
}

/* Lets out what is due. Returns when the next packet is. */
static int64_t let_out(struct line *line)
{
    while (line->tail != line->head) {
        const struct packet *packet = &line->ring[line->tail % RING];
        if (packet->due > now())
            return packet->due;
        if (write(line->to, packet->bytes, (size_t)packet->size) < 0 && errno == EAGAIN)
            return now() + 100000;
        line->tail++;
    }
    return INT64_MAX;
}

static void run(struct line lines[2])
{
    struct pollfd polled[3] = {{lines[0].from, POLLIN, 0}, {lines[1].from, POLLIN, 0}, {0, POLLIN, 0}};
    char ignored[64];
    for (;;) {
        int64_t next = INT64_MAX;
        for (int i = 0; i < 2; i++) {
            take_in(&lines[i]);
            int64_t due = let_out(&lines[i]);
            next = due < next ? due : next;
        }
        int64_t wait = next == INT64_MAX ? 1000000000 : next - now();
        wait = wait < 0 ? 0 : wait > 1000000000 ? 1000000000 : wait;
        struct timespec time = {wait / 1000000000, wait % 1000000000};
        ppoll(polled, 3, &time, NULL);
        if (polled[2].revents && read(0, ignored, sizeof ignored) <= 0)
            return;
    }
}

int main(int count, char **values)
{
    if (count != 4) {
        fprintf(stderr, "usage: slow_link RATE_MBIT ROUND_TRIP_MS LOSS_PERCENT\n");
        return 2;
    }
    int near_space, far_space;
    int near = make_end("10.44.0.1", &near_space), far = make_end("10.44.0.2", &far_space);
    struct line lines[2] = {{.from = near, .to = far}, {.from = far, .to = near, .loss = atof(values[3]) / 100}};
    for (int i = 0; i < 2; i++) {
        lines[i].ns_per_byte = 8e3 / atof(values[1]);
        lines[i].delay = (int64_t)(atof(values[2]) / 2 * 1e6);
        lines[i].ring = calloc(RING, sizeof *lines[i].ring);
        if (!lines[i].ring)
            return 1;
    }
    prctl(PR_SET_TIMERSLACK, 1UL);
    srand48(7);
    printf("up /proc/%d/fd/%d /proc/%d/fd/%d\n", (int)getpid(), near_space, (int)getpid(), far_space);
    fflush(stdout);
    run(lines);
    return 0;
}
