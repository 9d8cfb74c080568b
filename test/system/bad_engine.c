/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * An engine that errs in ways that no emulated one does: linked into the tool, these functions
 * stand between it and the library.
 *
 * BAD_ENGINE says what goes wrong. "inside", "before", "behind", "stray", "source" (a byte there is
 * inverted), "twice" (the callback) and "refuse" happen once on each channel, at request
 * BAD_REQUEST or the next one that lends itself; "hang", "halt" and "gone" last from then on.
 * "full" (every other time the ring is said to be) and "no fill" and "fill at 8" (that is all that
 * it can do) are no errors, and always so.
 */

#include "spdk/ioat.h"

#include <dlfcn.h>

/* More than the bytes around a request that are compared with it. */
#define FAR 64

/** A request whose callback is ours. */
struct request {
	spdk_ioat_req_cb cb_fn;
	void *cb_arg;
	char *dst;
	char *src; /* NULL: a fill */
	uint64_t size;
};

/* Each channel has a thread of its own. */
static __thread uint64_t accepted;
static __thread uint64_t calls;
static __thread bool has_erred;
static __thread struct request last; /* accepted */
static __thread struct request bad;
static __thread char *bad_byte;

static bool
is(const char *what)
{
	const char *wanted = getenv("BAD_ENGINE");

	return wanted != NULL && strcmp(wanted, what) == 0;
}

/** \return whether it is the turn of the next request. */
static bool
is_due(void)
{
	const char *number = getenv("BAD_REQUEST");

	return !has_erred && number != NULL && accepted + 1 >= strtoull(number, NULL, 10);
}

static void *
library(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (function == NULL) {
		fprintf(stderr, "bad_engine: the library has no %s()\n", name);
		abort();
	}
	return function;
}

/** \return the byte that is to be spoiled with a request, NULL if it is not the right one. */
static char *
byte_to_spoil(const struct request *request)
{
	if (request->size == 0) {
		return NULL;
	}
	if (is("inside")) {
		return request->dst + request->size / 2;
	}
	if (is("before")) {
		return request->dst - 1;
	}
	if (is("behind")) {
		return request->dst + request->size;
	}
	if (is("source")) {
		return request->src;
	}
	return is("stray") && last.size > 0 && request->dst > last.dst + FAR ? last.dst : NULL;
}

static void
finish_badly(void *arg)
{
	struct request *request = arg;

	if (bad_byte != NULL) {
		*bad_byte = (char)~*bad_byte;
	}
	request->cb_fn(request->cb_arg);
	if (is("twice")) {
		request->cb_fn(request->cb_arg);
	}
}

/** \return 0 to go on, with another callback perhaps; a negative errno. */
static int
before(struct request *request, spdk_ioat_req_cb *cb_fn, void **cb_arg)
{
	if (is("full") && ++calls % 2 == 0) {
		return -ENOMEM;
	}
	if (is_due() && is("refuse")) {
		has_erred = true;
		return -EINVAL;
	}
	if (is_due() && (byte_to_spoil(request) != NULL || is("twice"))) {
		bad = *request;
		bad_byte = byte_to_spoil(request);
		*cb_fn = finish_badly;
		*cb_arg = &bad;
	}
	return 0;
}

static int
after(int rc, const struct request *request, spdk_ioat_req_cb cb_fn)
{
	if (rc == 0) {
		accepted++;
		last = *request;
		has_erred |= cb_fn == finish_badly;
	}
	return rc;
}

static int
copy(const char *name, struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
     const void *src, uint64_t nbytes)
{
	int (*call)(struct spdk_ioat_chan *, void *, spdk_ioat_req_cb, void *, const void *,
		    uint64_t) = library(name);
	struct request request = {cb_fn, cb_arg, dst, (char *)(uintptr_t)src, nbytes};
	int rc = before(&request, &cb_fn, &cb_arg);

	return rc != 0 ? rc : after(call(chan, cb_arg, cb_fn, dst, src, nbytes), &request, cb_fn);
}

static int
fill(const char *name, struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
     uint64_t pattern, uint64_t nbytes)
{
	int (*call)(struct spdk_ioat_chan *, void *, spdk_ioat_req_cb, void *, uint64_t, uint64_t) =
		library(name);
	struct request request = {cb_fn, cb_arg, dst, NULL, nbytes};
	int rc = before(&request, &cb_fn, &cb_arg);

	if (is("fill at 8") && (uintptr_t)dst % 8 != 0) {
		return -ENOTSUP;
	}
	return rc != 0 ? rc
		       : after(call(chan, cb_arg, cb_fn, dst, pattern, nbytes), &request, cb_fn);
}

/* ---- In the place of the library's ---- */

int
spdk_ioat_build_copy(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		     const void *src, uint64_t nbytes)
{
	return copy(__func__, chan, cb_arg, cb_fn, dst, src, nbytes);
}

int
spdk_ioat_submit_copy(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		      const void *src, uint64_t nbytes)
{
	return copy(__func__, chan, cb_arg, cb_fn, dst, src, nbytes);
}

int
spdk_ioat_build_fill(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		     uint64_t fill_pattern, uint64_t nbytes)
{
	return fill(__func__, chan, cb_arg, cb_fn, dst, fill_pattern, nbytes);
}

int
spdk_ioat_submit_fill(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		      uint64_t fill_pattern, uint64_t nbytes)
{
	return fill(__func__, chan, cb_arg, cb_fn, dst, fill_pattern, nbytes);
}

int
spdk_ioat_process_events(struct spdk_ioat_chan *chan)
{
	int (*call)(struct spdk_ioat_chan *) = library(__func__);

	if (is_due() && is("hang")) {
		return 0;
	}
	if (is_due() && (is("halt") || is("gone"))) {
		return is("halt") ? -EIO : -ENODEV;
	}
	return call(chan);
}

uint32_t
spdk_ioat_get_dma_capabilities(struct spdk_ioat_chan *chan)
{
	uint32_t (*call)(struct spdk_ioat_chan *) = library(__func__);

	return call(chan) & (is("no fill") ? ~(uint32_t)SPDK_IOAT_ENGINE_FILL_SUPPORTED : ~0u);
}
