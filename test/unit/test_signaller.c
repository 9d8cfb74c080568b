/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A client shares its eventfds' counters with the server, and may change them at the worst moment:
 * between a look and what is done because of it. Here each poll() that finds room is such a moment.
 */

#include "support.h"
#include "vfio_user/signaller.h"

#include <sys/eventfd.h>

#define FULL 0xfffffffffffffffeull

int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);

static int g_fill = -1; /* filled once it has been looked at */
static int g_empty = -1;

int
__wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	int n = __real_poll(fds, count, timeout);
	uint64_t value = FULL;

	for (nfds_t i = 0; i < count; i++) {
		if (fds[i].fd == g_fill && (fds[i].revents & POLLOUT)) {
			assert_int_equal(write(g_fill, &value, sizeof(value)), sizeof(value));
		} else if (fds[i].fd == g_empty && (fds[i].revents & POLLIN)) {
			assert_int_equal(read(g_empty, &value, sizeof(value)), sizeof(value));
		}
	}
	return n;
}

static uint64_t
take(int fd)
{
	uint64_t value = 0;

	assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
	return value;
}

static void
a_signal_is_one(void **state)
{
	struct udma_vu_signaller signaller;
	int fd = eventfd(0, EFD_NONBLOCK);

	(void)state;
	udma_vu_signaller_init(&signaller);
	/* More than are kept, and nothing is lost. */
	for (unsigned i = 1; i <= 100; i++) {
		udma_vu_signal(&signaller, fd);
	}
	assert_int_equal(take(fd), 100);
	assert_false(udma_vu_take_signal(fd));
	udma_vu_signal(&signaller, fd);
	assert_true(udma_vu_take_signal(fd));
	assert_false(udma_vu_take_signal(fd));
	udma_vu_signaller_fini(&signaller);
	close(fd);
}

static void
a_counter_that_is_full_holds_nobody_up(void **state)
{
	struct udma_vu_signaller signaller;
	uint64_t full = FULL;
	int fd = eventfd(0, 0);

	(void)state;
	udma_vu_signaller_init(&signaller);
	assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
	udma_vu_signal(&signaller, fd);
	assert_true(take(fd) >= FULL);
	udma_vu_signaller_fini(&signaller);
	close(fd);
}

static void
a_counter_that_is_filled_in_between_holds_nobody_up(void **state)
{
	struct udma_vu_signaller signaller;

	(void)state;
	udma_vu_signaller_init(&signaller);
	if (signaller.context == 0) {
		print_message("# not tested: there is no asynchronous I/O here\n");
		udma_vu_signaller_fini(&signaller);
		return;
	}
	g_fill = eventfd(0, 0);
	udma_vu_signal(&signaller, g_fill);
	assert_true(take(g_fill) >= 1);
	udma_vu_signaller_fini(&signaller);
	close(g_fill);
	g_fill = -1;
}

static void
a_counter_that_is_emptied_in_between_holds_nobody_up(void **state)
{
	uint64_t one = 1;

	(void)state;
	g_empty = eventfd(0, 0);
	assert_int_equal(write(g_empty, &one, sizeof(one)), sizeof(one));
	udma_vu_take_signal(g_empty);
	close(g_empty);
	g_empty = -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_is_one),
		cmocka_unit_test(a_counter_that_is_full_holds_nobody_up),
		cmocka_unit_test(a_counter_that_is_filled_in_between_holds_nobody_up),
		cmocka_unit_test(a_counter_that_is_emptied_in_between_holds_nobody_up),
	};

	return cmocka_run_group_tests_name("signaller", tests, NULL, NULL);
}
